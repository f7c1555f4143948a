"""Private trading endpoints that only read: one order, pending, history, fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from trading.simulator.codes import OkxError, parameter
from trading.simulator.instruments import BY_ID
from trading.simulator.requests import ORDER_TYPES, Params
from trading.simulator.routing import Call, Route, Routes, instrument_type, newest, one_instrument
from trading.simulator.rows_trade import fill_row, order_row
from trading.simulator.state import Fill, Order

_DAY_MS: Final = 86_400_000
_ENDED: Final = ("canceled", "filled", "mmp_canceled")
_CATEGORIES: Final = (
    "normal",
    "twap",
    "adl",
    "full_liquidation",
    "partial_liquidation",
    "delivery",
    "ddh",
    "auto_conversion",
)

Keep = Callable[[Any], bool]


def _order(call: Call) -> list[Any]:
    inst_id = one_instrument(call.params).inst_id
    if not call.params.has("ordId") and not call.params.has("clOrdId"):
        raise OkxError("51003")
    order = call.venue.exchange.find(call.account, inst_id, call.params)
    if order is None or not _visible(call)(order):
        raise OkxError("51603")
    return [order_row(order)]


def _pending(call: Call) -> list[Any]:
    _one_of(call.params, "state", ("live", "partially_filled"))
    instrument_type(call.params, needed=False)
    pending = sorted(call.account.pending.values(), key=_number, reverse=True)
    return _orders(call, pending, lambda _order: True)


def _history(call: Call) -> list[Any]:
    return _ended(call, 7)


def _archive(call: Call) -> list[Any]:
    return _ended(call, 90)


def _ended(call: Call, days: int) -> list[Any]:
    instrument_type(call.params)
    _one_of(call.params, "state", _ENDED)
    oldest = call.now_ms - days * _DAY_MS
    return _orders(
        call,
        reversed(call.account.orders.values()),
        lambda order: not order.is_open and order.u_time >= oldest,
    )


def _orders(call: Call, orders: Iterable[Order], among: Callable[[Order], bool]) -> list[Any]:
    """Orders are kept in the order of their ids, so the newest page ends the search."""
    visible, wanted = _visible(call), _wanted_orders(call.params)
    found = newest(
        call.params,
        orders,
        number=_number,
        time=lambda order: order.c_time,
        keep=lambda order: among(order) and visible(order) and wanted(order),
    )
    return [order_row(each) for each in found]


def _number(order: Order) -> int:
    return int(order.ord_id)


def _visible(call: Call) -> Callable[[Order], bool]:
    """Queries lag behind by `read_lag_ms`, and forget unfilled canceled orders after a while."""
    rules = call.venue.exchange.rules
    latest = call.now_ms - rules.read_lag_ms if rules.read_lag_ms else None
    forgotten = call.now_ms - rules.purge_canceled_ms

    def visible(order: Order) -> bool:
        if latest is not None and order.c_time > latest:
            return False
        return order.state != "canceled" or bool(order.filled) or order.u_time >= forgotten

    return visible


def _wanted_orders(params: Params) -> Callable[[Order], bool]:
    _one_of(params, "category", _CATEGORIES)
    types = [each for each in params.text("ordType").split(",") if each]
    if any(each not in ORDER_TYPES for each in types):
        raise parameter("ordType")
    wanted = _wanted(params, state="state", category="category")
    return lambda order: (not types or order.ord_type in types) and wanted(order)


def _fills(call: Call) -> list[Any]:
    instrument_type(call.params, needed=False)
    return _fill_rows(call, 3)


def _fills_history(call: Call) -> list[Any]:
    instrument_type(call.params)
    return _fill_rows(call, 90)


def _fill_rows(call: Call, days: int) -> list[Any]:
    wanted = _wanted(call.params, ordId="ord_id", subType="sub_type")
    oldest = call.now_ms - days * _DAY_MS
    latest = call.now_ms - call.venue.exchange.rules.read_lag_ms

    def keep(fill: Fill) -> bool:
        return oldest <= fill.ts <= latest and wanted(fill)

    found = newest(
        call.params,
        reversed(call.account.fills),
        number=lambda fill: int(fill.bill_id),
        time=lambda fill: fill.ts,
        keep=keep,
    )
    return [fill_row(each) for each in found]


def _wanted(params: Params, **attributes: str) -> Keep:
    """The given filters as one question: parameter names and the attributes they must equal.

    Type, instrument and family are common to orders and fills.
    """
    exact = [(attributes[name], params.text(name)) for name in attributes if params.text(name)]
    inst_id, inst_type = params.text("instId"), params.text("instType")
    if inst_id and inst_id not in BY_ID:
        raise OkxError("51001")
    family = params.text("instFamily") or params.text("uly")

    def wanted(item: Any) -> bool:
        listed = BY_ID[item.inst_id]
        return (
            inst_id in ("", item.inst_id)
            and inst_type in ("", listed.inst_type)
            and (not family or (family == listed.family and not listed.is_spot))
            and all(getattr(item, name) == value for name, value in exact)
        )

    return wanted


def _one_of(params: Params, name: str, allowed: tuple[str, ...]) -> None:
    if params.text(name) not in ("", *allowed):
        raise parameter(name)


def _get(handler: Any, limit: int, key: str = "uid") -> Route:
    return Route(handler, limit, key, private=True)


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/trade/order"): _get(_order, 60, "uid+inst"),
    ("GET", "/api/v5/trade/orders-pending"): _get(_pending, 60),
    ("GET", "/api/v5/trade/orders-history"): _get(_history, 40),
    ("GET", "/api/v5/trade/orders-history-archive"): _get(_archive, 20),
    ("GET", "/api/v5/trade/fills"): _get(_fills, 60),
    ("GET", "/api/v5/trade/fills-history"): _get(_fills_history, 10),
}
