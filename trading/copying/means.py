"""What accounts have to trade with, and what of it is in use: read only where terms ask for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from accounts.questions import Given, Question
from accounts.rows import fetch
from signals.enums import Unit
from strategies.enums import SizingMode
from trading.copying.links import Link
from trading.enums import FINAL_STATES, Leg
from trading.just_filled import read_just_filled
from trading.models import Balance, Order, Position

ZERO = Decimal(0)
# What was heard longer ago than this is not what somebody has.
FRESH = timedelta(seconds=60)
INCREASES = (Leg.OPEN, Leg.ADD)
_BY_BALANCE = frozenset(
    {
        SizingMode.EQUITY_PROPORTIONAL,
        SizingMode.MARGIN_PROPORTIONAL,
        SizingMode.PCT_AVAILABLE,
        SizingMode.FIXED_RISK,
    }
)


class Held(NamedTuple):
    """A position as the exchange last said."""

    inst_id: str
    position_side: str
    margin_mode: str


class Funds(NamedTuple):
    """Of one account, in the currency that its instrument settles in."""

    equity: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True)
class Means:
    """By account, but for `margins`, which is by link."""

    held: Mapping[int, Sequence[Held]] = field(default_factory=dict)
    funds: Mapping[tuple[int, str], Funds] = field(default_factory=dict)
    exposures: Mapping[int, Decimal] = field(default_factory=dict)
    margins: Mapping[UUID, Decimal] = field(default_factory=dict)


def needs_funds(link: Link, unit: str) -> bool:
    following = link.following
    by_balance = following.sizing.mode in _BY_BALANCE or following.max_exposure is not None
    return by_balance or unit != Unit.CONTRACTS


def read_means(
    links: Sequence[Link], inst_ids: Collection[str], currencies: Collection[str], unit: str,
    now: datetime,
) -> Means:  # fmt: skip
    """One query for what is held, and one for each of the others where somebody needs it."""
    accounts = [link.account.pk for link in links]
    asking = [link.account.pk for link in links if needs_funds(link, unit)]
    exposed = [link.account.pk for link in links if link.following.max_exposure is not None]
    allocated = [link.uid for link in links if link.terms.allocated_capital is not None]
    return Means(
        held=_read_held(accounts, inst_ids),
        funds=_read_funds(asking, currencies, now),
        exposures=_read_exposures(exposed, now),
        margins=_read_margins(allocated),
    )


_HELD = Question(
    lambda: (
        Position.objects.filter(account_id__among=Given("accounts"), inst_id__among=Given("insts"))
        .exclude(quantity=0)
        .order_by()
        .values_list("account_id", "inst_id", "position_side", "margin_mode")
    )
)


def _read_held(accounts: Collection[int], inst_ids: Collection[str]) -> dict[int, list[Held]]:
    found: dict[int, list[Held]] = {}
    for account, *held in _HELD.ask(accounts=accounts, insts=list(inst_ids)):
        found.setdefault(account, []).append(Held(*held))
    return found


def _read_funds(
    accounts: Collection[int], currencies: Collection[str], now: datetime
) -> dict[tuple[int, str], Funds]:
    """Those that are fresh. The row of the whole account is written whenever it is read."""
    if not accounts:
        return {}
    rows = fetch(
        Balance.objects.filter(
            account_id__in=accounts, currency__in=[*currencies, Balance.TOTAL]
        ).values_list("account_id", "currency", "equity", "available", "updated_at")
    )
    heard = {account: at for account, currency, *_, at in rows if currency == Balance.TOTAL}
    return {
        (account, currency): Funds(equity, available)
        for account, currency, equity, available, at in rows
        if currency != Balance.TOTAL and now - max(at, heard.get(account, at)) <= FRESH
    }


def _read_exposures(accounts: Collection[int], now: datetime) -> dict[int, Decimal]:
    """The value of all that an account holds, and of what is on its way."""
    if not accounts:
        return {}
    found = dict.fromkeys(accounts, ZERO)
    held = Position.objects.filter(account_id__in=accounts).exclude(quantity=0)
    for account, notional in held.values_list("account_id", "notional"):
        found[account] += abs(notional or ZERO)
    coming = Order.objects.filter(account_id__in=accounts, leg__in=INCREASES)
    coming = coming.exclude(state__in=FINAL_STATES).order_by()
    for account, notional in coming.values_list("account_id", "notional"):
        found[account] += notional or ZERO
    # Of an order that still fills everything was counted just now.
    for one in read_just_filled(Q(account_id__in=accounts), now):
        if one.is_final:
            found[one.account_id] += one.notional
    return found


def _read_margins(links: Collection[UUID]) -> dict[UUID, Decimal]:
    """The margin of what each link has open, at the prices it was opened at."""
    if not links:
        return {}
    rows = fetch(
        Order.objects.filter(cycle__link_uid__in=links, cycle__ended_at__isnull=True)
        .order_by()
        .values_list(
            "cycle__link_uid", "cycle_id", "leg", "state", "quantity", "filled_quantity",
            "notional", "leverage", "keeps_leverage",
        )
    )  # fmt: skip
    cycles: dict[tuple[UUID, UUID], list[Decimal]] = {}
    for link, cycle, leg, state, quantity, filled, notional, leverage, is_kept in rows:
        sums = cycles.setdefault((link, cycle), [ZERO, ZERO, ZERO])
        if leg not in INCREASES:
            sums[1] += filled
            continue
        counted = filled if state in FINAL_STATES else quantity
        sums[0] += counted
        if quantity:
            # The account's own is not known, only what it may be at most: counted as none.
            times = 1 if is_kept else leverage or 1
            sums[2] += (notional or ZERO) * counted / quantity / times
    found = dict.fromkeys(links, ZERO)
    for (link, _cycle), (opened, reduced, margin) in cycles.items():
        if opened > 0:
            found[link] += margin * max(opened - reduced, ZERO) / opened
    return found
