"""Series for charts, and the arithmetic of equity curves. Pure: no query, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from itertools import accumulate

from trading.performance.kinds import Kind
from trading.sizing.exact import EXACT

ZERO = Decimal(0)
RATIO_PLACES = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Point:
    """A bucket's value: `at` is where it begins. None: nothing is known yet.

    Equity and profit are as of its end, of the present bucket as of now.
    """

    at: datetime
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart. `name` is a currency, or the word of an order's state."""

    kind: Kind
    name: str
    points: tuple[Point, ...]

    @property
    def last(self) -> Decimal | None:
        return self.points[-1].value if self.points else None


@dataclass(frozen=True, slots=True)
class Readings:
    """What was heard of one account's equity: the last before the period, the first within it,
    and for each bucket the reading that stands for its end, None where nothing was heard."""

    before: Decimal | None
    first: Decimal | None
    heard: tuple[Decimal | None, ...]

    @property
    def base(self) -> Decimal | None:
        """What the account had when the period, or its own story, began."""
        return self.first if self.before is None else self.before

    def carried(self) -> tuple[Decimal | None, ...]:
        """Each bucket's value, the one before it where nothing was heard; None before the first."""
        values: list[Decimal | None] = []
        last = self.before
        for heard in self.heard:
            last = last if heard is None else heard
            values.append(last)
        return tuple(values)

    def gained(self) -> tuple[Decimal, ...]:
        """How much more than the base each bucket's value is: 0 before the first."""
        base = self.base
        if base is None:
            return (ZERO,) * len(self.heard)
        with localcontext(EXACT):
            return tuple(ZERO if v is None else v - base for v in self.carried())


@dataclass(slots=True)
class Curve:
    """Accounts of one kind, added up one at a time.

    An account that arrives adds its equity but no profit: profit is the sum of what each
    account gained since its own first reading.
    """

    length: int
    accounts: int = 0
    base: Decimal = ZERO
    equity: list[Decimal | None] = field(default_factory=list)
    profit: list[Decimal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.equity = [None] * self.length
        self.profit = [ZERO] * self.length

    def add(self, account: Readings) -> None:
        if account.base is None:
            return
        with localcontext(EXACT):
            self.accounts += 1
            self.base += account.base
            for n, value in enumerate(account.carried()):
                if value is not None:
                    self.equity[n] = (self.equity[n] or ZERO) + value
            self.profit = [a + b for a, b in zip(self.profit, account.gained(), strict=True)]

    def drawdowns(self) -> tuple[Decimal, ...]:
        """The fall from the peak so far, bucket by bucket, as a ratio from 0.

        Counted as if every account had been there from the beginning with what it came with,
        so that neither arriving money is a peak nor its absence a fall.
        """
        with localcontext(EXACT):
            values = [self.base, *(self.base + gain for gain in self.profit)]
        return fall_from_peak(values)[1:]


def fall_from_peak(values: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """For each value, how far it lies below the highest so far: (peak - value) / peak.

    Rounded to 8 places; 0 while the peak is not above 0, where a ratio means nothing.
    """
    return tuple(
        ratio(peak - value, peak)
        for peak, value in zip(accumulate(values, max), values, strict=True)
    )


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """`part / whole` to 8 places, 0 when there is no whole."""
    if whole <= 0:
        return ZERO
    with localcontext() as context:
        context.prec = 80
        return (part / whole).quantize(RATIO_PLACES, rounding=ROUND_HALF_EVEN)


def total(values: Iterable[Decimal]) -> Decimal:
    """An exact sum: the default context would round the 29th digit."""
    with localcontext(EXACT):
        return sum(values, ZERO)
