"""What follows for a protection when its leader has other stops than before. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum

from trading.attached import NOTHING_ATTACHED, Attached, nearer
from trading.protections import towards_market


class Todo(Enum):
    NOTHING = "nothing"
    MOVE = "move"
    TAKE_AWAY = "take away"


def agreed(prices: Iterable[Attached]) -> Attached | None:
    """The stops of one side of an instrument; None where its margin modes have different ones.

    A follower has one position for both: nobody could say which of them counts.
    """
    found = set(prices)
    return found.pop() if len(found) == 1 else None


def on_tick(prices: Attached, tick: Decimal, *, rising: bool) -> Attached:
    return Attached(
        towards_market(prices.take_profit, tick, above=rising),
        towards_market(prices.stop_loss, tick, above=not rising),
    )


def own_of(carried: Attached, mirrored: Attached, by_ratio: Attached) -> Attached:
    """The follower's own prices of an opening that brought `carried` along.

    What is not the leader's price of that time is its own, to the tick. Where the leader's was
    nearer, its own is not on record: then it is what its ratio says of the price that was paid.
    """
    return Attached(
        *(
            brought if brought is not None and brought != leaders else ratio
            for brought, leaders, ratio in zip(carried, mirrored, by_ratio, strict=True)
        )
    )


def wanted_of(leaders: Attached, own: Attached, tick: Decimal, *, rising: bool) -> Attached:
    return on_tick(nearer(leaders, own, rising=rising), tick, rising=rising)


def todo(kept: Attached, wanted: Attached, *, is_settled: bool) -> Todo:
    """How a protection becomes what is wanted.

    Prices are changed in place: the exchange does that at once, and at no moment is there a
    second one for the same part, or none. A leg that comes or goes cannot be changed in place.
    Then the old one is taken away first and a new one is placed when it is gone: with both
    there, both could close, and what the customer holds beside it would be sold as well.
    What the leader has no more may be triggered, or on its way: `is_settled` says it is neither.
    """
    if kept == wanted:
        return Todo.NOTHING
    if _legs(kept) == _legs(wanted):
        return Todo.MOVE
    loses = any(a is not None and b is None for a, b in zip(kept, wanted, strict=True))
    return Todo.NOTHING if loses and not is_settled else Todo.TAKE_AWAY


def is_ahead(wanted: Attached, mark: Decimal | None, *, rising: bool) -> bool:
    """Whether the market has reached none of it; the exchange takes nothing else."""
    if mark is None or wanted == NOTHING_ATTACHED:
        return True
    profit, loss = wanted
    return (profit is None or (profit > mark) == rising) and (
        loss is None or (loss < mark) == rising
    )


def _legs(prices: Attached) -> tuple[bool, bool]:
    return prices.take_profit is not None, prices.stop_loss is not None
