"""The exchange itself: orders in, fills out. Pure apart from the injected clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from trading.simulator import amending, buying_power, checks, funding, matching, recovery
from trading.simulator.apply import apply, order_entry
from trading.simulator.book import Level
from trading.simulator.clock import Clock, IdSource
from trading.simulator.codes import OkxError
from trading.simulator.decimals import plain
from trading.simulator.ledger import DamagedLedgerError, Ledger
from trading.simulator.market import Market
from trading.simulator.requests import OrderRequest, Params
from trading.simulator.risk import RiskWatch
from trading.simulator.state import HISTORY_KEPT, Account, Entry, Fill, Order, Position, State

OrderListener = Callable[[Account, Order, Fill | None], None]
EntryListener = Callable[[Entry], None]
AccountListener = Callable[[Account, str], None]
WarningListener = Callable[[Account, Position], None]
TickWatcher = Callable[[Sequence[str], int], None]


class Exchange:
    """Checks, records and applies. `order_listeners` hear every order state in
    turn, `entry_listeners` every entry; `on_account` hears that balances or positions of
    an account changed, `on_warning` that a position came near liquidation."""

    def __init__(
        self, clock: Clock, market: Market, ledger: Ledger, history: int = HISTORY_KEPT
    ) -> None:
        self.clock = clock
        self.market = market
        market.now = clock.ms
        self.ledger = ledger
        self.state = State(kept=history)
        self.rules = checks.Rules()
        self.ids = IdSource(clock)
        self.order_listeners: list[OrderListener] = []
        self.entry_listeners: list[EntryListener] = []
        self.on_account: AccountListener = _ignore_account
        self.watchers: list[TickWatcher] = []
        market.resting = self.resting_levels
        self._last = self._replay()
        self.on_warning: WarningListener = _ignore_warning
        self._risk = RiskWatch(self)

    def resume(self) -> None:
        """Finish what the end of an earlier run interrupted; once, before anything else happens.

        Until then the state is what the ledger tells, and nothing but that.
        """
        recovery.resume(self, self._last)
        self._last = None

    def resting_levels(self, inst_id: str, side: str) -> Iterator[Level]:
        """Customers' orders of one side of the book, for the public picture of it."""
        for price, size, orders in self.state.resting.depth(inst_id, side):
            yield Level(price, size, orders)

    def record(self, entry: Entry) -> Entry:
        """Write the entry, then let it change the state."""
        account = self.state.accounts.get(entry.get("account", ""))
        if account is not None:
            entry["uid"] = account.uid
        stamped = self.ledger.append(entry)
        apply(self.state, stamped)
        self._risk.recorded(stamped)
        for hear in self.entry_listeners:
            hear(stamped)
        return stamped

    def on_order(self, account: Account, order: Order, fill: Fill | None) -> None:
        for listener in self.order_listeners:
            listener(account, order, fill)

    def place(self, account: Account, request: OrderRequest, slices: int = 1) -> Order:
        """Accept the order and run it against the market at once, or raise OkxError.

        A taker is filled in at least `slices` parts (more than one only when a
        test asks for partial fills).
        """
        pos_side = checks.check_order(account, request, self.market, self.rules)
        order = self._new_order(account, request, pos_side)
        checks.check_closing(account, order, account.pos_mode)
        if request.listed.is_spot and not request.ban_amend:
            order = buying_power.affordable(self, account, order)
        buying_power.check_funds(self, account, order)
        order = self.accept(account, order)
        matching.arrive(self, account, order, slices)
        return order

    def cancel(self, account: Account, params: Params) -> Order:
        listed = params.instrument()
        if not params.has("ordId") and not params.has("clOrdId"):
            raise OkxError("51407")
        order = self.find(account, listed.inst_id, params)
        if order is None or not order.is_open:
            raise OkxError("51400")
        self.end(account, order, "1")
        return order

    def amend(self, account: Account, params: Params) -> Order:
        """See `amending.amend`; 51503 when there is no such pending order."""
        listed = params.instrument()
        if not params.has("ordId") and not params.has("clOrdId"):
            raise OkxError("51407")
        order = self.find(account, listed.inst_id, params)
        if order is None or not order.is_open:
            raise OkxError("51503")
        amending.amend(self, account, order, params)
        return order

    def close_position(self, account: Account, params: Params) -> Order:
        listed = params.instrument()
        mgn_mode = params.chosen("mgnMode", "cross", "isolated")
        if account.acct_lv == "1":
            raise OkxError("51010")
        checks.check_trading(account, listed.inst_id, self.market)
        checks.check_duplicate(account, params.text("clOrdId"), self.rules)
        long_short = account.pos_mode == "long_short_mode"
        allowed = ("long", "short") if long_short else ("net",)
        pos_side = params.text("posSide") or ("" if long_short else "net")
        if pos_side not in allowed:
            raise OkxError("51000", "posSide")
        position = account.positions.get((listed.inst_id, mgn_mode, pos_side))
        if position is None or not position.qty:
            raise OkxError("51023")
        order = self._closing_order(account, params, mgn_mode, pos_side, position.qty)
        resting = checks.closing_orders(account, order)
        if resting and params.text("autoCxl") != "true":
            raise OkxError("51115")
        for each in resting:
            self.end(account, each, "1")
        order = self.accept(account, order)
        matching.arrive(self, account, order, slices=1)
        return order

    def end(self, account: Account, order: Order, source: str) -> None:
        """Take an order out of the book; `source` is OKX's cancelSource."""
        self.record(
            {
                "kind": "cancel",
                "ts": self.clock.ms(),
                "account": account.key,
                "inst_id": order.inst_id,
                "ord_id": order.ord_id,
                "cl_ord_id": order.cl_ord_id,
                "side": order.side,
                "pos_side": order.pos_side,
                "sz": plain(order.sz),
                "px": "" if order.px is None else plain(order.px),
                "cancel_source": source,
            }
        )
        self.on_order(account, order, None)
        self.on_account(account, "canceled")

    def find(self, account: Account, inst_id: str, params: Params) -> Order | None:
        """By `ordId`, else the latest with this `clOrdId`."""
        ord_id = params.text("ordId")
        if ord_id:
            order = account.orders.get(ord_id)
            return order if order and order.inst_id == inst_id else None
        return account.by_client_id.get((inst_id, params.text("clOrdId")))

    def tick(self, *, moving: bool = True) -> list[str]:
        """The heartbeat: move the market, then everything that follows from time and price.

        Watchers hear the instruments that moved and the time in milliseconds.
        """
        now = self.clock.ms()
        moved = self.market.step(now) if moving else []
        funding.settle_due(self)
        self.follow(moved)
        return moved

    def follow(self, moved: Sequence[str]) -> None:
        """What new prices of these instruments bring about.

        Stop orders come before liquidation: on the way there the price has passed them.
        """
        for inst_id in moved:
            matching.fill_reached(self, inst_id)
        for watcher in self.watchers:
            watcher(moved, self.clock.ms())
        self._risk.look()

    def set_prices(self, wanted: Mapping[str, tuple[Decimal, bool]]) -> None:
        """Set all these prices, to be held or to walk on from, then everything that follows."""
        now = self.clock.ms()
        for inst_id, (price, held) in wanted.items():
            change = self.market.pin if held else self.market.walk_from
            change(inst_id, price, now)
            entry = {"kind": "price", "ts": now, "inst_id": inst_id, "px": plain(price)}
            self.record(entry if held else {**entry, "held": False})
        self.follow(list(wanted))

    def _replay(self) -> Entry | None:
        """Fold what an earlier run has left; returns the last of its entries.

        Raises DamagedLedgerError at an entry that lacks what it should tell.
        """
        entry = None
        for number, entry in enumerate(self.ledger.read(), 1):
            try:
                self._take_in(entry)
            except (ArithmeticError, KeyError, TypeError, ValueError) as error:
                problem = f"line {number} of the ledger cannot be applied: {error!r}"
                raise DamagedLedgerError(problem) from error
        return entry

    def _take_in(self, entry: Entry) -> None:
        apply(self.state, entry)
        self.market.replay(entry)
        if entry["kind"] == "order":
            self.ids.seen(entry["ord_id"])
        if entry["kind"] == "algo":
            self.ids.seen(entry["algo_id"])
        if entry.get("bill_id"):
            self.ids.seen(entry["bill_id"])

    def _new_order(self, account: Account, request: OrderRequest, pos_side: str) -> Order:
        listed = request.listed
        quote = self.market.quote(listed.inst_id)
        now = self.clock.ms()
        lever = account.lever(listed.inst_id, request.td_mode, pos_side)
        buys_spot = listed.is_spot and request.side == "buy"
        return Order(
            account=account.key,
            inst_id=listed.inst_id,
            ord_id="",
            cl_ord_id=request.cl_ord_id,
            tag=request.tag,
            side=request.side,
            pos_side=pos_side,
            td_mode=request.td_mode,
            ord_type=request.ord_type,
            sz=request.sz,
            px=checks.limited_price(request.side, request.px, quote, movable=request.amend_px),
            tgt_ccy=request.tgt_ccy,
            reduce_only=checks.is_closing(account, request),
            lever="" if listed.is_spot else plain(lever),
            ccy=request.ccy,
            category="normal",
            c_time=now,
            u_time=now,
            fee_ccy=listed.base if buys_spot else (listed.settle or listed.quote),
            attached=request.attached,
            origin=request.origin,
            stp_mode=request.stp_mode,
        )

    def _closing_order(
        self, account: Account, params: Params, mgn_mode: str, pos_side: str, quantity: Decimal
    ) -> Order:
        request = OrderRequest(
            listed=params.instrument(),
            td_mode=mgn_mode,
            side="sell" if quantity > 0 else "buy",
            pos_side=pos_side,
            ord_type="market",
            sz=abs(quantity),
            px=None,
            cl_ord_id=params.text("clOrdId"),
            tag=params.text("tag"),
            ccy="",
            tgt_ccy="",
            reduce_only=True,
            amend_px=False,
        )
        return self._new_order(account, request, pos_side)

    def accept(self, account: Account, order: Order) -> Order:
        """Give a checked order its id and put it into the books."""
        order.ord_id = self.ids.next()
        self.record(order_entry(order))
        accepted = account.orders[order.ord_id]
        self.on_order(account, accepted, None)
        return accepted


def _ignore_account(account: Account, event: str) -> None:
    """No listener yet."""


def _ignore_warning(account: Account, position: Position) -> None:
    """No listener yet."""
