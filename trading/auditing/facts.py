"""What both sides say about one account, in plain values, and what is found to differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from trading.enums import OrderState

Holding = tuple[str, str]  # instrument, position side


class Promise(StrEnum):
    """What the order protocol promises; each is checked by one function."""

    DOUBLED = "I1"
    LOST = "I2"
    STATE = "I3"
    FILLS = "I4"
    POSITION = "I5"
    ORDER = "I6"
    HALT = "I7"
    IDENTITY = "I8"
    COMPLETE = "I9"
    SETTLED = "I10"


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise. `what` is a word for programs, `detail` a sentence for people."""

    promise: Promise
    what: str
    detail: str
    account_id: int | None = None
    order_id: UUID | None = None
    signal_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Not a finding: what is still moving, or what could not be seen."""

    what: str
    detail: str
    account_id: int | None = None
    order_id: UUID | None = None


@dataclass(slots=True)
class Found:
    """What the checks of one account or desk have to say."""

    findings: list[Finding] = field(default_factory=list)
    in_flight: list[Note] = field(default_factory=list)
    unseen: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TheirOrder:
    """An order that the exchange accepted. `place` puts them in the order of acceptance."""

    exchange_order_id: str
    client_order_id: str
    inst_id: str
    state: OrderState
    filled: Decimal
    accepted_ms: int
    changed_ms: int
    place: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFact:
    """An execution, as either side has it."""

    exchange_order_id: str
    trade_id: str
    inst_id: str
    side: str
    position_side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at_ms: int
    client_order_id: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.inst_id, self.trade_id, self.exchange_order_id)

    @property
    def numbers(self) -> tuple[Decimal, Decimal, Decimal]:
        return (self.quantity, self.price, self.fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """One account as the exchange tells it.

    What happened before `orders_since_ms` or `fills_since_ms` cannot be seen; 0 is everything.
    `unfilled_since_ms`: the same of orders that ended without a fill. `read_ms` is the
    exchange's time of the reading; `from_flat`: all that is held came by the fills given.
    """

    orders: Sequence[TheirOrder]
    fills: Sequence[FillFact]
    positions: Mapping[Holding, Decimal]
    read_ms: int
    orders_since_ms: int = 0
    unfilled_since_ms: int = 0
    fills_since_ms: int = 0
    from_flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OurOrder:
    id: UUID
    tenant_id: int
    signal_tenant_id: int
    account_id: int
    customer_id: int
    strategy_id: int | None
    signal_id: UUID
    link_uid: UUID
    cycle_id: UUID | None
    leg: str
    leg_number: int
    slice_number: int
    client_order_id: str
    exchange_order_id: str
    lane_key: str
    lane_at: datetime
    inst_id: str
    order_type: str
    state: OrderState
    reason: str
    filled: Decimal
    attempt: int
    exp_at_ms: int | None
    created_at: datetime
    sent_at: datetime | None
    lease_until: datetime | None
    finished_at: datetime | None
    flattens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """One account as our rows have it."""

    orders: Sequence[OurOrder]
    fills: Sequence[FillFact]
    positions: Mapping[Holding, Decimal]
    spot: frozenset[str] = frozenset()
    known_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Both sides of one account. What changed at or after `quiet_ms` may still be on its way."""

    account_id: int
    theirs: Theirs
    ours: Ours
    quiet_ms: int
    now: datetime
    deployment_code: str
