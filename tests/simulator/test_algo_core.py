"""Algo orders on the pure core: replayed from the ledger, never doubled, never flipped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.core import Core
from trading.simulator import algo_orders, fills, upkeep
from trading.simulator.algo_engine import AlgoEngine
from trading.simulator.clock import Clock
from trading.simulator.codes import OkxError
from trading.simulator.countdown import Countdowns
from trading.simulator.decimals import plain
from trading.simulator.exchange import Exchange
from trading.simulator.ledger import Ledger
from trading.simulator.market import Market
from trading.simulator.opening import Opening, open_account
from trading.simulator.requests import Params, read_order
from trading.simulator.rows_algo import algo_row
from trading.simulator.rows_trade import order_row
from trading.simulator.state import Account

SWAP = "BTC-USDT-SWAP"
STARTED_MS = 1_700_000_000_000


class World:
    """One account, its algo orders and its countdowns, on a clock the test moves."""

    def __init__(self, ledger: Ledger | None = None, now_ms: int = STARTED_MS) -> None:
        self.now_ms = now_ms
        clock = Clock(lambda: self.now_ms * 1_000_000)
        self.market = Market(3, now_ms)
        self.ledger = ledger or Ledger()
        self.exchange = Exchange(clock, self.market, self.ledger)
        if ledger is None:
            open_account(self.exchange, Opening("A", "s", "p", {"USDT": Decimal(10_000_000)}))
            self.move("64000")
        self.engine = AlgoEngine(self.exchange)
        self.countdowns = Countdowns(self.exchange)

    @property
    def account(self) -> Account:
        return self.exchange.state.accounts["A"]

    @property
    def held(self) -> Decimal:
        position = self.account.positions.get((SWAP, "cross", "net"))
        return position.qty if position else Decimal(0)

    def order(self, **terms: Any) -> Any:
        base = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
        params = Params(base | terms)
        request = algo_orders.attach(self.engine, self.account, read_order(params), params)
        made = self.exchange.place(self.account, request)
        self.engine.catch_up()
        return made

    def algo(self, **terms: Any) -> Any:
        base = {"instId": SWAP, "tdMode": "cross", "side": "sell", "ordType": "conditional"}
        params = Params(base | {"sz": "1", "reduceOnly": "true"} | terms)
        return algo_orders.place(self.engine, self.account, params)

    def move(self, price: str) -> None:
        self.now_ms += 250
        self.market.pin(SWAP, Decimal(price), self.now_ms)
        entry = {"kind": "price", "ts": self.now_ms, "inst_id": SWAP, "px": price}
        self.exchange.record(entry)
        self.exchange.follow([SWAP])

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.exchange.tick(moving=False)

    def rows(self) -> list[Any]:
        algos = [algo_row(each) for each in self.account.algos.values()]
        return [*algos, *(order_row(each) for each in self.account.orders.values())]

    def restarted(self) -> World:
        """What another process makes of the same entries."""
        return World(self.ledger, self.now_ms)


def test_a_restart_forgets_nothing_and_triggers_what_waits() -> None:
    world = World()
    legs = {"tpTriggerPx": "66000", "tpOrdPx": "-1", "slTriggerPx": "63000", "slOrdPx": "63000"}
    world.order(sz="3", attachAlgoOrds=[legs])
    world.order(ordType="limit", px="62500", attachAlgoOrds=[legs | {"slTriggerPx": "62000"}])
    world.algo(ordType="move_order_stop", callbackRatio="0.05")
    world.algo(ordType="trigger", triggerPx="70000", orderPx="-1", attachAlgoOrds=None)
    algo_orders.amend(
        world.engine,
        world.account,
        Params({"instId": SWAP, "algoId": next(iter(world.account.live_algos)), "newSz": "2"}),
    )
    world.countdowns.set(world.account, Params({"timeOut": "60", "tag": "t1"}))
    world.move("65000")

    again = world.restarted()

    assert again.rows() == world.rows()
    assert list(again.account.live_algos) == list(world.account.live_algos)
    assert again.exchange.state.countdowns == {("A", "t1"): world.now_ms - 250 + 60_000}
    assert again.exchange.ids.next() > max(world.account.algos)
    again.move("66000")
    assert again.held == 1


def test_what_a_crash_left_undone_is_done_after_it() -> None:
    """The fill is in the ledger, the stop loss it should arm is not."""
    world = World()
    world.order(attachAlgoOrds=[{"slTriggerPx": "63000", "slOrdPx": "-1"}])
    kinds = [entry["kind"] for entry in world.ledger.entries]
    cut = Ledger()
    for entry in world.ledger.entries[: kinds.index("algo")]:
        cut.append({name: value for name, value in entry.items() if name != "seq"})

    again = World(cut, world.now_ms)
    again.move("62900")

    assert (len(again.account.algos), again.held) == (1, 0)


def test_a_triggered_order_is_sent_once_whatever_the_ledger_ends_with() -> None:
    world = World()
    world.order(sz="2")
    world.algo(slTriggerPx="63000", slOrdPx="-1")
    world.move("63000")
    orders = [index for index, each in enumerate(world.ledger.entries) if each["kind"] == "order"]
    cut = Ledger()
    for entry in world.ledger.entries[: orders[-1] + 1]:
        cut.append({name: value for name, value in entry.items() if name != "seq"})

    again = World(cut, world.now_ms)

    (algo,) = again.account.algos.values()
    assert (algo.state, algo.ord_ids) == ("effective", [list(again.account.orders)[-1]])
    assert len(again.account.orders) == 2


def stopped(*, below: bool) -> tuple[str, bool]:
    """What a stop at the low of a step (or below) became, and whether the step ended higher."""
    twin, core = Core(moving=True), Core(moving=True)
    quote = twin.market.quote(SWAP)
    dips = False
    while not dips:
        for each in (twin, core):
            each.wait(250)
        before = quote.last
        twin.exchange.tick()
        dips = quote.low < min(quote.last, before)
        if not dips:
            core.exchange.tick()
    engine = AlgoEngine(core.exchange)
    account = core.open("a")
    core.order(account)
    price = quote.low - (quote.instrument.tick if below else 0)
    terms = {"instId": SWAP, "tdMode": "cross", "side": "sell", "sz": "1", "reduceOnly": "true"}
    stop = {"ordType": "conditional", "slTriggerPx": plain(price), "slOrdPx": "-1"}
    algo_orders.place(engine, account, Params(terms | stop))
    engine.catch_up()
    assert len(account.live_algos) == 1

    core.exchange.tick()

    (algo,) = account.algos.values()
    return algo.state, core.market.quote(SWAP).last > price


def test_a_price_that_was_touched_within_a_step_triggers() -> None:
    assert stopped(below=False) == ("effective", True)
    assert stopped(below=True) == ("live", True)


def test_a_stop_loss_comes_before_liquidation() -> None:
    """One jump passes both; the price was at the stop first."""
    world = World()
    upkeep.deposit(world.exchange, world.account, "USDT", Decimal(-7_000_000))
    world.order(sz="12000")
    world.algo(slTriggerPx="63000", slOrdPx="-1", sz="12000")

    world.move("39300")

    assert {order.category for order in world.account.orders.values()} == {"normal"}
    assert world.held == 0


@pytest.mark.parametrize(("tag", "left"), [("", []), ("t1", ["", "t2"])])
def test_a_countdown_cancels_the_orders_it_is_for(tag: str, left: list[str]) -> None:
    world = World()
    for name in ("t1", "", "t2"):
        world.order(ordType="limit", px="61000", tag=name)
    world.countdowns.set(world.account, Params({"timeOut": "10", "tag": tag}))
    world.wait(9_999)
    assert len(world.account.pending) == 3

    world.wait(1)

    assert sorted(each.tag for each in world.account.pending.values()) == left
    ended = [each for each in world.account.orders.values() if not each.is_open]
    assert {each.cancel_source for each in ended} == {"20"}
    assert world.exchange.state.countdowns == {}


def test_a_countdown_is_put_off_and_stopped() -> None:
    world = World()
    world.order(ordType="limit", px="61000")
    world.countdowns.set(world.account, Params({"timeOut": "10"}))
    world.wait(9_000)
    world.countdowns.set(world.account, Params({"timeOut": "10"}))
    world.wait(9_000)
    assert len(world.account.pending) == 1

    stopped = world.countdowns.set(world.account, Params({"timeOut": "0"}))
    world.wait(60_000)

    assert (stopped["triggerTime"], len(world.account.pending)) == ("0", 1)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [("9", "51000"), ("121", "51000"), ("-1", "51000"), ("10.5", "51000"), ("", "50014")],
)
def test_a_countdown_takes_whole_seconds_between_ten_and_120(seconds: str, code: str) -> None:
    world = World()

    with pytest.raises(OkxError) as refused:
        world.countdowns.set(world.account, Params({"timeOut": seconds}))

    assert refused.value.code == code
    assert world.exchange.state.countdowns == {}


def test_ended_algo_orders_are_kept_as_long_as_orders_are() -> None:
    world = World()
    world.exchange.state.kept = 3
    for price in ("63000", "63001", "63002", "63003", "63004"):
        world.algo(slTriggerPx=price, slOrdPx="-1")
    ids = list(world.account.algos)

    world.move("62000")

    assert list(world.account.algos) == ids[2:]
    assert world.account.live_algos == {}


def test_an_order_that_the_operator_ended_is_not_protected() -> None:
    """A reset drops what was filled, so nothing is left to close; spot could sell other coins."""
    world = World()
    legs = [{"slTriggerPx": "0.1", "slOrdPx": "-1"}]
    terms = {"instId": "XRP-USDT", "tdMode": "cash", "sz": "100", "attachAlgoOrds": legs}
    price = plain(world.market.quote("XRP-USDT").bid)
    order = world.order(ordType="limit", px=price, **terms)
    fills.execute(world.exchange, world.account, order, Decimal(price), Decimal(10), maker=None)
    upkeep.reset(world.exchange, world.account)

    world.wait(250)

    assert (order.state, order.filled, world.account.algos) == ("canceled", 10, {})
    upkeep.remove(world.exchange, world.account)
    world.wait(250)


steps = st.lists(
    st.tuples(
        st.sampled_from(("algo", "algo", "attached", "order", "move", "move", "cancel")),
        st.sampled_from(("conditional", "oco", "move_order_stop", "whole")),
        st.sampled_from(("buy", "sell")),
        st.integers(1, 5),
        st.integers(-8, 8),
        st.sampled_from(("-1", "limit")),
    ),
    max_size=25,
)


class Trader:
    """Takes random steps; every stop it places may only close."""

    def __init__(self) -> None:
        self.world = World()
        self.price = 64_000

    def take(self, step: Any) -> None:
        what, kind, side, lots, jump, price = step
        try:
            getattr(self, f"_{what}")(kind, side, lots, jump, price)
        except OkxError:
            return

    def _move(self, _kind: str, _side: str, _lots: int, jump: int, _price: str) -> None:
        self.price = max(self.price + jump * 250, 60_000)
        before = self.world.held
        self.world.move(str(self.price))
        after = self.world.held
        assert abs(after) <= abs(before)
        assert after * before >= 0

    def _order(self, _kind: str, side: str, lots: int, _jump: int, _price: str) -> None:
        self.world.order(side=side, sz=str(lots))

    def _attached(self, _kind: str, side: str, lots: int, jump: int, price: str) -> None:
        self.world.order(side=side, sz=str(lots), attachAlgoOrds=[self._legs(side, jump, price)])

    def _algo(self, kind: str, side: str, lots: int, jump: int, price: str) -> None:
        opened = "buy" if side == "sell" else "sell"
        terms: dict[str, Any] = {"side": side, "sz": str(lots), "ordType": kind}
        if kind == "move_order_stop":
            terms["callbackSpread"] = str(100 + abs(jump) * 100)
        else:
            terms |= self._legs(opened, jump, "-1" if kind == "whole" else price)
        if kind == "conditional":
            terms = {name: text for name, text in terms.items() if not name.startswith("sl")}
        if kind == "whole":
            terms |= {"ordType": "oco", "sz": "", "closeFraction": "1"}
        self.world.algo(**terms)

    def _cancel(self, _kind: str, _side: str, lots: int, _jump: int, _price: str) -> None:
        for algo_id in list(self.world.account.live_algos)[:lots]:
            params = Params({"instId": SWAP, "algoId": algo_id})
            algo_orders.cancel(self.world.engine, self.world.account, params)

    def _legs(self, opened: str, jump: int, price: str) -> dict[str, str]:
        way = 1 if opened == "buy" else -1
        profit = self.price + way * (200 + abs(jump) * 100)
        stop = self.price - way * (200 + abs(jump) * 100)
        return {
            "tpTriggerPx": str(profit),
            "tpOrdPx": "-1" if price == "-1" else str(profit),
            "slTriggerPx": str(stop),
            "slOrdPx": "-1" if price == "-1" else str(stop),
        }


@settings(max_examples=8, deadline=None)
@given(steps)
def test_stops_never_flip_or_enlarge_a_position(taken: list[Any]) -> None:
    check_steps(taken)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(steps)
def test_stops_never_flip_or_enlarge_a_position_at_length(taken: list[Any]) -> None:
    check_steps(taken)


def check_steps(taken: list[Any]) -> None:
    trader = Trader()
    for step in taken:
        trader.take(step)

    world = trader.world
    world.engine.catch_up()
    for algo in world.account.algos.values():
        assert len(algo.ord_ids) == (1 if algo.state == "effective" else 0)
    if not world.held:
        assert not [each for each in world.account.live_algos.values() if each.bound]
    assert world.restarted().rows() == world.rows()
    total = world.exchange.state.total("USDT")
    assert plain(total) == plain(world.exchange.state.deposited["USDT"])
