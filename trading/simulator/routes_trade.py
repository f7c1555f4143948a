"""Private trading endpoints: orders, history, fills."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator import operations
from trading.simulator.codes import OkxError, parameter
from trading.simulator.requests import Params, client_id
from trading.simulator.routing import Call, Route, Routes, instrument_type, one_instrument, page
from trading.simulator.rows_trade import fill_row, order_row
from trading.simulator.state import Order
from trading.simulator.venue import Answer

_TWO_HOURS_MS: Final = 7_200_000
_DAY_MS: Final = 86_400_000
_ENDED: Final = ("canceled", "filled", "mmp_canceled")


def _place(call: Call) -> Answer:
    return _run(call, operations.place)


def _cancel(call: Call) -> Answer:
    return _run(call, operations.cancel)


def _amend(call: Call) -> Answer:
    return _run(call, operations.amend)


def _run(call: Call, operation: operations.Operation) -> Answer:
    """An array is a batch, an object a single order; the path decides which is right."""
    single = isinstance(call.body, dict)
    items = [call.body] if single else call.body
    return operations.run(
        call.venue, operation, call.account, items, single=single, slices=call.slices
    )


def _close_position(call: Call) -> list[Any]:
    params = call.params
    client_id(params)
    order = call.venue.exchange.close_position(call.account, params)
    return [
        {
            "clOrdId": order.cl_ord_id,
            "instId": order.inst_id,
            "posSide": order.pos_side,
            "tag": order.tag,
        }
    ]


def _order(call: Call) -> list[Any]:
    inst_id = one_instrument(call.params).inst_id
    if not call.params.has("ordId") and not call.params.has("clOrdId"):
        raise OkxError("51003")
    order = call.venue.exchange.find(call.account, inst_id, call.params)
    if order is None or not _visible(call, order):
        raise OkxError("51603")
    return [order_row(order)]


def _visible(call: Call, order: Order) -> bool:
    """Queries lag behind by `read_lag_ms`, and forget unfilled canceled orders after two hours."""
    now = call.now_ms
    if order.c_time > now - call.venue.exchange.rules.read_lag_ms:
        return not call.venue.exchange.rules.read_lag_ms
    forgotten = order.state == "canceled" and not order.filled
    return not (forgotten and order.u_time < now - _TWO_HOURS_MS)


def _pending(call: Call) -> list[Any]:
    state = call.params.text("state")
    if state not in ("", "live", "partially_filled"):
        raise parameter("state")
    instrument_type(call.params, needed=False)
    return _rows(call, list(call.account.pending.values()))


def _history(call: Call) -> list[Any]:
    return _ended(call, 7 * _DAY_MS)


def _archive(call: Call) -> list[Any]:
    return _ended(call, 90 * _DAY_MS)


def _ended(call: Call, age_ms: int) -> list[Any]:
    instrument_type(call.params)
    if call.params.text("state") not in ("", *_ENDED):
        raise parameter("state")
    oldest = call.now_ms - age_ms
    ended = [each for each in call.account.orders.values() if not each.is_open]
    return _rows(call, [each for each in ended if each.u_time >= oldest])


def _rows(call: Call, orders: list[Order]) -> list[Any]:
    wanted = _filters(call.params, "instType", "instId", "state", "category")
    types = [each for each in call.params.text("ordType").split(",") if each]
    kept = [
        row
        for row in (order_row(each) for each in orders if _visible(call, each))
        if all(row[name] == value for name, value in wanted.items())
        and (not types or row["ordType"] in types)
        and _in_family(call.params, row["instId"])
    ]
    return page(call.params, kept, "ordId", "cTime")


def _fills(call: Call) -> list[Any]:
    return _fill_rows(call, 3 * _DAY_MS)


def _fills_history(call: Call) -> list[Any]:
    """`instType` is needed here on the exchange; clients that leave it out get every type."""
    return _fill_rows(call, 90 * _DAY_MS)


def _fill_rows(call: Call, age_ms: int) -> list[Any]:
    instrument_type(call.params, needed=False)
    wanted = _filters(call.params, "instType", "instId", "ordId", "subType")
    latest = call.now_ms - call.venue.exchange.rules.read_lag_ms
    kept = [
        row
        for row in (fill_row(each) for each in call.account.fills)
        if all(row[name] == value for name, value in wanted.items())
        and call.now_ms - age_ms <= int(row["ts"]) <= latest
        and _in_family(call.params, row["instId"])
    ]
    return page(call.params, kept, "billId", "ts")


def _filters(params: Params, *names: str) -> dict[str, str]:
    given = {name: params.text(name) for name in names}
    return {name: value for name, value in given.items() if value}


def _in_family(params: Params, inst_id: str) -> bool:
    family = params.text("instFamily") or params.text("uly")
    return not family or inst_id.startswith(f"{family}-")


def _nothing(_call: Call) -> list[Any]:
    """Algo orders are not simulated: there are none."""
    return []


def _get(handler: Any, limit: int, key: str = "uid") -> Route:
    return Route(handler, limit, key, private=True)


def _post(handler: Any, order: str, *, expires: bool = False) -> Route:
    return Route(
        handler, 60, "orders", private=True, permission="trade", expires=expires, order=order
    )


ROUTES: Final[Routes] = {
    ("POST", "/api/v5/trade/order"): _post(_place, "place", expires=True),
    ("POST", "/api/v5/trade/batch-orders"): _post(_place, "place", expires=True),
    ("POST", "/api/v5/trade/cancel-order"): _post(_cancel, "cancel"),
    ("POST", "/api/v5/trade/cancel-batch-orders"): _post(_cancel, "cancel"),
    ("POST", "/api/v5/trade/amend-order"): _post(_amend, "amend", expires=True),
    ("POST", "/api/v5/trade/amend-batch-orders"): _post(_amend, "amend", expires=True),
    ("POST", "/api/v5/trade/close-position"): Route(
        _close_position, 20, "uid+inst", private=True, permission="trade"
    ),
    ("GET", "/api/v5/trade/order"): _get(_order, 60, "uid+inst"),
    ("GET", "/api/v5/trade/orders-pending"): _get(_pending, 60),
    ("GET", "/api/v5/trade/orders-history"): _get(_history, 40),
    ("GET", "/api/v5/trade/orders-history-archive"): _get(_archive, 20),
    ("GET", "/api/v5/trade/fills"): _get(_fills, 60),
    ("GET", "/api/v5/trade/fills-history"): _get(_fills_history, 10),
    ("GET", "/api/v5/trade/orders-algo-pending"): _get(_nothing, 20),
    ("GET", "/api/v5/trade/orders-algo-history"): _get(_nothing, 20),
}
