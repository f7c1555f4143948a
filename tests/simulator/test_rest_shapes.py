"""Every answer has exactly the members of the documented one, with their types."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator, order, send
from tests.simulator.shapes import shape

pytestmark = pytest.mark.simulator

Shapes = dict[str, dict[str, str]]

PUBLIC = (
    ("public/time", ""),
    ("public/instruments", "instType=SWAP"),
    ("public/instruments", "instType=SPOT&instId=BTC-USDT"),
    ("public/mark-price", "instType=SWAP"),
    ("public/price-limit", "instId=BTC-USDT-SWAP"),
    ("public/funding-rate", "instId=BTC-USDT-SWAP"),
    ("public/funding-rate-history", "instId=BTC-USDT-SWAP"),
    ("public/position-tiers", "instType=SWAP&tdMode=cross&instFamily=BTC-USDT"),
    ("public/open-interest", "instType=SWAP"),
    ("market/ticker", "instId=BTC-USDT"),
    ("market/tickers", "instType=SWAP"),
    ("market/index-tickers", "quoteCcy=USDT"),
    ("market/books", "instId=BTC-USDT&sz=5"),
    ("market/books-full", "instId=BTC-USDT&sz=5"),
    ("market/trades", "instId=BTC-USDT"),
)
PRIVATE = (
    ("account/config", {}),
    ("account/instruments", {"instType": "SWAP"}),
    ("account/leverage-info", {"instId": SWAP, "mgnMode": "cross"}),
    ("account/max-size", {"instId": SWAP, "tdMode": "cross"}),
    ("account/max-avail-size", {"instId": SPOT, "tdMode": "cash"}),
    ("account/max-withdrawal", {"ccy": "USDT"}),
    ("account/trade-fee", {"instType": "SPOT"}),
    ("trade/account-rate-limit", {}),
    ("account/balance", {}),
    ("account/bills", {}),
    ("account/bills-archive", {"type": "2"}),
    ("account/subtypes", {}),
    ("account/positions", {}),
    ("account/positions-history", {}),
    ("trade/orders-pending", {}),
    ("trade/orders-history", {"instType": "SWAP"}),
    ("trade/orders-history-archive", {"instType": "SPOT"}),
    ("trade/fills", {}),
    ("trade/fills-history", {"instType": "SPOT"}),
)


@pytest.fixture
def traded(client: Client) -> Client:
    """One position, one closed position, one spot purchase, one resting order."""
    for terms in (
        {},
        {"instId": "ETH-USDT-SWAP", "tdMode": "isolated"},
        {"instId": "ETH-USDT-SWAP", "tdMode": "isolated", "side": "sell"},
        {"instId": SPOT, "sz": "500"},
        {"ordType": "limit", "px": "61000"},
    ):
        assert client.order(**terms).code == "0"
    return client


@pytest.mark.parametrize(("path", "query"), PUBLIC)
def test_public_rows_have_the_documented_members(
    still: Simulator, rest_rows: Shapes, path: str, query: str
) -> None:
    answer = send(still.rest, "GET", f"/api/v5/{path}?{query}", None, {})

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert answer.data
    for row in answer.data:
        assert shape(row) == rest_rows[path]


@pytest.mark.parametrize(("path", "params"), PRIVATE)
def test_private_rows_have_the_documented_members(
    traded: Client, rest_rows: Shapes, path: str, params: dict[str, str]
) -> None:
    answer = traded.get(path, params)

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert answer.data
    for row in answer.data:
        assert shape(row) == rest_rows[path]


def test_order_row_has_the_documented_members(traded: Client, rest_rows: Shapes) -> None:
    ord_id = traded.get("trade/orders-pending").row["ordId"]

    answer = traded.get("trade/order", {"instId": SWAP, "ordId": ord_id})

    assert shape(answer.row) == rest_rows["trade/order"]


def test_balance_details_have_the_documented_members(traded: Client, rest_rows: Shapes) -> None:
    row = traded.get("account/balance").row

    for detail in row["details"]:
        documented = {**rest_rows["account/balance details"]}
        assert shape(detail) == documented
    assert {each["ccy"] for each in row["details"]} == {"USDT", "BTC"}


def test_fee_groups_have_the_documented_members(client: Client, rest_rows: Shapes) -> None:
    row = client.get("account/trade-fee", {"instType": "SWAP"}).row

    assert shape(row["feeGroup"][0]) == rest_rows["account/trade-fee feeGroup"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("trade/order", order(clOrdId="a1", tag="t1", ordType="limit", px="60900")),
        ("trade/batch-orders", [order(clOrdId="a2", ordType="limit", px="60900")]),
    ],
)
def test_placed_rows_have_the_documented_members(
    client: Client, rest_rows: Shapes, path: str, body: Any
) -> None:
    answer = client.post(path, body)

    assert shape(answer.row) == rest_rows[f"POST {path}"]
    assert sorted(answer.body) == ["code", "data", "inTime", "msg", "outTime"]
    assert len(answer.body["inTime"]) == len(answer.body["outTime"]) == 16
    assert answer.row["sMsg"] == ("Order placed" if path == "trade/order" else "")


@pytest.mark.parametrize(
    ("path", "batch", "extra"),
    [
        ("trade/amend-order", False, {"newSz": "2", "reqId": "r1"}),
        ("trade/amend-batch-orders", True, {"newPx": "60800", "reqId": "r1"}),
        ("trade/cancel-order", False, {}),
        ("trade/cancel-batch-orders", True, {}),
    ],
)
def test_changed_rows_have_the_documented_members(
    client: Client, rest_rows: Shapes, path: str, batch: bool, extra: dict[str, str]
) -> None:
    client.order(clOrdId="b1", ordType="limit", px="60900")
    item = {"instId": SWAP, "clOrdId": "b1", **extra}

    answer = client.post(path, [item] if batch else item)

    assert answer.code == "0"
    assert shape(answer.row) == rest_rows[f"POST {path}"]


def test_settings_rows_have_the_documented_members(client: Client, rest_rows: Shapes) -> None:
    lever = {"instId": SWAP, "lever": "7", "mgnMode": "cross"}

    assert (
        shape(client.post("account/set-leverage", lever).row) == rest_rows["account/set-leverage"]
    )
    mode = client.post("account/set-position-mode", {"posMode": "long_short_mode"})
    assert mode.data == [{"posMode": "long_short_mode"}]


def test_closing_a_position_answers_without_an_order_id(client: Client, rest_rows: Shapes) -> None:
    client.order()

    answer = client.post("trade/close-position", {"instId": SWAP, "mgnMode": "cross"})

    assert shape(answer.row) == rest_rows["POST trade/close-position"]
    assert client.get("account/positions").data == []


def test_candles_are_rows_of_nine_texts_newest_first(still: Simulator) -> None:
    path = "/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1H&limit=3"

    rows = send(still.rest, "GET", path, None, {}).data

    assert [len(row) for row in rows] == [9, 9, 9]
    assert [int(rows[0][0]) - int(row[0]) for row in rows] == [0, 3_600_000, 7_200_000]
    assert [row[8] for row in rows] == ["0", "1", "1"]


def test_other_instrument_types_are_empty_lists(still: Simulator) -> None:
    for name in ("FUTURES", "OPTION", "MARGIN"):
        answer = send(still.rest, "GET", f"/api/v5/public/instruments?instType={name}", None, {})
        assert answer.body == {"code": "0", "data": [], "msg": ""}


def test_at_least_eight_swaps_and_four_spot_pairs_are_listed(still: Simulator) -> None:
    listed = {
        name: send(still.rest, "GET", f"/api/v5/public/instruments?instType={name}", None, {}).data
        for name in ("SWAP", "SPOT")
    }

    assert len(listed["SWAP"]) >= 8
    assert len(listed["SPOT"]) >= 4
    assert all(isinstance(row["instIdCode"], int) for rows in listed.values() for row in rows)
