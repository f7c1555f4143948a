"""Algo orders over REST: amended, canceled, listed, refused, limited."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Answer, Client, Simulator
from tests.simulator.codes.cases_algo import OCO, STOP, algo
from tests.simulator.test_algo_orders import TRIGGER, held, live, move, one
from tests.simulator.test_algo_shapes import place

pytestmark = pytest.mark.simulator

numbers = count(1)


@pytest.fixture
def trader(own: Simulator) -> Client:
    move(own, "64000")
    return own.account(f"calls{next(numbers)}")


def amend(client: Client, algo_id: str, **changes: Any) -> Answer:
    body = {"instId": SWAP, "algoId": algo_id, **changes}
    return client.post("trade/amend-algos", body)


def test_a_trailing_stop_cannot_be_amended(client: Client) -> None:
    algo_id = place(client, ordType="move_order_stop", callbackSpread="100")

    assert amend(client, algo_id, newSz="2").row["sCode"] == "51506"
    assert one(client, algo_id)["sz"] == "1"


def test_amended_terms_count(trader: Client) -> None:
    trader.order(sz="2")
    algo_id = place(trader, **OCO)
    assert amend(trader, algo_id, newSz="2", newSlTriggerPx="62000").code == "0"
    assert amend(trader, algo_id, newTpTriggerPx="0").code == "0"
    row = one(trader, algo_id)
    assert (row["ordType"], row["sz"], row["slTriggerPx"], row["tpTriggerPx"]) == (
        "conditional",
        "2",
        "62000",
        "",
    )

    move(trader.simulator, "62900")
    assert held(trader) == "2"
    move(trader.simulator, "62000")

    assert held(trader) == "0"


def test_an_amended_trigger_order_waits_anew(trader: Client) -> None:
    terms = {"ordType": "trigger", "triggerPx": "65000", "orderPx": "-1", "reduceOnly": None}
    algo_id = place(trader, side="buy", **terms)
    assert amend(trader, algo_id, newTriggerPx="63000", newOrdPx="63000").code == "0"

    move(trader.simulator, "65000")
    assert held(trader) == "0"
    move(trader.simulator, "63000")

    row = one(trader, algo_id)
    assert (row["state"], row["actualPx"], row["ordPx"]) == ("effective", "63000", "63000")


@pytest.mark.parametrize(("asked", "ends"), [(True, "canceled"), ("false", "live")])
def test_a_failed_amendment_cancels_only_when_asked(client: Client, asked: Any, ends: str) -> None:
    algo_id = place(client, **STOP)

    answer = amend(client, algo_id, newSlTriggerPx="65000", cxlOnFail=asked)

    row = one(client, algo_id)
    assert (answer.row["sCode"], row["state"], row["slTriggerPx"]) == ("51280", ends, "63000")


def test_cancel_takes_names_and_tells_for_each(client: Client) -> None:
    first, second = place(client, **STOP, algoClOrdId="named"), place(client, **STOP)
    items = [
        {"instId": SWAP, "algoClOrdId": "named"},
        {"instId": SWAP, "algoId": "1"},
        {"instId": SWAP, "algoId": second},
    ]

    answer = client.post("trade/cancel-algos", items)

    assert (answer.code, answer.body["msg"]) == ("2", "Bulk operation partially succeeded.")
    told = [(row["algoId"], row["sCode"]) for row in answer.data]
    assert told == [(first, "0"), ("1", "51400"), (second, "0")]
    assert live(client) == []


def test_at_most_ten_are_canceled_at_once(client: Client) -> None:
    algo_id = place(client, **STOP)
    item = {"instId": SWAP, "algoId": algo_id}

    assert client.post("trade/cancel-algos", [item] * 11).code == "51111"
    assert client.post("trade/cancel-algos", []).code == "50000"
    assert client.post("trade/cancel-algos", item).code == "50002"
    assert [each["algoId"] for each in live(client)] == [algo_id]


def test_lists_are_paged_newest_first(client: Client) -> None:
    ids = [place(client, **STOP) for _ in range(4)]
    path, kinds = "trade/orders-algo-pending", {"ordType": "conditional"}

    def listed(**params: str) -> list[str]:
        return [each["algoId"] for each in client.get(path, kinds | params).data]

    assert listed() == ids[::-1]
    assert listed(limit="2") == [ids[3], ids[2]]
    assert listed(after=ids[2], limit="1") == [ids[1]]
    assert listed(before=ids[1]) == [ids[3], ids[2]]
    assert listed(algoId=ids[0]) == [ids[0]]
    assert listed(instId=SPOT) == []


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("orders-algo-pending", {}, "50014"),
        ("orders-algo-pending", {"ordType": "conditional,trigger"}, "51000"),
        ("orders-algo-pending", {"ordType": "limit"}, "51000"),
        ("orders-algo-history", {"ordType": "oco"}, "50015"),
        ("orders-algo-history", {"ordType": "oco", "state": "live"}, "51000"),
        ("order-algo", {}, "50015"),
        ("order-algo", {"algoId": "1"}, "51603"),
    ],
)
def test_queries_that_make_no_sense_are_refused(
    client: Client, path: str, params: dict[str, str], code: str
) -> None:
    assert client.get(f"trade/{path}", params).code == code


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"ordType": "chase"}, "51000"),
        ({"ordType": "twap"}, "51000"),
        ({"slTriggerPx": "63000.05", "slOrdPx": "-1"}, "51150"),
        ({"slTriggerPx": "63000"}, "50014"),
        ({"slOrdPx": "-1"}, "50014"),
        ({}, "50015"),
        ({**STOP, "sz": None}, "50014"),
        ({**STOP, "sz": "1.005"}, "51121"),
        ({**STOP, "closeFraction": "1"}, "51000"),
        ({**STOP, "sz": None, "closeFraction": "0.5"}, "51000"),
        ({**STOP, "cxlOnClosePos": True, "reduceOnly": None}, "51000"),
        ({**STOP, "slTriggerPxType": "best"}, "51000"),
        ({**STOP, "posSide": "long"}, "51000"),
        ({**STOP, "algoClOrdId": "not-a-name"}, "51000"),
        ({"ordType": "move_order_stop"}, "50015"),
        ({"ordType": "trigger", "triggerPx": "65000"}, "50014"),
        ({**TRIGGER, "advanceOrdType": "gtc"}, "51000"),
        ({**STOP, "instId": "NOT-USDT-SWAP"}, "51001"),
    ],
)
def test_algo_orders_that_make_no_sense_change_nothing(
    client: Client, terms: dict[str, Any], code: str
) -> None:
    answer = client.post("trade/order-algo", algo(**terms))

    assert (answer.status, answer.code, answer.row["sCode"]) == (200, "1", code)
    assert [live(client, each) for each in ("conditional,oco", "trigger", "move_order_stop")] == [
        [],
        [],
        [],
    ]


@pytest.mark.long
def test_the_countdown_runs_on_the_heartbeat_of_the_process(client: Client) -> None:
    assert client.order(ordType="limit", px="61000", tag="t1").code == "0"
    ord_id = client.get("trade/orders-pending").row["ordId"]
    assert client.post("trade/cancel-all-after", {"timeOut": "10", "tag": "t1"}).code == "0"
    until = time.monotonic() + 15

    while client.get("trade/orders-pending").data and time.monotonic() < until:
        time.sleep(0.2)

    ended = client.get("trade/order", {"instId": SWAP, "ordId": ord_id}).row
    assert (ended["state"], ended["cancelSource"]) == ("canceled", "20")
    assert int(ended["uTime"]) - int(ended["cTime"]) >= 10_000


def test_placing_needs_permission_to_trade(own: Simulator) -> None:
    reader = own.account(f"calls{next(numbers)}", perm="read_only")

    for path in ("order-algo", "amend-algos", "cancel-all-after", "mass-cancel"):
        assert reader.post(f"trade/{path}", algo(**STOP)).code == "50120"
    assert live(reader) == []


def test_request_limits_count_algo_orders_canceled(own: Simulator) -> None:
    client = own.account(f"calls{next(numbers)}")
    own.ask("POST", "/limits", {"mode": "okx"})
    items = [{"instId": SWAP, "algoId": "1"}] * 10

    codes = [client.post("trade/cancel-algos", items).code for _ in range(3)]
    placed = [client.post("trade/order-algo", algo(**STOP)).code for _ in range(21)]

    assert codes == ["1", "1", "50011"]
    assert placed == ["0"] * 20 + ["50011"]
