"""Streams log in, subscribe, deliver in order, notice silence and come back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from dataclasses import replace

import pytest

from tests.trading.exchange import rows
from tests.trading.exchange.sockets import (
    QUICK,
    Heard,
    OkxSockets,
    okx_sockets,
    pool_of,
    running,
    subscribed,
)
from tests.trading.exchange.wire import ALICE
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.streams import (
    BalanceEvent,
    InstrumentsEvent,
    Malformed,
    MarkPriceEvent,
    OrderEvent,
    PositionsEvent,
    StreamEvent,
    StreamState,
    StreamStatus,
    TickerEvent,
)
from trading.exchange.types import InstrumentType

UP = [StreamState.CONNECTED, StreamState.SUBSCRIBED]


def push(channel: str, *data: object, **extra: object) -> dict[str, object]:
    return {"arg": {"channel": channel, "uid": "1"}, "data": list(data), **extra}


async def test_a_private_stream_logs_in_and_subscribes_to_everything() -> None:
    heard = Heard()

    async with subscribed(heard) as server:
        login, subscribe = server.received

    (argument,) = login["args"]
    assert_login(argument)
    assert [arg["channel"] for arg in subscribe["args"]] == ["orders", "positions", "account"]
    assert [arg.get("instType") for arg in subscribe["args"]] == ["ANY", "ANY", None]
    assert heard.states == UP


async def test_pushes_become_events_in_their_order() -> None:
    heard = Heard()

    async with subscribed(heard) as server:
        await server.push(push("orders", rows.order_push(), rows.order_push(ordId="2")))
        await server.push(push("account", rows.balance(), eventType="snapshot"))
        await server.push(push("positions", rows.position(), eventType="event_update"))
        await heard.count(PositionsEvent)

    first, second, balance, positions = heard.events[2:]
    assert isinstance(first, OrderEvent)
    assert first.report.last_fill is not None
    assert isinstance(second, OrderEvent)
    assert second.report.exchange_order_id == "2"
    assert isinstance(balance, BalanceEvent)
    assert balance.snapshot
    assert isinstance(positions, PositionsEvent)
    assert not positions.snapshot


async def test_the_pages_of_a_snapshot_come_as_one() -> None:
    heard = Heard()
    page = {"eventType": "snapshot", "curPage": 1, "lastPage": False}

    async with subscribed(heard) as server:
        await server.push(push("positions", rows.position(posId="1"), **page))
        last = page | {"curPage": 2, "lastPage": True}
        await server.push(push("positions", rows.position(posId="2"), **last))
        (event,) = await heard.count(PositionsEvent)

    assert event.snapshot
    assert [report.position_id for report in event.reports] == ["1", "2"]


async def test_a_snapshot_with_an_unreadable_row_closes_nothing() -> None:
    heard = Heard()
    page = {"eventType": "snapshot", "curPage": 1, "lastPage": True}

    async with subscribed(heard) as server:
        await server.push(push("positions", rows.position(), rows.position(pos="?"), **page))
        (event,) = await heard.count(PositionsEvent)

    (bad,) = heard.of(Malformed)
    assert (bad.error.field, bad.channel) == ("pos", "positions")
    assert not event.snapshot
    assert len(event.reports) == 1


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"arg":1}', '{"arg":{"channel":"x"}}'])
async def test_an_unreadable_push_is_set_aside(text: str) -> None:
    heard = Heard()

    async with subscribed(heard) as server:
        await server.push(text)
        await server.push(push("orders", rows.order_push()))
        await heard.count(OrderEvent)

    assert len(heard.of(Malformed)) == 1
    assert heard.states == UP


async def test_a_dropped_stream_comes_back_and_subscribes_again() -> None:
    heard = Heard()

    async with subscribed(heard) as server:
        for number in range(1, 4):
            await heard.state(StreamState.SUBSCRIBED, number)
            await server.drop()
        await heard.state(StreamState.SUBSCRIBED, 4)

    assert heard.states[:4] == [*UP, StreamState.DISCONNECTED, StreamState.CONNECTED]
    assert heard.of(StreamStatus)[2].code == "4006"


async def test_an_idle_stream_pings_and_stays() -> None:
    heard = Heard()

    async with subscribed(heard) as server:
        await asyncio.sleep(0.7)

    assert server.received.count("ping") >= 2
    assert heard.states == UP


async def test_a_stream_outlives_the_time_allowed_for_connecting() -> None:
    heard = Heard()
    times = replace(QUICK, connect=0.3)

    async with subscribed(heard, times):
        await asyncio.sleep(0.8)

    assert heard.states == UP


async def test_a_silent_server_is_left() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        server.silent = True
        async with running(pool.private(ALICE, on_event=heard)):
            await heard.state(StreamState.DISCONNECTED)
            server.silent = False
            await heard.state(StreamState.SUBSCRIBED, 2)


async def test_an_announced_upgrade_is_followed_at_once() -> None:
    heard = Heard()

    async with subscribed(heard) as server:
        await server.push({"event": "notice", "code": "64008", "msg": "upgrade"})
        await heard.state(StreamState.SUBSCRIBED, 2)

    assert heard.of(StreamStatus)[2].code == "64008"


async def test_a_refused_login_is_told_and_tried_again_slowly() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        server.login_code = "60005"
        async with running(pool.private(ALICE, on_event=heard)):
            await heard.state(StreamState.AUTH_FAILED)
            await asyncio.sleep(0.1)
            assert server.connected == 1
            server.login_code = "0"
            await heard.state(StreamState.SUBSCRIBED)

    assert heard.states[:2] == [StreamState.CONNECTED, StreamState.AUTH_FAILED]


async def test_a_login_outside_the_time_window_is_no_bad_key() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        server.login_code = "60006"
        async with running(pool.private(ALICE, on_event=heard)):
            await heard.state(StreamState.DISCONNECTED)

    assert StreamState.AUTH_FAILED not in heard.states


async def test_a_private_stream_needs_all_its_channels() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        server.refused = {"account"}
        async with running(pool.private(ALICE, on_event=heard)):
            await heard.state(StreamState.DISCONNECTED)

    assert StreamState.SUBSCRIBED not in heard.states


async def test_an_unreachable_server_is_tried_with_growing_pauses() -> None:
    heard = Heard()
    nowhere = OkxSockets(rest="http://127.0.0.1:9")

    async with pool_of(nowhere.endpoint) as pool, running(pool.private(ALICE, on_event=heard)):
        await heard.state(StreamState.DISCONNECTED, 4)

    assert set(heard.states) == {StreamState.DISCONNECTED}


async def test_a_public_stream_follows_prices_and_listings() -> None:
    heard = Heard()
    ticker = {"instId": "BTC-USDT-SWAP", "last": "9", "bidPx": "", "askPx": "10", "ts": "5"}

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        stream = pool.public(["BTC-USDT-SWAP"], inst_types=[InstrumentType.SWAP], on_event=heard)
        async with running(stream):
            await heard.state(StreamState.SUBSCRIBED)
            await server.push(push("tickers", ticker))
            mark = {"instId": "BTC-USDT-SWAP", "markPx": "9.5", "ts": "5"}
            await server.push(push("mark-price", mark))
            await server.push(push("instruments", rows.instrument()))
            await heard.count(InstrumentsEvent)

    (event,) = heard.of(TickerEvent)
    assert event.report.bid is None
    assert heard.of(MarkPriceEvent)
    assert [request["op"] for request in server.received] == ["subscribe"]


async def test_a_public_stream_lives_with_a_refused_instrument_and_changes_its_list() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        server.refused = {"GONE"}
        stream = pool.public(["BTC-USDT-SWAP", "GONE"], on_event=heard)
        async with running(stream):
            await heard.state(StreamState.SUBSCRIBED)
            await stream.watch(["ETH-USDT-SWAP"])
            await heard_requests(server, 3)

    _, gone, added = server.received
    assert {arg["instId"] for arg in gone["args"]} == {"BTC-USDT-SWAP", "GONE"}
    assert (added["op"], {arg["instId"] for arg in added["args"]}) == (
        "subscribe",
        {"ETH-USDT-SWAP"},
    )
    assert heard.states == UP


async def test_the_failure_of_a_consumer_is_not_hidden() -> None:
    async def broken(_event: StreamEvent) -> None:
        raise OSError("disk full")

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        with pytest.raises(RuntimeError):
            await pool.private(ALICE, on_event=broken).run()


async def test_closing_ends_run_quietly_and_cancelling_does_not() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint) as pool:
        stream = pool.private(ALICE, on_event=heard)
        async with running(stream) as task:
            await heard.state(StreamState.SUBSCRIBED)
            await stream.aclose()
            await task
        other = asyncio.create_task(pool.private(ALICE, on_event=heard).run())
        await heard.state(StreamState.SUBSCRIBED, 2)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other


async def test_150_accounts_share_one_pool() -> None:
    heard = Heard()

    async with okx_sockets() as server, pool_of(server.endpoint, replace(QUICK, answer=5)) as pool:
        streams = [pool.private(ALICE, on_event=heard) for _ in range(150)]
        tasks = [asyncio.create_task(stream.run()) for stream in streams]
        await heard.state(StreamState.SUBSCRIBED, 150)
        open_at_once = len(server.open)
        await asyncio.gather(*(stream.aclose() for stream in streams))
        await asyncio.gather(*tasks)

    assert open_at_once == 150


async def test_connections_are_spread_out() -> None:
    pool = SocketPool(OkxSockets().endpoint, connections_per_second=20)

    started = time.monotonic()
    await asyncio.gather(*(pool.pace() for _ in range(5)))

    assert time.monotonic() - started >= 0.19


async def heard_requests(server: OkxSockets, number: int) -> None:
    async with asyncio.timeout(5):
        while len(server.received) < number:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)


def assert_login(argument: dict[str, str]) -> None:
    text = argument["timestamp"] + "GET/users/self/verify"
    digest = hmac.new(ALICE.secret.encode(), text.encode(), hashlib.sha256).digest()
    assert argument["sign"] == base64.b64encode(digest).decode()
    assert argument["apiKey"] == ALICE.api_key
    assert argument["passphrase"] == ALICE.passphrase
    assert abs(int(argument["timestamp"]) - time.time()) < 5
