"""Stock ccxt places, reads, edits and cancels algo orders, and brings stops along."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import ccxt
import pytest

from tests.simulator.client import Simulator
from tests.simulator.test_algo_orders import move
from tests.simulator.test_ccxt import aim, options

pytestmark = pytest.mark.simulator

SWAP = "BTC/USDT:USDT"
CLOSING = {"reduceOnly": True}
_numbers = count(1)


@pytest.fixture
def exchange(own: Simulator) -> Iterator[Any]:
    move(own, "64000")
    made = aim(ccxt.okx(options(own.account(f"stops{next(_numbers)}"))), own)
    made.load_markets()
    made.create_order(SWAP, "market", "buy", 2)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("kind", "params", "read"),
    [
        ("conditional", {"stopLossPrice": 63000}, {"stopLossPrice": 63000.0}),
        ("conditional", {"takeProfitPrice": 66000}, {"takeProfitPrice": 66000.0}),
        (
            "oco",
            {"stopLossPrice": 63000, "takeProfitPrice": 66000},
            {"stopLossPrice": 63000.0, "takeProfitPrice": 66000.0},
        ),
        ("trigger", {"triggerPrice": 63000}, {"triggerPrice": 63000.0}),
        ("move_order_stop", {"trailingPercent": 5}, {"triggerPrice": 60800.0}),
        ("move_order_stop", {"trailingAmount": 500}, {"triggerPrice": 63500.0}),
    ],
)
def test_algo_orders_live_and_are_canceled(
    exchange: Any, kind: str, params: dict[str, Any], read: dict[str, Any]
) -> None:
    placed = exchange.create_order(SWAP, "market", "sell", 1, None, {**CLOSING, **params})
    ask = {"trailing": True} if kind == "move_order_stop" else {"trigger": True, "ordType": kind}

    (listed,) = exchange.fetch_open_orders(SWAP, params=ask)
    one = exchange.fetch_order(placed["id"], SWAP, {"trigger": True})

    told = {"id": placed["id"], "type": kind, "side": "sell", "amount": 1.0, "status": "open"}
    for row in (listed, one):
        assert {name: row[name] for name in {**told, **read}} == {**told, **read}
        assert row["reduceOnly"] is True
    exchange.cancel_order(placed["id"], SWAP, ask)
    assert exchange.fetch_open_orders(SWAP, params=ask) == []
    (ended,) = exchange.fetch_canceled_orders(SWAP, params={"trigger": True, "ordType": kind})
    assert (ended["id"], ended["status"]) == (placed["id"], "canceled")


def test_a_stop_is_edited(exchange: Any) -> None:
    placed = exchange.create_order(
        SWAP, "market", "sell", 2, None, {**CLOSING, "stopLossPrice": 63000}
    )
    changes = {"stopLossPrice": 62000, "newSlOrdPx": "-1"}
    exchange.edit_order(placed["id"], SWAP, "conditional", "sell", 2, 62000, changes)

    edited = exchange.fetch_order(placed["id"], SWAP, {"trigger": True})

    assert (edited["stopLossPrice"], edited["amount"]) == (62000.0, 2.0)


def test_stops_attached_to_an_order_close_its_position(exchange: Any, own: Simulator) -> None:
    legs = {"stopLoss": {"triggerPrice": 60000}, "takeProfit": {"triggerPrice": 70000}}
    placed = exchange.create_order(SWAP, "limit", "buy", 3, 63000, legs)
    resting = exchange.fetch_order(placed["id"], SWAP)
    assert (resting["stopLossPrice"], resting["takeProfitPrice"]) == (60000.0, 70000.0)
    move(own, "63000")
    (armed,) = exchange.fetch_open_orders(SWAP, params={"trigger": True, "ordType": "oco"})

    move(own, "70000")

    (position,) = exchange.fetch_positions()
    assert (armed["amount"], position["contracts"]) == (3.0, 2.0)
    done = exchange.fetch_closed_orders(SWAP, params={"trigger": True, "ordType": "oco"})
    assert [(each["id"], each["status"]) for each in done] == [(armed["id"], "closed")]


def test_a_countdown_is_started_and_stopped(exchange: Any) -> None:
    started = exchange.cancel_all_orders_after(60_000)
    stopped = exchange.cancel_all_orders_after(0)

    assert started["data"][0]["triggerTime"] != "0"
    assert stopped["data"][0]["triggerTime"] == "0"


def test_refusals_are_ccxt_errors(exchange: Any) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="51280"):
        exchange.create_order(SWAP, "market", "sell", 1, None, {"stopLossPrice": 65000})
    with pytest.raises(ccxt.OrderNotFound, match="51603"):
        exchange.fetch_order("1", SWAP, {"trigger": True})
    with pytest.raises(ccxt.OrderNotFound, match="51400"):
        exchange.cancel_order("1", SWAP, {"trigger": True})
