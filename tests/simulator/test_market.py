"""Prices, candles, tape, book and funding of the market agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, pairwise

import pytest

from tests.simulator.core import COIN, SPOT, STARTED_NS, SWAP
from trading.simulator.bars import candle
from trading.simulator.book import Level
from trading.simulator.instruments import BY_ID, Instrument, of_type, tier_for
from trading.simulator.market import FundingDue, Market, Quote
from trading.simulator.tiers import tiers_of
from trading.simulator.walks import PriceBar

STARTED = STARTED_NS // 1_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FIRST_MINUTE = (STARTED // MINUTE + 1) * MINUTE


def moving(seed: int = 3, *, at: int = STARTED, speed: int = 1) -> Market:
    market = Market(seed, at, speed=speed, moving=True)
    market.now = lambda: at
    return market


def walk(market: Market, since: int, until: int) -> Iterator[int]:
    """The heartbeats of a stretch of time."""
    for now in range(since + 250, until + 1, 250):
        market.step(now)
        yield now


def folded(bars: list[PriceBar]) -> PriceBar:
    """What a client makes of short candles."""
    return PriceBar(
        bars[0].open,
        max(each.high for each in bars),
        min(each.low for each in bars),
        bars[-1].close,
        sum((each.volume for each in bars), Decimal(0)),
    )


def disturbed() -> Market:
    """A market that was pinned, released, moved and traded in by customers."""
    market = moving(at=FIRST_MINUTE - 500)
    for _ in walk(market, FIRST_MINUTE - 500, FIRST_MINUTE):
        pass
    quote = market.quote(SWAP)
    market.taken(SWAP, "buy", quote.ask, Decimal(3), FIRST_MINUTE + 10)
    market.pin(SWAP, Decimal("70000.5"), FIRST_MINUTE + 20_000)
    market.traded(SWAP, "sell", Decimal("70000.4"), Decimal("1.5"), FIRST_MINUTE + 30_100)
    market.unpin(SWAP, FIRST_MINUTE + 95_000)
    market.walk_from(SWAP, Decimal(61000), FIRST_MINUTE + 181_130)
    return market


@pytest.mark.parametrize(
    ("inst_id", "speed"),
    [(SWAP, 1), (SPOT, 1), (COIN, 1), (SWAP, 600), (SPOT, 600), ("DOGE-USDT-SWAP", 600)],
)
def test_same_seed_and_speed_give_the_same_prices_live_and_in_history(
    inst_id: str, speed: int
) -> None:
    market = moving(speed=speed)
    seen = {
        now: (market.quote(inst_id).last, market.quote(inst_id).mark)
        for now in walk(market, STARTED, STARTED + 5000)
    }

    later = moving(at=STARTED + DAY, speed=speed).quote(inst_id).walk
    other = moving(seed=4, at=STARTED + DAY, speed=speed).quote(inst_id).walk

    assert {now: (later.price(now), later.price(now, "mark")) for now in seen} == seen
    assert {now: (other.price(now), other.price(now, "mark")) for now in seen} != seen
    assert len({last for last, _ in seen.values()}) > 3


def test_speed_walks_the_same_path_faster() -> None:
    slow = moving(at=STARTED * 600).quote(SWAP).walk
    fast = moving(speed=600).quote(SWAP).walk

    assert fast.bar(STARTED, STARTED + 144_000) == slow.bar(STARTED * 600, STARTED * 600 + DAY)


def test_prices_wander_jump_and_stay_within_reason() -> None:
    quote = moving().quote(SWAP)
    hours = [quote.walk.bar(STARTED - (n + 1) * HOUR, STARTED - n * HOUR) for n in range(24 * 60)]
    ranges = sorted((each.high - each.low) / each.open for each in hours)

    assert all(Decimal(50_000) < each.low <= each.high < Decimal(78_000) for each in hours)
    assert ranges[len(ranges) // 2] > Decimal("0.001")
    assert ranges[-1] > 4 * ranges[len(ranges) // 2]


def test_every_price_is_a_tick_and_every_volume_a_lot() -> None:
    market = moving()
    for _ in walk(market, STARTED, STARTED + 2000):
        pass
    for quote in market.quotes.values():
        listed = quote.instrument

        for each in quote.tape.trades:
            assert each.price % listed.tick == 0
            assert each.size % listed.lot == 0
            assert each.size > 0
        for price in (quote.mark, quote.index):
            assert price % listed.tick == 0
            assert abs(price / quote.last - 1) < Decimal("0.02")


@pytest.mark.parametrize("kind", ["last", "mark", "index"])
@pytest.mark.parametrize(
    ("whole", "part", "count"),
    [(MINUTE, 1000, 60), (3 * MINUTE, MINUTE, 3), (HOUR, MINUTE, 60), (4 * HOUR, 15 * MINUTE, 16)],
)
def test_candles_nest(kind: str, whole: int, part: int, count: int) -> None:
    walked = disturbed().quote(SWAP).walk
    for number in (-1, 0, 1):
        start = FIRST_MINUTE // whole * whole + number * whole
        parts = [walked.bar(start + n * part, start + (n + 1) * part, kind) for n in range(count)]

        assert walked.bar(start, start + whole, kind) == folded(parts)
        assert all(later.open == earlier.close for earlier, later in pairwise(parts))
        assert all(each.low <= each.open <= each.high for each in parts)


def test_the_tape_adds_up_to_the_candles() -> None:
    market = moving()
    quote = market.quote(SPOT)
    for now in walk(market, STARTED, STARTED + 12_000):
        if now % 7000 == 500:
            market.taken(SPOT, "buy", quote.ask, Decimal("0.25"), now)
    since = STARTED // 1000 * 1000 + 1000

    for start in range(since, since + 10_000, 1000):
        trades = [each for each in quote.tape.trades if start <= each.ts < start + 1000]
        bar = quote.walk.bar(start, start + 1000)

        assert trades[0].price == bar.open
        assert max(each.price for each in trades) == bar.high
        assert min(each.price for each in trades) == bar.low
        assert sum(each.size for each in trades) == bar.volume


def test_trade_ids_rise_and_are_not_used_again_after_a_restart() -> None:
    market = moving()
    for now in walk(market, STARTED, STARTED + 3000):
        market.traded(SWAP, "buy", market.quote(SWAP).last, Decimal(1), now)
    ids = [int(each.trade_id) for each in market.quote(SWAP).tape.trades]
    again = moving(at=STARTED + 10_000)
    fill = {"kind": "fill", "ts": STARTED, "inst_id": SWAP, "px": "64000", "sz": "1"}
    again.replay({**fill, "trade_id": str(ids[-1])})

    assert ids == sorted(set(ids))
    assert int(again.traded(SWAP, "buy", Decimal(64000), Decimal(1), STARTED + 10_000)) > ids[-1]


def test_memory_of_the_tape_is_bounded() -> None:
    market = moving()
    for number in range(2500):
        market.traded(SWAP, "buy", Decimal(64000), Decimal(1), STARTED + number)

    assert len(market.quote(SWAP).tape.trades) == 1000


def test_customers_trades_stay_in_the_candles_after_many_others() -> None:
    """Older ones are kept by the hour."""
    market = Market(3, STARTED)
    hour = STARTED // HOUR * HOUR + HOUR
    market.traded(SWAP, "buy", Decimal(64100), Decimal(5), hour + 1000)
    for number in range(1, 10_001):
        market.traded(SWAP, "buy", Decimal(64000), Decimal(1), hour + HOUR + number * 1000)
    walked = market.quote(SWAP).walk

    assert walked.bar(hour, hour + HOUR)[1:] == (64100, 64000, 64000, 5)
    assert walked.bar(hour + HOUR, hour + 4 * HOUR).volume == 10_000
    assert len(walked._prints) < 6000


def test_a_pin_holds_every_price_and_a_release_walks_on_from_there() -> None:
    market = moving()
    market.pin(SWAP, Decimal("70000.5"), STARTED)
    quote = market.quote(SWAP)

    held = [(quote.last, quote.mark, quote.index) for _ in walk(market, STARTED, STARTED + 5000)]
    market.unpin(SWAP, STARTED + 5000)
    after = [quote.last for _ in walk(market, STARTED + 5000, STARTED + 25_000)]

    assert set(held) == {(Decimal("70000.5"),) * 3}
    assert (quote.bid, quote.ask) == (
        quote.last - quote.instrument.tick,
        quote.last + Decimal("0.1"),
    )
    assert len(set(after)) > 3
    assert all(abs(price / 70000 - 1) < Decimal("0.01") for price in after)


def test_prices_set_by_hand_are_remembered_after_a_restart() -> None:
    market = disturbed()
    entries = [
        {"px": "70000.5", "ts": FIRST_MINUTE + 20_000},
        {"px": "70000.5", "ts": FIRST_MINUTE + 95_000, "held": False},
        {"px": "61000", "ts": FIRST_MINUTE + 181_130, "held": False},
    ]
    again = moving(at=FIRST_MINUTE + DAY)
    for entry in entries:
        again.replay({"kind": "price", "inst_id": SWAP, **entry})
    old, new = market.quote(SWAP).walk, again.quote(SWAP).walk

    for start in range(FIRST_MINUTE, FIRST_MINUTE + 5 * MINUTE, 15_000):
        assert new.price(start) == old.price(start)
        assert new.price(start, "mark") == old.price(start, "mark")
    assert again.quote(SWAP).last == new.price(FIRST_MINUTE + DAY)


def test_a_still_market_stands_at_the_first_price_and_its_past_leads_there() -> None:
    market = Market(3, STARTED)
    quote = market.quote(SWAP)

    assert market.step(STARTED + 10_000) == []
    assert (quote.last, quote.mark, quote.index) == (64000, 64000, 64000)
    before = quote.walk.bar(STARTED // 250 * 250 - HOUR, STARTED // 250 * 250)
    assert before.close == 64000
    assert before.high > before.low


def test_the_ticker_agrees_with_the_candles() -> None:
    market = moving()
    for _ in walk(market, STARTED, STARTED + 3000):
        pass
    quote, now = market.quote(SWAP), STARTED + 3000
    minute = now // MINUTE * MINUTE
    minutes = [
        [Decimal(text) for text in candle(quote, "1m", start, now)[:6]]
        for start in range(minute - DAY, minute + 1, MINUTE)
    ]
    day = quote.day(now)

    assert day.open == minutes[0][1]
    assert day.high == max(each[2] for each in minutes)
    assert day.low == min(each[3] for each in minutes)
    assert day.close == minutes[-1][4] == quote.last
    assert day.volume == sum(each[5] for each in minutes)


@pytest.mark.parametrize(
    ("inst_id", "depth"), [*((inst_id, 400) for inst_id in sorted(BY_ID)), (SWAP, 5000)]
)
def test_the_book_is_sorted_and_never_crossed(inst_id: str, depth: int) -> None:
    market = moving()
    tick = market.quote(inst_id).instrument.tick

    asks, bids = market.book(inst_id, depth)

    assert len(asks) == depth
    assert bids[-1].price > 0
    assert bids[0].price < asks[0].price
    assert all(after.price - before.price >= tick for before, after in pairwise(asks))
    assert all(before.price - after.price >= tick for before, after in pairwise(bids))
    assert all(each.size > 0 and each.orders > 0 for each in (*asks, *bids))


def test_the_top_takes_small_orders_and_the_book_is_worth_tens_of_millions() -> None:
    market = Market(3, STARTED)
    for inst_id, quote in market.quotes.items():
        asks, _ = market.book(inst_id, 400)
        worth = [quote.instrument.usd_notional(each.size, each.price) for each in asks]

        assert 100_000 <= worth[0] <= 500_000
        assert 40_000_000 <= sum(worth) <= 400_000_000


def test_what_takers_took_is_missing_until_it_is_refilled() -> None:
    market = Market(3, STARTED)
    now = STARTED
    market.now = lambda: now
    best, second = islice(market.levels(SWAP, "buy", now), 2)

    market.taken(SWAP, "buy", best.price, best.size, now)
    market.taken(SWAP, "buy", second.price, Decimal(5), now)
    left = next(iter(market.levels(SWAP, "buy", now)))
    shown = market.book(SWAP, 1)[0][0]
    now += 249
    still = next(iter(market.levels(SWAP, "buy", now)))
    now += 1

    assert (left.price, left.size) == (second.price, second.size - 5)
    assert shown == left == still
    assert market.book(SWAP, 2)[0] == [best, second]


def test_the_book_shows_resting_orders_of_customers() -> None:
    market = Market(3, STARTED)
    own = {
        "buy": [Level(Decimal(64000), Decimal(2), 1), Level(Decimal("63999.9"), Decimal(3), 2)],
        "sell": [Level(Decimal(65000), Decimal(1), 1)],
    }
    plain = market.book(SWAP, 400)
    market.resting = lambda _inst_id, side: own[side]

    asks, bids = market.book(SWAP, 400)

    best = plain[1][0]
    assert bids[0] == Level(Decimal(64000), Decimal(2), 1)
    assert bids[1] == Level(best.price, best.size + 3, best.orders + 2)
    assert asks == plain[0]


@pytest.mark.parametrize("speed", [1, 8, 600])
def test_funding_is_due_once_at_its_times_with_the_rates_of_the_history(speed: int) -> None:
    period = 8 * HOUR // speed
    market = moving(speed=speed)
    swaps = [each.inst_id for each in of_type("SWAP")]
    due: list[FundingDue] = []
    for now in range(STARTED, STARTED + 3 * period + 1, period // 48):
        due += market.funding_due(now)

    times = [each.at_ms for each in due if each.inst_id == SWAP]
    assert len(due) == len(times) * len(swaps)
    assert len(times) == 3
    assert [later - earlier for earlier, later in pairwise(times)] == [period, period]
    assert all(at * speed % (8 * HOUR) == 0 for at in times)
    for each in due:
        number = market.funding.number_at(each.at_ms)
        assert market.funding.time(number) == each.at_ms
        assert market.funding.rate(each.inst_id, number) == each.rate
    assert market.funding_due(now) == []


def test_funding_of_an_earlier_run_is_settled_and_what_was_missed_since_is_due() -> None:
    first = STARTED // (8 * HOUR) * 8 * HOUR + 8 * HOUR
    market = moving(at=first + 8 * HOUR + 5000)
    market.replay({"kind": "deposit", "ts": first + 10})

    due = market.funding_due(first + 8 * HOUR + 5000)

    assert {each.at_ms for each in due} == {first + 8 * HOUR}
    assert moving(at=first + 5000).funding_due(first + 5000) == []


def test_funding_rates_vary_within_their_bounds() -> None:
    funding = moving().funding
    rates = [funding.rate(SWAP, number) for number in range(60_000, 61_000)]

    assert all(abs(rate) <= Decimal("0.00375") for rate in rates)
    assert max(set(rates), key=rates.count) == Decimal("0.0001")
    assert min(rates) < 0
    assert len(set(rates)) > 50


@pytest.mark.parametrize("listed", of_type("SWAP"), ids=lambda each: each.inst_id)
def test_larger_positions_get_less_leverage_and_more_maintenance_margin(listed: Instrument) -> None:
    tiers = tiers_of(listed)

    assert len(tiers) == 8
    assert (tiers[0].mmr, tiers[0].max_lever) == (listed.mmr, listed.max_lever)
    for before, after in pairwise(tiers):
        assert after.min_size == before.max_size + listed.lot
        assert after.max_size > before.max_size
        assert after.mmr > before.mmr
        assert after.max_lever < before.max_lever
        assert after.mmr < after.imr
    assert tier_for(listed, -tiers[1].min_size) == tiers[1]
    assert tier_for(listed, tiers[-1].max_size * 2) == tiers[-1]


def test_a_touched_price_is_known_until_the_next_step() -> None:
    """What lies between two heartbeats counts as reached."""
    market = moving(speed=600)
    quote = market.quote(SWAP)
    before = quote.last
    for now in walk(market, STARTED, STARTED + 2500):
        bar = quote.walk.bar(now - 250, now)
        assert (quote.low, quote.high) == reached(quote, bar, before)
        before = quote.last


def reached(quote: Quote, bar: PriceBar, before: Decimal) -> tuple[Decimal, Decimal]:
    return min(bar.low, quote.last, before), max(bar.high, quote.last, before)


def test_a_trade_that_was_not_public_is_in_no_candle_after_a_restart() -> None:
    fill = {"kind": "fill", "ts": FIRST_MINUTE, "inst_id": SWAP, "px": "50000", "sz": "7"}
    market = Market(3, FIRST_MINUTE + MINUTE)
    market.replay({**fill, "trade_id": "-500", "printed": False})
    market.replay({**fill, "trade_id": "501", "px": "64000.1", "sz": "2"})
    market.replay({**fill, "trade_id": "-501", "px": "64000.1", "sz": "2"})
    still = Market(3, FIRST_MINUTE + MINUTE).quote(SWAP).walk

    bar = market.quote(SWAP).walk.bar(FIRST_MINUTE, FIRST_MINUTE + MINUTE)
    plain = still.bar(FIRST_MINUTE, FIRST_MINUTE + MINUTE)

    assert bar.volume == plain.volume + 2
    assert bar.low == min(plain.low, Decimal("64000.1"))
