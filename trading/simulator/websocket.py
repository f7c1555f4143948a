"""The WebSocket door: keepalive, login, subscriptions, order operations."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

from aiohttp import WSMsgType, web

from trading.simulator import auth, ws_orders
from trading.simulator.channels import needs_login, read_subscription
from trading.simulator.codes import OkxError
from trading.simulator.hub import Hub
from trading.simulator.requests import decode
from trading.simulator.session import Session

URLS: Final = ("public", "private", "business")
_LARGEST_FRAME: Final = 64 * 1024
_CALLS_PER_HOUR: Final = 480
_CONNECTIONS_PER_SECOND: Final = 3
_IDLE_CLOSE: Final = 4004


async def handle(hub: Hub, request: web.Request) -> web.StreamResponse:
    venue = hub.venue
    url = request.path.rstrip("/").rpartition("/")[2]
    key = (request.remote, "connect")
    if not venue.limiter.take(key, _CONNECTIONS_PER_SECOND, 1000, venue.clock.ms()):
        return web.Response(status=429)
    socket = web.WebSocketResponse(max_msg_size=_LARGEST_FRAME + 1, compress=True, timeout=1)
    await socket.prepare(request)
    session = Session(socket, request, url)
    hub.open(session)
    writer = asyncio.ensure_future(session.write())
    try:
        await _read(hub, session)
    finally:
        hub.close(session)
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer
    return socket


async def _read(hub: Hub, session: Session) -> None:
    while True:
        idle = hub.venue.ws_idle_s - (time.monotonic() - session.active_at)
        if idle <= 0:
            await session.socket.close(code=_IDLE_CLOSE, message=b"No data received in 30s.")
            return
        try:
            message = await session.socket.receive(timeout=idle)
        except TimeoutError:
            continue
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        session.touch()
        await _frame(hub, session, message.data)


async def _frame(hub: Hub, session: Session, data: str | bytes) -> None:
    text = data if isinstance(data, str) else data.decode(errors="replace")
    if text == "ping":
        session.send_text("pong")
        return
    try:
        frame = decode(text)
    except ValueError:
        frame = None
    if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
        _refuse(session, "", OkxError("60012", text))
        return
    try:
        await _operate(hub, session, frame, text)
    except OkxError as error:
        _refuse(session, _id(frame), error)


async def _operate(hub: Hub, session: Session, frame: dict[str, Any], text: str) -> None:
    op = frame["op"]
    if op in ws_orders.OPERATIONS:
        await ws_orders.handle(hub.venue, session, frame)
        return
    if op not in ("login", "subscribe", "unsubscribe"):
        raise OkxError("60019", op)
    _count(hub, session)
    args = frame.get("args")
    if not isinstance(args, list) or not args:
        raise OkxError("60012", text)
    if op == "login":
        _login(hub, session, args)
        return
    change = _subscribe if op == "subscribe" else _unsubscribe
    for arg in args:
        try:
            change(hub, session, frame, arg)
        except OkxError as error:
            _refuse(session, _id(frame), error)


def _login(hub: Hub, session: Session, args: list[Any]) -> None:
    if session.url == "public":
        raise OkxError("60028")
    if session.accounts:
        raise OkxError("60031")
    now = hub.venue.clock.ms()
    accounts = hub.venue.exchange.state.accounts
    found = [auth.check_login(accounts, each, session.ip, now) for each in args]
    session.accounts = {account.key: account for account in found}
    hub.logged_in(session)
    session.send({"event": "login", "code": "0", "msg": "", "connId": session.conn_id})


def _subscribe(hub: Hub, session: Session, frame: dict[str, Any], arg: Any) -> None:
    subscription = read_subscription(session.url, arg)
    if needs_login(session.url, subscription.channel) and not session.accounts:
        raise OkxError("60011")
    session.subscriptions[subscription.name] = subscription
    session.send(_acknowledged(session, frame, arg))
    hub.subscribed(session, subscription)


def _unsubscribe(_hub: Hub, session: Session, frame: dict[str, Any], arg: Any) -> None:
    subscription = read_subscription(session.url, arg)
    session.subscriptions.pop(subscription.name, None)
    session.send(_acknowledged(session, frame, arg))


def _acknowledged(session: Session, frame: dict[str, Any], arg: Any) -> dict[str, Any]:
    made = {"event": frame["op"], "arg": arg, "connId": session.conn_id}
    return {"id": _id(frame), **made} if _id(frame) else made


def _refuse(session: Session, request_id: str, error: OkxError) -> None:
    made = {"event": "error", "code": error.code, "msg": error.message, "connId": session.conn_id}
    session.send({"id": request_id, **made} if request_id else made)


def _id(frame: dict[str, Any]) -> str:
    value = frame.get("id")
    return value if isinstance(value, str) else ""


def _count(hub: Hub, session: Session) -> None:
    """480 subscribe, unsubscribe and login calls per connection and hour."""
    now = hub.venue.clock.ms()
    key = (session.conn_id, "calls")
    if not hub.venue.limiter.take(key, _CALLS_PER_HOUR, 3_600_000, now):
        raise OkxError("60014")
