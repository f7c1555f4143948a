"""Killed at any entry: what was begun is finished once, and nothing is lost or doubled."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulator.core import COIN, SPOT, SWAP, Core, told
from trading.simulator import algo_orders
from trading.simulator.algo_engine import AlgoEngine
from trading.simulator.countdown import Countdowns
from trading.simulator.decimals import ZERO, plain
from trading.simulator.ledger import DamagedLedgerError, Ledger
from trading.simulator.matching import IMMEDIATE
from trading.simulator.requests import Params
from trading.simulator.settings import set_leverage
from trading.simulator.state import Account

HOURS_8 = 8 * 3_600_000
NEWER = ("seq", "stp_mode", "bill_id", "maker")


def killed(core: Core, after: int) -> Core:
    """Another run that finds only the first entries in the file."""
    ledger = Ledger()
    for entry in core.exchange.ledger.entries[:after]:
        ledger.append({name: value for name, value in entry.items() if name != "seq"})
    return Core(ledger, now=core.now)


def kinds(core: Core) -> list[str]:
    return [each["kind"] for each in core.exchange.ledger.entries]


def balanced(core: Core) -> None:
    for ccy in ("USDT", "BTC"):
        assert core.state.total(ccy) == core.state.deposited.get(ccy, ZERO)


def risky(core: Core) -> Account:
    account = core.open("risky", USDT="1000")
    lever = {"instId": SWAP, "mgnMode": "cross", "lever": "50"}
    set_leverage(core.exchange, account, Params(lever))
    core.order(account, sz="50")
    return account


@pytest.mark.parametrize("terms", [{}, {"ordType": "ioc", "px": "64100"}, {"px": "64100"}])
def test_an_order_whose_fills_were_lost_is_filled_after_the_restart(terms: dict[str, str]) -> None:
    core = Core()
    core.order(core.open("a"), sz="3", **terms)

    again = killed(core, kinds(core).index("order") + 1)

    account = again.state.accounts["a"]
    (order,) = account.orders.values()
    assert (told(order), account.pending) == (("filled", "", "3"), {})
    assert account.positions[(SWAP, "cross", "net")].qty == 3
    balanced(again)


def test_an_interrupted_order_that_cannot_be_paid_any_more_is_canceled() -> None:
    core = Core()
    core.order(core.open("a", USDT="650"), instId=SPOT, sz="0.01", tgtCcy="base_ccy")
    ledger = Ledger()
    *opened, order, _ = core.exchange.ledger.entries
    risen = {"kind": "price", "ts": core.clock.ms(), "inst_id": SPOT, "px": "66000"}
    for entry in (*opened, risen, order):
        ledger.append({name: value for name, value in entry.items() if name != "seq"})

    account = Core(ledger).state.accounts["a"]

    assert [told(each) for each in account.orders.values()] == [("canceled", "0", "0")]
    assert account.balances == {"USDT": 650}


def test_a_trade_has_both_sides_after_a_crash_between_them() -> None:
    """The maker's closing orders beyond what it still holds go as well."""
    core = Core()
    maker, taker = core.open("maker"), core.open("taker")
    core.order(maker, sz="3")
    stays = core.order(maker, side="sell", px="64010", sz="2", reduceOnly="true")
    core.order(maker, side="sell", px="64000", sz="2")
    core.order(taker, sz="2")
    cut = [each["kind"] for each in core.exchange.ledger.entries].index("fill", 7) + 1
    assert core.exchange.ledger.entries[cut - 1]["account"] == "taker"

    again = killed(core, cut)

    for key in ("maker", "taker"):
        there, here = again.state.accounts[key], core.state.accounts[key]
        assert there.balances == here.balances
        assert [told(each) for each in there.orders.values()] == [
            told(each) for each in here.orders.values()
        ]
    assert told(stays) == ("canceled", "22", "0")
    trade_ids = [each["trade_id"] for each in again.exchange.ledger.entries if "trade_id" in each]
    assert trade_ids[-1] == trade_ids[-2]


def test_a_price_that_was_set_just_before_the_crash_has_its_consequences() -> None:
    core = Core()
    engine = AlgoEngine(core.exchange)
    account = core.open("a")
    core.order(account, sz="2")
    resting = core.order(account, px="61000", sz="1")
    waits = {"instId": SWAP, "tdMode": "cross", "side": "sell", "sz": "1", "reduceOnly": "true"}
    stop = waits | {"ordType": "conditional", "slTriggerPx": "62000", "slOrdPx": "-1"}
    algo_orders.place(engine, account, Params(stop))
    core.pin("60000")

    again = killed(core, kinds(core).index("price") + 1)
    AlgoEngine(again.exchange)

    there = again.state.accounts["a"]
    assert told(there.orders[resting.ord_id]) == ("filled", "", "1")
    assert [algo.state for algo in there.algos.values()] == ["effective"]
    assert there.positions[(SWAP, "cross", "net")].qty == 2
    balanced(again)


def test_an_interrupted_liquidation_is_judged_anew() -> None:
    core = Core()
    risky(core)
    core.pin("62200")
    orders = [index for index, kind in enumerate(kinds(core)) if kind == "order"]

    again = killed(core, orders[-1] + 1)
    account = again.state.accounts["risky"]
    assert not account.pending
    again.exchange.tick(moving=False)

    ended = [told(each)[:2] for each in account.orders.values() if each.category != "normal"]
    assert ended == [("canceled", "0"), ("filled", "")]
    assert account.positions[(SWAP, "cross", "net")].qty == 0
    balanced(again)


def test_funding_that_was_interrupted_reaches_everybody_once() -> None:
    core = Core()
    accounts = [core.open(key) for key in ("a", "b", "c")]
    for account in accounts:
        core.order(account, sz="10")
    core.exchange.tick(moving=False)
    core.wait(HOURS_8)
    core.exchange.tick(moving=False)
    payments = [index for index, kind in enumerate(kinds(core)) if kind == "funding"]
    assert len(payments) == len(accounts)

    for after in range(payments[0], len(kinds(core)) + 1):
        again = killed(core, after)
        again.exchange.tick(moving=False)
        again.exchange.tick(moving=False)

        assert kinds(again).count("funding") == len(accounts)
        paid = {key: each.balances for key, each in again.state.accounts.items()}
        assert paid == {key: each.balances for key, each in core.state.accounts.items()}
        balanced(again)


def test_a_funding_time_just_before_the_crash_is_settled_after_it() -> None:
    """An order came between the funding time and the heartbeat that should settle it."""
    core = Core()
    account = core.open("a")
    core.order(account, sz="10")
    core.exchange.tick(moving=False)
    core.wait(HOURS_8)
    core.order(account, px="60000")

    again = killed(core, len(kinds(core)))
    again.exchange.tick(moving=False)

    assert kinds(again).count("funding") == 1


def test_a_countdown_is_over_only_when_its_orders_are_canceled() -> None:
    core = Core()
    countdowns = Countdowns(core.exchange)
    account = core.open("a")
    for _ in range(3):
        core.order(account, px="60000")
    countdowns.set(account, Params({"timeOut": "10"}))
    core.wait(10_000)
    core.exchange.tick(moving=False)
    first = kinds(core).index("cancel")

    for after in range(first, len(kinds(core)) + 1):
        again = killed(core, after)
        Countdowns(again.exchange)
        again.exchange.tick(moving=False)

        assert kinds(again).count("cancel") == 3
        assert (again.state.accounts["a"].pending, again.state.countdowns) == ({}, {})


def test_after_every_entry_a_restart_balances_and_leaves_nothing_half_done() -> None:
    core = Core()
    AlgoEngine(core.exchange)
    account, other = risky(core), core.open("other", USDT="500000", BTC="2")
    stop = [{"slTriggerPx": "63000", "slOrdPx": "-1"}]
    core.order(other, sz="2", attachAlgoOrds=stop)
    core.order(other, px="63990", sz="30")
    core.order(other, instId=SPOT, side="sell", sz="0.1")
    core.order(other, instId=COIN, sz="30", tdMode="isolated")
    core.order(account, side="sell", sz="20", px="63990")
    core.exchange.tick(moving=False)
    core.wait(HOURS_8)
    core.exchange.tick(moving=False)
    core.pin("61500")
    core.pin("52000")

    for after in range(2, len(kinds(core)) + 1):
        again = killed(core, after)
        engine = AlgoEngine(again.exchange)
        again.exchange.tick(moving=False)
        engine.catch_up()

        balanced(again)
        for each in again.state.accounts.values():
            assert not [order for order in each.pending.values() if order.ord_type in IMMEDIATE]
        bills = [entry["bill_id"] for entry in again.exchange.ledger.entries if "bill_id" in entry]
        assert len(set(bills)) == len(bills)
        assert all(cash >= Decimal(0) for cash in account.balances.values())


def test_a_ledger_of_the_first_release_is_read() -> None:
    """Its orders have no way to prevent self-trades, its deposits and settings no bills."""
    core = Core()
    core.order(core.open("a"), px="60000")
    ledger = Ledger()
    for entry in core.exchange.ledger.entries:
        older = {name: value for name, value in entry.items() if name not in NEWER}
        ledger.append(older)

    account = Core(ledger).state.accounts["a"]

    (order,) = account.pending.values()
    assert (order.stp_mode, plain(account.balances["USDT"])) == ("cancel_maker", "100000")


def test_an_entry_that_lacks_something_is_named() -> None:
    core = Core()
    core.order(core.open("a"), px="60000")
    ledger = Ledger()
    for entry in core.exchange.ledger.entries:
        ledger.append({name: entry[name] for name in entry if name not in ("seq", "side")})

    with pytest.raises(DamagedLedgerError, match=r"line 3 of the ledger cannot be applied: .*side"):
        Core(ledger)
