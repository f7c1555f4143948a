"""Putting an answer on the wire, or what a fault makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from trading.simulator.codes import http_of, message_of, plain_message_of
from trading.simulator.faults import Fault
from trading.simulator.operations import failed_row, operation_at

_HTML: Final = "<!DOCTYPE html><html><head><title>{0}</title></head><body>{0}</body></html>"
_JSON: Final = "application/json"

Delivery = Callable[[web.Request, Fault, int, bytes], Awaitable[web.StreamResponse]]


def dump(value: Any) -> bytes:
    """Compact JSON; half of a surrogate pair, which UTF-8 cannot hold, becomes `?`."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


async def deliver(
    request: web.Request, http: int, body: dict[str, Any], fault: Fault | None, items: list[Any]
) -> web.StreamResponse:
    if fault is not None and fault.kind in ("code", "scode", "data_empty"):
        http, body = _rewritten(fault, body, items, request.path)
        fault = None
    data = dump(body)
    mangle = _MANGLED.get(fault.kind) if fault is not None else None
    if fault is None or mangle is None:
        return web.Response(status=http, body=data, content_type=_JSON)
    return await mangle(request, fault, http, data)


def drop(transport: asyncio.BaseTransport | None, *, reset: bool = False) -> None:
    """Close the connection without an answer, politely or with a reset."""
    if transport is None:
        return
    if reset:
        raw = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "abort"):
            transport.abort()
            return
    transport.close()


def _rewritten(
    fault: Fault, body: dict[str, Any], items: list[Any], path: str
) -> tuple[int, dict[str, Any]]:
    if fault.kind == "data_empty":
        return 200, {**body, "code": "0", "msg": "", "data": []}
    if fault.kind == "code":
        message = plain_message_of(fault.argument)
        return http_of(fault.argument), {"code": fault.argument, "msg": message, "data": []}
    now_ms = int(body.get("outTime", "0")) // 1000
    operation, message = operation_at(path), plain_message_of(fault.argument)
    rows = [failed_row(operation, item, fault.argument, message, now_ms) for item in items]
    msg = "" if fault.outer == "0" else message_of(fault.outer)
    return 200, {**body, "code": fault.outer, "msg": msg, "data": rows}


async def _drop(request: web.Request, fault: Fault, _http: int, _data: bytes) -> web.StreamResponse:
    drop(request.transport, reset=fault.kind == "rst_after_accept")
    return web.Response()


async def _late(request: web.Request, fault: Fault, http: int, data: bytes) -> web.StreamResponse:
    """50004 as it stands, or nothing at all."""
    if fault.silent:
        return await _drop(request, fault, http, data)
    return web.Response(status=http, body=data, content_type=_JSON)


async def _hang(request: web.Request, fault: Fault, _http: int, _data: bytes) -> web.StreamResponse:
    await asyncio.sleep(fault.number / 1000)
    drop(request.transport)
    return web.Response()


async def _truncate(
    request: web.Request, _fault: Fault, http: int, data: bytes
) -> web.StreamResponse:
    """Promise the whole body, send half of it, close."""
    response = web.StreamResponse(status=http)
    response.content_type = _JSON
    response.content_length = len(data)
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    drop(request.transport)
    return response


async def _slow(request: web.Request, fault: Fault, http: int, data: bytes) -> web.StreamResponse:
    """One part of the body after another, `ms` apart."""
    response = web.StreamResponse(status=http)
    response.content_type = _JSON
    response.content_length = len(data)
    await response.prepare(request)
    size = max(len(data) // 8, 1)
    for start in range(0, len(data), size):
        await response.write(data[start : start + size])
        await asyncio.sleep(fault.number / 1000)
    return response


async def _html(
    _request: web.Request, _fault: Fault, _http: int, _data: bytes
) -> web.StreamResponse:
    return web.Response(text=_HTML.format("Please wait"), content_type="text/html")


async def _empty(
    _request: web.Request, _fault: Fault, _http: int, _data: bytes
) -> web.StreamResponse:
    return web.Response(status=200, content_type=_JSON)


async def _status(
    _request: web.Request, fault: Fault, _http: int, _data: bytes
) -> web.StreamResponse:
    text = _HTML.format(fault.argument)
    return web.Response(status=fault.number, text=text, content_type="text/html")


async def _redirect(
    request: web.Request, fault: Fault, _http: int, _data: bytes
) -> web.StreamResponse:
    return web.Response(status=fault.number, headers={"Location": request.raw_path})


_MANGLED: Final[dict[str, Delivery]] = {
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
