"""Codes of the socket: refused messages, refused logins, and the codes it closes with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp

from tests.simulator.client import SWAP, Client, Simulator, order
from tests.simulator.codes.asking import Case, trader

Talk = Callable[[aiohttp.ClientWebSocketResponse, Client], Awaitable[None]]
TICKERS: Final = {"channel": "tickers", "instId": SWAP}
ORDERS: Final = {"channel": "orders", "instType": "ANY"}


def _case(talk: Talk, url: str = "public") -> Case:
    """The code of the first error, notice, refused operation or close frame after some talk."""

    async def case(simulator: Simulator) -> str:
        client = trader(simulator)
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(simulator.ws[url])
            await talk(socket, client)
            return await _code(socket)

    return case


async def _code(socket: aiohttp.ClientWebSocketResponse) -> str:
    while True:
        message = await socket.receive(timeout=5)
        if message.type is not aiohttp.WSMsgType.TEXT:
            return str(socket.close_code)
        frame = json.loads(message.data) if '"code"' in message.data else {}
        if frame.get("code", "0") != "0" and frame.get("event") != "login":
            return str(frame["code"])


def _saying(frame: Any, url: str = "public") -> Case:
    async def talk(socket: aiohttp.ClientWebSocketResponse, _client: Client) -> None:
        await socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    return _case(talk, url)


def _subscribing(arg: Any, url: str = "public") -> Case:
    return _saying({"op": "subscribe", "args": [arg]}, url)


def _logging_in(at: str | None = None, **changes: Any) -> Case:
    async def talk(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
        login = client.login(at)
        login["args"][0] |= changes
        await socket.send_json(login)

    return _case(talk, "private")


def _logged_in(*frames: Any) -> Case:
    async def talk(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
        await socket.send_json(client.login())
        for frame in frames:
            await socket.send_json(frame)

    return _case(talk, "private")


async def _closed_after_login(simulator: Simulator) -> str:
    """The close frame follows the error."""
    client = trader(simulator)
    login = client.login()
    login["args"][0]["sign"] = "wrong"
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(simulator.ws["private"])
        await socket.send_json(login)
        assert await _code(socket) == "60007"
        return await _code(socket)


async def _foreign(simulator: Simulator) -> str:
    client = trader(simulator, ip="10.9.8.7")
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(simulator.ws["private"])
        await socket.send_json(client.login())
        return await _code(socket)


def _login_fault(code: str) -> Case:
    async def talk(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
        _install(client, f"ws_login:{code}", account=client.key)
        await socket.send_json(client.login())

    return _case(talk, "private")


def _close_fault(code: str) -> Case:
    """States this exchange does not get into by itself."""

    async def talk(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
        _install(client, f"ws_close:{code}", channel="tickers")
        await socket.send_json({"op": "subscribe", "args": [TICKERS]})

    return _case(talk)


def _limited(frame: Any, times: int = 1) -> Talk:
    async def talk(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
        client.simulator.ask("POST", "/limits", {"mode": "okx"})
        await socket.send_json(client.login())
        for _ in range(times):
            await socket.send_json(frame)

    return talk


async def _idle(_socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
    client.simulator.ask("POST", "/limits", {"ws_idle_s": 1})


async def _never_reading(socket: aiohttp.ClientWebSocketResponse, _client: Client) -> None:
    ask = {"op": "subscribe", "args": [{"channel": "books", "instId": SWAP}] * 100}
    for _ in range(6):
        await socket.send_json(ask)
    await asyncio.sleep(0.3)


async def _key_changed(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
    await socket.send_json(client.login())
    await socket.receive(timeout=5)
    client.simulator.ask("PATCH", f"/accounts/{client.key}", {"perm": "read_only"})


async def _twice(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
    for _ in range(2):
        await socket.send_json(client.login())


async def _restarting(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
    await socket.send_str("ping")
    await socket.receive(timeout=5)
    client.simulator.ask("POST", "/restart-notice")


async def _failing_inside(socket: aiohttp.ClientWebSocketResponse, client: Client) -> None:
    _install(client, "code:64007", account=client.key)
    await socket.send_json(client.login())
    await socket.send_json({"id": "1", "op": "order", "args": [order()]})


def _install(client: Client, fault: str, **match: str) -> None:
    body = {"match": match, "fault": fault, "times": 1}
    assert client.simulator.ask("POST", "/faults", body).status == 200


_GIVEN_UP: Final = {"op": "unsubscribe", "args": [ORDERS]}
_MANY: Final = {
    "op": "subscribe",
    "args": [{"channel": "account", "ccy": f"C{each}"} for each in range(101)],
}
_STATUSES: Final = {
    "op": "subscribe",
    "args": [{"channel": "status", "instFamily": f"F{each}"} for each in range(1001)],
}

CASES: Final[dict[str, Case]] = {
    "1009": _saying("x" * 70_000),
    "4001": _closed_after_login,
    "4002": _close_fault("4002"),
    "4003": _case(_limited(_MANY), "private"),
    "4004": _case(_idle),
    "4005": _case(_never_reading),
    "4006": _close_fault("4006"),
    "4007": _case(_key_changed, "private"),
    "4008": _close_fault("4008"),
    "4009": _case(_limited(_STATUSES)),
    "60004": _logging_in("soon"),
    "60005": _logging_in(apiKey=""),
    "60006": _logging_in("1597026383"),
    "60007": _logging_in(sign="wrong"),
    "60009": _foreign,
    "60011": _subscribing(ORDERS, "private"),
    "60012": _saying({"op": "subscribe", "argss": [TICKERS]}),
    "60013": _logged_in({"id": "1", "op": "order", "args": [order(), order()]}),
    "60014": _case(_limited(_GIVEN_UP, 480), "private"),
    "60018": _subscribing({"channel": "nope"}),
    "60019": _saying({"op": "dance", "args": [TICKERS]}),
    "60023": _login_fault("60023"),
    "60024": _logging_in(passphrase="wrong"),
    "60027": _subscribing({"channel": "tickers"}),
    "60028": _saying({"op": "order", "args": [order()]}),
    "60031": _case(_twice, "private"),
    "60032": _logging_in(apiKey="nobody"),
    "60033": _saying({"id": "a-b", "op": "subscribe", "args": [TICKERS]}),
    "63999": _login_fault("63999"),
    "64000": _subscribing({"channel": "tickers", "instId": SWAP, "uly": "BTC-USDT"}),
    "64001": _subscribing({"channel": "candle1m", "instId": SWAP}),
    "64002": _subscribing(TICKERS, "business"),
    "64003": _logged_in({"op": "subscribe", "args": [{"channel": "fills"}]}),
    "64007": _case(_failing_inside, "private"),
    "64008": _case(_restarting),
}
