"""A failed read is unknown, never empty; a missing order is one that OKX says is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from decimal import Decimal

import pytest

from tests.trading.exchange import rows
from tests.trading.exchange.wire import (
    ALICE,
    FIN,
    HANG,
    RST,
    client_of,
    envelope,
    http,
    wire,
)
from trading.exchange.errors import AuthFailed, MalformedReport, ReadFailed
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import InstrumentType, LookupKind, MarginMode, PositionSide

OK = "200 OK"
PAGES = ((0, 100), (100, 200), (200, 230))
NOT_FOUND = envelope("51603", msg="Order does not exist.")
EMPTY = http(OK, envelope("0"))

FAILURES = {
    "FIN": FIN,
    "RST": RST,
    "silence": HANG,
    "HTML": http(OK, "<html>"),
    "empty": http(OK, ""),
    "a list": http(OK, "[]"),
    "no list of rows": http(OK, '{"code":"0","msg":"","data":{}}'),
    "truncated": http(OK, envelope("0"), length=500),
    "a number as code": http(OK, '{"code":0,"data":[]}'),
    "502": http("502 x", "<html>"),
    "500 with success": http("500 x", envelope("0")),
    "302": http("302 Found", extra="Location: {here}/\r\n"),
    "50011": http("429 x", envelope("50011")),
    "50013": http("429 x", envelope("50013")),
    "50102": http("401 x", envelope("50102")),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
async def test_a_failed_read_is_never_empty(reply: bytes | str) -> None:
    async with wire(reply) as server, client_of(server, timeout_s=0.4) as client:
        answers = await asyncio.gather(*questions(client), return_exceptions=True)
        assert len(answers) == 14
        lookup = await client.fetch_order(ALICE, "BTC-USDT-SWAP", client_order_id="q01abc")

    assert [type(answer) for answer in answers] == [ReadFailed] * len(answers)
    assert lookup.kind is LookupKind.UNKNOWN


async def test_a_refused_key_is_told_apart() -> None:
    reply = http("401 x", envelope("50111", msg="Invalid"))

    async with wire(reply) as server, client_of(server) as client:
        with pytest.raises(AuthFailed) as refusal:
            await client.fetch_balance(ALICE)

    assert (refusal.value.code, refusal.value.http_status) == ("50111", 401)
    assert str(refusal.value) == "50111 Invalid HTTP 401"


async def test_an_empty_answer_is_empty() -> None:
    async with wire(EMPTY) as server, client_of(server) as client:
        assert await client.fetch_open_orders(ALICE) == ()
        assert await client.fetch_positions(ALICE) == ()
        assert await client.fetch_fills(ALICE, InstrumentType.SWAP, begin_ms=5) == ()

    assert server.requests[2].target == "/api/v5/trade/fills?instType=SWAP&begin=5&limit=100"


async def test_a_question_that_always_has_an_answer_is_not_answered_by_nothing() -> None:
    async with wire(EMPTY) as server, client_of(server) as client:
        with pytest.raises(ReadFailed):
            await client.fetch_balance(ALICE)
        with pytest.raises(ReadFailed):
            await client.fetch_account_config(ALICE)


LOOKUPS = {
    "found": (http(OK, envelope("0", rows.order())), LookupKind.FOUND),
    "not found": (http(OK, NOT_FOUND), LookupKind.NOT_FOUND),
    "not found, but a failing server": (http("502 x", NOT_FOUND), LookupKind.UNKNOWN),
    "not found as a row": (http(OK, envelope("1", {"sCode": "51603"})), LookupKind.UNKNOWN),
    "no rows": (EMPTY, LookupKind.UNKNOWN),
    "another order": (
        http(OK, envelope("0", rows.order(clOrdId="other"))),
        LookupKind.UNKNOWN,
    ),
    "another instrument": (
        http(OK, envelope("0", rows.order(instId="ETH-USDT-SWAP"))),
        LookupKind.UNKNOWN,
    ),
    "unreadable": (http(OK, envelope("0", rows.order(sz="?"))), LookupKind.UNKNOWN),
    "unknown instrument": (http(OK, envelope("51001")), LookupKind.UNKNOWN),
}


@pytest.mark.parametrize(("reply", "kind"), LOOKUPS.values(), ids=LOOKUPS)
async def test_a_lookup_proves_this(reply: bytes, kind: LookupKind) -> None:
    async with wire(reply) as server, client_of(server) as client:
        lookup = await client.fetch_order(ALICE, "BTC-USDT-SWAP", client_order_id="q01abc")

    assert lookup.kind is kind
    assert (lookup.report is not None) == (kind is LookupKind.FOUND)


async def test_what_never_connected_is_no_missing_order() -> None:
    async with wire(EMPTY) as server:
        pass
    async with client_of(server) as client:
        lookup = await client.fetch_order(ALICE, "BTC-USDT-SWAP", client_order_id="q01abc")

    assert lookup.kind is LookupKind.UNKNOWN


async def test_all_pages_are_read() -> None:
    pages = [[rows.order(ordId=str(1000 - n)) for n in range(start, end)] for start, end in PAGES]
    replies = [http(OK, envelope("0", *page)) for page in pages]

    async with wire(*replies) as server, client_of(server) as client:
        orders = await client.fetch_open_orders(ALICE)

    assert [order.exchange_order_id for order in orders] == [str(1000 - n) for n in range(230)]
    assert [request.target.partition("limit=100")[2] for request in server.requests] == [
        "",
        "&after=901",
        "&after=801",
    ]


async def test_half_a_list_is_no_list() -> None:
    page = http(OK, envelope("0", *(rows.order(ordId=str(n)) for n in range(100))))

    async with wire(page, FIN) as server, client_of(server) as client:
        with pytest.raises(ReadFailed):
            await client.fetch_order_history(ALICE, InstrumentType.SWAP)


async def test_an_endless_list_is_given_up() -> None:
    page = http(OK, envelope("0", *(rows.fill() for _ in range(100))))

    async with wire(page) as server, client_of(server) as client:
        with pytest.raises(ReadFailed):
            await client.fetch_fills(ALICE)

    assert len(server.requests) == 200


async def test_one_unreadable_order_spoils_the_list() -> None:
    reply = http(OK, envelope("0", rows.order(), rows.order(state="?")))

    async with wire(reply) as server, client_of(server) as client:
        with pytest.raises(MalformedReport):
            await client.fetch_open_orders(ALICE)


async def test_one_unreadable_listing_is_left_out() -> None:
    reply = http(OK, envelope("0", rows.instrument(), rows.instrument(lotSz="")))

    async with wire(reply) as server, client_of(server) as client:
        instruments = await client.fetch_instruments(InstrumentType.SWAP)

    assert [instrument.inst_id for instrument in instruments] == ["BTC-USDT-SWAP"]


async def test_leverage_is_told_by_side() -> None:
    sides = [
        {"instId": "BTC-USDT-SWAP", "mgnMode": "cross", "posSide": side, "lever": lever}
        for side, lever in (("long", "10"), ("short", "5"))
    ]

    async with wire(http(OK, envelope("0", *sides))) as server, client_of(server) as client:
        reports = await client.fetch_leverage(ALICE, "BTC-USDT-SWAP", MarginMode.CROSS)

    assert [(report.position_side, report.leverage) for report in reports] == [
        (PositionSide.LONG, Decimal(10)),
        (PositionSide.SHORT, Decimal(5)),
    ]


async def test_in_flight_requests_are_bounded_by_us() -> None:
    async with wire(http(OK, envelope("0", {"ts": "5"}))) as server:
        client = OkxClient(server.endpoint, connector_limit=3, paced=False)
        times = await asyncio.gather(*(client.fetch_time_ms() for _ in range(30)))
        await client.aclose()

    assert times == [5] * 30


async def test_a_deep_answer_is_unreadable() -> None:
    deep = "[" * 100_000 + "]" * 100_000

    async with wire(http(OK, deep)) as server, client_of(server) as client:
        with pytest.raises(ReadFailed):
            await client.fetch_positions(ALICE)


def questions(client: OkxClient) -> list[Awaitable[object]]:
    return [
        client.fetch_open_orders(ALICE),
        client.fetch_order_history(ALICE, InstrumentType.SWAP),
        client.fetch_fills(ALICE),
        client.fetch_transfers(ALICE, begin_ms=1),
        client.fetch_positions(ALICE),
        client.fetch_balance(ALICE),
        client.fetch_account_config(ALICE),
        client.fetch_leverage(ALICE, "BTC-USDT-SWAP", MarginMode.CROSS),
        client.fetch_instruments(InstrumentType.SWAP),
        client.fetch_tickers(InstrumentType.SWAP),
        client.fetch_mark_prices(InstrumentType.SWAP),
        client.fetch_ticker("BTC-USDT-SWAP"),
        client.fetch_mark_price("BTC-USDT-SWAP", InstrumentType.SWAP),
        client.fetch_time_ms(),
    ]
