"""Our requests are ccxt's, byte for byte, with exactly our own ids, deadline, credentials."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from ccxt.async_support.okx import okx as ccxt_okx

from tests.trading.exchange.ccxt_reference import SPOT, SWAP, reference_okx, signed_by
from tests.trading.exchange.wire import (
    ALICE,
    BOB,
    CLIENT_ORDER_ID,
    LATER_MS,
    Request,
    client_of,
    envelope,
    http,
    market_order,
    order_row,
    wire,
)
from trading.exchange.okx import encode
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import (
    Credentials,
    Endpoint,
    InstrumentType,
    MarginMode,
    OrderType,
    Outcome,
    PlaceRequest,
    PositionSide,
    Side,
)

ACCEPTED = http("200 OK", envelope("0", order_row()))
EMPTY = http("200 OK", envelope("0"))


@pytest.fixture
def reference() -> ccxt_okx:
    return reference_okx()


def order(**changes: Any) -> PlaceRequest:
    return market_order(**changes)


# (label, ours, ccxt's arguments: symbol, type, side, amount, price, params)
ORDERS = [
    ("market", order(), (SWAP, "market", "buy", 0.05, None, {})),
    (
        "limit",
        order(side=Side.SELL, order_type=OrderType.LIMIT, price=Decimal("60000.5")),
        (SWAP, "limit", "sell", 0.05, 60000.5, {}),
    ),
    (
        "post-only",
        order(order_type=OrderType.POST_ONLY, price=Decimal("60000.5")),
        (SWAP, "limit", "buy", 0.05, 60000.5, {"postOnly": True}),
    ),
    (
        "ioc",
        order(order_type=OrderType.IOC, price=Decimal("60000.5")),
        (SWAP, "limit", "buy", 0.05, 60000.5, {"timeInForce": "IOC"}),
    ),
    (
        "fok",
        order(order_type=OrderType.FOK, price=Decimal("60000.5")),
        (SWAP, "limit", "buy", 0.05, 60000.5, {"timeInForce": "FOK"}),
    ),
    (
        "market within the price band",
        order(order_type=OrderType.OPTIMAL_LIMIT_IOC),
        (SWAP, "market", "buy", 0.05, None, {"timeInForce": "IOC"}),
    ),
    (
        "reduce-only",
        order(side=Side.SELL, reduce_only=True),
        (SWAP, "market", "sell", 0.05, None, {"reduceOnly": True}),
    ),
    (
        "open long",
        order(position_side=PositionSide.LONG),
        (SWAP, "market", "buy", 0.05, None, {"hedged": True}),
    ),
    (
        "close long",
        order(side=Side.SELL, position_side=PositionSide.LONG, reduce_only=True),
        (SWAP, "market", "sell", 0.05, None, {"hedged": True, "reduceOnly": True}),
    ),
    (
        "isolated with a tag",
        order(margin_mode=MarginMode.ISOLATED, tag="desk1"),
        (SWAP, "market", "buy", 0.05, None, {"marginMode": "isolated", "tag": "desk1"}),
    ),
    (
        "spot limit",
        order(
            inst_id="BTC-USDT",
            margin_mode=MarginMode.CASH,
            order_type=OrderType.LIMIT,
            price=Decimal(60000),
            target_currency="base_ccy",
        ),
        (SPOT, "limit", "buy", 0.05, 60000, {}),
    ),
    (
        "spot market buy in base",
        order(inst_id="BTC-USDT", margin_mode=MarginMode.CASH),
        (SPOT, "market", "buy", 0.05, None, {"tgtCcy": "base_ccy"}),
    ),
]


@pytest.mark.parametrize(
    ("request_", "arguments"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS]
)
def test_an_order_reads_like_ccxts_own(
    reference: ccxt_okx, request_: PlaceRequest, arguments: tuple[Any, ...]
) -> None:
    symbol, kind, side, amount, price, params = arguments
    params = params | {"clientOrderId": CLIENT_ORDER_ID}

    theirs = reference.create_order_request(symbol, kind, side, amount, price, params)

    theirs.pop("hedged", None)  # ccxt's own word, which it forgets to take out
    assert encode.place_body(request_) == theirs


@pytest.mark.parametrize("request_", [case[1] for case in ORDERS], ids=[c[0] for c in ORDERS])
async def test_an_order_is_signed_as_documented_and_as_ccxt_does(
    reference: ccxt_okx, request_: PlaceRequest
) -> None:
    async with wire(ACCEPTED) as server, client_of(server) as client:
        outcome = await client.place_order(ALICE, request_, exp_at_ms=LATER_MS)

    assert outcome.kind is Outcome.ACK
    (post,) = server.requests
    assert post.target == "/api/v5/trade/order"
    assert json.loads(post.body) == encode.place_body(request_)
    assert_signed(post, ALICE)
    theirs = signed_by(
        reference,
        ALICE,
        "trade/order",
        "POST",
        encode.place_body(request_),
        post.headers["OK-ACCESS-TIMESTAMP"],
    )
    assert post.body == theirs["body"]
    assert {name: post.headers[name] for name in theirs["headers"]} == theirs["headers"]


async def test_questions_are_signed_with_their_query() -> None:
    async with wire(EMPTY) as server, client_of(server) as client:
        await client.fetch_open_orders(ALICE, InstrumentType.SWAP)
        await client.fetch_order(ALICE, "BTC-USDT-SWAP", client_order_id="abc")

    first, second = server.requests
    assert first.target == "/api/v5/trade/orders-pending?instType=SWAP&limit=100"
    assert second.target == "/api/v5/trade/order?instId=BTC-USDT-SWAP&clOrdId=abc"
    assert_signed(first, ALICE)
    assert_signed(second, ALICE)


async def test_public_questions_carry_no_credentials() -> None:
    async with wire(EMPTY) as server, client_of(server) as client:
        await client.fetch_order(ALICE, "BTC-USDT-SWAP", client_order_id="abc")
        await client.fetch_tickers(InstrumentType.SWAP)

    assert not [name for name in server.requests[1].headers if name.upper().startswith("OK-")]


@pytest.mark.parametrize("exp_at_ms", [LATER_MS, LATER_MS + 1])
async def test_the_deadline_goes_out_as_given(exp_at_ms: int) -> None:
    async with wire(ACCEPTED) as server, client_of(server) as client:
        await client.place_order(ALICE, market_order(), exp_at_ms=exp_at_ms)

    assert server.posts[0].headers["expTime"] == str(exp_at_ms)


async def test_only_orders_have_a_deadline() -> None:
    async with wire(ACCEPTED, EMPTY) as server, client_of(server) as client:
        await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
        await client.fetch_order(ALICE, "BTC-USDT-SWAP", client_order_id="abc")

    assert "expTime" not in server.requests[1].headers


async def test_accounts_sharing_a_client_never_mix() -> None:
    async with wire(ACCEPTED) as server, client_of(server) as client:
        await asyncio.gather(
            *(
                client.place_order(
                    who, market_order(tag=who.api_key[:3]), exp_at_ms=LATER_MS + number
                )
                for number in range(40)
                for who in (ALICE, BOB)
            )
        )

    assert len(server.posts) == 80
    for post in server.posts:
        who = ALICE if json.loads(post.body)["tag"] == "ali" else BOB
        assert_signed(post, who)
    deadlines = sorted(int(post.headers["expTime"]) - LATER_MS for post in server.posts)
    assert deadlines == sorted([*range(40), *range(40)])


async def test_nothing_of_ccxts_own_is_sent() -> None:
    async with wire(ACCEPTED) as server, client_of(server) as client:
        await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    body = json.loads(server.posts[0].body)
    assert "tag" not in body
    assert body["clOrdId"] == CLIENT_ORDER_ID
    assert "BCDE" not in server.posts[0].body


@pytest.mark.parametrize("simulated", [True, False])
async def test_the_demo_header_is_sent_to_the_demo_alone(simulated: bool) -> None:
    async with wire(ACCEPTED) as server:
        endpoint = Endpoint("demo", server.rest, "", "", "", simulated_header=simulated)
        client = OkxClient(endpoint)
        await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
        await client.aclose()

    assert server.posts[0].headers.get("x-simulated-trading") == ("1" if simulated else None)


def test_numbers_are_spelled_plainly() -> None:
    spelled = {
        encode.plain(Decimal(text)) for text in ("1E+2", "1.50", "0.00000001", "100", "1e-10")
    }

    assert spelled == {"100", "1.5", "0.00000001", "0.0000000001"}


def test_credentials_never_show() -> None:
    shown = f"{ALICE!r} {ALICE} {[ALICE]} {(ALICE,)}"

    for secret in (ALICE.api_key, ALICE.secret, ALICE.passphrase):
        assert secret not in shown


def assert_signed(request: Request, credentials: Credentials) -> None:
    """Independent of the product: what OKX documents."""
    headers = request.headers
    text = headers["OK-ACCESS-TIMESTAMP"] + request.method + request.target + request.body
    digest = hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256).digest()
    assert headers["OK-ACCESS-SIGN"] == base64.b64encode(digest).decode()
    assert headers["OK-ACCESS-KEY"] == credentials.api_key
    assert headers["OK-ACCESS-PASSPHRASE"] == credentials.passphrase
