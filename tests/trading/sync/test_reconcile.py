"""The exchange's books against ours, read from the real simulator."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import AccountStatus
from customers.models import ExchangeAccount
from tests.factories import make_account
from tests.trading.sync.rows import BTC, fills_of, fresh, make_order, position
from tests.trading.sync.venue import Venue
from trading.enums import EventSource, OrderState
from trading.exchange.types import Side
from trading.models import Balance, ExternalOrder, Instrument, Order, Position, ReconcileRun
from trading.sync.apply import TOTAL, apply_positions
from trading.sync.market import load_instruments
from trading.sync.reconcile import forget_old_runs, reconcile_account, reconcile_due
from trading.sync.truth import SETTLED

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]
EARLIER = {"created_at": timezone.now() - timedelta(minutes=1)}
EARLIER["sent_at"] = EARLIER["created_at"]


@pytest.fixture
def account(venue: Venue) -> ExchangeAccount:
    load_instruments("simulator")
    return venue.open_account()


def held(account: ExchangeAccount) -> dict[str, Decimal]:
    with tenant_scope(account.tenant_id):
        return dict(Position.objects.filter(account=account).values_list("inst_id", "quantity"))


def test_the_instruments_of_the_simulator_are_listed(account: ExchangeAccount) -> None:
    assert {"SPOT", "SWAP"} == set(Instrument.objects.values_list("inst_type", flat=True))
    assert load_instruments("simulator") == 0


def test_a_clean_account_leaves_a_run(account: ExchangeAccount) -> None:
    first, second = (reconcile_account(account.pk, cause="test") for _ in range(2))

    assert (first.ok, first.error, first.drifts) == (True, "", [])
    assert second.ok
    assert second.finished_at is not None
    with tenant_scope(account.tenant_id):
        assert Balance.objects.get(currency=TOTAL).equity == 10_000
        assert ReconcileRun.objects.count() == 2


@pytest.mark.parametrize("state", [OrderState.SENDING, OrderState.UNKNOWN, OrderState.READY])
def test_an_order_nobody_told_us_about_is_adopted(
    account: ExchangeAccount, venue: Venue, state: OrderState
) -> None:
    order = make_order(account, state=state, **EARLIER)
    venue.place(account, order)

    run = reconcile_account(account.pk, cause="test")

    row = fresh(order)
    assert (row.state, row.filled_quantity) == (OrderState.FILLED, 3)
    assert row.exchange_order_id
    assert row.fee < 0
    assert sum(each[1] for each in fills_of(account)) == 3
    assert held(account) == {BTC: 3}
    assert (run.ok, [row["class"] for row in run.drifts]) == (True, ["in_flight"])
    age_orders(account, SETTLED * 2)
    # Nobody wants it any more, since no cycle does: but it is ours.
    run = reconcile_account(account.pk, cause="test")
    assert [(row["class"], row["exchange"], row["ours"]) for row in run.drifts] == [
        ("orphan", "3", "3")
    ]


def test_a_resting_order_is_found_live(account: ExchangeAccount, venue: Venue) -> None:
    order = make_order(account, state=OrderState.UNKNOWN)
    venue.place(account, order, price=59_000)

    reconcile_account(account.pk, cause="test")

    assert fresh(order).state == OrderState.LIVE


def test_an_order_that_is_not_there_stays_unknown(account: ExchangeAccount) -> None:
    order = make_order(account, state=OrderState.UNKNOWN, **EARLIER)

    run = reconcile_account(account.pk, cause="test")

    assert run.ok
    assert fresh(order).state == OrderState.UNKNOWN


def test_what_we_did_not_trade_is_a_drift_and_nothing_more(
    account: ExchangeAccount, venue: Venue
) -> None:
    venue.trade(account, "byHand1", Decimal(2), side=Side.SELL)

    run = reconcile_account(account.pk, cause="test")

    assert run.drifts == [
        {
            "inst_id": BTC,
            "position_side": "net",
            "exchange": "-2",
            "ours": "0",
            "target": "0",
            "class": "foreign",
        }
    ]
    assert held(account) == {BTC: -2}


def test_an_external_resting_order_is_recorded(account: ExchangeAccount, venue: Venue) -> None:
    venue.trade(account, "byHand2", Decimal(2), price=50_000)

    reconcile_account(account.pk, cause="test")

    with tenant_scope(account.tenant_id):
        assert ExternalOrder.objects.get().client_order_id == "byHand2"


FAILURES: list[tuple[str, str]] = [
    *(
        (fault, "/api/v5/account/positions")
        for fault in ("http:502", "html_200", "empty_200", "truncate", "code:50001")
    ),
    ("http:502", "/api/v5/account/balance"),
    ("http:502", "/api/v5/trade/fills"),
    ("http:502", "/api/v5/trade/orders-pending"),
]


@pytest.mark.parametrize(("fault", "path"), FAILURES)
def test_a_failed_reading_is_never_flat(
    account: ExchangeAccount, venue: Venue, fault: str, path: str
) -> None:
    apply_positions(account, [position()], complete=False, source=EventSource.STREAM)
    venue.fault(fault, path=path)

    run = reconcile_account(account.pk, cause="test")

    assert not run.ok
    assert run.error
    assert run.finished_at is not None
    assert held(account) == {BTC: 3}
    with tenant_scope(account.tenant_id):
        assert not Balance.objects.exists()


def test_a_good_reading_without_the_position_is_flat(account: ExchangeAccount) -> None:
    apply_positions(account, [position()], complete=False, source=EventSource.STREAM)

    reconcile_account(account.pk, cause="test")

    assert held(account) == {BTC: 0}


def test_an_account_without_a_key_is_not_read(account: ExchangeAccount) -> None:
    keyless = make_account(verified=False)

    run = reconcile_account(keyless.pk, cause="test")

    assert (run.ok, "no key" in run.error) == (False, True)


def test_an_account_of_a_market_that_is_gone_keeps_no_other_unread(
    account: ExchangeAccount,
) -> None:
    lost = make_account(api_key="a key of yesterday", market="nowhere")

    assert reconcile_due() == 2

    with all_tenants("the test reads runs"):
        assert ReconcileRun.objects.get(account=account).ok
        run = ReconcileRun.objects.get(account=lost)
    assert (run.ok, "nowhere" in run.error) == (False, True)


def test_an_account_whose_key_cannot_be_decrypted_keeps_no_other_unread(
    account: ExchangeAccount, venue: Venue
) -> None:
    moved = venue.open_account()
    with connection.cursor() as cursor:
        table = "customers_exchangeaccount"
        cursor.execute(f"SELECT api_secret FROM {table} WHERE id = %s", [account.pk])
        sealed = cursor.fetchone()
        cursor.execute(f"UPDATE {table} SET api_secret = %s WHERE id = %s", [*sealed, moved.pk])

    assert reconcile_due() == 2

    with all_tenants("the test reads runs"):
        assert ReconcileRun.objects.get(account=account).ok
        run = ReconcileRun.objects.get(account=moved)
    assert (run.ok, "cannot be decrypted" in run.error) == (False, True)
    assert reconcile_account(moved.pk, cause="test").finished_at is not None


def test_who_cannot_be_read_for_long_is_asked_less_often(
    account: ExchangeAccount, venue: Venue
) -> None:
    reconcile_account(account.pk, cause="test")
    age(account, timedelta(minutes=11))
    match = {"path": "/api/v5/account/balance"}
    venue.tell("/faults", fault="code:50111", match=match, times=100)
    counts = []
    for seconds in (0, 9, 40, 20):
        with all_tenants("time goes by"):
            for run in ReconcileRun.objects.filter(account=account):
                run.started_at -= timedelta(seconds=seconds)
                run.save()
        counts.append(reconcile_due())

    venue.clear_faults()
    assert counts == [1, 0, 0, 1]


def test_due_accounts_are_read_once_in_a_while(account: ExchangeAccount, venue: Venue) -> None:
    other = venue.open_account()
    venue.open_account(status=AccountStatus.ARCHIVED)
    make_account(verified=False)

    counts = [reconcile_due(), reconcile_due()]
    age(account, timedelta(seconds=31))

    assert [*counts, reconcile_due()] == [2, 0, 1]
    with all_tenants("the test counts runs"):
        assert ReconcileRun.objects.filter(account=account).count() == 2
        assert ReconcileRun.objects.filter(account=other, ok=True).count() == 1


def test_old_runs_are_forgotten(account: ExchangeAccount) -> None:
    reconcile_account(account.pk, cause="test")
    assert forget_old_runs() == 0

    age(account, timedelta(days=8))

    assert forget_old_runs() == 1


def age_orders(account: ExchangeAccount, by: timedelta) -> None:
    with tenant_scope(account.tenant_id):
        for order in Order.objects.filter(account=account, finished_at__isnull=False):
            order.finished_at -= by
            order.save()


def age(account: ExchangeAccount, by: timedelta) -> None:
    with tenant_scope(account.tenant_id):
        for run in ReconcileRun.objects.filter(account=account):
            run.started_at -= by
            run.save()
