"""What people do in the back office, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.enums import Role
from accounts.models import AuditEntry, Tenant
from accounts.stepup import SESSION_KEY
from accounts.tenancy import tenant_scope
from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from customers.models import Customer, ExchangeAccount
from signals.enums import Dialect
from signals.models import Signal, SignalSource
from signals.parsing import example
from strategies.models import Strategy, StrategySource, Subscription
from tests import factories as make
from trading.enums import LimitKind, TradingMode
from trading.models import Limit, TradingState

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]

KEYS = {"new_api_key": "k" * 36, "new_api_secret": "s" * 32, "new_passphrase": "Pass-1"}


@pytest.fixture
def desk() -> Tenant:
    return make.make_tenant("North desk")


def signed_in(desk: Tenant, role: Role = Role.OWNER) -> Client:
    client = Client()
    client.force_login(make.make_user(role, tenant=desk))
    return client


def confirm_password(client: Client) -> None:
    client.post(reverse("accounts:step_up"), {"password": make.PASSWORD, "next": "/admin/"})
    assert SESSION_KEY in client.session


def change_page(account: ExchangeAccount) -> str:
    return reverse("admin:customers_exchangeaccount_change", args=(account.pk,))


def test_a_new_account_with_its_key_is_checked(desk: Tenant) -> None:
    customer = make.make_customer(desk)
    form = {"customer": customer.pk, "label": "main", "market": "simulator", **KEYS}

    answer = signed_in(desk).post(reverse("admin:customers_exchangeaccount_add"), form, follow=True)

    with tenant_scope(desk):
        account = ExchangeAccount.objects.get()
    text = answer.content.decode()
    assert account.key_status == KeyStatus.PENDING
    assert account.key_last4 == "kkkk"
    assert answer.redirect_chain[-1][0] == change_page(account)
    assert "Being checked" in text
    assert 'hx-trigger="every 2s"' in text
    assert not any(value in text for value in KEYS.values())


def test_empty_key_fields_keep_the_stored_key(desk: Tenant) -> None:
    account = make.make_account(make.make_customer(desk))

    answer = signed_in(desk).post(change_page(account), {"label": "second"})

    assert answer.status_code == 302
    with tenant_scope(desk):
        stored = ExchangeAccount.objects.get()
    assert (stored.label, stored.key_version, stored.key_status) == ("second", 1, "verified")
    assert stored.key_last4 == account.key_last4


def test_a_key_in_use_elsewhere_is_a_field_error(desk: Tenant) -> None:
    make.make_account(make.make_customer(), api_key=KEYS["new_api_key"])
    account = make.make_account(make.make_customer(desk), verified=False)

    answer = signed_in(desk).post(change_page(account), {"label": "renamed", **KEYS})

    assert answer.status_code == 200
    assert "This key is already in use" in answer.content.decode()
    with tenant_scope(desk):
        stored = ExchangeAccount.objects.get()
    assert (stored.label, stored.key_status) == (account.label, KeyStatus.MISSING)


def test_half_a_key_is_refused_and_nothing_is_stored(desk: Tenant) -> None:
    account = make.make_account(make.make_customer(desk), verified=False)

    answer = signed_in(desk).post(change_page(account), {"label": "x", "new_api_key": "k" * 36})

    assert answer.status_code == 200
    assert "This is needed." in answer.content.decode()
    with tenant_scope(desk):
        assert ExchangeAccount.objects.get().key_last4 == ""


def test_a_refusal_is_shown_with_its_reason(desk: Tenant) -> None:
    account = make.make_account(
        make.make_customer(desk), verified=False, api_key="refused-key-1",
    )  # fmt: skip
    with tenant_scope(desk):
        ExchangeAccount.objects.update(key_status=KeyStatus.REFUSED, key_reason="It may withdraw.")

    client = signed_in(desk, Role.SUPPORT)
    part = client.get(reverse("admin:customers_exchangeaccount_key", args=(account.pk,)))

    assert "It may withdraw." in client.get(change_page(account)).content.decode()
    assert "hx-trigger" not in part.content.decode()


def test_a_secret_is_shown_once(desk: Tenant) -> None:
    client = signed_in(desk)
    form = {
        "name": "Alerts",
        "market": "simulator",
        "dialect": "copydesk",
        "rate_per_second": 20,
        "approval": "none",
    }
    form |= {"kind": "webhook", "with_token": "on", "approval_seconds": 300}

    answer = client.post(reverse("admin:signals_signalsource_add"), form)

    with tenant_scope(desk):
        source = SignalSource.objects.get(name="Alerts")
    secret = source.secret.reveal()
    text = answer.content.decode()
    assert secret in text
    assert "/hooks/t/" in text
    assert "no-store" in answer.headers["Cache-Control"]
    page = reverse("admin:signals_signalsource_change", args=(source.pk,))
    assert secret not in client.get(page).content.decode()


@pytest.mark.parametrize("dialect", Dialect)
def test_a_source_shows_what_its_format_sends(desk: Tenant, dialect: Dialect) -> None:
    client = signed_in(desk)
    form = {
        "name": "Alerts",
        "market": "simulator",
        "dialect": dialect,
        "rate_per_second": 20,
        "approval": "none",
    }
    form |= {"kind": "webhook", "with_token": "on", "approval_seconds": 300}

    offered = client.get(reverse("admin:signals_signalsource_add")).content.decode()
    once = client.post(reverse("admin:signals_signalsource_add"), form).content.decode()

    with tenant_scope(desk):
        source = SignalSource.objects.get(name="Alerts")
    page = reverse("admin:signals_signalsource_change", args=(source.pk,))
    later = client.get(page).content.decode()
    assert escape(example(dialect)) in offered
    assert escape(example(dialect, source.secret.reveal())) in once
    assert escape(example(dialect)) in later


def test_a_source_of_programs_speaks_our_own_format(desk: Tenant) -> None:
    form = {
        "name": "Bot",
        "market": "simulator",
        "dialect": "octobot",
        "rate_per_second": 20,
        "approval": "none",
    }

    answer = signed_in(desk).post(
        reverse("admin:signals_signalsource_add"), {**form, "kind": "api", "approval_seconds": 300}
    )

    assert "Other formats are for webhooks." in answer.content.decode()
    with tenant_scope(desk):
        assert not SignalSource.objects.filter(name="Bot").exists()


def test_a_secret_is_made_anew_by_a_post_only(desk: Tenant) -> None:
    source = make.make_source(desk)
    page = reverse("admin:signals_signalsource_secret", args=(source.pk,))
    client = signed_in(desk)

    client.get(page)
    with tenant_scope(desk):
        assert SignalSource.objects.get(pk=source.pk).secret.reveal() == make.SECRET
    client.post(page)
    with tenant_scope(desk):
        assert SignalSource.objects.get(pk=source.pk).secret.reveal() != make.SECRET
    assert signed_in(desk, Role.AUDITOR).post(page).status_code == 404


def test_a_taken_name_is_a_field_error(desk: Tenant) -> None:
    make.make_customer(desk, name="Ana")

    answer = signed_in(desk).post(reverse("admin:customers_customer_add"), {"name": "Ana"})

    assert answer.status_code == 200
    with tenant_scope(desk):
        assert Customer.objects.count() == 1


def as_shown(page: Any) -> dict[str, Any]:
    """What a browser sends of a form that nobody has touched, its inlines left out."""
    shown = {field.html_name: field.value() for field in page.context["adminform"].form}
    return {name: value for name, value in shown.items() if value not in (None, False)}


def test_a_strategy_is_made_with_its_source(desk: Tenant) -> None:
    source = make.make_source(desk)
    browser, page = signed_in(desk), reverse("admin:strategies_strategy_add")
    form = as_shown(browser.get(page)) | {
        "name": "Trend",
        "instruments": "btc-usdt-swap, ETH-USDT-SWAP",
        "follow_ratio": "0.25",
        "max_leverage": "3",
        "source_links-TOTAL_FORMS": 1,
        "source_links-INITIAL_FORMS": 0,
        "source_links-0-source": source.pk,
    }

    answer = browser.post(page, form)

    assert answer.status_code == 302
    with tenant_scope(desk):
        strategy = Strategy.objects.get()
        assert strategy.instruments == ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]
        assert strategy.follow_ratio == Decimal("0.25")
        assert StrategySource.objects.get().source == source


def test_a_subscription_is_made(desk: Tenant) -> None:
    strategy = make.make_strategy(tenant=desk)
    account = make.make_account(make.make_customer(desk))
    form = {"strategy": strategy.pk, "account": account.pk, "copy_existing": "no"}

    assert (
        signed_in(desk).post(reverse("admin:strategies_subscription_add"), form).status_code == 302
    )
    with tenant_scope(desk):
        link = Subscription.objects.get()
    assert (link.account_id, link.status) == (account.pk, "active")
    assert link.started_at is not None


@pytest.mark.parametrize(
    ("action", "was", "becomes"),
    [
        ("pause", "active", ("paused", "")),
        ("resume", "paused", ("active", "")),
        ("resume", "stopped", ("active", "")),
        ("close_only", "active", ("close_only", "")),
        ("stop", "active", ("stopped", "copy_close")),
        ("stop_and_close", "paused", ("stopped", "market_close")),
        ("stop_and_leave", "close_only", ("stopped", "manual_close")),
    ],
)
def test_a_subscription_is_moved_after_asking(
    desk: Tenant, action: str, was: str, becomes: tuple[str, str]
) -> None:
    link = make.subscribe(make.make_strategy(tenant=desk), status=was)
    page = reverse("admin:strategies_subscription_changelist")
    form = {"action": action, "_selected_action": link.pk}
    client = signed_in(desk)

    asked = client.post(page, form)
    with tenant_scope(desk):
        assert Subscription.objects.get().status == was
    client.post(page, form | {"confirmed": "1", "reason": "as agreed"})

    assert asked.status_code == 200
    with tenant_scope(desk):
        moved = Subscription.objects.get()
        entry = AuditEntry.objects.filter(action__startswith="subscription.").latest("at")
    assert (moved.status, moved.ending) == becomes
    assert entry.actor_id is not None


def test_archiving_asks_first_then_goes_through_the_service(desk: Tenant) -> None:
    customer = make.make_customer(desk)
    client, page = signed_in(desk), reverse("admin:customers_customer_changelist")
    form = {"action": "archive", "_selected_action": customer.pk}

    asked = client.post(page, form)
    with tenant_scope(desk):
        assert Customer.objects.get().status == CustomerStatus.ACTIVE
    client.post(page, form | {"confirmed": "1", "reason": "left us"})

    assert "Nothing is deleted" in asked.content.decode()
    with tenant_scope(desk):
        assert Customer.objects.get().status == CustomerStatus.ARCHIVED
        assert AuditEntry.objects.get(action="customer.archived").reason == "left us"


def test_pausing_an_account_keeps_the_reason(desk: Tenant) -> None:
    account = make.make_account(make.make_customer(desk))
    form = {"action": "pause", "_selected_action": account.pk, "confirmed": "1", "reason": "away"}

    signed_in(desk).post(reverse("admin:customers_exchangeaccount_changelist"), form)

    with tenant_scope(desk):
        stored = ExchangeAccount.objects.get()
    assert (stored.status, stored.paused_reason) == (AccountStatus.PAUSED, "away")


def test_a_manual_signal_takes_the_common_road(desk: Tenant) -> None:
    make.make_instrument()
    make.set_price()
    account = make.make_account(make.make_customer(desk))
    form = {
        "account": account.pk,
        "instrument": "btc-usdt-swap",
        "intent": "open",
        "direction": "long",
        "quantity": "1.5",
        "mode": "contracts",
        "external_id": "5b1f9b1e-0000-4000-8000-000000000001",
    }
    client = signed_in(desk, Role.TRADER)

    first = client.post(reverse("admin:manual_signal"), form)
    client.post(reverse("admin:manual_signal"), form)

    with tenant_scope(desk):
        signal = Signal.objects.get()
    assert first.url == reverse("admin:signals_signal_change", args=(signal.pk,))
    assert (signal.account_id, signal.quantity) == (account.pk, Decimal("1.5"))


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.RISK])
def test_only_traders_and_owners_enter_signals(desk: Tenant, role: Role) -> None:
    assert signed_in(desk, role).get(reverse("admin:manual_signal")).status_code == 403


def halt(client: Client, mode: str = "halted", **more: Any) -> Any:
    form = {"scope": "tenant", "mode": mode, "reason": "prices look wrong", **more}
    return client.post(reverse("admin:switch"), form)


def mode_now(desk: Tenant) -> str:
    with tenant_scope(desk):
        state = TradingState.objects.filter(scope="tenant").first()
    return state.mode if state else TradingMode.ACTIVE


def test_tightening_is_one_click(desk: Tenant) -> None:
    halt(signed_in(desk, Role.TRADER))

    assert mode_now(desk) == TradingMode.HALTED


def test_loosening_asks_for_the_password(desk: Tenant) -> None:
    client = signed_in(desk)
    halt(client)

    answer = halt(client, "active")
    assert answer.url.startswith(reverse("accounts:step_up"))
    assert mode_now(desk) == TradingMode.HALTED

    confirm_password(client)
    halt(client, "active")
    assert mode_now(desk) == TradingMode.ACTIVE


def test_a_trader_may_not_loosen(desk: Tenant) -> None:
    client = signed_in(desk, Role.TRADER)
    halt(client)
    confirm_password(client)

    assert halt(client, "active").status_code == 403
    assert mode_now(desk) == TradingMode.HALTED


def test_a_switch_needs_a_reason_and_its_target(desk: Tenant) -> None:
    client = signed_in(desk)

    assert halt(client, reason="").status_code == 200
    assert halt(client, scope="strategy").status_code == 200
    with tenant_scope(desk):
        assert TradingState.objects.count() == 0


def test_one_strategy_is_halted_alone(desk: Tenant) -> None:
    strategy = make.make_strategy(tenant=desk)

    halt(signed_in(desk), scope="strategy", strategy=strategy.pk)

    with tenant_scope(desk):
        assert TradingState.objects.get().strategy == strategy


def test_another_desks_strategy_cannot_be_halted(desk: Tenant) -> None:
    foreign = make.make_strategy()

    assert halt(signed_in(desk), scope="strategy", strategy=foreign.pk).status_code == 200
    with tenant_scope(desk):
        assert TradingState.objects.count() == 0


def test_a_limit_is_set_through_the_switch_room(desk: Tenant) -> None:
    client, add = signed_in(desk, Role.RISK), reverse("admin:trading_limit_add")
    form = {"kind": "daily_notional", "value": "25000", "scope": "tenant", "is_active": "on"}

    assert client.post(add, form).status_code == 302
    with tenant_scope(desk):
        limit = Limit.objects.get()
    assert (limit.kind, limit.value) == (LimitKind.DAILY_NOTIONAL, Decimal(25_000))
    desk.refresh_from_db()
    assert desk.switch_version == 1

    page = reverse("admin:trading_limit_change", args=(limit.pk,))
    assert client.post(page, {"value": "10000", "is_active": "on"}).status_code == 302
    with tenant_scope(desk):
        assert Limit.objects.get().value == Decimal(10_000)
    assert client.post(add, form | {"scope": "strategy"}).status_code == 200


def test_a_superuser_chooses_a_desk_first(desk: Tenant) -> None:
    client = Client()
    client.force_login(make.make_user(None, is_superuser=True, is_staff=True))

    assert client.get(reverse("admin:index")).url == reverse("admin:choose_desk")
    client.post(reverse("accounts:choose_desk"), {"desk": str(desk.uid)})
    assert desk.name in client.get(reverse("admin:index")).content.decode()


def test_a_limit_is_of_an_instrument_that_exists_however_it_is_typed(desk: Tenant) -> None:
    make.make_instrument()
    client, add = signed_in(desk, Role.RISK), reverse("admin:trading_limit_add")
    confirm_password(client)
    form = {"kind": "leverage", "value": "3", "scope": "instrument", "is_active": "on"}

    refused = client.post(add, {**form, "inst_id": "BTC-USDT"}).content.decode()
    client.post(add, {**form, "inst_id": "btc-usdt-swap"})

    assert "would stop nothing" in refused
    with tenant_scope(desk):
        assert [row.inst_id for row in Limit.objects.all()] == ["BTC-USDT-SWAP"]
