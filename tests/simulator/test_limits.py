"""Request limits are counted over a sliding window and forget who went away."""

from __future__ import annotations

from trading.simulator.limits import Limiter


def test_a_window_slides() -> None:
    limiter = Limiter()

    assert [limiter.take("k", 2, 2000, now) for now in (0, 500, 1999, 2000, 2499, 2500)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_what_is_refused_is_not_counted() -> None:
    limiter = Limiter()

    assert limiter.take("k", 20, 2000, 0, count=15)
    assert not limiter.take("k", 20, 2000, 1, count=6)
    assert limiter.take("k", 20, 2000, 1, count=5)


def test_idle_counters_are_dropped() -> None:
    limiter = Limiter()
    assert limiter.take("busy", 1, 3_600_000, 0)

    for number in range(40_000):
        assert limiter.take(f"made up {number}", 1, 2000, number)
        assert not limiter.take(f"made up {number}", 1, 2000, number)

    assert len(limiter) < 15_000
    assert not limiter.take("busy", 1, 3_600_000, 40_000)
