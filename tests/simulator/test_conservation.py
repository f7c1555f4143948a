"""Money is conserved to the last digit, whatever is traded in whatever order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.simulator.clock import Clock
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO, plain
from trading.simulator.exchange import Exchange
from trading.simulator.instruments import BY_ID
from trading.simulator.ledger import Ledger
from trading.simulator.market import Market
from trading.simulator.opening import Opening, open_account
from trading.simulator.requests import Params, read_order
from trading.simulator.settings import set_leverage
from trading.simulator.state import Account

INSTRUMENTS = ("BTC-USDT-SWAP", "DOGE-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT", "XRP-USDT")
CURRENCIES = ("USDT", "BTC", "XRP")
STARTED_NS = 1_700_000_000_000_000_000

steps = st.lists(
    st.tuples(
        st.sampled_from(("order", "order", "order", "price", "cancel", "lever", "close", "amend")),
        st.sampled_from(INSTRUMENTS),
        st.sampled_from(("net", "hedged")),
        st.sampled_from(("buy", "sell")),
        st.sampled_from(("cross", "isolated")),
        st.integers(1, 997),
        st.sampled_from(("market", "limit", "ioc", "post_only", "fok")),
        st.integers(-40, 40),
        st.booleans(),
    ),
    max_size=40,
)


class World:
    """Two accounts on a pure exchange with a clock that stands still between steps."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.now = STARTED_NS
        clock = Clock(lambda: self.now)
        self.market = Market(3, clock.ms())
        self.exchange = Exchange(clock, self.market, ledger or Ledger())
        if ledger is None:
            balances = {"USDT": Decimal("1000003.123456789"), "BTC": Decimal("7.00000001")}
            for key, mode in (("net", "net_mode"), ("hedged", "long_short_mode")):
                opening = Opening(key, "s", "p", dict(balances), pos_mode=mode)
                open_account(self.exchange, opening)

    def account(self, key: str) -> Account:
        return self.exchange.state.accounts[key]

    def take(self, step: Any) -> None:
        self.now += 1_000_000
        what, inst_id, who, *_ = step
        try:
            getattr(self, f"_{what}")(step, self.account(who), BY_ID[inst_id])
        except OkxError:
            return

    def _order(self, step: Any, account: Account, listed: Any) -> None:
        _, _, _, side, mode, lots, ord_type, ticks, flag = step
        price = self.market.quote(listed.inst_id).last + listed.tick * ticks
        terms = {
            "instId": listed.inst_id,
            "tdMode": "cash" if listed.is_spot else mode,
            "side": side,
            "ordType": ord_type,
            "sz": plain(listed.minimum * lots),
            "px": plain(price),
            "reduceOnly": "true" if flag and account.key == "net" else "",
            "tgtCcy": "base_ccy",
        }
        if account.key == "hedged" and not listed.is_spot:
            terms["posSide"] = "long" if flag else "short"
        self.exchange.place(account, read_order(Params(terms)), slices=1 + lots % 3)

    def _price(self, step: Any, _account: Account, listed: Any) -> None:
        last = self.market.quote(listed.inst_id).last
        moved = max(last + listed.tick * step[7] * step[5], listed.tick * 2)
        self.market.pin(listed.inst_id, moved, self.now // 1_000_000)
        self.exchange.record(
            {"kind": "price", "ts": 0, "inst_id": listed.inst_id, "px": plain(moved)}
        )
        self.exchange.follow([listed.inst_id])

    def _cancel(self, _step: Any, account: Account, _listed: Any) -> None:
        for order in list(account.pending.values())[:1]:
            params = {"instId": order.inst_id, "ordId": order.ord_id}
            self.exchange.cancel(account, Params(params))

    def _amend(self, step: Any, account: Account, _listed: Any) -> None:
        for order in list(account.pending.values())[:1]:
            size = plain(BY_ID[order.inst_id].minimum * step[5])
            params = {"instId": order.inst_id, "ordId": order.ord_id, "newSz": size}
            self.exchange.amend(account, Params(params))

    def _lever(self, step: Any, account: Account, listed: Any) -> None:
        side = ("long" if step[8] else "short") if account.key == "hedged" else ""
        params = {
            "instId": listed.inst_id,
            "mgnMode": step[4],
            "lever": str(1 + step[5] % 50),
            "posSide": side,
        }
        set_leverage(self.exchange, account, Params(params))

    def _close(self, step: Any, account: Account, listed: Any) -> None:
        side = ("long" if step[8] else "short") if account.key == "hedged" else ""
        params = {
            "instId": listed.inst_id,
            "mgnMode": step[4],
            "posSide": side,
            "autoCxl": "true",
        }
        self.exchange.close_position(account, Params(params))


@settings(max_examples=150, deadline=None)
@given(steps)
def test_every_currency_adds_up_to_what_was_deposited(taken: list[Any]) -> None:
    world = World()

    for step in taken:
        world.take(step)
        state = world.exchange.state
        for ccy in CURRENCIES:
            assert state.total(ccy) == state.deposited.get(ccy, ZERO)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_replaying_the_ledger_gives_the_same_state(taken: list[Any]) -> None:
    world = World()
    for step in taken:
        world.take(step)

    again = World(world.exchange.ledger)

    assert again.exchange.state == world.exchange.state


@settings(max_examples=60, deadline=None)
@given(steps)
def test_the_same_steps_give_the_same_ledger(taken: list[Any]) -> None:
    first, second = World(), World()

    for step in taken:
        first.take(step)
        second.take(step)

    assert first.exchange.ledger.entries == second.exchange.ledger.entries


@settings(max_examples=100, deadline=None)
@given(steps)
def test_positions_are_the_sum_of_fills_and_no_balance_is_spent_twice(taken: list[Any]) -> None:
    world = World()
    for step in taken:
        world.take(step)

    for account in world.exchange.state.accounts.values():
        for key, position in account.positions.items():
            fills = [
                fill
                for fill in account.fills
                if (fill.inst_id, fill.mgn_mode, fill.pos_side) == key
            ]
            signed = (fill.sz if fill.side == "buy" else -fill.sz for fill in fills)
            assert position.qty == sum(signed, ZERO)
            if key[2] != "net":
                assert position.qty * (1 if key[2] == "long" else -1) >= 0
            if not position.qty:
                assert (position.cost, position.margin) == (ZERO, ZERO)
        assert account.balances.get("XRP", ZERO) >= 0
