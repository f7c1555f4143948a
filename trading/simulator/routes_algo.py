"""Private endpoints: algo orders, and the switches that cancel many orders at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from trading.simulator import algo_orders, mass_cancel
from trading.simulator.admission import instruments_of
from trading.simulator.algo_requests import ALGO_TYPES
from trading.simulator.algo_state import Algo
from trading.simulator.codes import OkxError, message_of, parameter
from trading.simulator.requests import Params
from trading.simulator.routing import Call, Route, Routes, instrument_type, page_size
from trading.simulator.rows_algo import algo_row
from trading.simulator.venue import Answer

_HISTORY_MS: Final = 90 * 86_400_000
_MOST_CANCELED: Final = 10
_CANCELED_PER_WINDOW: Final = 20
_CALLS: Final = 300  # what is limited are the algo orders in them
_ENDED: Final = ("effective", "canceled", "order_failed")
_UNKNOWN_TYPES: Final = ("chase", "twap", "iceberg", "smart_iceberg")

Row = dict[str, Any]


def _place(call: Call) -> Answer:
    def work(params: Params) -> Row:
        algo = algo_orders.place(call.venue.algos, call.account, params)
        return _named(algo.algo_id, algo.algo_cl_ord_id, tag=algo.tag)

    return _answered([_tried(work, call.body, _placed_not)])


def _cancel(call: Call) -> Answer:
    """An array; each algo order counts for itself against the limit of its instrument."""
    items = call.body
    if not items:
        raise OkxError("50000")
    if len(items) > _MOST_CANCELED:
        raise OkxError("51111", str(_MOST_CANCELED))
    for inst_id, count in Counter(instruments_of(items)).items():
        key = (call.account.uid, inst_id, "cancel-algos")
        limit = _CANCELED_PER_WINDOW
        if not call.venue.limiter.take(key, limit, 2000, call.now_ms, count):
            raise OkxError("50011")

    def work(params: Params) -> Row:
        algo = algo_orders.cancel(call.venue.algos, call.account, params)
        return _named(algo.algo_id, algo.algo_cl_ord_id)

    return _answered([_tried(work, each, _placed_not) for each in items])


def _amend(call: Call) -> Answer:
    def work(params: Params) -> Row:
        algo = algo_orders.amend(call.venue.algos, call.account, params)
        return {
            "algoClOrdId": algo.algo_cl_ord_id,
            "algoId": algo.algo_id,
            "reqId": algo.req_id,
        }

    return _answered([_tried(work, call.body, _amended_not)])


def _one(call: Call) -> list[Any]:
    algo = algo_orders.find(call.venue.algos, call.account, call.params)
    if algo is None:
        raise OkxError("51603")
    return [algo_row(algo)]


def _pending(call: Call) -> list[Any]:
    types = _types(call.params)
    return _rows(call, list(call.account.live_algos.values()), types)


def _history(call: Call) -> list[Any]:
    """Ended algo orders of three months, by state or by id."""
    types = _types(call.params)
    if not call.params.has("state") and not call.params.has("algoId"):
        raise OkxError("50015", "state", "algoId")
    if call.params.has("state"):
        call.params.chosen("state", *_ENDED)
    oldest = call.now_ms - _HISTORY_MS
    ended = [each for each in call.account.algos.values() if not each.is_live]
    return _rows(call, [each for each in ended if each.c_time >= oldest], types)


def _types(params: Params) -> list[str]:
    """One type, or conditional and oco together."""
    types = params.needed("ordType").split(",")
    known = (*ALGO_TYPES, *_UNKNOWN_TYPES)
    if any(each not in known for each in types):
        raise parameter("ordType")
    if len(types) > 1 and not set(types) <= {"conditional", "oco"}:
        raise parameter("ordType")
    return types


def _rows(call: Call, algos: list[Algo], types: list[str]) -> list[Any]:
    """Newest first; `after` and `before` exclude the id they name."""
    params = call.params
    instrument_type(params, needed=False)
    after, before = params.ms("after"), params.ms("before")
    wanted = {name: params.text(name) for name in ("instType", "instId", "algoId", "state")}
    rows = [
        row
        for row in (algo_row(each) for each in algos if each.ord_type in types)
        if all(row[name] == value for name, value in wanted.items() if value)
        and (after is None or int(row["algoId"]) < after)
        and (before is None or int(row["algoId"]) > before)
    ]
    rows.sort(key=lambda row: int(row["algoId"]), reverse=True)
    return rows[: page_size(params)]


def _cancel_all_after(call: Call) -> list[Any]:
    return [call.venue.countdowns.set(call.account, call.params)]


def _mass_cancel(call: Call) -> list[Any]:
    return [mass_cancel.mass_cancel(call.account, call.params)]


def _tried(work: Callable[[Params], Row], item: Any, failed: Callable[[Row], Row]) -> Row:
    """One row with its own verdict, as order endpoints have them."""
    given = item if isinstance(item, dict) else {}
    try:
        if not isinstance(item, dict):
            raise OkxError("51000", "body")
        return work(Params(item)) | {"sCode": "0", "sMsg": ""}
    except OkxError as error:
        return failed(given) | {"sCode": error.code, "sMsg": error.message}


def _answered(rows: list[Row]) -> Answer:
    """Alone, the envelope keeps quiet: the row says what is wrong."""
    failed = sum(row["sCode"] != "0" for row in rows)
    code = "0" if not failed else ("1" if failed == len(rows) else "2")
    return Answer(rows, code, message_of(code) if failed and len(rows) > 1 else "")


def _named(algo_id: str, name: str, *, tag: str = "") -> Row:
    return {"algoClOrdId": name, "algoId": algo_id, "clOrdId": "", "tag": tag}


def _placed_not(given: Row) -> Row:
    return _named(_echo(given, "algoId"), _echo(given, "algoClOrdId"), tag=_echo(given, "tag"))


def _amended_not(given: Row) -> Row:
    return {name: _echo(given, name) for name in ("algoClOrdId", "algoId", "reqId")}


def _echo(given: Row, name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""


def _post(handler: Any, key: str, *, limit: int = 20, array: bool = False) -> Route:
    return Route(handler, limit, key, private=True, permission="trade", array=array)


def _get(handler: Any) -> Route:
    return Route(handler, 20, "uid", private=True)


ROUTES: Final[Routes] = {
    ("POST", "/api/v5/trade/order-algo"): _post(_place, "uid+inst"),
    ("POST", "/api/v5/trade/cancel-algos"): _post(_cancel, "uid", limit=_CALLS, array=True),
    ("POST", "/api/v5/trade/amend-algos"): _post(_amend, "uid+inst"),
    ("GET", "/api/v5/trade/order-algo"): _get(_one),
    ("GET", "/api/v5/trade/orders-algo-pending"): _get(_pending),
    ("GET", "/api/v5/trade/orders-algo-history"): _get(_history),
    ("POST", "/api/v5/trade/cancel-all-after"): Route(
        _cancel_all_after, 1, "uid+tag", window_ms=1000, private=True, permission="trade"
    ),
    ("POST", mass_cancel.PATH): _post(_mass_cancel, "uid", limit=mass_cancel.LIMIT),
}
