"""A stop comes with its order, closes what that filled, and never outlives the position."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from tests.trading.execution.bench import Bench, diary
from tests.trading.execution.resting import BTC, fills_here, held_there
from trading.copying.cycles import settle_cycles
from trading.endpoints import client_of, keys_of
from trading.enums import EventSource
from trading.exchange.algos import AlgoReport
from trading.exchange.runner import exchange_loop
from trading.exchange.types import InstrumentType
from trading.execution import acting, judging, protecting, sweep
from trading.execution.protecting import keep_protections
from trading.models import Cycle, ExternalOrder, Order, Position, Protection, ReconcileRun
from trading.sync.apply import apply_orders
from trading.sync.reconcile import reconcile_account
from trading.sync.truth import find_drifts

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal
STOP = {"stop_loss": D(59_000)}
MODES = ["net", pytest.param("long_short", marks=pytest.mark.long)]
BOTH = {"stop_loss": D(59_000), "take_profit": D(61_000)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "CLAIM", timedelta(seconds=1))
    monkeypatch.setattr(judging, "ASK_AGAIN", timedelta(milliseconds=300))
    monkeypatch.setattr(judging, "LATER", timedelta(milliseconds=100))
    monkeypatch.setattr(protecting, "UNARMED_EVERY", timedelta(0))
    monkeypatch.setattr(protecting, "LOOK_EVERY", timedelta(0))


def protections() -> list[Protection]:
    with all_tenants("read protections"):
        return list(Protection.objects.order_by("created_at", "id"))


def orders_of(account: ExchangeAccount, **match: Any) -> list[Order]:
    with all_tenants("read orders"):
        return list(Order.objects.filter(account=account, **match).order_by("lane_at"))


def algos_there(account: ExchangeAccount) -> tuple[AlgoReport, ...]:
    with tenant_scope(account.tenant_id):
        keys = keys_of(account, purpose="test")
    return exchange_loop().run(client_of(account).fetch_open_algo_orders(keys))


def price(bench: Bench, value: int) -> None:
    bench.ask("POST", "/prices", **{BTC: str(value)})


def opened(bench: Bench, quantity: str = "100", **fields: Any) -> list[Order]:
    orders = bench.open(quantity, **fields)
    bench.send(orders)
    bench.finish()
    sweep()
    return orders


def follow(bench: Bench, intent: str, quantity: str | None = None, **fields: Any) -> list[Order]:
    orders = bench.desk.hear(intent, quantity, **fields)
    bench.send(orders)
    bench.finish()
    return orders


def read_all(bench: Bench, account: ExchangeAccount) -> ReconcileRun:
    """All that the exchange can tell, and what follows from it."""
    reconcile_account(account.pk, cause="test")
    for _ in range(3):
        sweep()
        with all_tenants("settle all cycles"):
            settle_cycles(Order.objects.values_list("id", flat=True))
    return reconcile_account(account.pk, cause="test")


def assert_true(bench: Bench, account: ExchangeAccount) -> None:
    """Nothing external, nothing drifts, and what we count is what the exchange holds."""
    run = read_all(bench, account)
    with tenant_scope(account.tenant_id):
        unexplained = [row for row in find_drifts(account) if row["class"] != "explained"]
        assert (run.ok, unexplained) == (True, [])
        assert not ExternalOrder.objects.filter(account=account).exists()
        held = {
            p.position_side: p.quantity for p in Position.objects.filter(account=account).open()
        }
    assert held == held_there(account)


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_is_armed_by_the_fill_of_its_order(bench: Bench, mode: str) -> None:
    link = bench.follower(pos_mode=mode)

    (order,) = opened(bench, **BOTH)

    (kept,) = protections()
    (algo,) = algos_there(link.account)
    assert (kept.state, kept.order_id, kept.quantity) == ("live", order.pk, D(10))
    assert (kept.client_algo_id, kept.exchange_algo_id) == (
        algo.client_algo_id,
        algo.exchange_algo_id,
    )
    assert algo.stop_loss is not None
    assert algo.take_profit is not None
    assert (algo.stop_loss.price, algo.take_profit.price) == (D(59_000), D(61_000))


@pytest.mark.parametrize(
    ("mode", "to", "cause"),
    [
        ("net", 58_900, "stop_loss"),
        pytest.param("net", 61_100, "take_profit", marks=pytest.mark.long),
        pytest.param("long_short", 58_900, "stop_loss", marks=pytest.mark.long),
    ],
)
def test_what_a_triggered_stop_becomes_is_ours(
    bench: Bench, mode: str, to: int, cause: str
) -> None:
    link = bench.follower(pos_mode=mode)
    (order,) = opened(bench, **BOTH)

    price(bench, to)
    assert_true(bench, link.account)

    (kept,) = protections()
    (closing,) = orders_of(link.account, cause=cause)
    assert (kept.state, kept.triggered_by, kept.closing_order_id) == (
        "triggered",
        cause,
        closing.pk,
    )
    assert (closing.state, closing.leg, closing.side, closing.cycle_id) == (
        "filled",
        "close",
        "sell",
        order.cycle_id,
    )
    assert (fills_here(closing), closing.filled_quantity) == (D(10), D(10))
    assert held_there(link.account) == {}
    (cycle,) = bench.desk.cycles()
    assert cycle.ended_at is not None
    (entry,) = diary("protection.triggered")
    assert (entry.level, entry.object_id) == ("notice", str(kept.pk))


def test_a_push_that_names_our_stop_is_enough(bench: Bench) -> None:
    link = bench.follower()
    opened(bench, **STOP)
    price(bench, 58_900)
    account = link.account
    with tenant_scope(account.tenant_id):
        keys = keys_of(account, purpose="test")
    history = exchange_loop().run(client_of(account).fetch_order_history(keys, InstrumentType.SWAP))

    for _ in range(2):
        apply_orders(account, history, source=EventSource.STREAM)

    (closing,) = orders_of(account, cause="stop_loss")
    (kept,) = protections()
    assert (closing.state, closing.filled_quantity) == ("filled", D(10))
    assert (kept.state, kept.closing_order_id) == ("triggered", closing.pk)
    assert_true(bench, account)


def test_after_a_stop_the_leader_is_not_followed_until_it_opens_again(bench: Bench) -> None:
    link = bench.follower()
    opened(bench, **STOP)
    price(bench, 58_900)
    read_all(bench, link.account)
    price(bench, 60_000)

    added = follow(bench, "add", "50")
    closed = follow(bench, "close")
    (again,) = opened(bench, "20")

    assert (added, closed) == ([], [])
    assert bench.desk.last(link).outcome == "copied"
    assert bench.now(again).filled_quantity == D(2)
    assert_true(bench, link.account)


@pytest.mark.parametrize(
    "fault",
    [
        "drop_before",
        "drop_after_accept",
        pytest.param("late_accept:150", marks=pytest.mark.long),
        pytest.param("http:502", marks=pytest.mark.long),
    ],
)
def test_a_placement_in_doubt_brings_its_stop_along_once(bench: Bench, fault: str) -> None:
    link = bench.follower()
    bench.fault(fault, link)

    opened(bench, **STOP)

    (algo,) = algos_there(link.account)
    (kept,) = protections()
    assert (kept.state, kept.client_algo_id) == ("live", algo.client_algo_id)
    assert held_there(link.account) == {"net": D(10)}


@pytest.mark.parametrize("mode", MODES)
def test_a_close_takes_its_stop_with_it_and_the_next_opening_waits_for_that(
    bench: Bench, mode: str
) -> None:
    link = bench.follower(pos_mode=mode)
    opened(bench, **STOP)

    follow(bench, "close")
    (again,) = bench.open("50")
    before = bench.send([again])
    left = [p.state for p in protections()]
    bench.finish()
    sweep()

    assert (before, left) in ((0, ["live"]), (1, ["canceled"]))
    assert [p.state for p in protections()] == ["canceled"]
    assert algos_there(link.account) == ()
    price(bench, 58_900)
    assert_true(bench, link.account)
    assert list(held_there(link.account).values()) == [D(5)]


@pytest.mark.parametrize("mode", MODES)
def test_a_reduction_makes_the_stop_smaller(bench: Bench, mode: str) -> None:
    link = bench.follower(pos_mode=mode)
    opened(bench, **STOP)

    follow(bench, "reduce", "60")
    read_all(bench, link.account)

    (kept,) = protections()
    (algo,) = algos_there(link.account)
    assert (kept.state, kept.quantity, algo.quantity) == ("live", D(4), D(4))


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_larger_than_the_position_flips_nothing(bench: Bench, mode: str) -> None:
    link = bench.follower(pos_mode=mode)
    opened(bench, **STOP)
    (less,) = bench.desk.hear("reduce", "60")
    bench.send([less])  # and nobody fits the stop before it is reached

    price(bench, 58_900)
    assert held_there(link.account) == {}

    assert_true(bench, link.account)
    assert held_there(link.account) == {}
    assert fills_here(orders_of(link.account, cause="stop_loss")[0]) == D(4)


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_that_is_faster_than_the_close_leaves_nothing_behind(
    bench: Bench, mode: str
) -> None:
    link = bench.follower(pos_mode=mode)
    opened(bench, **STOP)
    (close,) = bench.desk.hear("close")
    price(bench, 58_900)

    bench.send([close])
    bench.finish()
    assert_true(bench, link.account)

    assert (bench.now(close).state, bench.now(close).reason) in (
        ("rejected", "ALREADY_FLAT"),
        ("rejected", "EXCHANGE_REJECTED"),
        ("denied", "ALREADY_FLAT"),
    )
    assert held_there(link.account) == {}
    assert all(cycle.ended_at for cycle in bench.desk.cycles())


def test_a_flip_waits_for_the_old_stop_and_brings_its_own(bench: Bench) -> None:
    link = bench.follower()
    opened(bench, **STOP)

    follow(bench, "flip", "50", direction="short", stop_loss=D(61_000))
    sweep()

    first, second = protections()
    (algo,) = algos_there(link.account)
    assert (first.state, second.state) == ("canceled", "live")
    assert algo.client_algo_id == second.client_algo_id
    assert held_there(link.account) == {"net": D(-5)}
    price(bench, 61_100)
    assert_true(bench, link.account)
    assert held_there(link.account) == {}


def test_an_addition_brings_its_own_stop_for_its_own_part(bench: Bench) -> None:
    link = bench.follower()
    opened(bench, **STOP)

    follow(bench, "add", "50", stop_loss=D(59_500))
    sweep()
    price(bench, 59_400)
    assert_true(bench, link.account)

    assert [(p.quantity, p.state) for p in protections()] == [(D(10), "live"), (D(5), "triggered")]
    assert held_there(link.account) == {"net": D(10)}
    with all_tenants("its cycle goes on"):
        assert Cycle.objects.get().ended_at is None


def test_a_stop_of_an_order_that_never_filled_is_over(bench: Bench) -> None:
    bench.follower(usdt=1)

    (order,) = opened(bench, **STOP)
    with all_tenants("one round"):
        keep_protections()

    (kept,) = protections()
    assert (bench.now(order).state, kept.state) == ("rejected", "canceled")
    assert kept.reason == "Its order filled nothing"


def test_prices_off_the_tick_are_moved_towards_the_market(bench: Bench) -> None:
    bench.follower()

    (order,) = bench.open("100", stop_loss=D("58999.91"), take_profit=D("61000.19"))

    assert (order.stop_loss, order.take_profit) == (D("59000.0"), D("61000.1"))
