"""How accounts and followings stand at the moment, read for a whole desk at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from customers.models import ExchangeAccount
from signals.enums import Direction
from trading.enums import PositionSide
from trading.models import Balance, Cycle, EquitySnapshot, Fill, Position
from trading.stops.measuring import ZERO
from trading.stops.payments import rate_of

# A fill that is told later than this after it happened is no longer looked for.
LATEST_FILL = timedelta(days=1)
# A snapshot bears the minute in which it was read: what was paid in that minute is in it.
SNAPSHOT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Worth:
    """What an account is worth now, and what of that is not realized, in USDT."""

    equity: Decimal
    unrealized: Decimal


class Rates:
    """What currencies are worth in USDT, each asked for once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Decimal] = {}

    def value(self, market: str, currency: str, amount: Decimal) -> Decimal:
        """What nobody can value counts nothing."""
        if not amount:
            return ZERO
        key = (market, currency)
        if key not in self._known:
            self._known[key] = rate_of(market, currency) or ZERO
        return amount * self._known[key]


def settled_in(inst_id: str) -> str:
    """The currency a contract is settled in, by its name: BTC-USD-SWAP in BTC."""
    base, _, rest = inst_id.partition("-")
    quote = rest.partition("-")[0]
    return base if quote == "USD" else quote


def read_worths(accounts: Iterable[ExchangeAccount], rates: Rates) -> dict[int, Worth]:
    """Of those that the exchange has told of."""
    markets = {account.pk: account.market for account in accounts}
    equities: dict[int, Decimal] = {}
    unrealized: dict[int, Decimal] = defaultdict(Decimal)
    rows = Balance.objects.filter(account_id__in=markets).order_by()
    for account, currency, equity, open_pnl in rows.values_list(
        "account_id", "currency", "equity", "unrealized_pnl"
    ):
        if currency == Balance.TOTAL:
            equities[account] = equity
        else:
            unrealized[account] += rates.value(markets[account], currency, open_pnl)
    return {pk: Worth(equity, unrealized[pk]) for pk, equity in equities.items()}


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an account was worth when a period began, and when that was read."""

    at: datetime
    equity: Decimal
    unrealized: Decimal


def beginning_of(account_id: int, since: datetime, worth: Worth, now: datetime) -> Beginning:
    """What there is now if it began just now; else the last reading before, or the first after."""
    if now - since < SNAPSHOT:
        return Beginning(now, worth.equity, worth.unrealized)
    taken = EquitySnapshot.objects.filter(account_id=account_id)
    row = taken.filter(at__lte=since).order_by("-at").first()
    row = row or taken.filter(at__gt=since, at__lte=now - 2 * SNAPSHOT).order_by("at").first()
    if row is None:
        return Beginning(now, worth.equity, worth.unrealized)
    return Beginning(row.at + SNAPSHOT, row.equity, row.unrealized_pnl)


@dataclass(frozen=True, slots=True)
class Made:
    """What one fill made, in USDT, with its fee."""

    filled_at: datetime
    received_at: datetime
    amount: Decimal


def read_fills(
    links: Mapping[int, ExchangeAccount], *, since: datetime, heard_from: datetime, rates: Rates
) -> dict[int, list[Made]]:
    """What fills made of each following, by its key; `links` are those keys with accounts."""
    if not links:
        return {}
    oldest = max(since, heard_from - LATEST_FILL)
    rows = Fill.objects.filter(
        filled_at__gte=oldest,
        received_at__gte=heard_from,
        order__subscription_id__in=list(links),
    ).order_by()
    fills: dict[int, list[Made]] = defaultdict(list)
    columns = (
        "order__subscription_id", "filled_at", "received_at", "inst_id", "realized_pnl", "fee",
        "fee_currency",
    )  # fmt: skip
    for link, filled, heard, inst_id, pnl, fee, currency in rows.values_list(*columns).iterator():
        market, settled = links[link].market, settled_in(inst_id)
        amount = rates.value(market, settled, pnl) + rates.value(market, currency or settled, fee)
        fills[link].append(Made(filled, heard, amount))
    return fills


def read_unrealized(links: Mapping[int, ExchangeAccount], rates: Rates) -> dict[int, Decimal]:
    """What the positions of followings would make, by their keys.

    A place on an account has one following at most, so its position is that one's.
    """
    if not links:
        return {}
    running = Cycle.objects.filter(subscription_id__in=list(links), ended_at__isnull=True)
    places = set(running.values_list("subscription_id", "account_id", "inst_id", "direction"))
    held = _positions({account for _, account, _, _ in places})
    found: dict[int, Decimal] = defaultdict(Decimal)
    for link, account, inst_id, direction in places:
        for side in (PositionSide.NET, _SIDES[direction]):
            pnl = held.get((account, inst_id, side), ZERO)
            found[link] += rates.value(links[link].market, settled_in(inst_id), pnl)
    return found


_SIDES = {Direction.LONG: PositionSide.LONG, Direction.SHORT: PositionSide.SHORT}


def _positions(accounts: Collection[int]) -> dict[tuple[int, str, str], Decimal]:
    rows = Position.objects.filter(account_id__in=accounts).exclude(quantity=0).order_by()
    found: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    for account, inst_id, side, pnl in rows.values_list(
        "account_id", "inst_id", "position_side", "unrealized_pnl"
    ):
        found[account, inst_id, side] += pnl
    return found
