"""Public endpoints: documented members, filters, paging and refusals."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Answer, Client, Simulator, send, start
from tests.simulator.shapes import Shapes, shape
from trading.simulator.__main__ import main
from trading.simulator.codes import http_of

pytestmark = pytest.mark.simulator

COIN = "BTC-USD-SWAP"


def get(simulator: Simulator, path: str, query: str = "") -> Answer:
    return send(simulator.rest, "GET", f"/api/v5/{path}?{query}", None, {})


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("market/history-trades", f"instId={SPOT}"),
        ("market/history-trades", f"instId={SPOT}&type=2&limit=5"),
        ("market/index-tickers", "instId=ADA-USDT"),
        ("market/platform-24-volume", ""),
        ("market/exchange-rate", ""),
        ("public/premium-history", f"instId={SWAP}"),
        ("public/convert-contract-coin", f"instId={SWAP}&sz=1"),
    ],
)
def test_rows_have_the_documented_members(
    still: Simulator, rest_rows: Shapes, path: str, query: str
) -> None:
    answer = get(still, path, query)

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert answer.data
    for row in answer.data:
        assert shape(row) == rest_rows[path]


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("market/candles", 9),
        ("market/history-candles", 9),
        ("market/mark-price-candles", 6),
        ("market/history-mark-price-candles", 6),
        ("market/index-candles", 6),
        ("market/history-index-candles", 6),
    ],
)
def test_candles_are_rows_of_texts(still: Simulator, path: str, size: int) -> None:
    rows = get(still, path, f"instId={SPOT}&bar=1H&limit=3").data

    assert [len(row) for row in rows] == [size] * 3
    assert all(isinstance(each, str) for row in rows for each in row)
    assert [row[-1] for row in rows] == ["0", "1", "1"]


@pytest.mark.parametrize("kind", ["", "&instType=", "&instType=ANY", "&instType=SWAP"])
def test_one_mark_price_needs_no_type(still: Simulator, kind: str) -> None:
    (row,) = get(still, "public/mark-price", f"instId={SWAP}{kind}").data

    assert (row["instId"], row["instType"]) == (SWAP, "SWAP")


def test_underlyings_are_one_list(still: Simulator) -> None:
    (names,) = get(still, "public/underlying", "instType=SWAP").data

    assert names[:2] == ["BTC-USDT", "ETH-USDT"]
    assert names[-1] == "BTC-USD"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("public/instruments", "", "50014"),
        ("public/instruments", "instType=SWAPS", "51000"),
        ("public/instruments", "instType=SWAP&instId=NO-USDT-SWAP", "51001"),
        ("public/underlying", "", "50014"),
        ("public/underlying", "instType=SPOT", "51000"),
        ("public/mark-price", "", "50014"),
        ("public/mark-price", "instType=X", "51000"),
        ("public/mark-price", "instType=ANY", "51000"),
        ("public/mark-price", "instType=ANY&instId=NO-USDT", "51001"),
        ("public/price-limit", "", "50014"),
        ("public/price-limit", "instId=NO-USDT", "51001"),
        ("public/funding-rate", "", "50014"),
        ("public/funding-rate", "instId=NO-USDT-SWAP", "51001"),
        ("public/funding-rate", f"instId={SPOT}", "51000"),
        ("public/funding-rate-history", f"instId={SPOT}", "51000"),
        ("public/funding-rate-history", f"instId={SWAP}&after=soon", "51000"),
        ("public/premium-history", "", "50014"),
        ("public/position-tiers", "tdMode=cross&instFamily=BTC-USDT", "50014"),
        ("public/position-tiers", "instType=SWAP&instFamily=BTC-USDT", "50014"),
        ("public/position-tiers", "instType=SWAP&tdMode=cross", "50014"),
        ("public/position-tiers", "instType=SWAP&tdMode=cash&instFamily=BTC-USDT", "51000"),
        ("public/position-tiers", "instType=SPOT&tdMode=cross&instFamily=BTC-USDT", "51000"),
        ("public/position-tiers", "instType=SWAP&tdMode=cross&instFamily=a,b,c,d", "51000"),
        ("public/position-tiers", "instType=MARGIN&tdMode=cross", "50014"),
        ("public/open-interest", "", "50014"),
        ("public/convert-contract-coin", f"instId={SWAP}", "50014"),
        ("public/convert-contract-coin", f"instId={SWAP}&sz=0", "51000"),
        ("public/convert-contract-coin", f"instId={SWAP}&sz=1&type=3", "51000"),
        ("public/convert-contract-coin", f"instId={SWAP}&sz=1&unit=usds", "50014"),
        ("public/convert-contract-coin", f"instId={COIN}&sz=1", "50014"),
        ("public/convert-contract-coin", f"instId={SPOT}&sz=1", "51000"),
        ("system/status", "state=broken", "51000"),
        ("market/ticker", "", "50014"),
        ("market/ticker", "instId=NO-USDT", "51001"),
        ("market/tickers", "", "50014"),
        ("market/index-tickers", "", "50014"),
        ("market/index-tickers", f"instId={SWAP}", "51001"),
        ("market/books", "", "50014"),
        ("market/books", f"instId={SWAP}&sz=many", "51000"),
        ("market/books-full", "instId=NO-USDT", "51001"),
        ("market/trades", "", "50014"),
        ("market/history-trades", f"instId={SWAP}&type=3", "51000"),
        ("market/candles", "", "50014"),
        ("market/candles", f"instId={SWAP}&bar=7m", "51000"),
        ("market/mark-price-candles", "instId=NO-USDT", "51001"),
        ("market/index-candles", f"instId={SWAP}", "51000"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    still: Simulator, path: str, query: str, code: str
) -> None:
    answer = get(still, path, query)

    assert (answer.code, answer.status, answer.data) == (code, http_of(code), [])


def test_trades_are_paged_by_id_and_by_time(still: Simulator) -> None:
    every = get(still, "market/history-trades", f"instId={SWAP}").data
    ids = [int(row["tradeId"]) for row in every]
    middle = every[len(every) // 2]

    older = get(still, "market/history-trades", f"instId={SWAP}&after={middle['tradeId']}").data
    newer = get(still, "market/history-trades", f"instId={SWAP}&before={middle['tradeId']}").data
    earlier = get(still, "market/history-trades", f"instId={SWAP}&type=2&after={middle['ts']}").data

    assert ids == sorted(ids, reverse=True)
    assert [row for row in older if row in every] == every[len(every) // 2 + 1 :]
    assert newer == every[: len(every) // 2]
    assert earlier
    assert all(int(row["ts"]) < int(middle["ts"]) for row in earlier)
    assert len(get(still, "market/trades", f"instId={SWAP}&limit=7").data) == 7


@pytest.mark.parametrize("path", ["market/candles", "market/history-candles"])
def test_candles_are_paged_by_time(still: Simulator, path: str) -> None:
    every = get(still, path, f"instId={SWAP}&bar=1H&limit=10").data

    older = get(still, path, f"instId={SWAP}&bar=1H&limit=3&after={every[4][0]}").data
    newer = get(still, path, f"instId={SWAP}&bar=1H&before={every[4][0]}").data

    assert older == every[5:8]
    assert [row[0] for row in newer] == [row[0] for row in every[:4]]


def test_candles_reach_back_1440_bars_and_their_history_to_the_listing(still: Simulator) -> None:
    now = int(time.time() * 1000)
    old = now - 1441 * 86_400_000
    listed = int(get(still, "public/instruments", f"instType=SWAP&instId={SWAP}").row["listTime"])

    recent = get(still, "market/candles", f"instId={SWAP}&bar=1Dutc&after={old}").data
    history = get(still, "market/history-candles", f"instId={SWAP}&bar=1Dutc&after={old}").data
    oldest = get(still, "market/history-candles", f"instId={SWAP}&bar=3M&limit=300").data[-1]

    assert recent == []
    assert len(history) == 100
    assert 0 <= int(oldest[0]) - listed < 93 * 86_400_000


def test_funding_history_continues_the_rate_now_and_is_paged(still: Simulator) -> None:
    now = get(still, "public/funding-rate", f"instId={SWAP}").row
    every = get(still, "public/funding-rate-history", f"instId={SWAP}&limit=20").data
    times = [int(row["fundingTime"]) for row in every]

    older = get(
        still, "public/funding-rate-history", f"instId={SWAP}&limit=5&after={times[4]}"
    ).data
    newer = get(still, "public/funding-rate-history", f"instId={SWAP}&before={times[4]}").data

    assert every[0]["realizedRate"] == every[0]["fundingRate"] == now["settFundingRate"]
    assert times == list(range(times[0], times[0] - 20 * 28_800_000, -28_800_000))
    assert int(now["fundingTime"]) - times[0] == 28_800_000
    assert (older, newer) == (every[5:10], every[:4])
    assert len(get(still, "public/funding-rate-history", f"instId={SWAP}&limit=400").data) == 276
    assert len(get(still, "public/funding-rate", "instId=ANY").data) == 11


def test_position_tiers_by_family_and_number(still: Simulator) -> None:
    path, query = "public/position-tiers", "instType=SWAP&tdMode=cross"

    both = get(still, path, f"{query}&instFamily=BTC-USDT,ETH-USDT").data
    one = get(still, path, f"{query}&uly=BTC-USDT&tier=2").data
    margin = get(still, path, "instType=MARGIN&tdMode=cross&instId=BTC-USDT")

    assert [row["instFamily"] for row in both] == ["BTC-USDT"] * 8 + ["ETH-USDT"] * 8
    assert one == [both[1]]
    assert (one[0]["minSz"], one[0]["maxLever"], one[0]["tier"]) == ("3125.01", "75", "2")
    assert (margin.code, margin.data) == ("0", [])


@pytest.mark.parametrize(
    ("query", "size"),
    [
        (f"instId={SWAP}&sz=0.888", "88.8"),
        (f"instId={SWAP}&sz=0.88889", "88.88"),
        (f"instId={SWAP}&sz=0.88889&opType=close", "88.89"),
        (f"instId={SWAP}&sz=640&unit=usds&px=64000", "1"),
        (f"instId={SWAP}&sz=3&type=2", "0.03"),
        (f"instId={SWAP}&sz=3&type=2&unit=usds&px=64000", "1920"),
        (f"instId={COIN}&sz=0.888&px=35000", "310"),
        (f"instId={COIN}&sz=0.888&px=35000&opType=close", "311"),
        (f"instId={COIN}&sz=2&type=2&px=40000", "0.005"),
        (f"instId={COIN}&sz=500&unit=usds", "5"),
    ],
)
def test_contracts_and_coins_are_converted(still: Simulator, query: str, size: str) -> None:
    assert get(still, "public/convert-contract-coin", query).row["sz"] == size


def test_a_full_book_is_deeper_than_a_book(still: Simulator) -> None:
    book = get(still, "market/books", f"instId={SWAP}&sz=5000").row
    full = get(still, "market/books-full", f"instId={SWAP}&sz=5000").row

    assert (len(book["asks"]), len(full["asks"])) == (400, 5000)
    assert [each[:2] for each in full["bids"][:400]] == [each[:2] for each in book["bids"]]
    assert len(get(still, "market/books", f"instId={SWAP}").row["bids"]) == 1


def test_price_limits_are_five_percent_around_the_mark_price(own: Simulator) -> None:
    own.ask("POST", "/prices", {SWAP: "60000"})

    row = get(own, "public/price-limit", f"instId={SWAP}").row

    assert (row["buyLmt"], row["sellLmt"], row["enabled"]) == ("63000.1", "57000", True)


def test_a_large_order_is_printed_level_by_level(own: Simulator) -> None:
    client: Client = own.account("taker", balances={"USDT": "10000000"})
    before = get(own, "market/books", f"instId={SWAP}&sz=2").row["asks"]
    size = Decimal(before[0][1]) + Decimal(before[1][1])

    assert client.order(sz=str(size)).code == "0"
    printed = get(own, "market/trades", f"instId={SWAP}&limit=2").data

    assert [(row["px"], row["sz"]) for row in printed] == [
        (before[1][0], before[1][1]),
        (before[0][0], before[0][1]),
    ]
    ticker: Any = get(own, "market/ticker", f"instId={SWAP}").row
    assert Decimal(ticker["high24h"]) >= Decimal(before[1][0])


def test_still_tickers_show_the_beginning_of_both_days(still: Simulator) -> None:
    ticker = get(still, "market/ticker", f"instId={SPOT}").row
    day = get(still, "market/candles", f"instId={SPOT}&bar=1Dutc&limit=1").data[0]
    day8 = get(still, "market/candles", f"instId={SPOT}&bar=1D&limit=1").data[0]

    assert (ticker["sodUtc0"], ticker["sodUtc8"]) == (day[1], day8[1])
    assert ticker["last"] == day[4] == day8[4]


def test_speed_brings_funding_more_often_and_a_speed_that_is_none_is_refused() -> None:
    fast = start("--speed", "600", "--limits", "off")

    now = get(fast, "public/funding-rate", f"instId={SWAP}").row
    history = get(fast, "public/funding-rate-history", f"instId={SWAP}&limit=2").data

    assert int(now["nextFundingTime"]) - int(now["fundingTime"]) == 48_000
    assert int(history[0]["fundingTime"]) - int(history[1]["fundingTime"]) == 48_000
    assert 0 < int(now["fundingTime"]) - int(now["ts"]) <= 48_000
    assert fast.stop() == 0
    for speed in ("0", "-1", "1.5", "fast", "1001"):
        with pytest.raises(SystemExit) as refusal:
            main(["--speed", speed])
        assert refusal.value.code == 2
