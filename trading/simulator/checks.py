"""May this account place this order? Every refusal is an OKX code; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import ZERO, floor_to
from trading.simulator.instruments import Instrument
from trading.simulator.margin import closable
from trading.simulator.market import Market, Quote
from trading.simulator.requests import OrderRequest, check_size
from trading.simulator.state import Account, Order

MAX_PENDING_PER_INSTRUMENT: Final = 500
MAX_PENDING: Final = 4000


@dataclass(slots=True)
class Rules:
    """Settings of the venue that tests may turn."""

    dup_clordid: str = "live_only"
    read_lag_ms: int = 0
    purge_canceled_ms: int = 7_200_000


def check_order(account: Account, request: OrderRequest, market: Market, rules: Rules) -> str:
    """Everything that depends on the account; returns the order's position side."""
    check_trading(account, request.listed.inst_id, market)
    if request.listed.is_spot and request.td_mode == "cross" and account.acct_lv not in ("3", "4"):
        raise parameter("tdMode")
    pos_side = _position_side(account, request)
    check_duplicate(account, request.cl_ord_id, rules)
    quote = market.quote(request.listed.inst_id)
    check_size(request.listed, _base_size(request, quote))
    _check_largest(request, quote)
    _check_counts(account, request)
    return pos_side


def check_trading(account: Account, inst_id: str, market: Market) -> None:
    """Orders may come and change only where neither account nor instrument is stopped."""
    if account.frozen:
        raise OkxError("51024")
    if market.state(inst_id) != "live":
        raise OkxError("51022")


def limited_price(
    side: str, price: Decimal | None, quote: Quote, *, movable: bool
) -> Decimal | None:
    """The order's price inside the band; outside it is refused unless it may be moved."""
    if price is None:
        return None
    over = side == "buy" and price > quote.buy_limit
    under = side == "sell" and price < quote.sell_limit
    if not over and not under:
        return price
    if not movable:
        raise OkxError("51006", str(quote.buy_limit), str(quote.sell_limit))
    return quote.buy_limit if over else quote.sell_limit


def check_closing(account: Account, order: Order, pos_mode: str) -> None:
    """Orders that may only close: never more than the position, never the wrong way."""
    if not order.reduce_only:
        return
    free = closable(account, order)
    position = account.positions.get(order.position_key)
    if position is None or not position.qty:
        raise OkxError("51169")
    if not free:
        raise OkxError("51170" if pos_mode == "net_mode" else "51169")
    resting = ZERO
    if order.ord_type in ("limit", "post_only"):
        resting = sum((each.remaining for each in closing_orders(account, order)), ZERO)
    if order.remaining + resting > free:
        raise OkxError("51112")


def closing_orders(account: Account, like: Order) -> list[Order]:
    """Resting close-only orders of the same position and side."""
    return [
        each
        for each in account.pending.values()
        if each.reduce_only
        and each.ord_id != like.ord_id
        and (each.inst_id, each.td_mode, each.pos_side, each.side)
        == (like.inst_id, like.td_mode, like.pos_side, like.side)
    ]


def is_closing(account: Account, request: OrderRequest) -> bool:
    """In long-short mode the opposite side of a position side closes."""
    if request.listed.is_spot:
        return False
    if account.pos_mode == "net_mode":
        return request.reduce_only
    return (request.pos_side == "long") == (request.side == "sell")


def _position_side(account: Account, request: OrderRequest) -> str:
    if request.listed.is_spot:
        return "net"
    if account.acct_lv == "1":
        raise OkxError("51010")
    if account.pos_mode == "net_mode":
        if request.pos_side not in ("", "net"):
            raise parameter("posSide")
        return "net"
    if request.pos_side not in ("long", "short"):
        raise parameter("posSide")
    return request.pos_side


def _base_size(request: OrderRequest, quote: Quote) -> Decimal:
    """The quantity that will trade: spot market orders may be given in quote money."""
    if request.tgt_ccy != "quote_ccy":
        return request.sz
    return floor_to(request.sz / quote.best(request.side), request.listed.lot)


def check_duplicate(account: Account, name: str, rules: Rules) -> None:
    """A client order id is free unless a pending order holds it, or as the rules say."""
    if not name or rules.dup_clordid == "never":
        return
    if rules.dup_clordid == "ever":
        taken = name in account.client_ids
    else:
        taken = any(each.cl_ord_id == name for each in account.pending.values())
    if taken:
        raise OkxError("51016")


def check_largest_limit(listed: Instrument, size: Decimal) -> None:
    if size > listed.max_limit:
        raise OkxError("51203" if listed.is_spot else "51101", str(listed.max_limit))


def _check_largest(request: OrderRequest, quote: Quote) -> None:
    listed = request.listed
    if request.px is not None:
        check_largest_limit(listed, request.sz)
        return
    if not listed.is_spot:
        if request.sz > listed.max_market:
            raise OkxError("51202")
        return
    value = request.sz if request.tgt_ccy == "quote_ccy" else request.sz * quote.last
    if value > listed.max_market:
        raise OkxError("51201", str(listed.max_market))


def _check_counts(account: Account, request: OrderRequest) -> None:
    if len(account.pending) < MAX_PENDING_PER_INSTRUMENT:
        return
    inst_id = request.listed.inst_id
    here = sum(each.inst_id == inst_id for each in account.pending.values())
    if here >= MAX_PENDING_PER_INSTRUMENT:
        raise OkxError("51102", str(MAX_PENDING_PER_INSTRUMENT))
    if len(account.pending) >= MAX_PENDING:
        raise OkxError("51174", "all instruments", str(MAX_PENDING))
