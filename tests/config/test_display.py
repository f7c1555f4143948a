"""How figures, times and states are written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import display


@pytest.mark.parametrize(
    ("label", "value", "places", "sign", "expected"),
    [
        ("thousands", "1234567.5", 2, False, "1,234,567.50"),
        ("a real minus", "-3.1", 2, False, "−3.10"),
        ("a plus where asked", "38204.15", 2, True, "+38,204.15"),
        ("zero has no sign", "0", 2, True, "0.00"),
        ("no trailing zeros", "4.490000000000000000", None, False, "4.49"),
        ("a round number stays whole", "1E+3", None, False, "1,000"),
        ("all digits are kept", "0.000000000000000001", None, False, "0.000000000000000001"),
        ("more than a float", "1234567890123456789.12", 2, False, "1,234,567,890,123,456,789.12"),
    ],
)  # fmt: skip
def test_figures(label: str, value: str, places: int | None, sign: bool, expected: str) -> None:
    assert display.figure(Decimal(value), places, sign=sign) == expected


def test_the_unknown_is_a_dash_never_zero() -> None:
    assert display.figure(None) == "—"
    assert "Not told" in display.num(None, why="Not told")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(42, "42 s"), (192, "3 min 12 s"), (7500, "2 h 05 min"), (273_600, "3 d 4 h")],
)
def test_ages(seconds: int, expected: str) -> None:
    assert display.age(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(3, "3 ms"), (999, "999 ms"), (1000, "1.00 s"), (12_340, "12.34 s")],
)
def test_latencies(milliseconds: int, expected: str) -> None:
    assert display.latency(timedelta(milliseconds=milliseconds)) == expected


def test_badges_escape_what_they_show() -> None:
    assert "<script>" not in display.badge("ok", "check", "<script>", "<b>")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [("1.5", "up", "+1.50"), ("-1.5", "down", "−1.50"), ("0", "flat", "0.00")],
)
def test_profit_has_sign_and_shape(value: str, kind: str, text: str) -> None:
    assert f'<span class="{kind}">{text}</span>' in display.num(Decimal(value), 2, sign=True)
