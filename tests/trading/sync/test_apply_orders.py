"""News about orders: once, whatever the order it comes in."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import AuditEntry
from accounts.tenancy import ScopeError, all_tenants, tenant_scope
from customers.models import ExchangeAccount
from tests.factories import make_account
from tests.trading.sync.rows import BTC, at, fill, fills_of, fresh, life_of, make_order, report
from trading.enums import EventSource, OrderState, Reason
from trading.events import account_changed, orders_finished
from trading.exchange.types import OrderState as Said
from trading.models import ExternalOrder, Fill, Order, OrderEvent, QuarantinedReport
from trading.sync.apply import apply_fills, apply_orders

pytestmark = pytest.mark.database
STREAM, REST = EventSource.STREAM, EventSource.REST
TOLD = (
    "state",
    "exchange_order_id",
    "filled_quantity",
    "average_price",
    "fee",
    "fee_currency",
    "realized_pnl",
    "exchange_updated_at",
    "reason",
    "leverage",
)


def told(order: Order) -> dict[str, Any]:
    row = fresh(order)
    return {name: getattr(row, name) for name in TOLD}


def diary(account: ExchangeAccount) -> list[tuple[str, str]]:
    with all_tenants("the test reads the diary"):
        entries = AuditEntry.objects.filter(tenant_id=account.tenant_id, action__startswith="order")
        return sorted(entries.values_list("action", "level"))


def test_an_order_follows_its_reports(account: ExchangeAccount) -> None:
    order = make_order(account, reason=Reason.UNKNOWN_RESULT, state=OrderState.UNKNOWN)

    states = []
    for each in life_of(order):
        apply_orders(account, [each], source=STREAM)
        states.append(fresh(order).state)

    assert states == ["live", "partially_filled", "partially_filled", "filled"]
    row = fresh(order)
    assert (row.exchange_order_id, row.filled_quantity, row.fee) == ("7001", 3, Decimal("-0.9"))
    assert (row.average_price, row.reason) == (60_000, "")
    assert row.acked_at is not None
    assert row.finished_at is not None
    assert [each[:5] for each in fills_of(account)] == [
        (f"t{n}", Decimal(1), Decimal(60_000), at(10 * n), order.id) for n in (1, 2, 3)
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order_and_repetition_of_the_same_reports_gives_the_same_rows(
    account: ExchangeAccount, data: st.DataObject
) -> None:
    expected_of, order = make_order(account), make_order(account, exchange_order_id="7002")
    apply_orders(account, life_of(expected_of), source=STREAM)

    def theirs(each: Any) -> Any:
        from dataclasses import replace

        last = each.last_fill and replace(each.last_fill, exchange_order_id="7002")
        return replace(each, exchange_order_id="7002", last_fill=last)

    life = [theirs(each) for each in life_of(order)]
    news = data.draw(st.permutations(life * 2))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=8, max_size=8))
    for size in sizes:
        batch, news = news[:size], news[size:]
        apply_orders(account, batch, source=random.choice([STREAM, REST]))

    assert told(order) == told(expected_of) | {"exchange_order_id": "7002"}
    with tenant_scope(account.tenant_id):
        assert Fill.objects.filter(order=order).count() == 3
        Fill.objects.filter(account=account).delete()


def test_repeating_news_writes_nothing(account: ExchangeAccount) -> None:
    order = make_order(account)
    first = apply_orders(account, life_of(order), source=STREAM)
    version = fresh(order).version

    again = apply_orders(account, life_of(order), source=REST)

    assert (first.changed, first.finished, first.fills) == ((order.id,), (order.id,), 3)
    assert (again.writes, again.quarantined) == (0, 0)
    assert fresh(order).version == version


def test_older_news_does_not_take_an_order_back(account: ExchangeAccount) -> None:
    order = make_order(account)
    life = life_of(order)
    apply_orders(account, [life[3]], source=REST)

    apply_orders(account, life[:3], source=STREAM)

    assert fresh(order).state == OrderState.FILLED
    assert fresh(order).filled_quantity == 3
    assert len(fills_of(account)) == 3


@pytest.mark.parametrize(
    ("fields", "filled", "reason"),
    [
        pytest.param({}, 0, Reason.EXCHANGE_CANCELED, id="by the exchange"),
        pytest.param({}, 1, Reason.UNDERFILLED, id="after a part"),
        pytest.param({"cancel_requested": True}, 1, Reason.CANCELED_BY_SIGNAL, id="as we asked"),
    ],
)
def test_a_canceled_order_says_why(
    account: ExchangeAccount, fields: dict[str, Any], filled: int, reason: Reason
) -> None:
    order = make_order(account, **fields)
    told = report(order, state=Said.CANCELED, filled_quantity=Decimal(filled), cancel_source="31")

    apply_orders(account, [told], source=STREAM)

    assert fresh(order).state == OrderState.CANCELED
    assert fresh(order).reason == reason
    with tenant_scope(account.tenant_id):
        assert OrderEvent.objects.get(order=order).note == "cancel source 31"


def test_a_fill_after_the_end_is_applied_and_noted(account: ExchangeAccount) -> None:
    order = make_order(account)
    apply_orders(account, [report(order, state=Said.CANCELED, updated_at=at(5))], source=STREAM)

    late = report(
        order,
        state=Said.CANCELED,
        filled_quantity=Decimal(1),
        average_price=Decimal(60_000),
        updated_at=at(9),
        last_fill=fill(order),
    )
    apply_orders(account, [late], source=STREAM)
    apply_orders(account, [late], source=REST)

    assert fresh(order).state == OrderState.CANCELED
    assert fresh(order).filled_quantity == 1
    assert diary(account) == [("order.late_fill", "warning")]


def test_a_second_order_under_our_name_never_overwrites_the_first(
    account: ExchangeAccount,
) -> None:
    order = make_order(account)
    apply_orders(account, life_of(order), source=STREAM)
    before = told(order)

    double = report(order, exchange_order_id="7002", state=Said.FILLED, filled_quantity=Decimal(3))
    for _ in range(2):
        apply_orders(account, [double], source=REST)

    assert told(order) == before
    assert diary(account) == [("order.doubled", "critical")]
    with tenant_scope(account.tenant_id):
        stranger = ExternalOrder.objects.get()
    assert (stranger.exchange_order_id, stranger.filled_quantity) == ("7002", 3)


def test_a_double_is_also_seen_in_the_fills(account: ExchangeAccount) -> None:
    order = make_order(account)
    apply_orders(account, life_of(order), source=STREAM)

    doubled = fill(order, 9, exchange_order_id="7002")
    apply_fills(account, [doubled, fill(order, 1)], source=REST)

    assert fresh(order).filled_quantity == 3
    assert diary(account) == [("order.doubled", "critical")]
    assert [(row[0], row[4]) for row in fills_of(account)][-1] == ("t9", None)


@pytest.mark.parametrize(
    ("name", "foreign", "entries"),
    [
        pytest.param("", False, [], id="by hand"),
        pytest.param("someBot1", False, [], id="another program"),
        pytest.param(
            "zz" + "0" * 26, True, [("order.foreign_deployment", "critical")], id="another Copydesk"
        ),
    ],
)
def test_orders_that_are_not_ours_are_recorded(
    account: ExchangeAccount, name: str, foreign: bool, entries: list[tuple[str, str]]
) -> None:
    theirs = report(client_order_id=name, exchange_order_id="99")
    more = report(
        client_order_id=name,
        exchange_order_id="99",
        state=Said.FILLED,
        filled_quantity=Decimal(3),
        last_fill=fill(client_order_id=name, exchange_order_id="99"),
    )

    applied = [apply_orders(account, [each], source=STREAM) for each in (theirs, more, theirs)]

    assert [each.external for each in applied] == [1, 1, 0]
    with tenant_scope(account.tenant_id):
        row = ExternalOrder.objects.get()
    assert (row.state, row.filled_quantity, row.foreign_deployment) == ("filled", 3, foreign)
    assert [each[4] for each in fills_of(account)] == [None]
    assert diary(account) == entries


def test_an_order_of_ours_without_a_record_alarms(account: ExchangeAccount) -> None:
    order = make_order(account)
    other = make_account(tenant=account.tenant)

    apply_orders(other, [report(order)], source=STREAM)

    assert fresh(order).state == OrderState.SENDING
    assert diary(account) == [("order.unrecorded", "critical")]


def test_an_order_given_up_too_early_is_not_sent_again(account: ExchangeAccount) -> None:
    order = make_order(account, state=OrderState.READY, attempt=1)

    apply_orders(account, [report(order)], source=STREAM)

    assert fresh(order).state == OrderState.LIVE
    assert diary(account) == [("order.placed_unexpectedly", "critical")]


def test_an_order_never_tried_but_placed_goes_to_a_person(account: ExchangeAccount) -> None:
    order = make_order(account, state=OrderState.NEW, attempt=0)

    apply_orders(account, [report(order)], source=STREAM)

    assert fresh(order).state == OrderState.MANUAL
    assert diary(account) == [("order.placed_unexpectedly", "critical")]


def test_an_unknown_instrument_is_set_aside_and_counted(account: ExchangeAccount) -> None:
    odd = [report(inst_id="ODD-USDT-SWAP"), report(inst_id="btc-usdt-swap")]

    applied = apply_orders(account, odd * 2, source=STREAM)

    assert (applied.quarantined, applied.writes) == (4, 0)
    with tenant_scope(account.tenant_id):
        row = QuarantinedReport.objects.get()
        assert not ExternalOrder.objects.exists()
    assert (row.kind, row.reason, row.count) == ("order", "unknown instrument", 4)


def test_fills_from_the_history_are_those_from_the_socket(account: ExchangeAccount) -> None:
    order = make_order(account)
    apply_orders(account, life_of(order), source=STREAM)
    before = told(order)

    applied = apply_fills(account, [fill(order, n) for n in (3, 1, 2)], source=REST)

    assert applied.writes == 0
    assert told(order) == before


def test_fills_alone_bring_an_order_up_to_them(account: ExchangeAccount) -> None:
    order, socket = make_order(account), make_order(account, exchange_order_id="")
    two = [fill(order, 1), fill(order, 2, price=Decimal(60_010))]

    apply_fills(account, two, source=REST)
    part = fresh(order)
    apply_fills(account, [*two, fill(order, 3, price=Decimal(60_020))], source=REST)

    assert (part.state, part.filled_quantity, part.average_price) == (
        OrderState.PARTIALLY_FILLED,
        2,
        60_005,
    )
    row = fresh(order)
    assert (row.state, row.filled_quantity, row.average_price) == (OrderState.FILLED, 3, 60_010)
    assert row.fee == Decimal("-0.9")
    assert fresh(socket).state == OrderState.SENDING


def test_a_fill_of_an_ended_order_is_heard_through_the_history(account: ExchangeAccount) -> None:
    order = make_order(account, state=OrderState.EXPIRED)

    apply_fills(account, [fill(order)], source=REST)

    assert fresh(order).state == OrderState.EXPIRED
    assert fresh(order).filled_quantity == 1
    assert diary(account) == [
        ("order.late_fill", "warning"),
        ("order.placed_unexpectedly", "critical"),
    ]


def test_news_of_another_desk_does_not_touch_ours(account: ExchangeAccount) -> None:
    mine, theirs = make_order(account), make_account()

    apply_orders(theirs, [report(mine), *life_of(mine)], source=STREAM)

    assert fresh(mine).state == OrderState.SENDING
    assert fills_of(account) == []
    with pytest.raises(ScopeError):
        Fill.objects.count()


def test_changes_are_announced_after_the_commit(
    account: ExchangeAccount, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[Any] = []

    def on_account(account_id: int, **_: Any) -> None:
        heard.append(account_id)

    def on_finished(order_ids: list[Any], **_: Any) -> None:
        heard.append(order_ids)

    account_changed.connect(on_account)
    orders_finished.connect(on_finished)
    order = make_order(account)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            apply_orders(account, life_of(order), source=STREAM)
            assert heard == []
        with django_capture_on_commit_callbacks(execute=True):
            apply_orders(account, life_of(order), source=REST)
    finally:
        account_changed.disconnect(on_account)
        orders_finished.disconnect(on_finished)

    assert sorted(heard, key=repr) == sorted([[order.id], account.pk], key=repr)


def test_the_wrong_instrument_is_not_our_order(account: ExchangeAccount) -> None:
    order = make_order(account)

    apply_orders(account, [report(order, inst_id="ETH-USDT-SWAP")], source=STREAM)

    assert fresh(order).state == OrderState.SENDING
    assert fresh(order).inst_id == BTC
