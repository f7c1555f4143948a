"""Public REST: every answer has exactly the members of the documented one, with their types."""

from __future__ import annotations

import pytest

from tests.simulator.client import Simulator, send
from tests.simulator.shapes import Shapes, check_row

pytestmark = pytest.mark.simulator

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
    ("market/history-trades", "instId=BTC-USDT"),
    ("market/exchange-rate", ""),
    ("market/platform-24-volume", ""),
    ("public/convert-contract-coin", "instId=BTC-USD-SWAP&sz=1&px=64000"),
    ("public/premium-history", "instId=BTC-USDT-SWAP"),
)
TEXT_ROWS = (
    ("market/candles", "instId=BTC-USDT-SWAP", 9),
    ("market/history-candles", "instId=BTC-USDT", 9),
    ("market/mark-price-candles", "instId=BTC-USDT-SWAP", 6),
    ("market/history-mark-price-candles", "instId=BTC-USDT-SWAP", 6),
    ("market/index-candles", "instId=BTC-USDT", 6),
    ("market/history-index-candles", "instId=BTC-USDT", 6),
)
COVERED = {
    *(f"GET {path}" for path, *_ in (*PUBLIC, *TEXT_ROWS)),
    "GET public/underlying",
    "GET system/status",
}


@pytest.mark.parametrize(("path", "query"), PUBLIC)
def test_public_rows_have_the_documented_members(
    still: Simulator, rest_rows: Shapes, path: str, query: str
) -> None:
    answer = send(still.rest, "GET", f"/api/v5/{path}?{query}", None, {})

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert answer.data
    for row in answer.data:
        check_row(rest_rows, path, row)


@pytest.mark.parametrize(("path", "query", "count"), TEXT_ROWS)
def test_candles_are_rows_of_texts(still: Simulator, path: str, query: str, count: int) -> None:
    answer = send(still.rest, "GET", f"/api/v5/{path}?{query}&limit=2", None, {})

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert [len(row) for row in answer.data] == [count, count]
    assert all(isinstance(each, str) for row in answer.data for each in row)


def test_underlyings_are_one_list_and_maintenance_is_none(still: Simulator) -> None:
    path = "/api/v5/public/underlying?instType=SWAP"
    [families] = send(still.rest, "GET", path, None, {}).data
    status = send(still.rest, "GET", "/api/v5/system/status", None, {})

    assert "BTC-USDT" in families
    assert all(isinstance(each, str) for each in families)
    assert status.body == {"code": "0", "data": [], "msg": ""}


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
