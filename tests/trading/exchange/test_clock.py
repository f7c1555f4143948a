"""The exchange's clock is the median of quick samples."""

from __future__ import annotations

import pytest

from trading.exchange.clock import ClockSample, ExchangeClock


def sample(offset_ms: int, round_trip_ms: int = 20) -> ClockSample:
    return ClockSample(1000, 1000 + round_trip_ms, 1000 + round_trip_ms // 2 + offset_ms)


def test_a_clock_never_measured_is_ours() -> None:
    clock = ExchangeClock(lambda: 5000)

    assert (clock.offset_ms, clock.now_ms(), clock.is_known) == (0, 5000, False)


def test_the_answer_is_taken_from_the_middle_of_the_round_trip() -> None:
    assert ClockSample(sent_ms=1000, received_ms=1200, exchange_ms=5100).offset_ms == 4000


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [([7], 7), ([-5, 5], 0), ([1, 2, 900], 2), ([9, 9, 9, 1, 1, 1, 1, 1], 1), ([1, 2, 4], 2)],
)
def test_the_median_of_the_last_five_counts(offsets: list[int], expected: int) -> None:
    clock = ExchangeClock(lambda: 0)

    assert all(clock.add(sample(offset)) for offset in offsets)

    assert clock.offset_ms == clock.now_ms() == expected


@pytest.mark.parametrize("round_trip_ms", [300, 5000, -1])
def test_a_slow_or_backward_round_trip_tells_nothing(round_trip_ms: int) -> None:
    clock = ExchangeClock(lambda: 0)

    assert not clock.add(sample(99, round_trip_ms))

    assert not clock.is_known


async def test_measuring_asks_once() -> None:
    moments = iter([1000, 1100, 2000])
    clock = ExchangeClock(lambda: next(moments))

    async def fetch_time_ms() -> int:
        return 1550

    assert await clock.measure(fetch_time_ms)

    assert clock.offset_ms == 500
    assert clock.now_ms() == 2500
