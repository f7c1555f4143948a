"""What the public channels push over time, with a clock that the test turns."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.simulator.client import Client
from tests.simulator.conftest import OpenSocket
from tests.simulator.core import SPOT, SWAP, Core
from tests.simulator.shapes import Shapes, shape
from trading.simulator import bars, pushes_public
from trading.simulator.channels import BUSINESS, read_subscription
from trading.simulator.faults import Faults
from trading.simulator.limits import Limiter
from trading.simulator.market import Market
from trading.simulator.pushes_public import Body, Memory
from trading.simulator.venue import Venue


class Feed:
    """One channel of one instrument, as the hub keeps it for all who listen."""

    def __init__(self, channel: str, inst_id: str = SWAP, *, moving: bool = True) -> None:
        core = Core()
        if moving:
            core.market = Market(3, core.clock.ms(), moving=True)
            core.market.now = core.clock.ms
            core.exchange.market = core.market
        self.core, self.channel, self.inst_id = core, channel, inst_id
        limiter, faults = Limiter(), Faults(3)
        self.venue = Venue(
            core.clock, core.market, core.exchange.ledger, core.exchange, limiter, faults
        )
        self.memory: Memory = {}

    def first(self) -> list[Body]:
        url = "business" if self.channel in BUSINESS else "public"
        arg = {"channel": self.channel, "instId": self.inst_id}
        return pushes_public.first(self.venue, read_subscription(url, arg), self.memory)

    def beat(self, ms: int = 250) -> list[Body]:
        self.core.wait(ms)
        self.core.market.step(self.core.clock.ms())
        return self.update()

    def update(self) -> list[Body]:
        return pushes_public.update(self.venue, self.channel, self.inst_id, self.memory)


def applied(book: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The documented way to keep a book: size 0 removes a level."""
    sides = {}
    for side in ("asks", "bids"):
        levels = {row[0]: row for row in (*book[side], *change[side])}
        kept = [row for row in levels.values() if row[1] != "0"]
        sides[side] = sorted(kept, key=lambda row: Decimal(row[0]), reverse=side == "bids")
    return sides


def test_a_book_kept_from_updates_is_the_book_and_its_numbers_chain() -> None:
    feed = Feed("books")
    (snapshot,) = feed.first()
    kept, numbers = snapshot["data"][0], [snapshot["data"][0]]
    for number in range(24):
        if number % 5 == 0:
            now = feed.core.clock.ms()
            level = next(feed.core.market.levels(SWAP, "buy", now))
            feed.core.market.taken(SWAP, "buy", level.price, level.size, now)
        for body in feed.beat():
            numbers.append(body["data"][0])
            kept = applied(kept, body["data"][0])
            assert body["action"] == "update"

    whole = feed.core.market.book(SWAP, 400)
    assert snapshot["action"] == "snapshot"
    assert numbers[0]["prevSeqId"] == -1
    assert all(later["prevSeqId"] == earlier["seqId"] for earlier, later in pairwise(numbers))
    assert all(later["seqId"] > later["prevSeqId"] for later in numbers[1:])
    for side, levels in zip(("asks", "bids"), whole, strict=True):
        assert [(Decimal(row[0]), Decimal(row[1])) for row in kept[side]] == [
            (each.price, each.size) for each in levels
        ]
    changed = [len(each["asks"]) + len(each["bids"]) for each in numbers[1:]]
    assert sum(changed) / len(changed) < 400


def test_who_comes_later_continues_from_the_same_numbers() -> None:
    feed = Feed("books")
    feed.first()
    for _ in range(3):
        (newest,) = feed.beat()

    (snapshot,) = feed.first()
    (after,) = feed.beat()

    assert snapshot["data"][0]["seqId"] == newest["data"][0]["seqId"]
    assert after["data"][0]["prevSeqId"] == snapshot["data"][0]["seqId"]


def test_a_book_without_changes_says_so_every_minute() -> None:
    feed = Feed("books", moving=False)
    (snapshot,) = feed.first()

    silent = feed.beat(59_999)
    (beat,) = feed.beat(1)
    again = feed.beat(59_000)

    row = beat["data"][0]
    assert (silent, again) == ([], [])
    assert (row["asks"], row["bids"]) == ([], [])
    assert row["seqId"] == row["prevSeqId"] == snapshot["data"][0]["seqId"]


def test_a_resting_order_changes_the_book() -> None:
    feed = Feed("books", moving=False)
    (snapshot,) = feed.first()
    feed.core.order(feed.core.open("one"), px="63990.5", sz="3")

    (update,) = feed.update()

    row = update["data"][0]
    assert (row["asks"], row["prevSeqId"]) == ([], snapshot["data"][0]["seqId"])
    assert row["seqId"] > row["prevSeqId"]
    assert row["bids"][0][:2] == ["63990.5", "3"]


def test_all_trades_are_pushed_once_and_in_order() -> None:
    feed = Feed("trades-all", SPOT)
    (last,) = feed.first()
    seen = [last["data"][0]["tradeId"]]
    for _ in range(12):
        seen += [row["tradeId"] for body in feed.beat() for row in body["data"]]

    tape = [each.trade_id for each in feed.core.market.quote(SPOT).tape.trades]
    assert seen == tape[tape.index(seen[0]) :]
    assert len(seen) > 12
    assert feed.update() == []


def test_matches_of_one_price_are_one_trade() -> None:
    feed = Feed("trades", moving=False)
    feed.first()
    now = feed.core.clock.ms()
    for size in (1, 2, 3):
        feed.core.market.traded(SWAP, "buy", Decimal(64000), Decimal(size), now)
    feed.core.market.traded(SWAP, "buy", Decimal("64000.1"), Decimal(5), now)

    rows = [body["data"] for body in feed.update()]

    assert [[(row["px"], row["sz"], row["count"]) for row in each] for each in rows] == [
        [("64000", "6", "3")],
        [("64000.1", "5", "1")],
    ]


@pytest.mark.parametrize("channel", ["candle1m", "mark-price-candle1m"])
def test_a_candle_is_pushed_once_a_second_and_confirmed_at_its_end(channel: str) -> None:
    feed = Feed(channel)
    feed.first()
    pushed = []
    for _ in range(4 * 70):
        pushed += [(feed.core.clock.ms(), body["data"][0]) for body in feed.beat()]
    ended = [(at, row) for at, row in pushed if row[-1] == "1"]
    running = [at for at, row in pushed if row[-1] == "0"]

    assert [int(row[0]) + 60_000 for _, row in ended] == [at // 60_000 * 60_000 for at, _ in ended]
    assert len(ended) in (1, 2)
    begun = [at for at, _ in ended]
    assert all(later - earlier >= 1000 or later in begun for earlier, later in pairwise(running))
    kind = "last" if channel == "candle1m" else "mark"
    quote, now = feed.core.market.quote(SWAP), feed.core.clock.ms()
    for _, row in ended:
        assert row == bars.candle(quote, "1m", int(row[0]), now, kind)


@pytest.mark.parametrize(
    ("channel", "inst_id", "every_ms"),
    [
        ("mark-price", SWAP, 10_000),
        ("open-interest", SWAP, 3000),
        ("funding-rate", SWAP, 30_000),
    ],
)
def test_without_changes_some_channels_still_push_regularly(
    channel: str, inst_id: str, every_ms: int
) -> None:
    feed = Feed(channel, inst_id, moving=False)
    feed.first()

    early = feed.beat(every_ms - 1)
    due = feed.beat(1)
    again = feed.beat(every_ms - 1)

    assert (early, len(due), again) == ([], 1, [])


@pytest.mark.parametrize("channel", ["tickers", "books5", "bbo-tbt", "price-limit", "mark-price"])
def test_a_new_price_is_pushed_at_once_and_only_once(channel: str) -> None:
    feed = Feed(channel, moving=False)
    feed.first()

    silent = feed.beat(5000)
    feed.core.pin("61000")

    assert (silent, len(feed.update()), feed.update()) == ([], 1, [])


@pytest.mark.parametrize(
    ("channel", "inst_id", "url"),
    [
        ("trades-all", SWAP, "business"),
        ("index-tickers", SPOT, "public"),
        ("index-tickers", "ADA-USDT", "public"),
    ],
)
async def test_pushes_have_the_documented_members(
    client: Client,
    connect: OpenSocket,
    push_rows: Shapes,
    channel: str,
    inst_id: str,
    url: str,
) -> None:
    socket = await connect(client.simulator.ws[url])
    await socket.say({"op": "subscribe", "args": [{"channel": channel, "instId": inst_id}]})

    push = await socket.find(channel=channel)

    assert shape(push) == push_rows[f"{channel} frame"]
    assert shape(push["data"][0]) == push_rows[channel]
