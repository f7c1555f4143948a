"""HTTP as it may arrive: in pieces, in chunks, several at once, or not HTTP at all."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlparse

import pytest

from tests.simulator.client import Client, Simulator, iso, order, signature

pytestmark = pytest.mark.simulator

TIME = b"GET /api/v5/public/time HTTP/1.1\r\nHost: okx\r\n"
CLOSE = b"Connection: close\r\n"


def talk(simulator: Simulator, *parts: bytes, shut: bool = False) -> bytes:
    """Send the parts one by one, then everything that comes until the end."""
    with connected(simulator) as line:
        for part in parts:
            line.sendall(part)
        if shut:
            line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


def connected(simulator: Simulator) -> socket.socket:
    address = urlparse(simulator.rest)
    line = socket.create_connection((address.hostname, address.port), timeout=5)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def signed(client: Client, body: bytes, path: str = "/api/v5/trade/order") -> bytes:
    stamp = iso()
    return (
        f"POST {path} HTTP/1.1\r\nHost: okx\r\nContent-Type: application/json\r\n"
        f"OK-ACCESS-KEY: {client.key}\r\nok-access-passphrase: {client.passphrase}\r\n"
        f"Ok-Access-Timestamp:{stamp}\r\n"
        f"OK-ACCESS-SIGN: \t{signature(client.secret, stamp + 'POST' + path, body)} \r\n"
    ).encode()


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_a_request_may_come_byte_by_byte(still: Simulator) -> None:
    request = TIME + CLOSE + b"\r\n"

    answer = talk(still, *(request[at : at + 1] for at in range(len(request))))

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer)["code"] == "0"


def test_requests_at_once_are_answered_in_order(still: Simulator, client: Client) -> None:
    body = json.dumps(order()).encode()
    sized = signed(client, body) + b"Content-Length: %d\r\n\r\n" % len(body) + body

    answer = talk(still, TIME + b"\r\n" + sized + b"GET /nowhere HTTP/1.1\r\n" + CLOSE + b"\r\n")

    parts = answer.split(b"HTTP/1.1 ")[1:]
    assert [part[:3] for part in parts] == [b"200", b"200", b"404"]
    assert body_of(parts[1])["data"][0]["sMsg"] == "Order placed"
    assert b"Connection: keep-alive" in parts[1]
    assert b"Connection: close" in parts[2]


def test_a_body_may_come_in_chunks(still: Simulator, client: Client) -> None:
    body = json.dumps(order(clOrdId="chunked")).encode()
    head = signed(client, body) + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%X;part=1\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:])]

    answer = talk(still, head, *chunks, b"0\r\nTrailer: x\r\n\r\n")

    assert body_of(answer)["data"][0]["clOrdId"] == "chunked"


def test_chunks_may_come_byte_by_byte(still: Simulator, client: Client) -> None:
    body = json.dumps(order(clOrdId="crumbs")).encode()
    head = signed(client, body) + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
    sent = chunks + TIME + CLOSE + b"\r\n"

    answer = talk(still, head, *(sent[at : at + 1] for at in range(len(sent))))

    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert body_of(first)["data"][0]["clOrdId"] == "crumbs"
    assert body_of(second)["code"] == "0"


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")]
)
@pytest.mark.parametrize("levels", [33, 300, 900, 20_000])
def test_bodies_nested_too_deeply_are_not_json(
    client: Client, opening: bytes, closing: bytes, levels: int
) -> None:
    body = opening * levels + b'"x"' + closing * levels

    answer = client.call("POST", "/api/v5/trade/order", body)

    assert (answer.status, answer.code) == (400, "50002")


def test_a_client_may_ask_before_it_sends_the_body(still: Simulator, client: Client) -> None:
    body = json.dumps(order()).encode()
    head = signed(client, body) + CLOSE + b"Expect: 100-continue\r\n"

    with connected(still) as line:
        line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        asked = line.recv(100)
        line.sendall(body)
        answer = line.recv(100)

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"GET /api/v5/public/time HTTP/1.0\r\n", False),
        (b"GET /api/v5/public/time HTTP/1.0\r\nConnection: Keep-Alive\r\n", True),
        (TIME, True),
        (TIME + CLOSE, False),
    ],
)
def test_connections_stay_open_when_both_want_it(
    still: Simulator, head: bytes, *, kept: bool
) -> None:
    answer = talk(still, head + b"\r\n" + TIME + CLOSE + b"\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == (2 if kept else 1)


def test_who_only_shuts_its_own_side_is_answered(still: Simulator) -> None:
    assert talk(still, TIME + b"\r\n", shut=True).startswith(b"HTTP/1.1 200 OK")
    assert talk(still, TIME, shut=True) == b""


def test_a_proxy_may_name_the_whole_address(still: Simulator) -> None:
    request = b"GET http://okx.test/api/v5/public/time HTTP/1.1\r\n" + CLOSE

    assert body_of(talk(still, request + b"\r\n"))["code"] == "0"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(still: Simulator, method: str) -> None:
    answer = talk(still, f"{method} /api/v5/trade/order HTTP/1.1\r\n".encode() + CLOSE + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 405 ")
    assert body_of(answer)["code"] == "50115"


def test_a_head_request_gets_no_body(still: Simulator) -> None:
    answer = talk(still, TIME.replace(b"GET", b"HEAD") + CLOSE + b"\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert body == b""


@pytest.mark.parametrize("path", ["/api/v5/public/time/", "//api/v5/public/time", "/", "/api/v5"])
def test_paths_are_taken_as_they_are(still: Simulator, path: str) -> None:
    answer = talk(still, f"GET {path} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert body_of(answer)["code"] == "404"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400),
        (b"G\x00T / HTTP/1.1\r\n\r\n", 400),
        (TIME + b"no colon\r\n\r\n", 400),
        (TIME + b"spaced name: 1\r\n\r\n", 400),
        (TIME + b" folded: 1\r\n\r\n", 400),
        (TIME + b"bad: \x00\r\n\r\n", 400),
        (TIME + b"bare: a\nb: c\r\n\r\n", 400),
        (TIME + b"Host: other\r\n\r\n", 400),
        (TIME + b"Content-Length: -1\r\n\r\n", 400),
        (TIME + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (TIME + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (TIME + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (TIME + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (TIME + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", 400),
        (TIME + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, 400),
        (TIME + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2000, 400),
        (TIME + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", 413),
        (TIME + b"Content-Length: 1048577\r\n\r\n", 413),
        (TIME + b"Long: " + b"x" * 33_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 33_000, 431),
    ],
)
def test_what_is_not_a_request_ends_the_connection(
    still: Simulator, request_: bytes, status: int
) -> None:
    answer = talk(still, request_)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: text/html" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_long_heads_and_bodies_pass(still: Simulator, client: Client) -> None:
    body = json.dumps(order() | {"unheard": "x" * 900_000}).encode()
    head = signed(client, body) + CLOSE + b"Cookie: " + b"c" * 20_000

    answer = talk(still, head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert body_of(answer)["data"][0]["sCode"] == "0"
