"""The life of an order: acceptance, refusal, fills, cancellation, queries."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator, order

pytestmark = pytest.mark.simulator

LIMIT: dict[str, str] = {"ordType": "limit", "px": "61000"}


def query(client: Client, ord_id: str, inst_id: str = SWAP) -> Any:
    return client.get("trade/order", {"instId": inst_id, "ordId": ord_id}).row


def test_a_market_order_fills_at_once_with_the_taker_fee(client: Client) -> None:
    placed = client.order(sz="2", clOrdId="m1").row

    row = query(client, placed["ordId"])

    assert placed["sCode"] == "0"
    assert (row["state"], row["accFillSz"], row["avgPx"], row["px"]) == (
        "filled",
        "2",
        "64000.1",
        "",
    )
    assert Decimal(row["fee"]) == -Decimal("0.02") * Decimal("64000.1") * Decimal("0.0005")
    assert (row["feeCcy"], row["reduceOnly"], row["posSide"]) == ("USDT", "false", "net")
    fill = client.get("trade/fills", {"ordId": placed["ordId"]}).row
    assert (fill["fillSz"], fill["fillPx"], fill["execType"]) == ("2", "64000.1", "T")
    assert (fill["fee"], fill["clOrdId"], fill["tradeId"]) == (row["fee"], "m1", row["tradeId"])


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"instId": "FOO-USDT-SWAP"}, "51001"),
        ({"instIdCode": 99}, "51001"),
        ({"instId": ""}, "50014"),
        ({"sz": ""}, "50014"),
        ({"sz": "0"}, "51000"),
        ({"sz": "-1"}, "51000"),
        ({"sz": "abc"}, "51000"),
        ({"sz": "1e400"}, "51000"),
        ({"sz": "9" * 400}, "51000"),
        ({"sz": ["1"]}, "51000"),
        ({"sz": {}}, "51000"),
        ({"sz": "0.015"}, "51121"),
        ({"instId": SPOT, "sz": "0.000001", "ordType": "limit", "px": "64000"}, "51020"),
        ({"side": "hold"}, "51000"),
        ({"ordType": "later"}, "51000"),
        ({"tdMode": "cash"}, "51000"),
        ({"tdMode": ""}, "50014"),
        ({"instId": SPOT, "tdMode": "isolated"}, "51000"),
        ({"posSide": "long"}, "51000"),
        ({"posSide": "up"}, "51000"),
        ({"clOrdId": "a-b"}, "51000"),
        ({"clOrdId": "a_b"}, "51000"),
        ({"clOrdId": "a" * 33}, "51000"),
        ({"tag": "b" * 17}, "51000"),
        ({"ordType": "limit"}, "51204"),
        ({"ordType": "limit", "px": "0"}, "51000"),
        ({"ordType": "limit", "px": "61000.05"}, "51150"),
        ({"ordType": "limit", "px": "80000"}, "51006"),
        ({"ordType": "limit", "px": "40000", "side": "sell"}, "51006"),
        ({"sz": "12001"}, "51202"),
        ({"ordType": "limit", "px": "61000", "sz": "100000001"}, "51101"),
        ({"sz": "900"}, "51008"),
        ({"instId": SPOT, "sz": "200000"}, "51008"),
        ({"instId": SPOT, "sz": "2000000"}, "51201"),
        ({"instId": SPOT, "side": "sell", "sz": "1"}, "51008"),
        ({"reduceOnly": True, "side": "sell"}, "51169"),
        ({"reduceOnly": "maybe"}, "51000"),
        ({"attachAlgoOrds": [{"slTriggerPx": "1"}]}, "50014"),
    ],
)
def test_refusals_are_rows_and_change_nothing(
    client: Client, terms: dict[str, Any], code: str
) -> None:
    answer = client.order(**terms)

    assert (answer.status, answer.code) == (200, "1")
    assert answer.body["msg"] == "All operations failed"
    assert (answer.row["sCode"], answer.row["ordId"]) == (code, "")
    assert answer.row["sMsg"]
    assert client.simulator.entries(kind="order", account=client.key) == []
    assert client.balance()["cashBal"] == "100000"


def test_insufficient_funds_carry_a_sub_code(client: Client) -> None:
    margin = client.order(sz="900").row
    balance = client.order(instId=SPOT, side="sell", sz="1").row

    assert (margin["subCode"], balance["subCode"]) == ("1001", "1000")


def test_empty_texts_nulls_and_unknown_keys_are_ignored(client: Client) -> None:
    answer = client.order(
        ccy="",
        posSide="",
        reduceOnly="",
        px=None,
        attachAlgoOrds=None,
        tgtCcy="",
        banAmend="",
        tag="159881cb7207BCDE",
        whatever={"deep": [1]},
    )

    assert answer.row["sCode"] == "0"


def test_numbers_may_arrive_as_json_numbers(client: Client) -> None:
    answer = client.order(sz=1, ordType="limit", px=61000.1)

    assert query(client, answer.row["ordId"])["px"] == "61000.1"


def test_an_instrument_may_be_named_by_its_code(client: Client) -> None:
    body = order(instIdCode=10459)
    del body["instId"]

    assert client.post("trade/order", body).row["sCode"] == "0"
    assert client.get("account/positions").row["instId"] == SWAP


def test_a_client_id_names_one_order_of_a_batch(client: Client) -> None:
    """Though the first has ended when the second comes; one that was refused took nothing."""
    rows = [order(clOrdId="twin", sz="100000"), *(order(clOrdId="twin") for _ in range(2))]

    answer = client.post("trade/batch-orders", rows)

    assert [row["sCode"] for row in answer.data] == ["51202", "0", "51016"]
    assert (answer.code, client.get("account/positions").row["pos"]) == ("2", "1")


def test_a_client_id_is_taken_only_while_its_order_is_pending(client: Client) -> None:
    first = client.order(**LIMIT, clOrdId="same").row
    second = client.order(**LIMIT, clOrdId="same").row
    client.post("trade/cancel-order", {"instId": SWAP, "clOrdId": "same"})
    third = client.order(clOrdId="same").row
    fourth = client.order(clOrdId="same").row

    assert [each["sCode"] for each in (first, second, third, fourth)] == ["0", "51016", "0", "0"]
    latest = client.get("trade/order", {"instId": SWAP, "clOrdId": "same"}).row
    assert latest["ordId"] == fourth["ordId"]


@pytest.mark.parametrize(
    ("ord_type", "px", "state", "source", "filled"),
    [
        ("limit", "64000.1", "filled", "", "1"),
        ("limit", "64000", "live", "", "0"),
        ("post_only", "64000.1", "canceled", "31", "0"),
        ("post_only", "64000", "live", "", "0"),
        ("ioc", "64000.1", "filled", "", "1"),
        ("ioc", "64000", "canceled", "14", "0"),
        ("fok", "64000.1", "filled", "", "1"),
        ("fok", "64000", "canceled", "13", "0"),
        ("optimal_limit_ioc", "", "filled", "", "1"),
    ],
)
def test_order_types(
    client: Client, ord_type: str, px: str, state: str, source: str, filled: str
) -> None:
    row = query(client, client.order(ordType=ord_type, px=px).row["ordId"])

    assert (row["state"], row["cancelSource"], row["accFillSz"]) == (state, source, filled)


def test_a_limit_order_takes_the_better_price(client: Client) -> None:
    row = query(client, client.order(ordType="limit", px="64500").row["ordId"])

    assert (row["avgPx"], row["px"]) == ("64000.1", "64500")


def test_resting_orders_fill_as_maker_when_the_market_reaches_them(own: Simulator) -> None:
    client = own.account("maker")
    buy = client.order(**LIMIT).row["ordId"]
    sell = client.order(ordType="limit", px="66000", side="sell").row["ordId"]

    own.ask("POST", "/prices", {SWAP: "60999"})

    row = query(client, buy)
    assert (row["state"], row["avgPx"]) == ("filled", "61000")
    assert Decimal(row["fee"]) == -Decimal("610") * Decimal("0.0002")
    assert query(client, sell)["state"] == "live"
    assert client.get("trade/fills").row["execType"] == "M"


def test_canceling_twice_says_51400(client: Client) -> None:
    ord_id = client.order(**LIMIT).row["ordId"]
    body = {"instId": SWAP, "ordId": ord_id}

    first, second = (client.post("trade/cancel-order", body) for _ in range(2))

    assert (first.code, first.row["sCode"], first.row["ordId"]) == ("0", "0", ord_id)
    assert (second.code, second.row["sCode"]) == ("1", "51400")
    row = query(client, ord_id)
    assert (row["state"], row["cancelSource"]) == ("canceled", "1")
    assert client.get("trade/orders-pending").data == []
    assert client.post("trade/cancel-order", {"instId": SWAP}).row["sCode"] == "51407"


def test_a_batch_keeps_its_order_and_says_what_failed(client: Client) -> None:
    items = [order(**LIMIT, clOrdId="b1"), order(sz="0.001"), order(clOrdId="b3"), "text"]

    answer = client.post("trade/batch-orders", items)

    assert (answer.status, answer.code) == (200, "2")
    assert answer.body["msg"] == "Bulk operation partially succeeded."
    assert [row["sCode"] for row in answer.data] == ["0", "51121", "0", "51000"]
    assert [row["clOrdId"] for row in answer.data] == ["b1", "", "b3", ""]
    canceled = client.post(
        "trade/cancel-batch-orders",
        [{"instId": SWAP, "clOrdId": "b1"}, {"instId": SWAP, "clOrdId": "b3"}],
    )
    assert [row["sCode"] for row in canceled.data] == ["0", "51400"]


@pytest.mark.parametrize(
    ("body", "code"), [([], "50000"), ([{}] * 21, "51111"), ({"instId": SWAP}, "50002")]
)
def test_batches_that_are_none(client: Client, body: Any, code: str) -> None:
    assert client.post("trade/batch-orders", body).code == code


def test_amending_price_and_size(client: Client) -> None:
    ord_id = client.order(**LIMIT).row["ordId"]

    answer = client.post(
        "trade/amend-order",
        {"instId": SWAP, "ordId": ord_id, "newSz": "3", "newPx": "60500", "reqId": "r1"},
    )

    assert answer.row["reqId"] == "r1"
    row = query(client, ord_id)
    assert (row["sz"], row["px"], row["state"]) == ("3", "60500", "live")
    late = {"instId": SWAP, "ordId": ord_id, "newPx": "64001"}
    assert client.post("trade/amend-order", late).code == "0"
    assert query(client, ord_id)["state"] == "filled"
    assert client.post("trade/amend-order", late).row["sCode"] == "51503"


def test_an_expired_order_is_refused_on_arrival(client: Client) -> None:
    past = str(int(time.time() * 1000) - 1000)
    future = str(int(time.time() * 1000) + 5000)

    refused = client.post("trade/order", order(), expTime=past)
    taken = client.post("trade/order", order(), expTime=future)
    malformed = client.post("trade/order", order(), expTime="soon")

    assert (refused.status, refused.code, refused.data) == (200, "50036", [])
    assert taken.code == "0"
    assert malformed.code == "51000"
    assert client.get("account/positions").row["pos"] == "1"


def test_an_order_that_expires_inside_is_refused(own: Simulator) -> None:
    client = own.account("slow")
    own.ask("POST", "/latency", {"ms": 300})

    answer = client.post("trade/order", order(), expTime=str(int(time.time() * 1000) + 150))

    assert answer.code == "50037"
    assert own.entries(kind="order", account="slow") == []


def test_history_holds_what_ended_newest_first(client: Client) -> None:
    ids = [client.order().row["ordId"] for _ in range(3)]
    resting = client.order(**LIMIT).row["ordId"]

    history = client.get("trade/orders-history", {"instType": "SWAP"}).data
    older = client.get("trade/orders-history", {"instType": "SWAP", "after": ids[2]}).data
    newer = client.get("trade/orders-history", {"instType": "SWAP", "before": ids[0]}).data
    one = client.get("trade/orders-history", {"instType": "SWAP", "limit": "1"}).data

    assert [row["ordId"] for row in history] == list(reversed(ids))
    assert [row["ordId"] for row in older] == [ids[1], ids[0]]
    assert [row["ordId"] for row in newer] == [ids[2], ids[1]]
    assert [row["ordId"] for row in one] == [ids[2]]
    assert [row["ordId"] for row in client.get("trade/orders-pending").data] == [resting]
    bills = [row["billId"] for row in client.get("trade/fills").data]
    after = client.get("trade/fills", {"after": bills[0]}).data
    assert [row["billId"] for row in after] == bills[1:]


def test_read_lag_hides_young_orders(own: Simulator) -> None:
    client = own.account("lag")
    own.ask("POST", "/limits", {"read_lag_ms": 400})
    ord_id = client.order().row["ordId"]
    asked = {"instId": SWAP, "ordId": ord_id}

    assert client.get("trade/order", asked).code == "51603"
    assert client.get("trade/fills").data == []
    time.sleep(0.45)
    assert client.get("trade/order", asked).row["state"] == "filled"


def test_spot_market_orders_count_in_quote_or_base(client: Client) -> None:
    spent = client.order(instId=SPOT, sz="6400").row["ordId"]
    bought = client.order(instId=SPOT, sz="0.05", tgtCcy="base_ccy").row["ordId"]
    sold = client.order(instId=SPOT, side="sell", sz="0.05").row["ordId"]

    first, second, third = (query(client, each, SPOT) for each in (spent, bought, sold))
    size = (Decimal(6400) / Decimal("64000.1")).quantize(Decimal("1e-8"), rounding="ROUND_DOWN")
    assert Decimal(first["accFillSz"]) == size
    assert (first["sz"], first["tgtCcy"], first["feeCcy"]) == ("6400", "quote_ccy", "BTC")
    assert Decimal(first["fee"]) == -size * Decimal("0.001")
    assert (second["accFillSz"], third["accFillSz"], third["feeCcy"]) == ("0.05", "0.05", "USDT")
    held = client.balance("BTC")
    fees = size * Decimal("0.001") + Decimal("0.05") * Decimal("0.001")
    assert Decimal(held["cashBal"]) == size - fees


def test_spot_limit_orders_freeze_money(client: Client) -> None:
    client.order(instId=SPOT, ordType="limit", px="61000", sz="0.1")

    row = client.balance()

    assert (row["ordFrozen"], row["frozenBal"], row["availBal"]) == ("6100", "6100", "93900")
