"""Private trading endpoints that change something: place, cancel, amend, close."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator import operations
from trading.simulator.requests import client_id
from trading.simulator.routing import Call, Route, Routes
from trading.simulator.venue import Answer


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
    call.venue.algos.catch_up()
    return [
        {
            "clOrdId": order.cl_ord_id,
            "instId": order.inst_id,
            "posSide": order.pos_side,
            "tag": order.tag,
        }
    ]


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
}
