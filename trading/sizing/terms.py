"""What sizing is told and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from signals.enums import Unit
from strategies.enums import MinSizePolicy, OverMaxPolicy, SizingMode
from trading.enums import Reason
from trading.sizing.units import InstrumentRules, Traded

Steps = tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class SizingTerms:
    """How a subscription wants to follow.

    `amount` is what its mode is nothing without: quote currency, contracts or a share.
    `per_signal`: each addition buys a fixed amount once more. `slippage` is how much worse an
    entry may turn out.
    """

    mode: SizingMode
    ratio: Decimal = Decimal("0.1")
    amount: Decimal | None = None
    multiplier: Decimal = Decimal(1)
    per_signal: bool = False
    allocated_capital: Decimal | None = None
    slippage: Decimal = Decimal("0.005")
    min_policy: MinSizePolicy = MinSizePolicy.SKIP
    round_up_floor: Decimal = Decimal("0.5")
    over_max_policy: OverMaxPolicy = OverMaxPolicy.SCALE_DOWN


@dataclass(frozen=True, slots=True)
class CycleBase:
    """The pair a cycle is followed by: `follower_base` contracts for `leader_base`.

    `leader_base` is counted in the cycle's unit: contracts or percent points of equity.
    A `follower_base` of 0 means: this cycle is not copied any further.
    """

    follower_base: Decimal
    leader_base: Decimal


@dataclass(frozen=True, slots=True)
class Caps:
    """The numbers that make an opening order smaller; None does not bind.

    Notional in quote currency; `max_order_quantity` in contracts;
    `max_position_notional` bounds the position that the order leads to;
    `remaining_allocation` is margin, `remaining_exposure` what all positions of the account
    may still grow by.
    """

    max_order_notional: Decimal | None = None
    remaining_daily_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_order_quantity: Decimal | None = None
    remaining_allocation: Decimal | None = None
    remaining_exposure: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LeaderNumbers:
    """What is known of the leader; `traded` None: the same instrument as the follower's.

    `price` is what it got, None where it does not say.
    """

    equity: Decimal | None = None
    leverage: Decimal | None = None
    price: Decimal | None = None
    traded: Traded | None = None


@dataclass(frozen=True, slots=True)
class SizingRequest:
    """One leg to size.

    `leader_before` and `leader_after` are the leader's absolute position in the cycle's
    direction, counted in `unit`. `follower_position` is what is filled, absolute, in
    contracts; `follower_pending` what is on its way: adds minus reductions, signed.
    `base` is None when the cycle opens. `equity` and `available` are quote currency, None where
    not known or too old; `leverage` is what the position would be held with, None on spot or
    where the account's own is kept.
    """

    terms: SizingTerms
    rules: InstrumentRules
    leader_before: Decimal
    leader_after: Decimal
    base: CycleBase | None = None
    follower_position: Decimal = Decimal(0)
    follower_pending: Decimal = Decimal(0)
    price: Decimal | None = None
    equity: Decimal | None = None
    available: Decimal | None = None
    leverage: Decimal | None = None
    leader: LeaderNumbers = LeaderNumbers()
    stop_loss: Decimal | None = None
    caps: Caps = field(default_factory=Caps)
    unit: Unit = Unit.CONTRACTS
    limit_order: bool = False


@dataclass(frozen=True, slots=True)
class SizingResult:
    """How many contracts to trade (0: nothing), and why that many.

    `base` is the pair to store on the cycle, None when the stored one stays as it is (an
    opening that answers None opens no cycle). `reason` also names the limit that made a
    quantity smaller; `capped` says that one did. `steps` are the values in the order
    in which they came about.
    """

    quantity: Decimal
    base: CycleBase | None
    reason: Reason
    capped: bool
    steps: Steps
