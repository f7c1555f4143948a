"""What customers see: their figures, in the desk's zone, and why each signal was copied or not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.enums import TenantStatus
from accounts.models import Membership, Tenant
from accounts.tenancy import tenant_scope
from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from customers.models import Customer, ExchangeAccount
from tests import factories as make
from tests.portal.desk import Portal, portal_user
from trading.models import Decision, EquitySnapshot, Order, Position

pytestmark = pytest.mark.django_db
PAGES = ("overview", "positions", "orders", "why", "account")


def see(portal: Portal, name: str = "overview", *args: Any, **query: str) -> str:
    response = portal.client().get(reverse(f"portal:{name}", args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def lone_customer(portal: Portal, name: str = "carol") -> Any:
    customer = make.make_customer(portal.world.tenant)
    with tenant_scope(portal.world.tenant):
        return customer, portal_user(customer, name)


def test_real_and_paper_money_are_never_added_together(portal: Portal) -> None:
    url = reverse("portal:overview")
    real = portal.client().get(url).context_data["equity"]
    paper = portal.client().get(url, {"money": "simulated"}).context_data["equity"]

    with tenant_scope(portal.world.tenant):
        totals = {
            account.pk: account.balances.get(currency="TOTAL").equity
            for account in (portal.real, portal.paper)
        }
    assert real.holdings.equity == totals[portal.real.pk]
    assert paper.holdings.equity == totals[portal.paper.pk]
    assert real.holdings.profit == totals[portal.real.pk] - 40_000


def test_paper_money_is_marked_and_real_money_is_not(portal: Portal) -> None:
    paper = see(portal, account=portal.paper.uid.hex)
    real = see(portal, "order", _order(portal, portal.real).pk)

    assert "Paper" in paper.split("</h1>")[1][:600]
    assert "Paper" not in real


def test_what_an_inverse_contract_earns_is_counted_in_its_coin(portal: Portal) -> None:
    with tenant_scope(portal.world.tenant):
        Position.objects.filter(account=portal.real, inst_id="SOL-USDT-SWAP").update(
            inst_id="BTC-USD-SWAP", unrealized_pnl=Decimal("-0.00123"), notional=Decimal("4200.5")
        )
    page = see(portal, "positions", account=portal.real.uid.hex)

    assert '−0.00123<span class="unit">BTC</span>' in page
    assert '4,200.50<span class="unit">USD</span>' in page
    assert '+107.68<span class="unit">USDT</span>' in page


def test_the_curve_is_there_without_a_script(portal: Portal) -> None:
    response = portal.client().get(reverse("portal:overview"))
    equity, page = response.context_data["equity"], response.content.decode()

    assert len(equity.rows) == 30
    assert page.count('<th scope="row" class="n">') == 30
    assert equity.chart["equity"][-1] == f"{equity.rows[-1].equity:f}"
    assert equity.chart["equitySaid"][-1] in page.replace("&quot;", '"')
    assert "Equity over 30 days, from " in page


def test_today_is_what_the_desks_day_added(portal: Portal) -> None:
    """At a desk whose day began half a day ago, so that none begins between two lines."""
    tenant = Tenant.objects.get(pk=portal.world.tenant.pk)
    tenant.day_starts_at = (_now().astimezone(tenant.zone).hour + 12) % 24
    tenant.save()
    with tenant_scope(tenant):
        day = Tenant.day_start(tenant, _now())
        before = EquitySnapshot.objects.filter(account=portal.real, at__lt=day).latest("at")
        EquitySnapshot(account=portal.real, at=_now(), equity=before.equity + 250).save()
    equity = portal.client().get(reverse("portal:overview")).context_data["equity"]

    assert equity.today == 250
    assert equity.today_ratio == (Decimal(250) / before.equity).quantize(Decimal("1e-8"))


def test_a_refused_signal_says_its_numbers(portal: Portal) -> None:
    with tenant_scope(portal.world.tenant):
        refused = portal.mine(Decision).filter(reason="DAILY_LIMIT").first()
    page = see(portal, "decision", refused.pk)

    assert "would have taken today&#x27;s total to 26,992.21 USDT" in page
    assert "Your daily limit is 25,000.00 USDT." in page
    assert "No order was made" in page
    assert "5,562.03 USDT" in page
    assert "Over by" in page


def test_an_order_shows_its_fills_and_leads_to_its_reason(portal: Portal) -> None:
    order = _order(portal, portal.real)
    page = see(portal, "order", order.pk)

    with tenant_scope(portal.world.tenant):
        assert page.count("<tr>") == 1 + order.fills.count()
    assert reverse("portal:decision", args=(order.decision_id,)) in page


@pytest.mark.parametrize("state", ["unknown", "manual"])
def test_an_unknown_outcome_is_waiting_and_being_checked(portal: Portal, state: str) -> None:
    order = _order(portal, portal.real)
    with tenant_scope(portal.world.tenant):
        Order.objects.filter(pk=order.pk).update(state=state, reason="UNKNOWN_RESULT")
    page = see(portal, "order", order.pk)

    assert "Waiting</span>" in page
    assert "being checked" in page
    assert "Unknown" not in page
    assert "Needs a person" not in page


def test_a_refusal_of_the_exchange_is_shown_as_it_came(portal: Portal) -> None:
    order = _order(portal, portal.real)
    with tenant_scope(portal.world.tenant):
        Order.objects.filter(pk=order.pk).update(
            state="rejected", reason="INSUFFICIENT_MARGIN", exchange_code="51008",
            exchange_message="<b>Insufficient</b> margin", filled_quantity=0,
        )  # fmt: skip
    page = see(portal, "orders")

    assert "OKX refused: not enough margin (51008)." in page
    assert "&lt;b&gt;Insufficient&lt;/b&gt; margin" in page


def test_times_are_in_the_desks_zone_which_is_named_once(portal: Portal) -> None:
    for name in PAGES:
        page = see(portal, name)
        assert page.replace('data-live-zone="Asia/Shanghai"', "").count("Asia/Shanghai") == 1, name
        assert "(UTC+8)" in page
    order = _order(portal, portal.real)
    local = order.created_at.astimezone(portal.world.tenant.zone)
    assert f"{local.day} {local:%b %Y, %H:%M:%S} UTC+8" in see(portal, "order", order.pk)


def test_filters_and_pages_live_in_the_address(portal: Portal) -> None:
    with tenant_scope(portal.world.tenant):
        first = portal.mine(Order).filter(account=portal.real).first()
        for number in range(60):
            first.pk, first.slice_number = None, number + 1
            first.id = _uuid()
            first.client_order_id = f"copy{number}"
            first._state.adding = True
            first.save()
    client, url = portal.client(), reverse("portal:orders")
    query = {"instrument": first.inst_id, "status": "filled", "account": portal.real.uid.hex}
    page = client.get(url, query | {"page": "2"}).context_data["listed"]

    assert len(page.rows) == 25
    assert {row.inst_id for row in page.rows} == {first.inst_id}
    assert f"instrument={first.inst_id}" in page.next
    assert f"account={portal.real.uid.hex}" in page.next
    assert "page=3" in page.next
    assert client.get(url, query | {"page": "999"}).context_data["listed"].next == ""
    assert client.get(url, query | {"page": "x"}).status_code == 200


def test_a_day_of_a_list_is_the_desks_day(portal: Portal) -> None:
    """It begins at the desk's hour in the desk's zone, as in the API and on the overview."""
    Tenant.objects.filter(pk=portal.world.tenant.pk).update(
        timezone="Asia/Shanghai", day_starts_at=8
    )
    order = _order(portal, portal.real)
    edges = {
        datetime(2026, 3, 5, 0, 0, tzinfo=UTC): [1, 0],  # 8 in the morning in Shanghai
        datetime(2026, 3, 5, 23, 59, 59, tzinfo=UTC): [1, 0],
        datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC): [0, 1],
    }

    for at, expected in edges.items():
        with tenant_scope(portal.world.tenant):
            Order.objects.filter(pk=order.pk).update(created_at=at)
        found = [
            len(
                portal.client()
                .get(reverse("portal:orders"), {"since": day, "until": day})
                .context_data["listed"]
                .rows
            )
            for day in ("2026-03-05", "2026-03-04")
        ]
        assert found == expected, at


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "Enter a valid date."),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "The end lies before the beginning."),
        ({"since": "0001-01-01"}, "greater than or equal to 2000-01-01"),
        ({"until": "9999-12-31"}, "less than or equal to 2999-12-31"),
        ({"instrument": "a\0b"}, "Null characters are not allowed."),
        ({"status": "exploded"}, "not one of the available choices"),
        ({"instrument": "x" * 41}, "at most 40 characters"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(
    portal: Portal, query: dict[str, str], said: str
) -> None:
    for name in ("orders", "why"):
        assert said in see(portal, name, **query)


def test_words_of_the_filter_mean_what_the_badges_say(portal: Portal) -> None:
    client, url = portal.client(), reverse("portal:why")
    with tenant_scope(portal.world.tenant):
        mine = portal.mine(Decision)
        expected = {
            "copied": mine.filter(outcome="copied").count(),
            "smaller": mine.filter(reason="CAPPED").count(),
            "not_copied": mine.exclude(outcome="copied").count(),
        }
    for word, count in expected.items():
        found = client.get(url, {"status": word}).context_data["listed"].page.paginator.count
        assert (word, found) == (word, count)
    assert min(expected.values()) > 0


def test_a_customer_without_accounts_is_told_what_comes_next(portal: Portal) -> None:
    _customer, user = lone_customer(portal)
    client = portal.client(user)

    for name in PAGES:
        assert client.get(reverse(f"portal:{name}")).status_code == 200
    assert "No exchange account yet" in client.get(reverse("portal:overview")).content.decode()


def test_an_account_without_a_reading_has_a_dash_and_not_zero(portal: Portal) -> None:
    customer, user = lone_customer(portal)
    make.make_account(customer, market="live-global", initial_balance=None)
    page = portal.client(user).get(reverse("portal:overview")).content.decode()

    assert "OKX has not told us yet." in page
    assert "The curve begins with the first reading of your account." in page
    assert "0.00<span" not in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("archived", "Your account with this desk is closed"),
        ("not_linked", "No customer belongs to you yet"),
        ("revoked", "You do not belong to a desk"),
        ("suspended", "Your desk is closed at the moment"),
    ],
)
def test_whoever_has_nothing_to_see_is_told_why(portal: Portal, state: str, said: str) -> None:
    customer, user = lone_customer(portal)
    with tenant_scope(portal.world.tenant):
        rows = Customer.objects.filter(pk=customer.pk)
        if state == "archived":
            rows.update(status=CustomerStatus.ARCHIVED)
        if state == "not_linked":
            rows.update(portal_user=None)
    if state == "revoked":
        Membership.objects.filter(user=user).update(is_active=False)
    if state == "suspended":
        Tenant.objects.filter(pk=portal.world.tenant.pk).update(status=TenantStatus.SUSPENDED)

    response = portal.client(user).get(reverse("portal:orders"))
    assert response.status_code == 403
    assert said in response.content.decode()


def test_what_keeps_signals_from_being_copied_is_said_first(portal: Portal) -> None:
    with tenant_scope(portal.world.tenant):
        Customer.objects.filter(pk=portal.customer.pk).update(status=CustomerStatus.INACTIVE)
        ExchangeAccount.objects.filter(pk=portal.real.pk).update(status=AccountStatus.PAUSED)
        ExchangeAccount.objects.filter(pk=portal.paper.pk).update(key_status=KeyStatus.REFUSED)
    page = see(portal)

    assert f"Copying is switched off for {portal.customer}." in page
    assert "The account okx main is paused" in page
    assert "OKX refused the key of main" in page


def test_rows_that_change_are_live_regions(portal: Portal) -> None:
    page = see(portal)

    for name, streams in {"equity": "equity", "positions": "positions equity", "orders": "orders",
                          "decisions": "signals orders"}.items():  # fmt: skip
        assert f'id="{name}" data-live="{streams}"' in page


def test_pages_are_strict_about_scripts_and_styles(portal: Portal) -> None:
    for name in PAGES:
        response = portal.client().get(reverse(f"portal:{name}"))
        page = response.content.decode()
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick" not in page
        scripts = page.replace('<script id="equity-data" type="application/json">', "")
        assert len(re.findall("<script", scripts)) == len(re.findall("<script [^>]*src=", scripts))
        assert response["Cache-Control"].startswith("max-age=0, no-cache, no-store")


def test_a_page_costs_the_same_however_many_rows_there_are(portal: Portal) -> None:
    client = portal.client()
    most = {"overview": 26, "positions": 14, "orders": 15, "why": 15, "account": 10}
    counts = {}
    for name in PAGES:
        client.get(reverse(f"portal:{name}"))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(reverse(f"portal:{name}"))
        counts[name] = len(queries)
    with tenant_scope(portal.world.tenant):
        account = make.make_account(portal.customer, market="live-global", label="third")
        Position.objects.filter(account=portal.paper).update(account=account)
        portal.mine(Order).filter(account=portal.paper).update(account=account)
        portal.mine(Decision).filter(account=portal.paper).update(account=account)
    for name in PAGES:
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse(f"portal:{name}"))
        assert len(queries) == counts[name], name
        assert len(queries) <= most[name], (name, len(queries))


def _order(portal: Portal, account: ExchangeAccount) -> Order:
    with tenant_scope(portal.world.tenant):
        found: Order = Order.objects.filter(account=account, state="filled").first()
        return found


def _now() -> Any:
    from django.utils import timezone

    return timezone.now().replace(second=0, microsecond=0)


def _uuid() -> Any:
    from accounts.fields import uuid7

    return uuid7()
