"""Every kind of request, in every kind of account, is built and signed as ccxt would."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.trading.exchange.ccxt_reference import SWAP, reference_okx, signed_by
from tests.trading.exchange.test_signing import assert_signed
from tests.trading.exchange.wire import (
    ALICE,
    LATER_MS,
    client_of,
    envelope,
    http,
    market_order,
    wire,
)
from trading.exchange.algos import AlgoAmendRequest, AlgoCancelRequest, AlgoRequest
from trading.exchange.errors import ExchangeError
from trading.exchange.okx import encode
from trading.exchange.okx.rest import OkxClient
from trading.exchange.okx.templates import place_bytes
from trading.exchange.protection import Protection, Trigger, TriggerPrice
from trading.exchange.types import (
    AmendRequest,
    CancelRequest,
    InstrumentType,
    MarginMode,
    OrderType,
    PlaceRequest,
    PositionMode,
    PositionSide,
    Side,
)

BTC = "BTC-USDT-SWAP"
LEG = Trigger(Decimal(50000))
PRICED = (OrderType.LIMIT, OrderType.POST_ONLY, OrderType.IOC, OrderType.FOK)


def orders_of_every_kind() -> list[PlaceRequest]:
    kinds = itertools.product(
        (*PRICED, OrderType.MARKET, OrderType.OPTIMAL_LIMIT_IOC),
        (None, PositionSide.NET, PositionSide.LONG, PositionSide.SHORT),
        (MarginMode.CROSS, MarginMode.ISOLATED, MarginMode.CASH),
        Side,
        (False, True),
        ("", "desk1"),
    )
    return [
        market_order(
            order_type=order_type,
            price=Decimal("60000.50") if order_type in PRICED else None,
            position_side=position_side,
            margin_mode=margin_mode,
            side=side,
            reduce_only=reduce_only,
            tag=tag,
            quantity=Decimal("1.50"),
        )
        for order_type, position_side, margin_mode, side, reduce_only, tag in kinds
    ]


def test_a_patched_body_is_the_body() -> None:
    requests = orders_of_every_kind()

    for request in (*requests, *requests):
        plainly = json.dumps(encode.place_body(request), separators=(",", ":")).encode()
        assert place_bytes(request) == plainly


def test_alike_orders_keep_their_own_quantity_and_name() -> None:
    bodies = [
        json.loads(place_bytes(market_order(quantity=Decimal(n), client_order_id=f"c{n}")))
        for n in range(1, 4)
    ]

    assert [(body["sz"], body["clOrdId"]) for body in bodies] == [
        ("1", "c1"),
        ("2", "c2"),
        ("3", "c3"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_order_id": 'x","px":"1'},
        {"quantity": Decimal("Infinity")},
        {"inst_id": "{quantity}"},
        {"price": Decimal("sNaN"), "order_type": OrderType.LIMIT},
    ],
)
def test_nothing_slips_into_a_body(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|no instrument"):
        place_bytes(market_order(**changes))


def stop(**changes: Any) -> AlgoRequest:
    terms: dict[str, Any] = {
        "inst_id": BTC,
        "side": Side.SELL,
        "position_side": None,
        "margin_mode": MarginMode.CROSS,
        "client_algo_id": "s1",
        "quantity": Decimal(1),
        "stop_loss": LEG,
    }
    return AlgoRequest(**(terms | changes))


ALGOS = [
    ("stop loss", stop(), {"stopLossPrice": 50000}),
    ("take profit", stop(stop_loss=None, take_profit=LEG), {"takeProfitPrice": 50000}),
    (
        "both",
        stop(take_profit=Trigger(Decimal(70000))),
        {"stopLossPrice": 50000, "takeProfitPrice": 70000},
    ),
    (
        "of the mark price, isolated",
        stop(stop_loss=Trigger(Decimal(50000), TriggerPrice.MARK), margin_mode=MarginMode.ISOLATED),
        {"stopLossPrice": 50000, "slTriggerPxType": "mark", "marginMode": "isolated"},
    ),
]


@pytest.mark.parametrize(("label", "request_", "params"), ALGOS, ids=[c[0] for c in ALGOS])
def test_a_take_profit_or_stop_loss_reads_like_ccxts_own(
    label: str, request_: AlgoRequest, params: dict[str, Any]
) -> None:
    params |= {"reduceOnly": True, "clientOrderId": "s1"}

    theirs = reference_okx().create_order_request(SWAP, "market", "sell", 1, None, params)

    # ccxt names such an order in the field of ordinary ones.
    theirs["algoClOrdId"] = theirs.pop("clOrdId")
    assert encode.algo_body(request_) == theirs, label


def test_an_order_carries_its_legs_like_ccxts_own() -> None:
    protection = Protection(client_algo_id="p1", stop_loss=LEG, take_profit=Trigger(Decimal(70000)))
    params = {
        "clientOrderId": "q01abc",
        "stopLoss": {"triggerPrice": 50000},
        "takeProfit": {"triggerPrice": 70000},
    }

    theirs = reference_okx().create_order_request(SWAP, "market", "buy", 0.05, None, params)

    theirs["attachAlgoOrds"][0]["attachAlgoClOrdId"] = "p1"
    assert json.loads(place_bytes(market_order(protection=protection))) == theirs


def test_an_amendment_reads_like_ccxts_own() -> None:
    request = AmendRequest(inst_id=BTC, client_order_id="q1", quantity=Decimal(1), price=Decimal(2))

    theirs = reference_okx().edit_order_request(
        None, SWAP, "limit", "buy", 1, 2.0, {"clientOrderId": "q1"}
    )

    assert encode.amend_body(request) == theirs


Ask = Callable[[OkxClient], Awaitable[object]]

EVERYTHING: list[tuple[str, Ask]] = [
    ("trade/order", lambda c: c.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)),
    (
        "trade/amend-order",
        lambda c: c.amend_order(
            ALICE,
            AmendRequest(inst_id=BTC, exchange_order_id="1", price=Decimal(3)),
            exp_at_ms=LATER_MS,
        ),
    ),
    (
        "trade/cancel-order",
        lambda c: c.cancel_order(ALICE, CancelRequest(inst_id=BTC, client_order_id="a")),
    ),
    (
        "trade/cancel-batch-orders",
        lambda c: c.cancel_orders(ALICE, [CancelRequest(inst_id=BTC, exchange_order_id="7")]),
    ),
    (
        "trade/close-position",
        lambda c: c.close_position(
            ALICE, BTC, MarginMode.CROSS, PositionSide.LONG, auto_cancel=True, client_order_id="z"
        ),
    ),
    ("trade/cancel-all-after", lambda c: c.cancel_all_after(ALICE, 60, tag="desk1")),
    (
        "trade/amend-algos",
        lambda c: c.amend_algo_order(
            ALICE, AlgoAmendRequest(inst_id=BTC, client_algo_id="s1", stop_loss=LEG)
        ),
    ),
    (
        "trade/cancel-algos",
        lambda c: c.cancel_algo_orders(
            ALICE, [AlgoCancelRequest(inst_id=BTC, client_algo_id="s1")]
        ),
    ),
    (
        "account/set-leverage",
        lambda c: c.set_leverage(ALICE, BTC, Decimal(5), MarginMode.ISOLATED, PositionSide.SHORT),
    ),
    ("account/set-position-mode", lambda c: c.set_position_mode(ALICE, PositionMode.NET)),
    ("trade/order", lambda c: c.fetch_order(ALICE, BTC, client_order_id="abc")),
    ("trade/orders-pending", lambda c: c.fetch_open_orders(ALICE, InstrumentType.SWAP)),
    (
        "trade/orders-history",
        lambda c: c.fetch_order_history(ALICE, InstrumentType.SPOT, begin_ms=1),
    ),
    ("trade/fills", lambda c: c.fetch_fills(ALICE, exchange_order_id="5")),
    ("account/bills-archive", lambda c: c.fetch_transfers(ALICE, begin_ms=1)),
    ("trade/order-algo", lambda c: c.fetch_algo_order(ALICE, client_algo_id="s1")),
    ("trade/orders-algo-pending", lambda c: c.fetch_open_algo_orders(ALICE)),
    ("trade/orders-algo-history", lambda c: c.fetch_algo_order_history(ALICE, begin_ms=1)),
    ("account/positions", lambda c: c.fetch_positions(ALICE)),
    ("account/balance", lambda c: c.fetch_balance(ALICE)),
    ("account/config", lambda c: c.fetch_account_config(ALICE)),
    ("account/leverage-info", lambda c: c.fetch_leverage(ALICE, BTC, MarginMode.CROSS)),
]


async def test_every_request_is_signed_as_documented_and_as_ccxt_does() -> None:
    async with wire(http("200 OK", envelope("0"))) as server, client_of(server) as client:
        for path, ask in EVERYTHING:
            before = len(server.requests)
            # An empty answer is none to some of the questions.
            with contextlib.suppress(ExchangeError):
                await ask(client)
            for request in server.requests[before:]:
                assert_signed(request, ALICE)
                assert_like_ccxt(request, path)

    assert len(server.requests) >= len(EVERYTHING)


async def test_an_algo_order_is_signed_as_documented() -> None:
    """ccxt would put a broker's name on it: that one we cannot ask."""
    async with wire(http("200 OK", envelope("0"))) as server, client_of(server) as client:
        await client.place_algo_order(ALICE, stop())

    (post,) = server.posts
    assert post.target == "/api/v5/trade/order-algo"
    assert_signed(post, ALICE)
    assert json.loads(post.body) == encode.algo_body(stop())


def assert_like_ccxt(request: Any, path: str) -> None:
    query = request.target.partition("?")[2]
    params = json.loads(request.body) if request.body else dict(parse_qsl(query))
    timestamp = request.headers["OK-ACCESS-TIMESTAMP"]

    theirs = signed_by(reference_okx(), ALICE, path, request.method, params, timestamp)

    assert theirs["url"].endswith(request.target)
    assert (theirs["body"] or "") == request.body
    assert {name: request.headers[name] for name in theirs["headers"]} == theirs["headers"]
