"""Take profits and stop losses that orders bring along: armed, amended, ended with them."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator, order
from tests.simulator.codes.cases_algo import algo
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_algo_orders import held, live, move, one
from tests.simulator.test_algo_shapes import place

pytestmark = pytest.mark.simulator

numbers = count(1)
LEGS = {"tpTriggerPx": "66000", "tpOrdPx": "-1", "slTriggerPx": "60000", "slOrdPx": "-1"}
RESTING: dict[str, Any] = {"ordType": "limit", "px": "63000"}
PARTS = [
    {"tpTriggerPx": "65000", "tpOrdPx": "-1", "sz": "1"},
    {"tpTriggerPx": "66000", "tpOrdPx": "-1", "sz": "2"},
    {"slTriggerPx": "62000", "slOrdPx": "-1", "amendPxOnTriggerType": "1"},
]


@pytest.fixture
def trader(own: Simulator) -> Client:
    move(own, "64000")
    return own.account(f"legs{next(numbers)}")


@pytest.fixture
def hedger(own: Simulator) -> Client:
    move(own, "64000")
    return own.account(f"legs{next(numbers)}", pos_mode="long_short_mode")


def send(client: Client, **terms: Any) -> str:
    answer = client.order(**terms)
    assert answer.code == "0", answer.body
    return str(answer.row["ordId"])


def carried(client: Client, ord_id: str) -> list[Any]:
    row = client.get("trade/order", {"instId": SWAP, "ordId": ord_id}).row
    return list(row["attachAlgoOrds"])


def test_a_fill_arms_both_legs_as_one_oco(trader: Client) -> None:
    named = {**LEGS, "attachAlgoClOrdId": "guard"}
    ord_id = send(trader, **RESTING, sz="2", tag="t1", attachAlgoOrds=[named])
    (leg,) = carried(trader, ord_id)
    assert live(trader) == []

    move(trader.simulator, "63000")

    (armed,) = live(trader)
    told = {"ordType": "oco", "side": "sell", "sz": "2", "state": "live", "reduceOnly": "true"}
    assert {name: armed[name] for name in told} == told
    assert (armed["algoClOrdId"], armed["tag"]) == ("guard", "t1")
    assert armed["algoId"] != leg["attachAlgoId"]
    assert {name: armed[name] for name in LEGS} == LEGS


@pytest.mark.parametrize(("price", "side"), [("66000", "tp"), ("60000", "sl")])
def test_one_leg_closes_and_ends_the_other(trader: Client, price: str, side: str) -> None:
    send(trader, attachAlgoOrds=[LEGS])
    (armed,) = live(trader)

    move(trader.simulator, price)

    row = one(trader, armed["algoId"])
    assert (row["state"], row["actualSide"], held(trader)) == ("effective", side, "0")
    move(trader.simulator, "64000")
    assert (live(trader), held(trader)) == ([], "0")


def test_legs_end_with_an_order_that_never_filled(trader: Client) -> None:
    ord_id = send(trader, **RESTING, attachAlgoOrds=[LEGS])
    trader.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})

    move(trader.simulator, "60000")

    assert (live(trader), held(trader)) == ([], "0")


def test_closing_by_hand_ends_the_legs(trader: Client) -> None:
    send(trader, attachAlgoOrds=[LEGS])
    (armed,) = live(trader)

    trader.order(side="sell")

    assert one(trader, armed["algoId"])["state"] == "canceled"
    move(trader.simulator, "60000")
    assert held(trader) == "0"


def test_a_resting_order_filled_by_another_account_is_protected(trader: Client) -> None:
    other = trader.simulator.account(f"{trader.key}other")
    send(trader, ordType="limit", px="64000", sz="2", attachAlgoOrds=[LEGS])

    send(other, side="sell", sz="2", ordType="limit", px="64000")

    (armed,) = live(trader)
    assert (armed["sz"], held(trader), held(other)) == ("2", "2", "-2")


def test_what_was_filled_of_a_canceled_order_is_protected(trader: Client) -> None:
    other = trader.simulator.account(f"{trader.key}other")
    ord_id = send(trader, ordType="limit", px="64000", sz="2", attachAlgoOrds=[LEGS])
    send(other, side="sell", sz="0.5", ordType="limit", px="64000")
    assert live(trader) == []

    trader.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})

    assert [each["sz"] for each in live(trader)] == ["0.5"]


def test_legs_of_either_side_close_their_own_position(hedger: Client) -> None:
    send(hedger, posSide="long", attachAlgoOrds=[LEGS])
    flipped = {"tpTriggerPx": "60000", "tpOrdPx": "-1", "slTriggerPx": "66000", "slOrdPx": "-1"}
    send(hedger, side="sell", posSide="short", sz="3", attachAlgoOrds=[flipped])

    move(hedger.simulator, "66000")

    positions = hedger.get("account/positions").data
    assert positions == []
    ended = hedger.get("trade/orders-algo-history", {"ordType": "oco", "state": "effective"}).data
    assert {(each["posSide"], each["side"], each["actualSide"]) for each in ended} == {
        ("long", "sell", "tp"),
        ("short", "buy", "sl"),
    }


def test_amended_legs_are_the_ones_that_are_armed(trader: Client) -> None:
    ord_id = send(trader, **RESTING, attachAlgoOrds=[LEGS])
    (leg,) = carried(trader, ord_id)
    changes = [{"attachAlgoId": leg["attachAlgoId"], "newSlTriggerPx": "61000", "newTpOrdPx": "0"}]

    amended = trader.post(
        "trade/amend-order",
        {"instId": SWAP, "ordId": ord_id, "reqId": "r1", "newSz": "2", "attachAlgoOrds": changes},
    )
    move(trader.simulator, "63000")

    assert (amended.code, amended.row["reqId"]) == ("0", "r1")
    (armed,) = live(trader)
    assert (armed["ordType"], armed["slTriggerPx"], armed["tpTriggerPx"], armed["sz"]) == (
        "conditional",
        "61000",
        "",
        "2",
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"attachAlgoId": "1", "newSlTriggerPx": "61000"}, "51527"),
        ({"newSlTriggerPx": "63000"}, "51047"),
        ({"newTpTriggerPx": "62000"}, "51046"),
        ({"newSlTriggerPx": "61000.05"}, "51150"),
    ],
)
def test_amendments_that_make_no_sense_change_nothing(
    client: Client, change: dict[str, str], code: str
) -> None:
    ord_id = send(client, **RESTING, attachAlgoOrds=[LEGS])
    before = carried(client, ord_id)
    asked = {"attachAlgoId": before[0]["attachAlgoId"], **change}

    body = {"instId": SWAP, "ordId": ord_id, "newSz": "2", "attachAlgoOrds": [asked]}
    answer = client.post("trade/amend-order", body)

    assert answer.row["sCode"] == code
    assert carried(client, ord_id) == before
    assert client.get("trade/orders-pending").row["sz"] == "1"


@pytest.mark.parametrize(
    "attached",
    [
        [{**LEGS, "slTriggerRatio": "0.1"}],
        [{**LEGS, "callbackRatio": "0.05"}],
        [{**LEGS, "slOrdPx": ""}],
        [{}],
        "LEGS",
        [["LEGS"]],
    ],
)
def test_legs_that_make_no_sense_refuse_the_order(client: Client, attached: Any) -> None:
    answer = client.order(attachAlgoOrds=attached)

    assert answer.row["sCode"] in ("51000", "50014")
    assert (held(client), client.get("trade/fills").data) == ("0", [])


def test_empty_attachments_are_absent(client: Client) -> None:
    for nothing in (None, "", []):
        assert client.order(attachAlgoOrds=nothing).code == "0"
    assert live(client) == []


def test_several_take_profits_share_a_position(trader: Client) -> None:
    send(trader, sz="3", attachAlgoOrds=PARTS)
    assert sorted(each["sz"] for each in live(trader)) == ["1", "2", "3"]

    move(trader.simulator, "65000")
    (stop,) = [each for each in live(trader) if each["slTriggerPx"]]
    assert (held(trader), stop["slTriggerPx"]) == ("2", "64000.1")
    move(trader.simulator, "64000")

    assert (held(trader), live(trader)) == ("0", [])


def test_the_stop_loss_of_several_take_profits_ends_them(trader: Client) -> None:
    send(trader, sz="3", attachAlgoOrds=PARTS)

    move(trader.simulator, "62000")

    assert (held(trader), live(trader)) == ("0", [])


def test_a_take_profit_limit_rests_beside_its_stop_loss(trader: Client) -> None:
    limited = {"tpOrdKind": "limit", "tpOrdPx": "66000", "slTriggerPx": "60000", "slOrdPx": "-1"}
    send(trader, sz="2", attachAlgoOrds=[limited])
    (resting,) = trader.get("trade/orders-pending").data
    (stop,) = live(trader)
    assert (resting["px"], resting["sz"], resting["isTpLimit"]) == ("66000", "2", "true")
    assert resting["linkedAlgoOrd"] == {"algoId": stop["algoId"]}
    assert stop["linkedOrd"] == {"ordId": resting["ordId"]}

    move(trader.simulator, "66000")

    assert (held(trader), live(trader)) == ("0", [])
    assert one(trader, stop["algoId"])["state"] == "canceled"


@pytest.mark.parametrize("way", ["triggered", "canceled"])
def test_a_take_profit_limit_goes_when_its_stop_loss_does(trader: Client, way: str) -> None:
    trader.order(sz="2")
    terms = {"tpOrdKind": "limit", "tpOrdPx": "66000", "slTriggerPx": "60000", "slOrdPx": "-1"}
    algo_id = place(trader, ordType="oco", **terms, cxlOnClosePos=True, sz="2")
    (resting,) = trader.get("trade/orders-pending").data

    if way == "triggered":
        move(trader.simulator, "60000")
    else:
        trader.post("trade/cancel-algos", [{"instId": SWAP, "algoId": algo_id}])

    ended = trader.get("trade/order", {"instId": SWAP, "ordId": resting["ordId"]}).row
    source = "36" if way == "triggered" else "37"
    assert (ended["state"], ended["cancelSource"]) == ("canceled", source)
    assert held(trader) == ("0" if way == "triggered" else "2")


async def test_batches_and_sockets_bring_legs_along(trader: Client, connect: OpenSocket) -> None:
    body = order(attachAlgoOrds=[LEGS])
    assert trader.post("trade/batch-orders", [body, body]).code == "0"
    socket = await connect(trader.simulator.ws["private"])
    await socket.say(trader.login())
    await socket.say({"id": "1", "op": "order", "args": [body]})

    answer = await socket.find(op="order")

    assert answer["code"] == "0"
    assert len(live(trader)) == 3


def test_a_trailing_stop_is_brought_along(trader: Client) -> None:
    trail = {"callbackSpread": "500", "attachAlgoClOrdId": "trail"}
    ord_id = send(trader, sz="2", attachAlgoOrds=[trail])
    (leg,) = carried(trader, ord_id)
    (armed,) = live(trader, "move_order_stop")
    assert (leg["callbackSpread"], armed["algoClOrdId"], armed["sz"]) == ("500", "trail", "2")
    move(trader.simulator, "65000")
    assert (held(trader), one(trader, armed["algoId"])["moveTriggerPx"]) == ("2", "64500")

    move(trader.simulator, "64500")

    assert held(trader) == "0"


def test_an_attached_trailing_stop_becomes_active_beyond_its_order(client: Client) -> None:
    trail = {"callbackRatio": "0.01", "activePx": "63000"}

    answer = client.order(**RESTING, attachAlgoOrds=[trail])

    assert answer.row["sCode"] == "51258"
    assert client.get("trade/orders-pending").data == []


def test_the_position_mode_stays_while_algo_orders_wait(client: Client) -> None:
    place(client, slTriggerPx="60000", slOrdPx="-1")
    mode = {"posMode": "long_short_mode"}

    assert client.post("account/set-position-mode", mode).code == "59000"
    assert client.get("account/config").row["posMode"] == "net_mode"
    client.post("trade/cancel-algos", [{"instId": SWAP, "algoId": live(client)[0]["algoId"]}])
    assert client.post("account/set-position-mode", mode).code == "0"


def test_a_reset_account_has_no_algo_orders(trader: Client) -> None:
    send(trader, attachAlgoOrds=[LEGS])
    trader.post("trade/order-algo", algo(slTriggerPx="60000", slOrdPx="-1"))

    assert trader.simulator.ask("POST", f"/accounts/{trader.key}/reset", {}).status == 200

    assert live(trader) == []
    move(trader.simulator, "60000")
    assert held(trader) == "0"
