"""Algo orders over REST: what prices and positions do to them."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator
from tests.simulator.codes.cases_algo import OCO, STOP
from tests.simulator.test_algo_shapes import place

pytestmark = pytest.mark.simulator

WHOLE: dict[str, Any] = {"sz": None, "closeFraction": "1"}
COIN = "XRP-USDT"
TRIGGER = {"ordType": "trigger", "triggerPx": "65000", "orderPx": "-1"}
numbers = count(1)


@pytest.fixture
def trader(own: Simulator) -> Client:
    """An account on an exchange whose prices the test moves; they begin at 64,000."""
    move(own, "64000")
    return own.account(f"algo{next(numbers)}")


def move(simulator: Simulator, price: str, inst_id: str = SWAP) -> None:
    assert simulator.ask("POST", "/prices", {inst_id: price}).status == 200


def one(client: Client, algo_id: str) -> dict[str, Any]:
    return dict(client.get("trade/order-algo", {"algoId": algo_id}).row)


def live(client: Client, kinds: str = "conditional,oco") -> list[Any]:
    return list(client.get("trade/orders-algo-pending", {"ordType": kinds}).data)


def held(client: Client) -> str:
    rows = client.get("account/positions").data
    return str(rows[0]["pos"]) if rows else "0"


@pytest.mark.parametrize(
    ("opening", "closing", "leg", "before", "reached"),
    [
        ("buy", "sell", {"slTriggerPx": "63000", "slOrdPx": "-1"}, "63000.1", "63000"),
        ("buy", "sell", {"tpTriggerPx": "65000", "tpOrdPx": "-1"}, "64999.9", "65000"),
        ("sell", "buy", {"slTriggerPx": "65000", "slOrdPx": "-1"}, "64999.9", "65000"),
        ("sell", "buy", {"tpTriggerPx": "63000", "tpOrdPx": "-1"}, "63000.1", "63000"),
    ],
)
def test_a_stop_order_is_sent_when_its_price_is_reached(
    trader: Client, opening: str, closing: str, leg: dict[str, str], before: str, reached: str
) -> None:
    trader.order(side=opening, sz="2")
    algo_id = place(trader, side=closing, algoClOrdId="mine", **leg)
    move(trader.simulator, before)
    assert [each["algoId"] for each in live(trader)] == [algo_id]

    move(trader.simulator, reached)

    row = one(trader, algo_id)
    name = "sl" if "slOrdPx" in leg else "tp"
    assert (row["state"], row["actualSide"], row["actualSz"]) == ("effective", name, "1")
    assert (row["failCode"], row["ordIdList"]) == ("", [row["ordId"]])
    order = trader.get("trade/order", {"instId": SWAP, "ordId": row["ordId"]}).row
    assert (order["state"], order["ordType"], order["side"]) == ("filled", "market", closing)
    assert (order["algoId"], order["algoClOrdId"], order["source"]) == (algo_id, "mine", "7")
    assert held(trader) == ("1" if opening == "buy" else "-1")
    assert live(trader) == []


def test_a_priced_stop_order_rests_at_its_price(trader: Client) -> None:
    trader.order()
    algo_id = place(trader, slTriggerPx="63000", slOrdPx="63500")

    move(trader.simulator, "62900")

    (order,) = trader.get("trade/orders-pending").data
    assert (order["px"], order["sz"], order["reduceOnly"]) == ("63500", "1", "true")
    row = one(trader, algo_id)
    assert (row["actualPx"], row["actualSz"], row["state"]) == ("63500", "1", "effective")


def test_one_jump_over_both_legs_closes_once(trader: Client) -> None:
    trader.order(sz="3")
    first = place(trader, **{**OCO, "sz": "3", "slTriggerPxType": "mark"})
    second = place(trader, slTriggerPx="63500", slOrdPx="-1", sz="3")

    move(trader.simulator, "62000")

    assert held(trader) == "0"
    assert one(trader, first)["state"] == "effective"
    row = one(trader, second)
    assert (row["state"], row["failCode"]) == ("order_failed", "51169")
    assert len(trader.get("trade/fills").data) == 2


def test_a_stop_order_larger_than_the_position_closes_what_is_left(trader: Client) -> None:
    trader.order(sz="2")
    algo_id = place(trader, **STOP, sz="5")

    move(trader.simulator, "62000")

    assert (held(trader), one(trader, algo_id)["actualSz"]) == ("0", "2")


def test_a_stop_order_that_may_open_does(trader: Client) -> None:
    place(trader, **STOP, reduceOnly=None)

    move(trader.simulator, "62000")

    assert held(trader) == "-1"


def test_a_whole_position_is_closed_at_its_size_of_then(trader: Client) -> None:
    trader.order(sz="2")
    place(trader, **OCO, **WHOLE)
    trader.order(sz="3")

    move(trader.simulator, "66000")

    assert held(trader) == "0"
    assert trader.get("trade/orders-history", {"instType": "SWAP"}).row["sz"] == "5"


@pytest.mark.parametrize("bound", [{**WHOLE}, {"cxlOnClosePos": True}])
def test_what_belongs_to_a_position_ends_with_it(trader: Client, bound: dict[str, Any]) -> None:
    trader.order(sz="2")
    gone = place(trader, **OCO, **bound)
    kept = place(trader, **STOP)
    trader.order(side="sell", sz="1")
    assert len(live(trader)) == 2

    trader.post("trade/close-position", {"instId": SWAP, "mgnMode": "cross"})

    assert one(trader, gone)["state"] == "canceled"
    assert [each["algoId"] for each in live(trader)] == [kept]


@pytest.mark.parametrize(
    ("trigger", "price", "side", "px"),
    [("65000", "65000", "buy", "-1"), ("63000", "62000", "sell", "-1")],
)
def test_a_trigger_order_waits_from_either_side(
    trader: Client, trigger: str, price: str, side: str, px: str
) -> None:
    terms = {"ordType": "trigger", "triggerPx": trigger, "orderPx": px, "reduceOnly": None}
    algo_id = place(trader, side=side, **terms)
    assert held(trader) == "0"

    move(trader.simulator, price)

    assert held(trader) == ("1" if side == "buy" else "-1")
    row = one(trader, algo_id)
    order = trader.get("trade/order", {"instId": SWAP, "ordId": row["ordId"]}).row
    assert (row["state"], row["actualSide"], order["source"]) == ("effective", "", "6")


def test_a_trigger_order_fills_at_once_or_not_at_all_when_asked(trader: Client) -> None:
    terms = {"ordType": "trigger", "triggerPx": "65000", "reduceOnly": None, "side": "buy"}
    algo_id = place(trader, **terms, orderPx="64500", advanceOrdType="fok")

    move(trader.simulator, "65000")

    row = one(trader, algo_id)
    order = trader.get("trade/order", {"instId": SWAP, "ordId": row["ordId"]}).row
    assert (order["ordType"], order["state"], order["cancelSource"]) == ("fok", "canceled", "13")


def test_a_trigger_order_brings_its_stops_along(trader: Client) -> None:
    carried = {"slTriggerPx": "64000", "slOrdPx": "-1", "attachAlgoClOrdId": "guard"}
    terms = {"ordType": "trigger", "triggerPx": "65000", "reduceOnly": None, "side": "buy"}
    place(trader, **terms, orderPx="-1", attachAlgoOrds=[carried])
    move(trader.simulator, "65000")
    (armed,) = live(trader)
    assert (armed["algoClOrdId"], armed["side"], armed["sz"]) == ("guard", "sell", "1")

    move(trader.simulator, "64000")

    assert held(trader) == "0"


def test_an_order_that_is_refused_fails_the_algo_order_with_its_code(trader: Client) -> None:
    terms = {"ordType": "trigger", "triggerPx": "65000", "orderPx": "-1", "reduceOnly": None}
    algo_id = place(trader, side="buy", sz="9999", **terms)

    move(trader.simulator, "65000")

    row = one(trader, algo_id)
    assert (row["state"], row["failCode"], row["ordIdList"]) == ("order_failed", "51008", [])
    failed = {"ordType": "trigger", "state": "order_failed"}
    assert [each["algoId"] for each in trader.get("trade/orders-algo-history", failed).data] == [
        algo_id
    ]
    assert held(trader) == "0"


@pytest.mark.parametrize(
    ("callback", "first", "second"),
    [({"callbackRatio": "0.01"}, "63360", "64350"), ({"callbackSpread": "500"}, "63500", "64500")],
)
def test_a_trailing_stop_follows_the_price_up_and_sells_on_the_way_down(
    trader: Client, callback: dict[str, str], first: str, second: str
) -> None:
    trader.order()
    algo_id = place(trader, ordType="move_order_stop", **callback)
    assert one(trader, algo_id)["moveTriggerPx"] == first
    move(trader.simulator, "65000")
    assert one(trader, algo_id)["moveTriggerPx"] == second
    move(trader.simulator, "64600")
    assert (held(trader), one(trader, algo_id)["state"]) == ("1", "live")

    move(trader.simulator, second)

    row = one(trader, algo_id)
    assert (held(trader), row["state"], row["actualSz"]) == ("0", "effective", "1")
    order = trader.get("trade/order", {"instId": SWAP, "ordId": row["ordId"]}).row
    assert order["source"] == "25"


def test_a_trailing_stop_waits_for_its_activation_price(trader: Client) -> None:
    trader.order()
    terms = {"ordType": "move_order_stop", "callbackSpread": "100", "activePx": "65000"}
    algo_id = place(trader, **terms)
    move(trader.simulator, "63000")
    assert (held(trader), one(trader, algo_id)["moveTriggerPx"]) == ("1", "")
    move(trader.simulator, "65100")
    assert one(trader, algo_id)["moveTriggerPx"] == "65000"

    move(trader.simulator, "65000")

    assert held(trader) == "0"


def test_spot_stops_sell_the_coins_that_were_bought(trader: Client) -> None:
    last = Decimal(trader.get("market/ticker", {"instId": COIN}).row["last"])
    lower = str(last - Decimal("0.1"))
    guard = {"slTriggerPx": lower, "slOrdPx": "-1"}
    assert trader.order(instId=COIN, sz="1000", attachAlgoOrds=[guard]).code == "0"
    bought = Decimal(trader.balance("XRP")["availBal"])
    (armed,) = live(trader)
    assert bought - Decimal(armed["sz"]) < Decimal(1)

    move(trader.simulator, lower, COIN)

    assert Decimal(trader.balance("XRP")["availBal"]) == bought - Decimal(armed["sz"])
    assert one(trader, armed["algoId"])["state"] == "effective"
    move(trader.simulator, str(last), COIN)
