"""Whether a position that the leader held before is worth opening at today's price."""

from __future__ import annotations

from signals.enums import Direction, SignalPurpose
from signals.models import Signal
from trading.copying.legs import LegStep
from trading.copying.reading import MarketFacts
from trading.enums import DecisionOutcome, Reason
from trading.risk import INCREASES, RiskVerdict


def worse_price(signal: Signal, leg: LegStep, market: MarketFacts) -> RiskVerdict | None:
    """Skipped where the follower asked for a price no worse than the leader's, and it is."""
    if signal.purpose != SignalPurpose.EXISTING_IF_BETTER or leg.leg not in INCREASES:
        return None
    entry, mark = signal.leader_entry, market.mark
    if entry is None:
        return RiskVerdict(DecisionOutcome.SKIPPED, Reason.ENTRY_UNKNOWN)
    if mark is None:
        return RiskVerdict(DecisionOutcome.SKIPPED, Reason.PRICE_UNKNOWN)
    is_worse = mark > entry if leg.direction == Direction.LONG else mark < entry
    if not is_worse:
        return None
    numbers = (("leader_entry", entry), ("mark", mark))
    return RiskVerdict(DecisionOutcome.SKIPPED, Reason.PRICE_WORSE, numbers)
