"""What accounts are worth now, and how much more that is than what they began with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import F, OuterRef, Subquery

from trading.models import Balance
from trading.performance.kinds import Kind, kind_of
from trading.performance.series import ratio, total

if TYPE_CHECKING:
    from customers.models import ExchangeAccountQuerySet


@dataclass(frozen=True, slots=True)
class Worth:
    """One account: its equity now, and what it and its customer are said to have begun with."""

    customer_id: int
    kind: Kind
    equity: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    initial: Decimal | None = None
    customer_initial: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """The accounts of one kind together, in USD as OKX values them.

    `accounts` counts all of them, `known` those with a reading. Profit is since the start and
    of those customers whose beginning and equity are known; None when there is none.
    """

    kind: Kind
    accounts: int
    known: int
    equity: Decimal | None
    unrealized_pnl: Decimal | None
    initial_balance: Decimal | None
    profit: Decimal | None
    profit_ratio: Decimal | None


def holdings(accounts: ExchangeAccountQuerySet) -> list[Holdings]:
    """What the accounts are worth, for each kind of money there is. One query."""
    totals = Balance.objects.filter(account=OuterRef("pk"), currency=Balance.TOTAL)
    rows = accounts.order_by().annotate(
        now=Subquery(totals.values("equity")[:1]),
        open_pnl=Subquery(totals.values("unrealized_pnl")[:1]),
        began=F("customer__initial_balance"),
    )
    columns = ("customer_id", "market", "now", "open_pnl", "initial_balance", "began")
    worths = [
        Worth(customer, kind_of(market), *figures)
        for customer, market, *figures in rows.values_list(*columns)
    ]
    return [add_up(kind, worths) for kind in Kind if any(w.kind == kind for w in worths)]


def add_up(kind: Kind, worths: Iterable[Worth]) -> Holdings:
    """Add up the accounts of one kind; those of the other only tell what belongs together."""
    by_customer: dict[int, list[Worth]] = defaultdict(list)
    for worth in worths:
        by_customer[worth.customer_id].append(worth)
    mine = [worth for each in by_customer.values() for worth in each if worth.kind == kind]
    equities = [worth.equity for worth in mine if worth.equity is not None]
    unrealized = [worth.unrealized_pnl for worth in mine if worth.unrealized_pnl is not None]
    pairs = [pair for each in by_customer.values() for pair in _begun(kind, each)]
    initial = total(began for began, _ in pairs)
    profit = total(now for _, now in pairs) - initial
    return Holdings(
        kind=kind,
        accounts=len(mine),
        known=len(equities),
        equity=total(equities) if equities else None,
        unrealized_pnl=total(unrealized) if unrealized else None,
        initial_balance=initial if pairs else None,
        profit=profit if pairs else None,
        profit_ratio=ratio(profit, initial) if pairs and initial > 0 else None,
    )


def _begun(kind: Kind, accounts: list[Worth]) -> list[tuple[Decimal, Decimal]]:
    """A customer's pairs of what was there at the start and is there now.

    What the desk wrote down for the customer as a whole counts before what each account began
    with, as long as every account has been read and all are of one kind.
    """
    mine = [account for account in accounts if account.kind == kind]
    whole = accounts[0].customer_initial
    equities = [account.equity for account in mine if account.equity is not None]
    if whole is not None and len(equities) == len(accounts):
        return [(whole, total(equities))]
    return [
        (account.initial, account.equity)
        for account in mine
        if account.initial is not None and account.equity is not None
    ]
