"""When answers are bad enough to stop: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from trading.execution.watching import is_too_silent, why_refused_too_often

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Answer:
    outcome: str
    at: datetime


def answers(words: str, apart: float) -> list[Answer]:
    """`r` refused, `a` accepted; the newest first, so many seconds apart."""
    outcomes = {"r": "rejected", "a": "ack"}
    return [
        Answer(outcomes[word], NOW - timedelta(seconds=1 + apart * index))
        for index, word in enumerate(words)
    ]


@pytest.mark.parametrize(
    ("label", "heard", "reason"),
    [
        ("four in a row", answers("rrrr", 300), ""),
        ("five in a row, hours apart", answers("rrrrr", 600), "5 orders refused in a row"),
        ("one accepted between them", answers("rrrarr", 10), ""),
        ("nine of a minute", answers("ararararararararar", 1), ""),
        (
            "ten of a minute",
            answers("arararararararararar", 1),
            "10 orders refused within a minute",
        ),
        ("ten of longer than that", answers("arararararararararar", 4), ""),
    ],
)
def test_an_account_is_stopped_by_five_in_a_row_or_ten_a_minute(
    label: str, heard: list[Answer], reason: str
) -> None:
    assert why_refused_too_often(heard, NOW) == reason, label


@pytest.mark.parametrize(
    ("unknown", "sends", "silent"),
    [(6, 20, True), (5, 20, False), (19, 19, False), (30, 100, True), (29, 100, False)],
)
def test_a_market_is_stopped_by_thirty_percent_of_at_least_twenty(
    unknown: int, sends: int, silent: bool
) -> None:
    assert is_too_silent(unknown, sends) is silent
