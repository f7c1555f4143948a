"""The exchange itself: orders in, fills out. Pure apart from the injected clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from trading.simulator import checks, settle
from trading.simulator.apply import apply, fill_entry, order_entry
from trading.simulator.clock import Clock, IdSource
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO, floor_to, parse_number, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.ledger import Ledger
from trading.simulator.margin import closable
from trading.simulator.market import Market
from trading.simulator.requests import OrderRequest, Params, check_price, check_size, flag
from trading.simulator.state import Account, Entry, Fill, Order, State

OrderListener = Callable[[Account, Order, Fill | None], None]
AccountListener = Callable[[Account, str], None]
TickWatcher = Callable[[Sequence[str], int], None]


class Exchange:
    """Checks, records and applies. `order_listeners` hear every order state in
    turn; `on_account` hears that balances or positions of an account changed."""

    def __init__(self, clock: Clock, market: Market, ledger: Ledger) -> None:
        self.clock = clock
        self.market = market
        market.now = clock.ms
        self.ledger = ledger
        self.state = State()
        self.rules = checks.Rules()
        self.ids = IdSource(clock)
        self.order_listeners: list[OrderListener] = []
        self.on_account: AccountListener = _ignore_account
        self.watchers: list[TickWatcher] = []
        self._replay()

    def record(self, entry: Entry) -> Entry:
        """Write the entry, then let it change the state."""
        account = self.state.accounts.get(entry.get("account", ""))
        if account is not None:
            entry["uid"] = account.uid
        stamped = self.ledger.append(entry)
        apply(self.state, stamped)
        return stamped

    def on_order(self, account: Account, order: Order, fill: Fill | None) -> None:
        for listener in self.order_listeners:
            listener(account, order, fill)

    def place(self, account: Account, request: OrderRequest, slices: int = 1) -> Order:
        """Accept the order and run it against the market at once, or raise OkxError.

        A market order is filled in `slices` parts (more than one only when a
        test asks for partial fills).
        """
        pos_side = checks.check_order(account, request, self.market, self.rules)
        order = self._new_order(account, request, pos_side)
        checks.check_closing(account, order, account.pos_mode)
        checks.check_funds(account, order, self.market)
        order = self._accept(account, order)
        self._run(account, order, slices)
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
        """New total size, new price, or both; a size already filled ends the order."""
        listed = params.instrument()
        if not params.has("ordId") and not params.has("clOrdId"):
            raise OkxError("51407")
        order = self.find(account, listed.inst_id, params)
        if order is None or not order.is_open:
            raise OkxError("51503")
        cancel_on_failure = flag(params, "cxlOnFail")
        size, price = self._new_terms(order, params)
        try:
            self._check_amend(account, order, size, price)
        except OkxError:
            if cancel_on_failure:
                self.end(account, order, "1")
            raise
        self.record(
            {
                "kind": "amend",
                "ts": self.clock.ms(),
                "account": account.key,
                "inst_id": order.inst_id,
                "ord_id": order.ord_id,
                "cl_ord_id": order.cl_ord_id,
                "sz": plain(size),
                "px": "" if price is None else plain(price),
                "req_id": params.text("reqId"),
            }
        )
        self.on_order(account, order, None)
        if self._crosses(order) and order.remaining > 0:
            self._take(account, order)
        else:
            self.on_account(account, "amended")
        return order

    def close_position(self, account: Account, params: Params) -> Order:
        listed = params.instrument()
        mgn_mode = params.chosen("mgnMode", "cross", "isolated")
        if account.acct_lv == "1":
            raise OkxError("51010")
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
        order = self._accept(account, order)
        self._take(account, order)
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
        self.follow(moved)
        return moved

    def follow(self, moved: Sequence[str]) -> None:
        """What new prices of these instruments bring about."""
        for inst_id in moved:
            self.price_moved(inst_id)
        for watcher in self.watchers:
            watcher(moved, self.clock.ms())

    def price_moved(self, inst_id: str) -> None:
        """Fill every resting order that the new price reaches, oldest first."""
        for order in list(self.state.resting.get(inst_id, {}).values()):
            if order.is_open and self._reached(order):
                account = self.state.accounts[order.account]
                self._fill(account, order, order.remaining, order.px or ZERO, "M")

    def _replay(self) -> None:
        for entry in self.ledger.entries:
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

    def _accept(self, account: Account, order: Order) -> Order:
        order.ord_id = self.ids.next()
        self.record(order_entry(order))
        accepted = account.orders[order.ord_id]
        self.on_order(account, accepted, None)
        return accepted

    def _run(self, account: Account, order: Order, slices: int) -> None:
        """What happens to an order on arrival, by its type."""
        crosses = self._crosses(order)
        if crosses and order.ord_type == "post_only":
            self.end(account, order, "31")
        elif crosses:
            self._take(account, order, slices)
        elif order.ord_type in ("ioc", "fok"):
            self.end(account, order, "14" if order.ord_type == "ioc" else "13")
        else:
            self.on_account(account, "ordered")

    def _crosses(self, order: Order) -> bool:
        if order.px is None:
            return True
        best = self.market.quote(order.inst_id).best(order.side)
        return order.px >= best if order.side == "buy" else order.px <= best

    def _reached(self, order: Order) -> bool:
        """A resting order also fills when the last price touches it."""
        if order.px is None:
            return False
        last = self.market.quote(order.inst_id).last
        touched = order.px >= last if order.side == "buy" else order.px <= last
        return touched or self._crosses(order)

    def _take(self, account: Account, order: Order, slices: int = 1) -> None:
        quote = self.market.quote(order.inst_id)
        price = quote.best(order.side)
        quantity = order.remaining
        if order.tgt_ccy == "quote_ccy":
            quantity = floor_to(order.sz / price, quote.instrument.lot)
        part = floor_to(quantity / max(slices, 1), quote.instrument.lot)
        for _ in range(slices - 1 if part else 0):
            self._fill(account, order, part, price, "T", quantity)
        self._fill(account, order, quantity - order.filled, price, "T", quantity)

    def _fill(
        self,
        account: Account,
        order: Order,
        size: Decimal,
        price: Decimal,
        exec_type: str,
        whole: Decimal | None = None,
    ) -> None:
        if order.reduce_only:
            size = min(size, closable(account, order))
        quote = self.market.quote(order.inst_id)
        if quote.instrument.is_spot:
            terms = settle.spot_terms(order, size, price, exec_type)
        else:
            terms = settle.swap_terms(account, order, size, price, exec_type)
        done = order.filled + size >= (order.sz if whole is None else whole)
        fill = Fill(
            account=account.key,
            inst_id=order.inst_id,
            ord_id=order.ord_id,
            cl_ord_id=order.cl_ord_id,
            tag=order.tag,
            trade_id=quote.take_trade_id(),
            bill_id=self.ids.next(),
            side=order.side,
            pos_side=order.pos_side,
            mgn_mode=order.td_mode,
            exec_type=exec_type,
            sub_type=terms["sub_type"],
            sz=size,
            px=price,
            mark=quote.mark,
            fee=Decimal(terms["fee"]),
            fee_ccy=terms["fee_ccy"],
            fee_rate=Decimal(terms["fee_rate"]),
            pnl=Decimal(terms["pnl"]),
            ts=self.clock.ms(),
        )
        state = "filled" if done else "partially_filled"
        self.record({**fill_entry(fill), **terms, "order_state": state})
        self.on_order(account, order, fill)
        self._trim_closing(account, order)
        self.on_account(account, "filled")

    def _trim_closing(self, account: Account, filled: Order) -> None:
        """Cancel close-only orders, newest first, that the position no longer covers."""
        if BY_ID[filled.inst_id].is_spot:
            return
        key = (filled.inst_id, filled.td_mode, filled.pos_side)
        closing = [
            each
            for each in account.pending.values()
            if each.reduce_only and (each.inst_id, each.td_mode, each.pos_side) == key
        ]
        position = account.positions[key]
        total = sum((each.remaining for each in closing), ZERO)
        for each in reversed(closing):
            free = closable(account, each)
            if total <= free:
                return
            total -= each.remaining
            self.end(account, each, "22" if position.qty else "17")

    def _new_terms(self, order: Order, params: Params) -> tuple[Decimal, Decimal | None]:
        if not params.has("newSz") and not params.has("newPx"):
            raise OkxError("51500")
        size, price = order.sz, order.px
        if params.has("newSz"):
            size = self._number(params, "newSz")
            check_size(BY_ID[order.inst_id], size)
            checks.check_largest_limit(BY_ID[order.inst_id], size)
        if params.has("newPx"):
            price = self._number(params, "newPx")
            check_price(BY_ID[order.inst_id], price)
            quote, movable = self.market.quote(order.inst_id), params.text("pxAmendType") == "1"
            price = checks.limited_price(order.side, price, quote, movable=movable)
        return size, price

    def _number(self, params: Params, name: str) -> Decimal:
        value = parse_number(params.needed(name))
        if not value:
            raise OkxError("51000", name)
        return value

    def _check_amend(
        self, account: Account, order: Order, size: Decimal, price: Decimal | None
    ) -> None:
        """The amended order is judged as if it were placed anew without the old one."""
        del account.pending[order.ord_id]
        held = order.sz, order.px
        try:
            order.sz, order.px = max(size, order.filled), price
            checks.check_closing(account, order, account.pos_mode)
            checks.check_funds(account, order, self.market)
            if order.ord_type == "post_only" and self._crosses(order):
                raise OkxError("51511")
        finally:
            order.sz, order.px = held
            account.pending[order.ord_id] = order


def _ignore_account(account: Account, event: str) -> None:
    """No listener yet."""
