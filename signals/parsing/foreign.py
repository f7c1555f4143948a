"""What the dialects of other systems have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from typing import TypeVar

from signals.enums import Direction, Intent, QuantityMode, Stance
from signals.parsing import fields, strict_json
from signals.parsing.copydesk import MAX_PERCENT, MAX_TTL_SECONDS
from signals.parsing.normal import Net, ParseError, Quantity

T = TypeVar("T")

SIDES: Mapping[str, Direction] = {"buy": Direction.LONG, "sell": Direction.SHORT}
STANCES: Mapping[str, Stance] = {stance.value: stance for stance in Stance}
OPPOSITE = {Direction.LONG: Direction.SHORT, Direction.SHORT: Direction.LONG}
# Sizes that were added up as binary fractions differ in a place that nobody trades.
TOLERANCE = Decimal("1e-9")
PLACES = Decimal(1).scaleb(-fields.MAX_DECIMALS)
ONLY_MARKET = "only market orders are followed; a strategy can place limit orders of its own"


def payload_of(raw: bytes, secret: str) -> fields.Fields:
    """The object of a payload without its secret: that is the door's, not part of the signal."""
    return {name: v for name, v in strict_json.loads(raw).items() if name != secret}


def said(payload: fields.Fields) -> str:
    """One spelling of all that a payload says."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), default=str)


def given(payload: fields.Fields, name: str) -> object | None:
    """The field's value; an empty text is what a template leaves of a value that is not there."""
    value = payload.get(name)
    return None if value == "" else value


def needed(payload: fields.Fields, name: str, prefix: str = "") -> object:
    value = given(payload, name)
    if value is None:
        raise ParseError(prefix + name, "required")
    return value


def choice(value: object, path: str, options: Mapping[str, T]) -> T:
    """The option of this name, in upper or lower case."""
    name = value.strip().lower() if isinstance(value, str) else ""
    if name not in options:
        raise ParseError(path, "must be one of " + ", ".join(options))
    return options[name]


def object_in(payload: fields.Fields, name: str) -> fields.Fields:
    """The object under a name; absent is empty."""
    value = given(payload, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(name, "must be an object")
    return value


def patience(payload: fields.Fields, name: str) -> timedelta | None:
    """Whole seconds, as a number or as text, after which an opening is too old."""
    value = given(payload, name)
    if value is None:
        return None
    seconds = fields.decimal(value, name)
    return timedelta(seconds=fields.whole_between(seconds, name, 1, MAX_TTL_SECONDS))


def only_market(payload: fields.Fields, name: str, prefix: str = "") -> None:
    """Refuse what is to be placed at a price: it would be traded at another."""
    value = given(payload, name)
    if value is not None and (not isinstance(value, str) or value.strip().lower() != "market"):
        raise ParseError(prefix + name, ONLY_MARKET)


PERCENTAGES = frozenset(
    {QuantityMode.PERCENT, QuantityMode.PERCENT_EQUITY, QuantityMode.PERCENT_AVAILABLE}
)


def quantity(value: object, path: str, mode: QuantityMode) -> Quantity:
    number = fields.positive(value, path)
    if mode in PERCENTAGES and number > MAX_PERCENT:
        raise ParseError(path, f"must not be above {MAX_PERCENT}")
    return Quantity(mode, number)


def exit_of(wanted: Quantity | None) -> tuple[Intent, Quantity | None]:
    """An exit without a quantity, or of the whole position, is a close."""
    if wanted is None or (wanted.mode == QuantityMode.PERCENT and wanted.value == MAX_PERCENT):
        return Intent.CLOSE, None
    return Intent.REDUCE, wanted


def check_course(net: Net, path: str) -> None:
    """Refuse an order that cannot lead where the sender says that it did."""
    if net.toward is None or net.after in (None, Stance.FLAT):
        return
    reduces = net.toward.value != net.after
    if reduces and net.before not in (None, net.after):
        side = "sell" if net.toward == Direction.SHORT else "buy"
        raise ParseError(path, f"a {side} does not lead from {net.before} to {net.after}")


def as_said(net: Net) -> tuple[Intent, Direction]:
    """Intent and direction as long as our position is the one that the sender started from."""
    if net.after is None or net.toward is None:
        raise ValueError("says nothing of its own course")
    if net.after == Stance.FLAT:
        from_side = net.before if net.before in (Stance.LONG, Stance.SHORT) else None
        return Intent.CLOSE, Direction(from_side or OPPOSITE[net.toward])
    direction = Direction(net.after)
    if net.toward != direction:
        return Intent.REDUCE, direction
    if net.before == net.after:
        return Intent.ADD, direction
    return (Intent.OPEN if net.before in (None, Stance.FLAT) else Intent.FLIP), direction


def sizes(
    before: tuple[Stance, Decimal], after: tuple[Stance, Decimal], traded: Quantity | None
) -> tuple[Quantity | None, Decimal | None]:
    """The position afterwards in the order's own unit, and the percentage that a reduction takes.

    The sizes around an order are in coins of the sender's chart. They say how much we are to hold
    only where the order is what lies between them: an amount that was typed in is not.
    """
    held, left = after[1] if after[0] != Stance.FLAT else Decimal(0), before[1]
    share = None
    if before[0] == after[0] != Stance.FLAT and 0 < held < left:
        # Down: a little less reduced keeps the lot that a little more would lose.
        share = ((left - held) * MAX_PERCENT / left).quantize(PLACES, rounding=ROUND_DOWN)
    if traded is None or traded.mode not in (QuantityMode.BASE, QuantityMode.CONTRACTS):
        return None, share
    moved = abs(_signed(*after) - _signed(*before))
    if held == 0 or abs(moved - traded.value) > TOLERANCE * max(moved, traded.value):
        return None, share
    return Quantity(traded.mode, held), share


def _signed(stance: Stance, size: Decimal) -> Decimal:
    if stance == Stance.FLAT:
        return Decimal(0)
    return size if stance == Stance.LONG else -size
