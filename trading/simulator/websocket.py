"""The WebSocket door: keepalive, login, subscriptions, order operations."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import WSMsgType, hdrs, web

from trading.simulator import auth, mass_cancel, ws_orders
from trading.simulator.channels import FOR_ACCOUNTS, TIERED, Subscription, read_subscription
from trading.simulator.codes import OkxError
from trading.simulator.faults import ACK_KINDS, CONNECT_KINDS, LOGIN_KINDS, Fault, Subject
from trading.simulator.frames import Frame, offered
from trading.simulator.hub import Hub
from trading.simulator.requests import decode
from trading.simulator.session import Session, message_id
from trading.simulator.state import Account

URLS: Final = ("public", "private", "business")
_LARGEST_FRAME: Final = 64 * 1024
_CALLS_PER_HOUR: Final = 480
_CONNECTIONS_PER_SECOND: Final = 3
_LOGIN_FAILED: Final = 4001
_PONG: Final = Frame(b"pong")


async def handle(hub: Hub, request: web.Request) -> web.StreamResponse:
    venue = hub.venue
    url = request.path.rstrip("/").rpartition("/")[2]
    key = (request.remote, "connect")
    if not venue.limiter.take(key, _CONNECTIONS_PER_SECOND, 1000, venue.clock.ms()):
        return web.Response(status=429)
    fault = _pick_fault(hub, CONNECT_KINDS, Subject(path=f"/ws/v5/{url}"))
    if fault is not None:
        return web.Response(status=fault.number)
    socket = web.WebSocketResponse(max_msg_size=_LARGEST_FRAME + 1, timeout=1, autoping=False)
    try:
        await socket.prepare(_as_offered(request))
    except ConnectionError:
        return web.Response(status=400)  # gone before the handshake was done
    session = Session(socket, request, url)
    hub.open(session)
    try:
        await _read(hub, session)
    finally:
        hub.close(session)
    return socket


def _as_offered(request: web.Request) -> web.Request:
    """The request as if its offers of compression asked us to keep no state.

    Subprotocols are left out: there are none, and a client may live with that.
    """
    headers = request.headers.copy()
    headers.popall(hdrs.SEC_WEBSOCKET_PROTOCOL, None)
    extensions = headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS)
    if extensions:
        headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = offered(extensions)
    return request.clone(headers=headers)


async def _read(hub: Hub, session: Session) -> None:
    while True:
        message = await session.socket.receive()
        if message.type is WSMsgType.PING and not session.silent:
            await session.socket.pong(message.data)
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            continue
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        session.touch()
        await _frame(hub, session, message.data)


async def _frame(hub: Hub, session: Session, data: str | bytes) -> None:
    text = data if isinstance(data, str) else data.decode(errors="replace")
    if text == "ping":
        session.write(_PONG)
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
        _refuse(session, message_id(frame), error)


async def _operate(hub: Hub, session: Session, frame: dict[str, Any], text: str) -> None:
    op = frame["op"]
    if op in ws_orders.OPERATIONS:
        await ws_orders.handle(hub.venue, session, frame)
        return
    if op == "mass-cancel":
        mass_cancel.answer_socket(hub.venue, session, frame)
        return
    if op not in ("login", "subscribe", "unsubscribe"):
        raise OkxError("60019", op)
    args = _admit(hub, session, frame, text)
    if op == "login":
        await _login(hub, session, args)
        return
    change = _subscribe if op == "subscribe" else _unsubscribe
    for arg in args:
        try:
            change(hub, session, frame, arg)
        except OkxError as error:
            _refuse(session, message_id(frame), error)


def _admit(hub: Hub, session: Session, frame: dict[str, Any], text: str) -> list[Any]:
    """The arguments of a call that is well formed and not one too many."""
    if hub.venue.limiter.enabled and not session.may_call(_CALLS_PER_HOUR):
        raise OkxError("60014")
    if frame.get("id") not in (None, "") and not message_id(frame):
        raise OkxError("60033", "id")
    args = frame.get("args")
    if not isinstance(args, list) or not args:
        raise OkxError("60012", text)
    return args


async def _login(hub: Hub, session: Session, args: list[Any]) -> None:
    """All of the accounts or none; the first login that fails ends the connection."""
    fault = _pick_fault(hub, LOGIN_KINDS, _subject(session, _api_key(args[0])))
    if fault is not None and fault.kind == "ws_login_slow":
        await asyncio.sleep(fault.number / 1000)
    fresh = [each for each in args if _api_key(each) not in session.accounts]
    try:
        if fault is not None and fault.kind == "ws_login":
            raise OkxError(fault.argument)
        found = _check_logins(hub, session, fresh)
    except OkxError as error:
        _refuse(session, "", error)
        if not session.accounts:
            session.end(_LOGIN_FAILED)
        return
    if found:
        hub.logged_in(session, found)
        session.send({"event": "login", "code": "0", "msg": "", "connId": session.conn_id})
    if len(found) < len(args):
        raise OkxError("60031")


def _check_logins(hub: Hub, session: Session, args: list[Any]) -> list[Account]:
    accounts, now = hub.venue.exchange.state.accounts, hub.venue.clock.ms()
    found = [auth.check_login(accounts, each, session.ip, now) for each in args]
    return list({account.key: account for account in found}.values())


def _api_key(login: Any) -> str:
    key = login.get("apiKey") if isinstance(login, dict) else None
    return key if isinstance(key, str) else ""


def _subscribe(hub: Hub, session: Session, frame: dict[str, Any], arg: Any) -> None:
    subscription = read_subscription(session.url, arg)
    if subscription.channel in FOR_ACCOUNTS | TIERED and not session.accounts:
        raise OkxError("60011")
    if subscription.channel in TIERED:
        raise OkxError("64003")
    subject = _subject(session, next(iter(session.accounts), ""), subscription)
    if _pick_fault(hub, ACK_KINDS, subject) is None:
        session.send(_acknowledged(session, frame, arg))
    hub.subscribed(session, subscription)


def _unsubscribe(hub: Hub, session: Session, frame: dict[str, Any], arg: Any) -> None:
    """Giving up what was never subscribed is acknowledged as well."""
    subscription = read_subscription(session.url, arg)
    hub.unsubscribed(session, subscription)
    session.send(_acknowledged(session, frame, arg))


def _subject(session: Session, key: str, subscription: Subscription | None = None) -> Subject:
    inst_id = subscription.inst_id if subscription else ""
    return Subject(
        path=f"/ws/v5/{session.url}",
        account=key,
        channel=subscription.channel if subscription else "",
        insts=[inst_id] if inst_id else [],
    )


def _pick_fault(hub: Hub, kinds: frozenset[str], subject: Subject) -> Fault | None:
    return hub.venue.faults.pick(kinds, subject) if hub.venue.faults.installed else None


def _acknowledged(session: Session, frame: dict[str, Any], arg: Any) -> dict[str, Any]:
    made = {"event": frame["op"], "arg": arg, "connId": session.conn_id}
    return {"id": message_id(frame), **made} if message_id(frame) else made


def _refuse(session: Session, request_id: str, error: OkxError) -> None:
    made = {"event": "error", "code": error.code, "msg": error.message, "connId": session.conn_id}
    session.send({"id": request_id, **made} if request_id else made)
