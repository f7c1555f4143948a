"""Putting an answer on the wire, or what a fault makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from trading.simulator.codes import http_of, message_of, plain_message_of
from trading.simulator.connection import HTML, PAGE, Connection
from trading.simulator.faults import Fault
from trading.simulator.operations import failed_row, operation_at
from trading.simulator.received import Received

# So many pieces a slow body comes in; over the socket the answer takes as long.
PIECES: Final = 8


@dataclass(frozen=True, slots=True)
class _Answering:
    """An answer that a fault gets hold of."""

    connection: Connection
    received: Received
    fault: Fault
    http: int
    data: bytes


def dump(value: Any) -> bytes:
    """Compact JSON; half of a surrogate pair, which UTF-8 cannot hold, becomes `?`."""
    try:
        return orjson.dumps(value)
    except TypeError:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "replace")


async def deliver(
    connection: Connection, received: Received, http: int, body: dict[str, Any], fault: Fault
) -> None:
    if fault.kind in ("code", "scode", "data_empty"):
        http, body = _rewritten(fault, body, received)
    mangle = _MANGLED.get(fault.kind)
    if mangle is None:
        connection.respond(http, dump(body))
    else:
        await mangle(_Answering(connection, received, fault, http, dump(body)))


def _rewritten(
    fault: Fault, body: dict[str, Any], received: Received
) -> tuple[int, dict[str, Any]]:
    if fault.kind == "data_empty":
        return 200, {**body, "code": "0", "msg": "", "data": []}
    if fault.kind == "code":
        message = plain_message_of(fault.argument)
        return http_of(fault.argument), {"code": fault.argument, "msg": message, "data": []}
    now_ms = int(body.get("outTime", "0")) // 1000
    operation, message = operation_at(received.path), plain_message_of(fault.argument)
    rows = [failed_row(operation, item, fault.argument, message, now_ms) for item in received.items]
    msg = "" if fault.outer == "0" else message_of(fault.outer)
    return 200, {**body, "code": fault.outer, "msg": msg, "data": rows}


async def _drop(it: _Answering) -> None:
    it.connection.drop(reset=it.fault.kind == "rst_after_accept")


async def _late(it: _Answering) -> None:
    """50004 as it stands, or nothing at all."""
    if it.fault.silent:
        await _drop(it)
    else:
        it.connection.respond(it.http, it.data)


async def _hang(it: _Answering) -> None:
    await asyncio.sleep(it.fault.number / 1000)
    it.connection.drop()


async def _truncate(it: _Answering) -> None:
    """Promise the whole body, send half of it, close."""
    it.connection.begin(it.http, len(it.data), body=it.data[: len(it.data) // 2])
    it.connection.drop()


async def _slow(it: _Answering) -> None:
    """One piece of the body after another, `ms` apart."""
    it.connection.begin(it.http, len(it.data))
    size = max(len(it.data) // PIECES, 1)
    for start in range(0, len(it.data), size):
        it.connection.write(it.data[start : start + size])
        await asyncio.sleep(it.fault.number / 1000)
    it.connection.finish()


async def _html(it: _Answering) -> None:
    it.connection.respond(200, PAGE.format("Please wait").encode(), HTML)


async def _empty(it: _Answering) -> None:
    it.connection.respond(200, b"")


async def _status(it: _Answering) -> None:
    it.connection.respond(it.fault.number, PAGE.format(it.fault.argument).encode(), HTML)


async def _redirect(it: _Answering) -> None:
    it.connection.respond(it.fault.number, b"", HTML, location=it.received.raw_path)


_MANGLED: Final[dict[str, Callable[[_Answering], Awaitable[None]]]] = {
    "drop_before": _drop,
    "drop_after_accept": _drop,
    "rst_after_accept": _drop,
    "hang": _hang,
    "late_accept": _late,
    "truncate": _truncate,
    "slow_body": _slow,
    "html_200": _html,
    "empty_200": _empty,
    "http": _status,
    "redirect": _redirect,
}
