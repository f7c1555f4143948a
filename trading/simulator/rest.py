"""The REST door: signature, limits, faults, then one handler."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from trading.simulator import (
    auth,
    routes_account,
    routes_algo,
    routes_asset,
    routes_bills,
    routes_capacity,
    routes_public,
    routes_queries,
    routes_settings,
    routes_trade,
    wire,
)
from trading.simulator.admission import (
    check_batch,
    check_expiry,
    client_ids_of,
    count_orders,
    instruments_of,
    sides_of,
)
from trading.simulator.codes import OkxError, parameter
from trading.simulator.connection import Connection
from trading.simulator.faults import REST_KINDS, Fault, Subject
from trading.simulator.received import Received
from trading.simulator.requests import Params
from trading.simulator.routing import Call, Route, Routes
from trading.simulator.venue import Answer, Venue, refusal

ROUTES: Final[Routes] = {
    **routes_public.ROUTES,
    **routes_account.ROUTES,
    **routes_asset.ROUTES,
    **routes_bills.ROUTES,
    **routes_capacity.ROUTES,
    **routes_queries.ROUTES,
    **routes_settings.ROUTES,
    **routes_trade.ROUTES,
    **routes_algo.ROUTES,
}
_PATHS: Final = {path for _, path in ROUTES}
_LONGEST_NAME: Final = 128


def handle(venue: Venue, received: Received, connection: Connection) -> None:
    """Note the request, do it, and answer when the ledger holds what it did.

    Most calls are done at once, without a task of their own.
    """
    received.in_us = venue.clock.us()
    seq = _note_request(venue, received)
    fault = _pick_fault(venue, received)
    if fault is not None or venue.latency_ms:
        venue.later(_handle_slowly(venue, received, connection, seq, fault))
        return
    try:
        answer = _execute(venue, received, *_admit(venue, received))
    except OkxError as error:
        answer = refusal(error)
    _note_answer(venue, received, seq, answer)
    venue.ledger.when_written(partial(_respond, venue, received, connection, answer))


def _respond(venue: Venue, received: Received, connection: Connection, answer: Answer) -> None:
    body = answer.body(received.in_us, venue.clock.us())
    connection.respond(answer.http, wire.dump(body))


async def _handle_slowly(
    venue: Venue, received: Received, connection: Connection, seq: int, fault: Fault | None
) -> None:
    answer = await _answer(venue, received, fault)
    _note_answer(venue, received, seq, answer)
    await venue.ledger.flush()
    if fault is None:
        _respond(venue, received, connection, answer)
        return
    body = answer.body(received.in_us, venue.clock.us())
    await wire.deliver(connection, received, answer.http, body, fault)


async def _answer(venue: Venue, received: Received, fault: Fault | None) -> Answer:
    """Never raises: what goes wrong is an OKX envelope."""
    try:
        route, call = _admit(venue, received)
        if fault is not None and not fault.after and fault.kind != "late_accept":
            return Answer([], timed=bool(route.order))
        if fault is not None and fault.kind == "late_accept":
            venue.later(_land_late(venue, received, route, call, fault.number))
            return refusal(OkxError("50004"))
        if venue.latency_ms:
            await asyncio.sleep(venue.latency_ms / 1000)
        return _execute(venue, received, route, call, fault)
    except OkxError as error:
        return refusal(error)


def _execute(
    venue: Venue, received: Received, route: Route, call: Call, fault: Fault | None = None
) -> Answer:
    now = venue.clock.ms()
    if call.signed_in is not None:
        auth.check_known(venue.exchange.state.accounts, call.signed_in)
    if route.expires:
        check_expiry(received.headers.get("exptime", ""), now, "50037")
    slices = fault.number if fault is not None and fault.kind == "partial" else 1
    made = route.handler(replace(call, now_ms=now, slices=slices))
    return made if isinstance(made, Answer) else Answer(made)


async def _land_late(
    venue: Venue, received: Received, route: Route, call: Call, delay_ms: int
) -> None:
    """The order arrives after its answer was already given, unless it expired meanwhile."""
    await asyncio.sleep(delay_ms / 1000)
    try:
        _execute(venue, received, route, call)
    except OkxError:
        return
    await venue.ledger.flush()


def _route(received: Received) -> Route:
    route = ROUTES.get((received.method, received.path))
    if route is None:
        raise OkxError("50115" if received.path in _PATHS else "404")
    return route


def _admit(venue: Venue, received: Received) -> tuple[Route, Call]:
    """Route, signature, body, expiry and limits, before anything is done."""
    route = _route(received)
    now = received.in_us // 1000
    account = None
    if route.private:
        headers = received.headers
        accounts = venue.exchange.state.accounts
        account = auth.check_rest(accounts, headers, received.signed, now)
        simulated = headers.get("x-simulated-trading", "")
        auth.check_access(account, received.ip, simulated, route.permission)
    body, params = _read(received)
    items = _items(received, route, body)
    call = Call(venue, params, body, now, account)
    if route.expires:
        check_expiry(received.headers.get("exptime", ""), now, "50036")
    if route.order:
        count_orders(venue, call.account, route.order, items, now)
    elif not _within_limit(venue, received, route, call):
        raise OkxError("50011")
    return route, call


def _read(received: Received) -> tuple[Any, Params]:
    if received.method == "GET":
        pairs = parse_qsl(received.raw_path.partition("?")[2], keep_blank_values=True)
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            raise parameter(max(names, key=names.count))
        return None, Params(values)
    if not received.body:
        raise OkxError("50000")
    kind = received.headers.get("content-type", "").lower()
    if kind and "json" not in kind:
        raise OkxError("50006")
    body = received.read
    if not isinstance(body, dict | list):
        raise OkxError("50002")
    return body, Params(body if isinstance(body, dict) else {})


def _items(received: Received, route: Route, body: Any) -> list[Any]:
    """The orders of the body; batch paths take arrays, all others one object."""
    if received.method == "GET":
        return []
    if "batch" in received.path:
        return check_batch(body, route.order)
    if route.array and isinstance(body, list):
        return body
    if not isinstance(body, dict) or route.array:
        raise OkxError("50002")
    return [body]


def _within_limit(venue: Venue, received: Received, route: Route, call: Call) -> bool:
    who, _, what = route.key.partition("+")
    name = {"inst": "instId", "type": "instType", "ccy": "ccy", "tag": "tag"}.get(what, "")
    key = (
        received.path,
        received.method,
        received.ip if who == "ip" else call.account.uid,
        call.params.text(name)[:_LONGEST_NAME] if name else "",
    )
    return venue.limiter.take(key, route.limit, route.window_ms, call.now_ms)


def _pick_fault(venue: Venue, received: Received) -> Fault | None:
    if not venue.faults.installed:
        return None
    query = dict(parse_qsl(received.raw_path.partition("?")[2]))
    asked = [query] if query else received.items
    subject = Subject(
        path=received.path,
        method=received.method,
        account=received.headers.get("ok-access-key", ""),
        insts=instruments_of(asked),
        cl_ord_ids=client_ids_of(asked),
        sides=sides_of(asked),
    )
    return venue.faults.pick(REST_KINDS, subject)


def _note_request(venue: Venue, received: Received) -> int:
    items = received.items
    entry = venue.exchange.record(
        {
            "kind": "request",
            "ts": received.in_us // 1000,
            "account": received.headers.get("ok-access-key", "")[:_LONGEST_NAME],
            "method": received.method,
            "path": received.raw_path,
            "body_hash": hashlib.sha256(received.body).hexdigest() if received.body else "",
            "exp_time": received.headers.get("exptime", "")[:_LONGEST_NAME],
            "inst_id": ",".join(each for each in instruments_of(items) if each),
            "cl_ord_id": ",".join(client_ids_of(items)),
        }
    )
    return int(entry["seq"])


def _note_answer(venue: Venue, received: Received, seq: int, answer: Answer) -> None:
    """Reads are not answered in the ledger; what may change something is."""
    if received.method == "GET":
        return
    venue.exchange.record(
        {
            "kind": "answer",
            "ts": venue.clock.ms(),
            "account": received.headers.get("ok-access-key", "")[:_LONGEST_NAME],
            "request": seq,
            "http": answer.http,
            "code": answer.code,
        }
    )
