"""Orders that leave at once: what copying knows of new orders, and who may mark them.

The rooms that copy and that send do not know each other; whoever uses both hands the one to the
other by these words.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from trading.guards import Guards
from trading.models import Instrument
from trading.outgoing import Outgoing
from trading.switch import Switchboard


class Made(NamedTuple):
    """A new order, not written yet. Orders of one `likeness` differ in nothing that decides."""

    order: Outgoing
    likeness: Hashable


@dataclass(frozen=True, slots=True)
class Around:
    """What was read in the transaction in which the orders are made, the switches being held."""

    switchboard: Switchboard
    guards: Guards
    instruments: Mapping[tuple[str, str], Instrument]
    mark_times: Mapping[tuple[str, str], datetime | None]


class Attempt(NamedTuple):
    """One request to place an order, as its order has it on record before it is sent."""

    signal_at: datetime
    order_id: UUID
    number: int
    exp_at_ms: int
    started_at: datetime


class Marked(NamedTuple):
    """An order that may be sent now, once, until its deadline, with its attempt."""

    order: Outgoing
    attempt: Attempt


class MarkFailedError(RuntimeError):
    """New orders could not be looked at: written without, they take the ordinary way."""


# What marking writes on an order, the same for all orders that are alike.
MARKED_COLUMNS = ("state", "attempt", "exp_at_ms", "lease_until", "claim_token", "sent_at")


class Mark(Protocol):
    """Marks what may leave at once; everything else waits to be looked at again, as ever.

    Runs inside the transaction that writes the orders: it sets `MARKED_COLUMNS` on those that
    leave when this commits. Raises MarkFailedError, and what the
    database raises; the transaction must be rolled back then.
    """

    def __call__(
        self, made: Sequence[Made], around: Around, /, *, at: datetime
    ) -> Sequence[Marked]: ...


def mark_nobody(_made: Sequence[Made], _around: Around, *, at: datetime) -> Sequence[Marked]:
    """Every order waits."""
    return ()
