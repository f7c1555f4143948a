"""Order operations as both REST and WebSocket offer them: rows with their own verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from trading.simulator import algo_orders
from trading.simulator.codes import OkxError, message_of
from trading.simulator.requests import Params, read_order
from trading.simulator.state import Account
from trading.simulator.venue import Answer, Venue

MAX_BATCH: Final = 20

Row = dict[str, Any]
Operation = Callable[[Venue, Account, Params, int], Row]


def place(venue: Venue, account: Account, params: Params, slices: int) -> Row:
    request = algo_orders.attach(venue.algos, account, read_order(params), params)
    order = venue.exchange.place(account, request, slices)
    return {"clOrdId": order.cl_ord_id, "ordId": order.ord_id, "tag": order.tag}


def cancel(venue: Venue, account: Account, params: Params, _slices: int) -> Row:
    order = venue.exchange.cancel(account, params)
    return {"clOrdId": order.cl_ord_id, "ordId": order.ord_id}


def amend(venue: Venue, account: Account, params: Params, _slices: int) -> Row:
    order = algo_orders.amend_order(venue.algos, account, params)
    return {"clOrdId": order.cl_ord_id, "ordId": order.ord_id, "reqId": order.req_id}


def run(
    venue: Venue,
    operation: Operation,
    account: Account,
    items: list[Any],
    *,
    single: bool,
    slices: int = 1,
) -> Answer:
    """One row per item in request order; code 0 all, 1 none, 2 some of them.

    A client order id names one order of a batch, even when that has ended by then.
    """
    rows: list[Row] = []
    for item in items:
        if operation is place and _repeats(venue, item, rows):
            code = "51016"
            rows.append(failed_row(place, item, code, message_of(code), venue.clock.ms()))
        else:
            rows.append(_one(venue, operation, account, item, slices))
    failed = sum(row["sCode"] != "0" for row in rows)
    if operation is place and single and not failed:
        rows[0]["sMsg"] = "Order placed"
    code = "0" if not failed else ("1" if failed == len(rows) else "2")
    return Answer(rows, code, message_of(code) if failed else "", timed=True)


def operation_at(path: str) -> Operation:
    """What a REST path does with its items; placing where nothing else is named."""
    if "cancel" in path:
        return cancel
    return amend if "amend" in path else place


def failed_row(operation: Operation, item: Any, code: str, message: str, now_ms: int) -> Row:
    """A row that says no; names what the client sent, never an order id it did not."""
    given = item if isinstance(item, dict) else {}
    row = {"clOrdId": _echo(given, "clOrdId"), "ordId": ""}
    if operation is place:
        row["tag"] = _echo(given, "tag")
    else:
        row["ordId"] = _echo(given, "ordId")
    if operation is amend:
        row["reqId"] = _echo(given, "reqId")
    row |= {"ts": str(now_ms), "sCode": code, "sMsg": message}
    return row if operation is cancel else row | {"subCode": ""}


def _one(venue: Venue, operation: Operation, account: Account, item: Any, slices: int) -> Row:
    now = venue.clock.ms()
    if not isinstance(item, dict):
        return failed_row(operation, item, "51000", "Parameter error", now)
    try:
        row = operation(venue, account, Params(item), slices)
    except OkxError as error:
        row = failed_row(operation, item, error.code, error.message, now)
        return row | {"subCode": error.sub_code} if "subCode" in row else row
    finally:
        venue.algos.catch_up()
    row |= {"ts": str(now), "sCode": "0", "sMsg": ""}
    return row if operation is cancel else row | {"subCode": ""}


def _repeats(venue: Venue, item: Any, rows: list[Row]) -> bool:
    name = _echo(item, "clOrdId") if isinstance(item, dict) else ""
    if not name or venue.exchange.rules.dup_clordid == "never":
        return False
    return any(row["sCode"] == "0" and row["clOrdId"] == name for row in rows)


def _echo(item: Row, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
