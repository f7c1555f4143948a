"""What the findings of a probe mean for our settings. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trading.exchange.okx import codes
from trading.exchange.okx.probe import Findings, Repeat
from trading.exchange.types import Outcome

# A lag was measured a few times only: this much longer ones are expected.
LAG_FACTOR = 2
LAG_ROOM_MS = 1000
CLOCK_ROOM_MS = 500


@dataclass(frozen=True, slots=True)
class Advice:
    """`name` is a setting, or a list of codes in the adapter; `value` what it should be."""

    name: str
    now: str
    value: str
    why: str

    @property
    def changes(self) -> bool:
        return self.now != self.value


def advice_on(findings: Findings, *, grace_s: int, skew_s: int) -> list[Advice]:
    lag_ms = findings.worst_lag_ms
    grace = max(grace_s, math.ceil((lag_ms * LAG_FACTOR + LAG_ROOM_MS) / 1000))
    skew = max(skew_s, math.ceil((abs(findings.clock_offset_ms) + CLOCK_ROOM_MS) / 1000))
    found = [
        Advice("GRACE_S", str(grace_s), str(grace), f"an order is found at most {lag_ms} ms late"),
        Advice("SKEW_S", str(skew_s), str(skew), f"clocks differ by {findings.clock_offset_ms} ms"),
    ]
    return found + _expiry(findings) + _duplicates(findings) + _ambiguous(findings)


def refused_for_s(repeats: list[Repeat]) -> float | None:
    """How long the used name was still refused; None when the first repeat was accepted."""
    refused = [each.after_s for each in repeats if each.outcome == Outcome.DUPLICATE]
    return max(refused, default=None)


def _expiry(findings: Findings) -> list[Advice]:
    code = findings.expired_code
    if findings.expired_placed:
        return [
            Advice("expTime", "honored", "ignored", "an expired order was placed: do not trade")
        ]
    if code in codes.EXPIRED:
        return []
    known = ", ".join(sorted(codes.EXPIRED))
    return [Advice("codes.EXPIRED", known, f"{known}, {code}", "told for a passed deadline")]


def _duplicates(findings: Findings) -> list[Advice]:
    repeats = [*findings.while_live, *findings.after_cancel, *findings.after_fill]
    strange = {
        each.code
        for each in repeats
        if each.outcome not in (Outcome.ACK, Outcome.DUPLICATE) and each.code
    }
    known = ", ".join(sorted(codes.DUPLICATE))
    return [
        Advice("codes.DUPLICATE", known, f"{known}, {code}", "told for a repeated name: read it")
        for code in sorted(strange)
    ]


def _ambiguous(findings: Findings) -> list[Advice]:
    return [
        Advice(f"{code} proves", "nothing", "nothing", f"{placed} orders so answered were placed")
        for code, placed in findings.ambiguous_placed.items()
        if placed
    ]
