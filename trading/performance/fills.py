"""What fills moved: volume, fees and realized PnL, each in its own currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from django.db.models import Q
from django.utils import timezone

from trading.models import Fill, Instrument
from trading.performance.kinds import Kind, kind_of
from trading.performance.periods import Period, buckets, place_of
from trading.performance.series import ZERO, Point, Series
from trading.positions_held import rules_of
from trading.sizing import InstrumentRules, notional
from trading.sizing.exact import EXACT

if TYPE_CHECKING:
    from accounts.models import Tenant
    from customers.models import ExchangeAccountQuerySet

FILLS_AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Done:
    """One fill, as far as it is counted."""

    market: str
    inst_id: str
    at: datetime
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    realized_pnl: Decimal


@dataclass(frozen=True, slots=True)
class Terms:
    """How fills of one instrument are valued, and in which currencies."""

    rules: InstrumentRules
    quote: str
    settled_in: str


@dataclass(slots=True)
class Flows:
    """Sums of one kind of money, by currency. A charged fee is negative.

    `unvalued` counts the fills of instruments that are not known: they are in no sum.
    """

    kind: Kind
    fills: int = 0
    unvalued: int = 0
    volume: dict[str, Decimal] = field(default_factory=dict)
    realized_pnl: dict[str, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)

    def add(self, done: Done, terms: Terms | None) -> None:
        self.fills += 1
        if terms is None:
            self.unvalued += 1
            return
        _grow(self.volume, terms.quote, value_of(done, terms))
        _grow(self.realized_pnl, terms.settled_in, done.realized_pnl)
        _grow(self.fees, done.fee_currency or terms.settled_in, done.fee)


def flows(
    accounts: ExchangeAccountQuerySet, start: datetime | None, end: datetime | None = None
) -> list[Flows]:
    """The sums over the fills from `start` to before `end`, for each kind that has some."""
    sums: dict[Kind, Flows] = {}
    book = TermsBook()
    for page in _pages(accounts, start, end):
        known = book.of(page)
        for done in page:
            kind = kind_of(done.market)
            terms = known.get((done.market, done.inst_id))
            sums.setdefault(kind, Flows(kind)).add(done, terms)
    return [sums[kind] for kind in Kind if kind in sums]


def volume_series(
    accounts: ExchangeAccountQuerySet,
    period: Period,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Series]:
    """Notional of the fills of each bucket: a series for each kind and quote currency."""
    cut = buckets(period, desk, now or timezone.now())
    sums: dict[tuple[Kind, str], list[Decimal]] = defaultdict(lambda: [ZERO] * len(cut))
    book = TermsBook()
    for page in _pages(accounts, cut[0].start, cut[-1].end):
        known = book.of(page)
        for done in page:
            terms, place = known.get((done.market, done.inst_id)), place_of(cut, done.at)
            if terms is None or place is None:
                continue
            row = sums[kind_of(done.market), terms.quote]
            row[place] = EXACT.add(row[place], value_of(done, terms))
    return [
        Series(kind, quote, tuple(Point(b.start, v) for b, v in zip(cut, values, strict=True)))
        for (kind, quote), values in sorted(sums.items())
    ]


def value_of(done: Done, terms: Terms) -> Decimal:
    """Quantity x contract value x price; of an inverse contract quantity x contract value."""
    return notional(terms.rules, done.quantity, done.price)


class TermsBook:
    """The instruments met so far: read once each, and only those that occur."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Terms] = {}
        self.looked: set[tuple[str, str]] = set()

    def of(self, page: Iterable[Done]) -> Mapping[tuple[str, str], Terms]:
        """The book, with the instruments of this page looked up."""
        wanted = {(done.market, done.inst_id) for done in page} - self.looked
        if wanted:
            asked = Q()
            for market, inst_id in sorted(wanted):
                asked |= Q(market=market, inst_id=inst_id)
            for row in Instrument.objects.filter(asked):
                settled = row.settle_currency or row.quote_currency
                terms = Terms(rules_of(row), _quote(row), settled)
                self.known[row.market, row.inst_id] = terms
            self.looked |= wanted
        return self.known


def _pages(
    accounts: ExchangeAccountQuerySet, start: datetime | None, end: datetime | None
) -> Iterator[list[Done]]:
    """The fills in order of time, a bounded page at a time on every database."""
    rows = Fill.objects.filter(account__in=accounts.order_by().values("pk"))
    if start is not None:
        rows = rows.filter(filled_at__gte=start)
    if end is not None:
        rows = rows.filter(filled_at__lt=end)
    columns = (
        "account__market", "inst_id", "filled_at", "quantity", "price", "fee", "fee_currency",
        "realized_pnl",
    )  # fmt: skip
    rows = rows.order_by("filled_at", "pk").values_list("pk", *columns)
    page = list(rows[:FILLS_AT_ONCE])
    while page:
        yield [Done(*figures) for _pk, *figures in page]
        if len(page) < FILLS_AT_ONCE:
            return
        last, at = page[-1][0], page[-1][3]
        later = Q(filled_at__gt=at) | Q(filled_at=at, pk__gt=last)
        page = list(rows.filter(later, filled_at__gte=at)[:FILLS_AT_ONCE])


def _quote(row: Instrument) -> str:
    """OKX names the quote currency of a pair only; of a contract it is in its name."""
    return row.quote_currency or row.inst_id.partition("-")[2].partition("-")[0]


def _grow(sums: dict[str, Decimal], currency: str, amount: Decimal) -> None:
    if amount:
        with localcontext(EXACT):
            sums[currency] = sums.get(currency, ZERO) + amount
