"""Random sessions on the pure core: everything an account, the market and the operator may do."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from random import Random
from typing import Any

from tests.simulator.core import Core
from trading.simulator import upkeep
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO, floor_to, plain
from trading.simulator.instruments import BY_ID, Instrument
from trading.simulator.ledger import Ledger
from trading.simulator.margin_moves import move_margin
from trading.simulator.requests import Params
from trading.simulator.settings import set_leverage, set_position_mode
from trading.simulator.state import Account, Entry, PositionKey

INSTRUMENTS = ("BTC-USDT-SWAP", "LTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT", "LTC-USDT")
PINNED = INSTRUMENTS[1:4]
CURRENCIES = ("USDT", "BTC", "LTC")
MODES = {
    "one": "net_mode",
    "whale": "net_mode",
    "hedged": "long_short_mode",
    "poor": "net_mode",
}
MONEY = {"poor": "1500.000000001", "whale": "4000003.123456789"}
ACTIONS = {
    "order": 40,
    "amend": 10,
    "cancel": 3,
    "close": 3,
    "exit": 8,
    "walk": 6,
    "price": 4,
    "gap": 1,
    "lever": 5,
    "margin": 3,
    "mode": 1,
    "money": 2,
    "funding": 1,
}
TYPES = ("market", "limit", "limit", "limit", "post_only", "ioc", "fok", "optimal_limit_ioc")
CRUMB = Decimal("1e-9")
HOURS_8 = 8 * 3_600_000


class Session(Core):
    """Four accounts; `act` takes one random step, refusals included."""

    def __init__(self, seed: int, ledger: Ledger | None = None) -> None:
        super().__init__(ledger, seed=seed, moving=True)
        self.random = Random(seed)
        self.refused_codes: set[str] = set()
        if ledger is None:
            for key, mode in MODES.items():
                usdt = MONEY.get(key, "250003.123456789")
                self.open(key, mode=mode, USDT=usdt, BTC="3.00000001", LTC="500")

    def act(self) -> None:
        self.wait(self.random.choice((0, 1, 40, 300)))
        what = self.random.choices(tuple(ACTIONS), tuple(ACTIONS.values()))[0]
        account = self.state.accounts[self.random.choice(tuple(MODES))]
        listed = BY_ID[self.random.choice(INSTRUMENTS)]
        try:
            getattr(self, f"_{what}")(account, listed)
        except OkxError as error:
            self.refused_codes.add(error.code)

    def _order(self, account: Account, listed: Instrument) -> None:
        draw = self.random
        last = self.market.quote(listed.inst_id).last
        away = draw.choice((ZERO, ZERO, last / 100, last / 30))
        ticks = floor_to(away, listed.tick) + listed.tick * draw.randint(-3, 5)
        side = draw.choice(("buy", "sell"))
        price = last - ticks if side == "buy" else last + ticks
        usd = draw.choice((50, 700, 9_000, 60_000, 700_000))
        usd *= 20 if account.key == "whale" else 1
        contract = listed.usd_notional(Decimal(1), last) if not listed.is_spot else last
        size = max(floor_to(draw.randint(1, usd) / contract, listed.lot), listed.minimum)
        terms: dict[str, Any] = {
            "instId": listed.inst_id,
            "side": side,
            "ordType": draw.choice(TYPES),
            "sz": plain(size),
            "px": plain(max(price, listed.tick)),
            "stpMode": draw.choice(("", "cancel_maker", "cancel_taker", "cancel_both")),
            "tgtCcy": "base_ccy",
        }
        if not listed.is_spot:
            terms["tdMode"] = draw.choice(("cross", "isolated"))
            terms["reduceOnly"] = draw.choice(("", "", "", "true"))
            if account.pos_mode == "long_short_mode":
                opens = "long" if side == "buy" else "short"
                terms["posSide"] = draw.choice((opens, opens, "long", "short"))
        elif draw.random() < 0.5:
            terms |= {"tgtCcy": "quote_ccy", "sz": str(draw.randint(1, usd))}
        self.order(account, slices=draw.choice((1, 1, 1, 3)), **terms)

    def _amend(self, account: Account, _listed: Instrument) -> None:
        if account.pending:
            order = self.random.choice(list(account.pending.values()))
            listed = BY_ID[order.inst_id]
            terms = {"instId": order.inst_id, "ordId": order.ord_id}
            if self.random.random() < 0.7:
                part = Decimal(self.random.randint(1, 30)) / 10
                terms["newSz"] = plain(max(floor_to(order.sz * part, listed.lot), listed.minimum))
            if self.random.random() < 0.5:
                last = self.market.quote(order.inst_id).last
                terms["newPx"] = plain(last + listed.tick * self.random.randint(-200, 200))
            self.exchange.amend(account, Params(terms))

    def _cancel(self, account: Account, _listed: Instrument) -> None:
        if account.pending:
            order = self.random.choice(list(account.pending.values()))
            params = {"instId": order.inst_id, "ordId": order.ord_id}
            self.exchange.cancel(account, Params(params))

    def _close(self, account: Account, _listed: Instrument) -> None:
        held = account.open_positions()
        if held:
            position = self.random.choice(held)
            params = {
                "instId": position.inst_id,
                "mgnMode": position.mgn_mode,
                "posSide": position.pos_side,
                "autoCxl": self.random.choice(("true", "")),
            }
            self.exchange.close_position(account, Params(params))

    def _exit(self, account: Account, _listed: Instrument) -> None:
        """A resting close-only order for a part of a position."""
        held = account.open_positions()
        if held:
            position = self.random.choice(held)
            listed = BY_ID[position.inst_id]
            sells = position.qty > 0
            away = listed.tick * self.random.choice((1, 50, 3000)) * (1 if sells else -1)
            part = floor_to(abs(position.qty) / self.random.choice((1, 2, 3)), listed.lot)
            self.order(
                account,
                instId=position.inst_id,
                tdMode=position.mgn_mode,
                side="sell" if sells else "buy",
                posSide=position.pos_side,
                px=plain(max(self.market.quote(listed.inst_id).last + away, listed.tick)),
                sz=plain(max(part, listed.lot)),
                reduceOnly="true",
            )

    def _walk(self, _account: Account, _listed: Instrument) -> None:
        """Some seconds of a market that is not pinned."""
        self.wait(250 * self.random.randint(1, 40))
        self.exchange.tick()

    def _price(self, _account: Account, _listed: Instrument) -> None:
        listed = BY_ID[self.random.choice(PINNED)]
        self._move(listed, self.random.randint(-20, 20))

    def _gap(self, _account: Account, _listed: Instrument) -> None:
        listed = BY_ID[self.random.choice(PINNED)]
        self._move(listed, self.random.choice((-300, -100, 100, 300)))

    def _move(self, listed: Instrument, parts_per_thousand: int) -> None:
        last = self.market.quote(listed.inst_id).last * (1000 + parts_per_thousand) / 1000
        home = listed.first_price
        price = min(max(last, home / 3), home * 3)
        self.pin(plain(floor_to(price, listed.tick)), listed.inst_id)

    def _lever(self, account: Account, listed: Instrument) -> None:
        hedged = account.pos_mode == "long_short_mode"
        params = {
            "instId": listed.inst_id,
            "mgnMode": self.random.choice(("cross", "isolated")),
            "lever": str(self.random.choice((3, 10, 20, 50, 100))),
            "posSide": self.random.choice(("long", "short")) if hedged else "",
        }
        set_leverage(self.exchange, account, Params(params))

    def _margin(self, account: Account, _listed: Instrument) -> None:
        isolated = [each for each in account.open_positions() if each.mgn_mode == "isolated"]
        if isolated:
            position = self.random.choice(isolated)
            params = {
                "instId": position.inst_id,
                "posSide": position.pos_side,
                "type": self.random.choice(("add", "reduce")),
                "amt": plain(floor_to(abs(position.margin) / self.random.choice((2, 7)), CRUMB)),
            }
            move_margin(self.exchange, account, Params(params))

    def _mode(self, account: Account, _listed: Instrument) -> None:
        mode = self.random.choice(("net_mode", "long_short_mode"))
        set_position_mode(self.exchange, account, Params({"posMode": mode}))

    def _money(self, account: Account, _listed: Instrument) -> None:
        ccy = self.random.choice(CURRENCIES)
        free = upkeep.free(self.exchange, account, ccy)
        amount = (
            -floor_to(free / 3, CRUMB)
            if free and self.random.random() < 0.5
            else Decimal("2.000000007")
        )
        upkeep.deposit(self.exchange, account, ccy, amount)

    def _funding(self, _account: Account, _listed: Instrument) -> None:
        self.wait(HOURS_8)
        self.exchange.tick(moving=False)


def check_money(core: Core) -> None:
    """Every currency is what was deposited; nobody spends coins that are not there."""
    for ccy in CURRENCIES:
        assert core.state.total(ccy) == core.state.deposited.get(ccy, ZERO)
    for account in core.state.accounts.values():
        assert account.balances["LTC"] >= 0
        for key, position in account.positions.items():
            if not position.qty:
                assert (position.cost, position.margin) == (ZERO, ZERO), key


def check_close_only(core: Core) -> None:
    """Resting close-only orders are never more than the position, and on its other side."""
    for account in core.state.accounts.values():
        resting: dict[PositionKey, Decimal] = {}
        for order in account.pending.values():
            if order.reduce_only:
                key = (order.inst_id, order.td_mode, order.pos_side)
                left = order.remaining if order.side == "sell" else -order.remaining
                resting[key] = resting.get(key, ZERO) + left
                assert left * account.positions[key].qty > 0
        for key, left in resting.items():
            assert abs(left) <= abs(account.positions[key].qty)


def check_never_flipped(entries: list[Entry]) -> None:
    """No fill of a close-only order went through zero, and none opened anything."""
    close_only = set()
    held: dict[tuple[str, ...], Decimal] = {}
    for entry in entries:
        if entry["kind"] == "order" and entry["reduce_only"]:
            close_only.add(entry["ord_id"])
        if entry["kind"] != "fill" or "pos" not in entry:
            continue
        key = tuple(entry[name] for name in ("account", "inst_id", "mgn_mode", "pos_side"))
        before, after = held.get(key, ZERO), Decimal(entry["pos"])
        held[key] = after
        if entry["ord_id"] in close_only:
            assert before * after >= 0
            assert abs(after) < abs(before)
            assert entry["opening"] == "0"


def check_replay(core: Core) -> None:
    """The state that the ledger tells is the live one, field by field, in the same order."""
    again = Core(core.exchange.ledger, resumed=False)
    for each in fields(core.state):
        assert getattr(again.state, each.name) == getattr(core.state, each.name), each.name
    for key, account in core.state.accounts.items():
        told = again.state.accounts[key]
        for name in ("pending", "orders", "positions", "algos"):
            assert list(getattr(told, name)) == list(getattr(account, name))
    for inst_id, holders in core.state.holders.items():
        assert list(again.state.holders[inst_id]) == list(holders)


def ledger_bytes(core: Core) -> bytes:
    return core.exchange.ledger.page(0, None)[0]
