"""Kept-alive connections: what a spoiled one proves, and that nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.trading.exchange.kept import CLOSE, HEAD_ONLY, Kept, Step, chunked, kept, reply
from tests.trading.exchange.wire import (
    ALICE,
    LATER_MS,
    envelope,
    market_order,
    order_row,
)
from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.pool import Pool, PoolTimes
from trading.exchange.okx.reply import LARGEST_BODY, BadReply, ReplyReader
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import InstrumentType, Outcome, SendOutcome
from trading.simulator.tls import AUTHORITY, server_context

ACCEPTED = envelope("0", order_row())
GOOD = reply(ACCEPTED)
UNSENT, LOST, DONE = Outcome.NOT_PLACED, Outcome.UNKNOWN, Outcome.ACK


@asynccontextmanager
async def client_of(
    server: Kept, *, limit: int = 50, timeout_s: float = 2, paced: bool = False
) -> AsyncIterator[OkxClient]:
    client = OkxClient(server.endpoint, connector_limit=limit, timeout_s=timeout_s, paced=paced)
    try:
        yield client
    finally:
        await client.aclose()


async def place(client: OkxClient) -> SendOutcome:
    return await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)


ONCE: list[tuple[str, Sequence[Step], Outcome]] = [
    ("whole", [GOOD], DONE),
    ("byte by byte", [GOOD[start : start + 1] for start in range(len(GOOD))], DONE),
    ("chunked", [chunked(ACCEPTED)], DONE),
    ("chunked, cut at the size", [chunked(ACCEPTED)[:48], 0.01, chunked(ACCEPTED)[48:]], DONE),
    ("told to go on first", [b"HTTP/1.1 100 Continue\r\n\r\n", 0.01, GOOD], DONE),
    ("early hints in the same packet", [b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD], DONE),
    ("HTTP/1.0", [reply(ACCEPTED, version="1.0"), CLOSE], DONE),
    ("until it closes", [b"HTTP/1.0 200 OK\r\n\r\n" + ACCEPTED.encode(), CLOSE], DONE),
    ("a slow body, in time", [GOOD[:80], 0.2, GOOD[80:120], 0.1, GOOD[120:]], DONE),
    ("a body too slow", [GOOD[:80], 0.3, GOOD[80:120], 0.5, GOOD[120:]], LOST),
    ("closed after half of the request", [HEAD_ONLY, CLOSE], LOST),
    ("closed in the head", [GOOD[:30], CLOSE], LOST),
    ("closed in the body", [GOOD[:-5], CLOSE], LOST),
    ("cut short, until it closes", [b"HTTP/1.0 200 OK\r\n\r\n{", CLOSE], LOST),
    ("garbage before the status line", [b"\x16\x03\x01" + GOOD], LOST),
    ("garbage instead of a status", [b"HTTP/1.1 2OO OK\r\n\r\n"], LOST),
    ("another protocol", [b"SSH-2.0-OpenSSH_9.2\r\n"], LOST),
    ("HTTP/2", [b"HTTP/2 200\r\n\r\n"], LOST),
    ("a folded field", [b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n"], LOST),
    ("switched protocols", [b"HTTP/1.1 101 Switching\r\n\r\n"], LOST),
    ("told to go on for ever", [b"HTTP/1.1 100 Continue\r\n\r\n" * 20], LOST),
    ("two answers", [GOOD + GOOD], LOST),
    ("a byte too many", [GOOD + b"x"], LOST),
    ("an endless head", [b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9000], LOST),
    ("a head too long", [b"HTTP/1.1 200 OK\r\nA: " + b"b" * 40_000 + b"\r\n\r\n"], LOST),
    ("a body too long", [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**9], LOST),
    ("no length", [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], LOST),
    ("two lengths", [reply(ACCEPTED, "Content-Length: 5")], LOST),
    ("a length and chunks", [reply(ACCEPTED, "Transfer-Encoding: chunked")], LOST),
    ("compressed", [reply(ACCEPTED, "Content-Encoding: gzip")], LOST),
    ("a chunk cut short", [chunked(ACCEPTED)[:-30], CLOSE], LOST),
    ("no last chunk", [chunked(ACCEPTED, end=b""), CLOSE], LOST),
    ("a chunk longer than said", [chunked(ACCEPTED).replace(b"28\r\n", b"20\r\n")], LOST),
    ("chunks without sizes", [chunked(ACCEPTED).replace(b"28\r\n", b"zz\r\n")], LOST),
    ("something after the last chunk", [chunked(ACCEPTED) + b"HTTP"], LOST),
]


@pytest.mark.parametrize(("label", "steps", "kind"), ONCE, ids=[case[0] for case in ONCE])
async def test_an_answer_is_taken_whole_or_not_at_all(
    label: str, steps: Sequence[Step], kind: Outcome
) -> None:
    async with kept(steps) as server, client_of(server, timeout_s=0.5) as client:
        outcome = await place(client)

    assert outcome.kind is kind, label
    assert len(server.requests) == 1


async def test_a_connection_carries_one_order_after_another() -> None:
    async with kept([GOOD]) as server, client_of(server) as client:
        kinds = [(await place(client)).kind for _ in range(5)]

    assert kinds == [DONE] * 5
    assert (server.connections, len(server.requests)) == (1, 5)


async def test_a_connection_closed_while_idle_is_not_used() -> None:
    async with kept([GOOD, CLOSE]) as server, client_of(server) as client:
        first = await place(client)
        await gone(server)
        second = await place(client)

    assert (first.kind, second.kind) == (DONE, DONE)
    assert server.connections == 2


async def test_a_connection_closed_just_before_reuse_leaves_the_order_open() -> None:
    async with kept([GOOD], [CLOSE], [GOOD]) as server, client_of(server) as client:
        await place(client)
        second = await place(client)
        third = await place(client)

    assert (second.kind, third.kind) == (LOST, DONE)
    assert len(server.requests) == 3


async def test_an_answer_that_nobody_asked_for_is_never_taken() -> None:
    stray = reply(envelope("0", order_row(ordId="666")))

    async with kept([GOOD, 0.05, stray], [GOOD]) as server, client_of(server) as client:
        await place(client)
        await gone(server)
        second = await place(client)

    assert second.exchange_order_id == order_row()["ordId"]
    assert server.connections == 2


@pytest.mark.parametrize("spoiled", ["HTTP/1.0", "Connection: close", "Keep-Alive: timeout=1"])
async def test_a_connection_the_server_will_not_keep_is_used_once(spoiled: str) -> None:
    version = "1.0" if spoiled == "HTTP/1.0" else "1.1"
    fields = [] if version == "1.0" else [spoiled]

    async with (
        kept([reply(ACCEPTED, *fields, version=version)]) as server,
        client_of(server) as client,
    ):
        first = await place(client)
        await gone(server)
        second = await place(client)

    assert (first.kind, second.kind) == (DONE, DONE)
    assert server.connections == 2


async def test_an_idle_connection_is_closed_before_the_server_does() -> None:
    async with kept([GOOD]) as server:
        pool = Pool(server.rest, limit=5, times=PoolTimes(idle_s=0.2))
        assert await pool.warm(3) == 3
        await until(lambda: server.connections >= 6)
        opened = pool.open_count
        await pool.aclose()

    assert 0 < opened <= 3
    assert server.requests == []


async def test_no_more_connections_than_allowed_and_one_request_on_each() -> None:
    async with kept([0.02, GOOD]) as server, client_of(server, limit=3) as client:
        outcomes = await asyncio.gather(*(place(client) for _ in range(20)))

    assert {outcome.kind for outcome in outcomes} == {DONE}
    assert server.most_open == 3
    assert len(server.requests) == 20


async def test_a_question_does_not_wait_behind_orders() -> None:
    answered: list[str] = []
    async with kept([0.02, GOOD]) as server, client_of(server, limit=1) as client:

        async def order() -> None:
            await place(client)
            answered.append("order")

        async def question() -> None:
            await client.fetch_tickers(InstrumentType.SWAP)
            answered.append("question")

        orders = [asyncio.create_task(order()) for _ in range(8)]
        await until(lambda: bool(server.requests))
        await asyncio.gather(*orders, question())

    assert answered.index("question") <= 2


async def test_what_found_no_free_connection_was_not_placed() -> None:
    async with kept([5.0]) as server, client_of(server, limit=1, timeout_s=0.3) as client:
        async with asyncio.timeout(2):
            first, waiting = await asyncio.gather(place(client), place(client))

    assert (first.kind, waiting.kind) == (LOST, UNSENT)
    assert len(server.requests) == 1


async def test_a_handshake_that_never_ends_was_not_placed() -> None:
    async with kept([GOOD]) as server:
        server.rest = server.rest.replace("http:", "https:")
        async with client_of(server, timeout_s=0.3) as client:
            outcome = await place(client)

    assert outcome.kind is UNSENT
    assert server.requests == []


async def test_an_authority_nobody_trusts_gets_nothing(tmp_path: Path) -> None:
    async with (
        kept([GOOD], tls=server_context(tmp_path, "here")) as server,
        client_of(server) as client,
    ):
        outcome = await place(client)

    assert outcome.kind is UNSENT
    assert "certificate verify failed" in outcome.message
    assert server.requests == []


async def test_a_certificate_of_another_name_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = server_context(tmp_path, "here")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / AUTHORITY))
    async with kept([GOOD], tls=context) as server, client_of(server) as client:
        trusted = await place(client)
    async with (
        kept([GOOD], tls=context, host="127.0.0.2") as stranger,
        client_of(stranger) as client,
    ):
        outcome = await place(client)

    assert trusted.kind is DONE
    assert (outcome.kind, stranger.requests) == (UNSENT, [])
    assert "mismatch" in outcome.message


async def test_a_canceled_caller_takes_its_connection_along() -> None:
    async with kept([0.2, GOOD], [GOOD]) as server, client_of(server) as client:
        task = asyncio.create_task(place(client))
        await until(lambda: bool(server.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        outcome = await place(client)

    assert outcome.kind is DONE
    assert server.connections == 2


async def test_a_canceled_caller_who_waited_sends_nothing() -> None:
    async with kept([0.1, GOOD]) as server, client_of(server, limit=1) as client:
        first = asyncio.create_task(place(client))
        await until(lambda: bool(server.requests))
        waiting = asyncio.create_task(place(client))
        await asyncio.sleep(0)
        waiting.cancel()
        outcome = await first
        after = await place(client)

    assert (outcome.kind, after.kind) == (DONE, DONE)
    assert len(server.requests) == 2


async def test_cookies_are_not_kept() -> None:
    async with kept([reply(ACCEPTED, "Set-Cookie: a=b")]) as server, client_of(server) as client:
        await place(client)
        await place(client)

    assert b"ookie" not in server.requests[1]
    assert b"ccept-" not in server.requests[1]


async def test_a_key_with_a_line_end_stays_here() -> None:
    spoiled = type(ALICE)("key\r\nX-Other: 1", ALICE.secret, ALICE.passphrase)

    async with kept([GOOD]) as server, client_of(server) as client:
        outcome = await client.place_order(spoiled, market_order(), exp_at_ms=LATER_MS)

    assert outcome.kind is UNSENT
    assert server.requests == []


async def test_a_deadline_that_passes_while_waiting_is_kept() -> None:
    async with kept([0.3, GOOD]) as server, client_of(server, limit=1) as client:
        first = asyncio.create_task(place(client))
        await until(lambda: bool(server.requests))
        soon = client.clock.now_ms() + 450
        late = await client.place_order(ALICE, market_order(), exp_at_ms=soon)
        await first

    assert late.kind is UNSENT
    assert len(server.requests) == 1


async def test_warming_up_opens_what_was_asked_for() -> None:
    async with kept([GOOD]) as server, client_of(server, limit=20) as client:
        opened = await client.warm(70)
        await asyncio.gather(*(place(client) for _ in range(20)))

    assert opened == server.connections == 20


async def test_warming_up_against_nobody_ends() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        pool = Pool(f"http://127.0.0.1:{taken.getsockname()[1]}", limit=5, times=PoolTimes())
        async with asyncio.timeout(2):
            assert await pool.warm(3) == 0
        await pool.aclose()


@pytest.mark.parametrize("whole", [GOOD, chunked(ACCEPTED)], ids=["length", "chunks"])
def test_an_answer_may_be_cut_anywhere(whole: bytes) -> None:
    for cut in range(1, len(whole)):
        reader = ReplyReader()

        first = reader.feed(whole[:cut])
        second = reader.feed(whole[cut:])

        assert first is None
        assert second is not None
        assert second.body == ACCEPTED.encode()


def test_a_body_in_chunks_has_an_end() -> None:
    reader = ReplyReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"%x\r\n%b\r\n" % (2**20, b"x" * 2**20)

    for _ in range(LARGEST_BODY // 2**20):
        reader.feed(piece)

    with pytest.raises(BadReply, match="too long"):
        reader.feed(piece)


async def test_a_request_is_signed_when_it_is_written() -> None:
    """Otherwise one that waited would carry an old timestamp."""
    now = [1_700_000_000_000]
    async with kept([0.1, GOOD]) as server:
        clock = ExchangeClock(lambda: now[0])
        client = OkxClient(server.endpoint, connector_limit=1, clock=clock)
        sending = [asyncio.create_task(place(client)) for _ in range(2)]
        await until(lambda: bool(server.requests))
        now[0] += 5000
        await asyncio.gather(*sending)
        await client.aclose()

    assert b"OK-ACCESS-TIMESTAMP: 2023-11-14T22:13:20.000Z" in server.requests[0]
    assert b"OK-ACCESS-TIMESTAMP: 2023-11-14T22:13:25.000Z" in server.requests[1]


async def gone(server: Kept) -> None:
    """Wait until the client has noticed that its connection is of no use any more."""
    await until(lambda: server.open_now == 0)
    await asyncio.sleep(0.02)


async def until(true: object, *, within_s: float = 3) -> None:
    assert callable(true)
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - the server is a test's, there is nothing to wait on
            await asyncio.sleep(0.005)


def test_verification_is_on() -> None:
    pool = Pool("https://www.okx.com", limit=1, times=PoolTimes())

    assert pool.tls is not None
    assert pool.tls.verify_mode is ssl.CERT_REQUIRED
    assert pool.tls.check_hostname
