"""Whether a take profit and a stop loss can protect what the signal opens. Pure."""

from __future__ import annotations

from decimal import Decimal

from signals.enums import Direction
from signals.parsing import ParsedSignal, ParseError
from signals.ports import InstrumentFacts


def is_protected(parsed: ParsedSignal) -> bool:
    return parsed.take_profit is not None or parsed.stop_loss is not None


def check_protection(
    parsed: ParsedSignal, instrument: InstrumentFacts, price: Decimal | None
) -> None:
    """Raises ParseError naming the field at fault.

    Measured from the reference price, or without one from the mark price at receipt; where
    neither is known, the two are measured from each other. A price off the tick is not refused:
    each follower's order is given the next tick towards the market, which is reached earlier.
    """
    first = "stop_loss" if parsed.stop_loss is not None else "take_profit"
    if instrument.spot:
        raise ParseError(first, "not possible on spot: nothing there ends with its position")
    if parsed.quantity is not None and parsed.quantity.value == 0:
        raise ParseError(first, "not with a target of 0: nothing is left to protect")
    rising = parsed.direction == Direction.LONG
    _check_side("take_profit", parsed.take_profit, price, above=rising)
    _check_side("stop_loss", parsed.stop_loss, price, above=not rising)
    if price is None and parsed.take_profit is not None and parsed.stop_loss is not None:
        word = "below" if rising else "above"
        if (parsed.stop_loss < parsed.take_profit) != rising:
            raise ParseError("stop_loss", f"must be {word} the take profit")


def _check_side(field: str, trigger: Decimal | None, price: Decimal | None, *, above: bool) -> None:
    if trigger is None or price is None:
        return
    if (trigger > price) != above or trigger == price:
        word = "above" if above else "below"
        raise ParseError(field, f"must be {word} the reference price")
