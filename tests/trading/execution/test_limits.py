"""Each limit at the last look: lowered or exceeded after the decision, and nothing leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Q

from accounts.tenancy import all_tenants, tenant_scope
from tests.trading.copying.desk import BTC, d
from tests.trading.execution.bench import Bench
from tests.trading.execution.resting import fills_there, resting
from trading.enums import EventSource
from trading.just_filled import WINDOW, read_just_filled
from trading.leases import db_now
from trading.models import Balance, Fill, MarketPrice, Order, OrderEvent, Position
from trading.switch import set_limit
from trading.sync.apply.fills import apply_fills
from trading.usage import Usage

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]

Arrange = Callable[[Bench, Order], Any]


def limit(kind: str, value: Any) -> Arrange:
    return lambda bench, order: set_limit(
        kind=kind, value=d(value), actor=None, tenant=bench.desk.tenant
    )


def on_order(**columns: Any) -> Arrange:
    return lambda bench, order: Order.objects.filter(pk=order.pk).update(**columns)


def wide(bench: Bench, order: Order) -> None:
    MarketPrice.objects.filter(inst_id=BTC).update(bid=d(59_000), ask=d(61_000))


def holding(bench: Bench, order: Order, *, inst_id: str = BTC) -> None:
    Position.objects.create(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        inst_id=inst_id,
        position_side="net",
        margin_mode="cross",
        quantity=d(1),
        notional=d(600),
        updated_at=db_now(),
    )


def both(*steps: Arrange) -> Arrange:
    return lambda bench, order: [step(bench, order) for step in steps]


def elsewhere(bench: Bench, order: Order) -> None:
    holding(bench, order, inst_id="ETH-USDT-SWAP")


# One contract is worth 600 USDT: that is what the order at hand is for.
REFUSALS: list[tuple[str, Arrange, str]] = [
    ("order notional", limit("order_notional", 599), "ORDER_NOTIONAL_ABOVE_LIMIT"),
    ("contracts", limit("order_quantity", "0.5"), "ORDER_QUANTITY_ABOVE_LIMIT"),
    ("day", limit("daily_notional", 599), "DAILY_LIMIT"),
    (
        "position",
        both(holding, limit("position_notional", 1199)),
        "POSITION_NOTIONAL_ABOVE_LIMIT",
    ),
    ("desk", both(holding, limit("desk_notional", 1199)), "DESK_NOTIONAL_ABOVE_LIMIT"),
    ("positions", both(elsewhere, limit("open_positions", 1)), "OPEN_POSITIONS_ABOVE_LIMIT"),
    ("leverage", limit("leverage", "0.5"), "LEVERAGE_ABOVE_LIMIT"),
    ("spread", wide, "SPREAD_ABOVE_LIMIT"),
    ("collar", on_order(order_type="limit", price=d(61_201)), "PRICE_OUTSIDE_COLLAR"),
    ("proportion", on_order(quantity=d("2.1")), "SIZE_OUT_OF_PROPORTION"),
    ("legs", on_order(leg_number=4), "LEGS_ABOVE_LIMIT"),
]


@pytest.mark.parametrize(
    ("arrange", "reason"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_an_opening_that_is_above_a_limit_by_now_does_not_leave(
    bench: Bench, arrange: Arrange, reason: str
) -> None:
    bench.follower()
    (order,) = bench.open()
    with all_tenants("the world changes"):
        arrange(bench, order)

    assert bench.send([order]) == 0

    after = bench.now(order)
    assert (after.state, after.reason, after.attempt) == ("denied", reason, 0)
    assert bench.entries(kind="request", method="POST") == []
    with all_tenants("read why"):
        told = OrderEvent.objects.filter(order=order).latest("at").note
    assert told.startswith(str(after.get_reason_display()))


def test_a_reduction_passes_every_limit(bench: Bench) -> None:
    bench.follower()
    bench.send(bench.open())
    bench.finish()
    for kind in ("order_notional", "order_quantity", "daily_notional", "account_sends", "legs"):
        limit(kind, 0)(bench, None)  # type: ignore[arg-type]
    wide(bench, None)  # type: ignore[arg-type]

    (close,) = bench.desk.hear("close")
    bench.send([close])
    bench.finish()

    assert bench.now(close).state == "filled"


@pytest.mark.parametrize("kind", ["account_sends", "system_sends"])
def test_what_is_too_fast_waits_and_keeps_its_place(bench: Bench, settings: Any, kind: str) -> None:
    settings.LIMITS = {kind: Decimal(1)}
    bench.follower(pos_mode="long_short")
    orders = [*bench.open(direction="long"), *bench.open(direction="short")]

    assert bench.send(orders) == 1
    first, second = sorted((bench.now(order) for order in orders), key=lambda o: -o.attempt)
    assert (first.attempt, second.attempt, second.state) == (1, 0, "ready")
    assert second.lane_at in {order.lane_at for order in orders}
    bench.finish()

    assert bench.accepted(*orders) == [1, 1]
    assert [bench.now(order).state for order in orders] == ["filled", "filled"]
    gap = bench.now(second).sent_at - first.sent_at
    assert gap.total_seconds() >= 1


@pytest.mark.parametrize(
    ("kind", "value", "inst_id", "reason"),
    [
        ("position_notional", "1199", BTC, "POSITION_NOTIONAL_ABOVE_LIMIT"),
        ("open_positions", "1", "ETH-USDT-SWAP", "OPEN_POSITIONS_ABOVE_LIMIT"),
    ],
)
def test_what_waits_at_the_exchange_counts_as_held(
    bench: Bench, kind: str, value: str, inst_id: str, reason: str
) -> None:
    first = resting(bench, bench.follower(), "10")
    (order,) = bench.open()
    with all_tenants("two openings of one account"):
        assert first.state == "live"
        Order.objects.filter(pk=first.pk).update(inst_id=inst_id)
        Order.objects.filter(pk=order.pk).update(leg="open")
        limit(kind, value)(bench, order)

    assert bench.send([order]) == 0
    assert (bench.now(order).state, bench.now(order).reason) == ("denied", reason)
    assert bench.accepted(order) == [0]


@pytest.mark.parametrize(
    ("kind", "value", "inst_id", "reason"),
    [
        ("position_notional", "1199", BTC, "POSITION_NOTIONAL_ABOVE_LIMIT"),
        ("desk_notional", "1199", BTC, "DESK_NOTIONAL_ABOVE_LIMIT"),
        ("open_positions", "1", "ETH-USDT-SWAP", "OPEN_POSITIONS_ABOVE_LIMIT"),
    ],
)
def test_what_filled_a_moment_ago_counts_before_its_position_is_heard_of(
    bench: Bench, kind: str, value: str, inst_id: str, reason: str
) -> None:
    link = bench.follower()
    first = just_filled(bench, link, inst_id)
    (order,) = bench.open()
    with all_tenants("two openings of one account"):
        assert not Position.objects.filter(account=link.account).exists()
        Order.objects.filter(pk=order.pk).update(leg="open")
        limit(kind, value)(bench, order)

    assert bench.send([order]) == 0
    assert (bench.now(order).state, bench.now(order).reason) == ("denied", reason)
    assert bench.accepted(first, order) == [1, 0]


@pytest.mark.parametrize("kind", ["position_notional", "desk_notional"])
@pytest.mark.parametrize(("later", "fits"), [(0, True), (-1, False)])
def test_a_fill_counts_once_when_its_position_was_heard_of(
    bench: Bench, kind: str, later: int, fits: bool
) -> None:
    link = bench.follower()
    first = just_filled(bench, link, BTC)
    (order,) = bench.open()
    with all_tenants("the position arrives"):
        (filled,) = Fill.objects.filter(order=first)
        at = filled.filled_at + timedelta(milliseconds=later)
        holding(bench, order)
        Position.objects.filter(account=link.account).update(exchange_updated_at=at)
        limit(kind, 1200)(bench, order)

    assert bench.send([order]) == int(fits)


def test_what_filled_on_spot_is_no_position(bench: Bench) -> None:
    link = bench.follower()
    first = just_filled(bench, link, BTC)
    where = Q(account=link.account)
    with all_tenants("look at what filled"):
        assert [one.notional for one in read_just_filled(where, db_now())] == [600]
        assert read_just_filled(where, db_now() + WINDOW) == []
        Order.objects.filter(pk=first.pk).update(margin_mode="cash")
        assert read_just_filled(where, db_now()) == []


def test_what_filled_a_moment_ago_is_part_of_the_exposure(bench: Bench) -> None:
    link = bench.follower(max_account_leverage=d(1))
    with tenant_scope(bench.desk.tenant):
        Balance.objects.create(
            account=link.account, currency="USDT", equity=d(900), available=d(900),
            updated_at=db_now(),
        )  # fmt: skip
    assert just_filled(bench, link, BTC).notional == 600

    (second,) = bench.open()

    assert second.notional == 300


def just_filled(bench: Bench, link: Any, inst_id: str) -> Order:
    """An opening of which the exchange told that it filled, and not what is held since."""
    (order,) = bench.open()
    bench.send([order])
    bench.finish()
    with all_tenants("hear of the fills"):
        apply_fills(link.account, fills_there(link.account), source=EventSource.STREAM)
        Order.objects.filter(pk=order.pk).update(inst_id=inst_id)
        Fill.objects.filter(order=order).update(inst_id=inst_id)
        Position.objects.filter(account=link.account).delete()
    after = bench.now(order)
    assert after.state == "filled"
    return after


def test_orders_of_one_batch_count_for_each_other(bench: Bench) -> None:
    bench.follower()
    (first,), (second,) = bench.open(), bench.open()
    usage = Usage()

    with tenant_scope(bench.desk.tenant):
        usage.take(first)

    assert usage.held_beside(second) == 600
    second.inst_id = "ETH-USDT-SWAP"
    assert usage.context(second)["open_positions"] == 1
