"""Whatever comes over the wire, the process lives, answers in kind and prints no traceback."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlparse

import pytest

from tests.simulator.client import Simulator, order, start
from tests.simulator.conftest import OpenSocket
from trading.simulator.rest import ROUTES

pytestmark = pytest.mark.simulator

JUNK: list[Any] = [
    "", "0", "-1", "1e5", "NaN", "9" * 200, "\u0661", "\u0000", "\ud800", "a" * 5000, "1_0", " 1 ",
    "BTC-USDT-SWAP\n", "," * 50, None, True, 0, -1, 1e-2, 1e300, 10**40, [], {}, [1, 2], {"a": 1},
    [[[[]]]], "null",
]  # fmt: skip
NAMES = [
    "instId", "instType", "ccy", "ordId", "clOrdId", "tag", "sz", "px", "side", "posSide",
    "tdMode", "ordType", "reduceOnly", "algoId", "after", "before", "begin", "end", "limit",
    "bar", "mgnMode", "lever", "amt", "type", "from", "to", "tpTriggerPx", "tpOrdPx",
    "slTriggerPx", "slOrdPx", "triggerPx", "orderPx", "callbackRatio", "closeFraction",
    "attachAlgoOrds", "newSz", "newPx", "timeOut", "instIdCode", "posMode", "acctLv", "state",
]  # fmt: skip
BODIES = [
    b"", b" ", b"\xff\xfe", b"{", b"null", b"7", b'"text"', b"[]", b"[[]]", b"[null]", b'{"a":NaN}',
    b"[1e5000]", b"1" * 5000, b'"\\ud800"', b"[" * 900 + b"]" * 900, b"\xef\xbb\xbf{}",
    '{"instId":"BTC-USDT"}'.encode("utf-16"),
]  # fmt: skip
UPGRADE = (
    b"GET /ws/v5/public HTTP/1.1\r\nHost: okx\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)
KEYED = UPGRADE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
FRAMES = [
    b"\x81\x04ping", b"\x81\x84\0\0\0\0\xff\xff\xff\xff", b"\xc1\x84\0\0\0\0ping",
    b"\x88\x80\0\0\0\0", b"\x8f\x80",
    b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x01\x81\0\0\0\0p\x80\x83\0\0\0\0ing",
]  # fmt: skip


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Simulator]:
    """A simulator that must not have printed anything in the end."""
    printed = tmp_path / "stderr"
    with printed.open("w") as stderr:
        simulator = start("--no-market", "--limits", "off", stderr=stderr)
    yield simulator
    assert simulator.process.poll() is None
    assert simulator.stop() == 0
    assert printed.read_text() == ""


@pytest.fixture
def draw() -> random.Random:
    return random.Random(5)


def some(draw: random.Random) -> dict[str, Any]:
    """Parameters of which some make sense."""
    made: dict[str, Any] = order() if draw.random() < 0.5 else {}
    return made | {name: draw.choice(JUNK) for name in draw.sample(NAMES, draw.randint(0, 5))}


def test_every_path_answers_junk_with_an_envelope(quiet: Simulator, draw: random.Random) -> None:
    client = quiet.account("junk")
    for method, path in ROUTES:
        for _ in range(3):
            if method == "GET":
                pairs = [(name, str(value)) for name, value in some(draw).items()]
                query = "&".join(
                    f"{name}={quote(value, errors='replace')}" for name, value in pairs
                )
                answer = client.call("GET", f"{path}?{query}", b"")
            else:
                said = json.dumps(draw.choice([some(draw), [some(draw)]])).encode()
                answer = client.call("POST", path, draw.choice([said, said, draw.choice(BODIES)]))

            assert {"code", "msg", "data"} <= set(answer.body), (path, answer)
            assert answer.headers["Content-Type"] == "application/json"


async def test_a_socket_answers_junk_and_stays(
    quiet: Simulator, connect: OpenSocket, draw: random.Random
) -> None:
    client = quiet.account("junk")
    socket_ = await connect(quiet.ws["private"])
    await socket_.say(client.login())

    for op in ("order", "batch-orders", "cancel-order", "amend-order", "mass-cancel", "subscribe"):
        for args in (*JUNK, *([some(draw)] for _ in range(20)), [[[]]], [None]):
            await socket_.say({"id": draw.choice(["1", *JUNK]), "op": op, "args": args})
    await socket_.say({"op": "order", "args": json.loads("[" * 300 + "]" * 300)})

    await socket_.say("ping")
    while await socket_.frame() != "pong":
        pass


@pytest.mark.parametrize("hang_up", [socket.socket.close, None])
def test_half_a_handshake_is_no_reason_to_complain(
    quiet: Simulator, hang_up: Callable[[socket.socket], None] | None
) -> None:
    address = urlparse(quiet.rest)
    endings = [b"", b"\r\n", *(b"\r\n" + frame for frame in FRAMES)]
    extensions = [
        b"",
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n",
    ]
    extras = [*extensions, b"Sec-WebSocket-Extensions: ,;=\r\n", b"Sec-WebSocket-Protocol: a\r\n"]
    for head in (UPGRADE, KEYED):
        for extra in (*extras, b"X: " + b"x" * 9000 + b"\r\n"):
            for ending in endings:
                line = socket.create_connection((address.hostname, address.port), timeout=3)
                line.sendall(head + extra + ending)
                if hang_up is None:
                    line.shutdown(socket.SHUT_WR)
                    line.recv(1000)
                line.close()
