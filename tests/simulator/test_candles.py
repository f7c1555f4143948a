"""Candles of every length, and volumes in the right currency."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client
from tests.simulator.conftest import OpenSocket
from trading.simulator.bars import BARS, bucket

pytestmark = pytest.mark.simulator

INVERSE = "BTC-USD-SWAP"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("bar", "start"),
    [
        ("1W", "2026-02-15T16:00"),
        ("1Wutc", "2026-02-16T00:00"),
        ("1M", "2026-01-31T16:00"),
        ("1Mutc", "2026-02-01T00:00"),
        ("3Mutc", "2026-01-01T00:00"),
        ("1Dutc", "2026-02-19T00:00"),
        ("6H", "2026-02-19T10:00"),
    ],
)
def test_where_a_candle_begins(bar: str, start: str) -> None:
    assert bucket(at("2026-02-19T13:45"), bar) == at(start)


@pytest.mark.parametrize("bar", sorted(BARS))
def test_candles_of_every_length_follow_each_other(client: Client, bar: str) -> None:
    rows = client.get("market/candles", {"instId": SWAP, "bar": bar, "limit": "20"}).data

    starts = [int(row[0]) for row in rows]
    assert len(set(starts)) == 20
    assert all(bucket(start, bar) == start for start in starts)
    assert all(later[1] == earlier[4] for later, earlier in pairwise(rows))
    assert [row[8] for row in rows] == ["0", *["1"] * 19]


@pytest.mark.parametrize("inst_id", [SPOT, SWAP, INVERSE])
def test_volumes_are_in_coins_or_in_quote_money(client: Client, inst_id: str) -> None:
    ticker = client.get("market/ticker", {"instId": inst_id}).row
    candle = client.get("market/candles", {"instId": inst_id, "bar": "1D", "limit": "2"}).data[1]
    volume, price = Decimal(ticker["vol24h"]), Decimal(ticker["last"])
    traded, close = Decimal(candle[5]), Decimal(candle[4])

    coins = {SPOT: volume * price, SWAP: volume / 100, INVERSE: volume * 100 / price}[inst_id]
    candle_coins = {SPOT: traded * close, SWAP: traded / 100, INVERSE: traded * 100 / close}

    assert abs(Decimal(ticker["volCcy24h"]) - coins) < Decimal("1e-9")
    assert abs(Decimal(candle[6]) - candle_coins[inst_id]) < Decimal("1e-9")


@pytest.mark.parametrize("path", ["index-candles", "history-index-candles"])
def test_index_candles_have_no_volumes(client: Client, path: str) -> None:
    row = client.get(f"market/{path}", {"instId": SPOT, "bar": "1H"}).row

    assert len(row) == 6
    assert client.get(f"market/{path}", {"instId": SWAP}).code == "51000"


@pytest.mark.parametrize(
    ("channel", "inst_id", "size"),
    [
        ("candle1M", SWAP, 9),
        ("candle3Mutc", SWAP, 9),
        ("mark-price-candle1m", SWAP, 6),
        ("index-candle1H", SPOT, 6),
    ],
)
async def test_candle_channels(
    client: Client, connect: OpenSocket, channel: str, inst_id: str, size: int
) -> None:
    socket = await connect(client.simulator.ws["business"])
    arg: Any = {"channel": channel, "instId": inst_id}
    await socket.say({"op": "subscribe", "args": [arg]})

    push = await socket.find(channel=channel)

    assert push["arg"] == arg
    assert len(push["data"][0]) == size


@pytest.mark.parametrize("bar", ["1s", "1m"])
def test_only_the_newest_1440_candles_are_recent_ones(client: Client, bar: str) -> None:
    """And what lies before them is not looked through, back to the day of listing."""
    (newest,) = client.get("market/candles", {"instId": SWAP, "bar": bar, "limit": "1"}).data
    older = {"instId": SWAP, "bar": bar, "limit": "3"}
    inside = str(int(newest[0]) - 1400 * BARS[bar])
    outside = str(int(newest[0]) - 1440 * BARS[bar])

    assert len(client.get("market/candles", older | {"after": inside}).data) == 3
    assert client.get("market/candles", older | {"after": outside}).data == []
    assert len(client.get("market/history-candles", older | {"after": outside}).data) == 3
