"""The back office's pages of simulated accounts, with the real simulator behind them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.models import AuditEntry, Tenant
from accounts.stepup import SESSION_KEY
from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus, Market
from customers.models import Customer, ExchangeAccount
from tests import factories as make
from tests.trading.sync.test_paper import NOBODY, opened
from tests.trading.sync.venue import Venue

pytestmark = [pytest.mark.django_db, pytest.mark.simulator]
NEW = {"label": "paper", "position_mode": "net", "balance_USDT": "10000"}


@pytest.fixture
def desk(venue: Venue, settings: Any) -> Tenant:
    settings.SIMULATOR_CONTROL_URL = venue.control
    return make.make_tenant("North desk")


def signed_in(desk: Tenant, role: Role = Role.OWNER, *, fresh: bool = True) -> Client:
    client = Client()
    user = make.make_user(role, tenant=desk)
    client.force_login(user)
    if fresh:
        session = client.session
        session[SESSION_KEY] = [user.pk, int(timezone.now().timestamp())]
        session.save()
    return client


def page(row: Any, name: str) -> str:
    return reverse(f"admin:customers_{type(row).__name__.lower()}_{name}", args=(row.pk,))


def owner_of(account: ExchangeAccount) -> Customer:
    with tenant_scope(account.tenant_id):
        return Customer.objects.get(pk=account.customer_id)


def usdt(venue: Venue, account: ExchangeAccount) -> str:
    rows = {row["key"]: row["balances"] for row in venue.look("/accounts")["accounts"]}
    return str(rows[account.paper_key].get("USDT", "0"))


def paper_actions(desk: Tenant) -> list[str]:
    with tenant_scope(desk):
        entries = AuditEntry.objects.filter(action__contains="paper").order_by("at")
        return list(entries.values_list("action", flat=True))


def test_support_opens_an_account_for_a_customer(desk: Tenant, venue: Venue) -> None:
    customer = make.make_customer(desk)
    client = signed_in(desk, Role.SUPPORT)

    shown = client.get(page(customer, "paper")).content.decode()
    answer = client.post(page(customer, "paper"), NEW | {"balance_BTC": "0.5"}, follow=True)

    assert 'value="10000"' in shown
    with tenant_scope(desk):
        account = ExchangeAccount.objects.get()
    assert answer.redirect_chain[-1][0] == page(account, "change")
    assert "Being checked" in answer.content.decode()
    assert account.paper_balances == {"USDT": "10000", "BTC": "0.5"}
    assert usdt(venue, account) == "10000"
    assert page(account, "paper") in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"balance_USDT": ""}, "An account begins with some money."),
        ({"balance_USDT": "-1"}, "greater than or equal to 0"),
        ({"balance_USDT": "lots"}, "Enter a number."),
        ({"label": ""}, "This field is required."),
        ({"position_mode": "hedge"}, "Select a valid choice"),
    ],
)
def test_a_form_that_says_nothing_useful_comes_back(
    desk: Tenant, changes: dict[str, str], words: str
) -> None:
    customer = make.make_customer(desk)

    answer = signed_in(desk).post(page(customer, "paper"), NEW | changes)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    with tenant_scope(desk):
        assert not ExchangeAccount.objects.exists()


def test_a_simulator_that_is_away_is_said_to_be(desk: Tenant, settings: Any) -> None:
    customer = make.make_customer(desk)
    settings.SIMULATOR_CONTROL_URL = NOBODY

    answer = signed_in(desk).post(page(customer, "paper"), NEW)

    assert "The simulator cannot be reached." in answer.content.decode()
    assert answer.context_data["form"]["label"].value() == "paper"
    with tenant_scope(desk):
        assert not ExchangeAccount.objects.exists()


def test_without_a_simulator_the_pages_say_so_and_offer_no_form(
    desk: Tenant, settings: Any
) -> None:
    account = opened(desk)
    settings.SIMULATOR_CONTROL_URL = ""
    client = signed_in(desk)

    for row, name in ((owner_of(account), "paper"), (account, "paper"), (account, "reset")):
        text = client.get(page(row, name)).content.decode()
        assert "No simulator is configured." in text
        assert 'name="balance_USDT"' not in text
        assert 'name="amount"' not in text


def test_money_goes_in_and_out(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    client = signed_in(desk, Role.SUPPORT)

    for do, amount, says in (
        ("fund", "1500.5", "Paid in: 1,500.5 USDT."),
        ("withdraw", "500", "Taken out: 500 USDT."),
    ):
        form = {"do": do, "amount": amount, "currency": "USDT"}
        answer = client.post(page(account, "paper"), form, follow=True)
        assert says in answer.content.decode()

    assert usdt(venue, account) == "11000.5"
    assert paper_actions(desk) == ["account.paper_funded", "account.paper_withdrawn"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"do": "withdraw", "amount": "10001"}, "The simulator refused"),
        ({"do": "fund", "amount": "0"}, "An amount above zero is expected."),
        ({"do": "fund", "amount": "1e5000"}, "Ensure that there are no more than"),
        ({"do": "fund", "amount": ""}, "This field is required."),
        ({"do": "fund", "amount": "1", "currency": "EUR"}, "Select a valid choice"),
        ({"do": "print", "amount": "1"}, "Pay in"),
        ({}, "Pay in"),
    ],
)
def test_a_payment_that_cannot_be_is_refused(
    desk: Tenant, venue: Venue, form: dict[str, str], words: str
) -> None:
    account = opened(desk)

    answer = signed_in(desk).post(page(account, "paper"), {"currency": "USDT"} | form)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert (usdt(venue, account), paper_actions(desk)) == ("10000", [])


def test_a_reset_says_what_it_does_and_asks_for_the_password(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    stale = signed_in(desk, fresh=False)
    form = {"balance_USDT": "300", "reason": "A new month"}

    asked = stale.post(page(account, "reset"), form)
    assert asked.status_code == 302
    assert asked["Location"].startswith(reverse("accounts:step_up"))
    assert (usdt(venue, account), paper_actions(desk)) == ("10000", [])

    client = signed_in(desk)
    shown = client.get(page(account, "reset")).content.decode()
    answer = client.post(page(account, "reset"), form, follow=True)

    assert "Positions vanish without being closed" in shown
    assert 'value="10000"' in shown
    assert "The account begins again." in answer.content.decode()
    assert usdt(venue, account) == "300"
    with tenant_scope(desk):
        entry = AuditEntry.objects.get(action="account.paper_reset")
    assert (entry.reason, entry.after["balances"]) == ("A new month", {"USDT": "300"})


def test_an_account_is_seen_to(desk: Tenant) -> None:
    account = opened(desk)

    answer = signed_in(desk).post(page(account, "paper"), {"do": "reopen"}, follow=True)

    assert "An account it has lost is opened again." in answer.content.decode()
    with tenant_scope(desk):
        assert ExchangeAccount.objects.get().key_status == KeyStatus.PENDING


@pytest.mark.parametrize("role", [Role.TRADER, Role.RISK, Role.AUDITOR])
def test_those_who_manage_no_keys_are_refused(desk: Tenant, venue: Venue, role: Role) -> None:
    account = opened(desk)
    client = signed_in(desk, role)

    customer = owner_of(account)
    for row, name in ((customer, "paper"), (account, "paper"), (account, "reset")):
        for method in (client.get, client.post):
            answer = method(page(row, name), NEW | {"do": "fund", "amount": "1"})
            assert answer.status_code == 403
    for row in (account, customer):
        assert page(row, "paper") not in client.get(page(row, "change")).content.decode()
    assert (usdt(venue, account), paper_actions(desk)) == ("10000", [])


@pytest.mark.parametrize("name", ["paper", "reset"])
def test_forged_forms_for_other_accounts_find_nothing(
    desk: Tenant, venue: Venue, name: str
) -> None:
    typed = venue.open_account(customer=make.make_customer(desk))
    real = make.make_account(make.make_customer(desk), market=Market.LIVE_GLOBAL)
    foreign = opened(make.make_tenant("South desk"))
    client = signed_in(desk)
    before = venue.look("/accounts")
    form = {"do": "fund", "amount": "1", "currency": "USDT", "balance_USDT": "5"}

    for account in (typed, real, foreign):
        assert client.get(page(account, name)).status_code == 404
        assert client.post(page(account, name), form).status_code == 404
        shown = client.get(page(account, "change"), follow=True).content.decode()
        assert page(account, "reset") not in shown
    assert venue.look("/accounts") == before
    assert paper_actions(desk) == []


def test_an_archived_account_is_left_alone(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    with tenant_scope(desk):
        ExchangeAccount.objects.update(status="archived")
    client = signed_in(desk)

    paid = client.post(page(account, "paper"), {"do": "fund", "amount": "1", "currency": "USDT"})
    reset = client.post(page(account, "reset"), {"balance_USDT": "5"})

    assert all("The account is archived." in a.content.decode() for a in (paid, reset))
    assert (usdt(venue, account), paper_actions(desk)) == ("10000", [])


def test_the_key_of_a_paper_account_is_not_asked_for(desk: Tenant) -> None:
    account = opened(desk)
    keys = {"new_api_key": "k" * 36, "new_api_secret": "s" * 32, "new_passphrase": "Pass-1"}
    client = signed_in(desk)

    shown = client.get(page(account, "change")).content.decode()
    answer = client.post(page(account, "change"), {"label": "renamed"} | keys)

    assert "new_api_key" not in shown
    assert answer.status_code == 200
    with tenant_scope(desk):
        kept = ExchangeAccount.objects.get()
    assert (kept.label, kept.key_last4) == ("paper", account.paper_key[-4:])


def test_play_money_is_marked_in_the_customers_list_of_accounts(desk: Tenant) -> None:
    customer: Customer = make.make_customer(desk)
    make.make_account(customer, label="play", initial_balance=Decimal(1))

    shown = signed_in(desk).get(page(customer, "change")).content.decode()

    assert '<span class="bdg k-paper"><span class="ic" aria-hidden="true">science</span>' in shown
