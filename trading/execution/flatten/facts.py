"""What our own books say about the accounts of one pass, read before the exchange is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings

from accounts.models import Tenant
from signals.models import SignalSource
from signals.services import system_source
from trading.enums import FlattenStep, OrderState, OrderType, TradingMode
from trading.exchange.types import MarginMode
from trading.execution.flatten.look import Wanted
from trading.execution.flatten.plan import Held
from trading.execution.flatten.reach import ON_THEIR_WAY, UNSENT, Reach
from trading.execution.flatten.writing import on_their_way, unfinished_closes
from trading.leases import db_now
from trading.models import Cycle, FlattenAccount, Instrument, Order
from trading.models.orders import OPEN_STATES
from trading.positions_held import NOTHING, read_holdings
from trading.switch import Covered, Switchboard, read_switchboard

FOUND_OUT_WITHIN = timedelta(seconds=60)
# What cannot be canceled, or is placed again and again, must not keep positions open.
CANCELS_FOR = timedelta(seconds=5)
# Who is there was seen with nothing waiting.
CANCELED = (FlattenStep.WAITING, FlattenStep.READING, FlattenStep.VERIFYING)


@dataclass(slots=True)
class Known:
    """What is the same for many accounts, read when the first of them needs it.

    As good as a moment ago: whoever marks a close looks at the switches again, and holds them.
    """

    _instruments: dict[tuple[str, str], Instrument | None] = field(default_factory=dict)
    _boards: dict[int, Switchboard] = field(default_factory=dict)
    _sources: dict[int, SignalSource] = field(default_factory=dict)

    def instruments(self, market: str, inst_ids: Sequence[str]) -> Mapping[str, Instrument]:
        missing = [name for name in inst_ids if (market, name) not in self._instruments]
        if missing:
            found = instruments_of(market, missing)
            self._instruments |= {(market, name): found.get(name) for name in missing}
        rows = {name: self._instruments[market, name] for name in inst_ids}
        return {name: row for name, row in rows.items() if row is not None}

    def modes(self, tenant_id: int, covered: Covered) -> tuple[TradingMode, ...]:
        """The modes that a close of flatten meets."""
        if tenant_id not in self._boards:
            self._boards[tenant_id] = read_switchboard(tenant_id)
        return self._boards[tenant_id].modes_for(covered, flattens=True)

    def source(self, tenant: Tenant) -> SignalSource:
        """Not in a transaction that may be undone: the source may have to be made."""
        if tenant.pk not in self._sources:
            self._sources[tenant.pk] = system_source(tenant)
        return self._sources[tenant.pk]


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one row: the last deadline of what may still arrive, and what it is to close.

    `until_ms` is the exchange's time after which nothing sent so far can be accepted any more,
    0 when nothing is on its way. `again`: everything was canceled a moment ago.
    """

    known: Known
    reach: Reach
    until_ms: int
    closes: tuple[Order, ...]
    held: tuple[Held, ...]
    names: frozenset[str]
    again: bool
    unresolved: bool
    insists: bool

    @property
    def sells_unresolved(self) -> bool:
        """On spot nothing stops a second sale from selling coins that are not ours to sell."""
        return any(o.margin_mode == "cash" and o.state not in UNSENT for o in self.closes)

    @property
    def wanted(self) -> Wanted:
        inst_ids: frozenset[str] | None = None
        if self.reach.only_cycles:
            inst_ids = frozenset(one.cycle.inst_id for one in self.held)
        elif self.reach.inst_id:
            inst_ids = frozenset({self.reach.inst_id})
        return Wanted(
            inst_ids,
            self.names,
            spared=frozenset(order.client_order_id for order in self.closes),
            balance=any(one.is_spot for one in self.held),
            foreign=not self.again,
            insists=self.insists,
        )


def read_facts(rows: Sequence[FlattenAccount]) -> dict[int, Facts]:
    """By row. Must be read before the exchange: what is settled here is settled there.

    The same statements for one account or for many, once for each run.
    """
    accounts, now = [row.account_id for row in rows], db_now()
    patience = round((settings.SKEW_S + settings.GRACE_S) * 1000)
    until: dict[int, int] = {}
    for account, exp_at in on_their_way(accounts):
        until[account] = max(until.get(account, 0), exp_at + patience)
    closes: dict[int, list[Order]] = {}
    for order in unfinished_closes(accounts):
        closes.setdefault(order.account_id, []).append(order)
    by_run: dict[int, list[FlattenAccount]] = {}
    for row in rows:
        by_run.setdefault(row.run_id, []).append(row)
    found: dict[int, Facts] = {}
    shared = Known()
    for theirs in by_run.values():
        known = _read_run(theirs)
        for row in theirs:
            found[row.pk] = Facts(
                known=shared,
                reach=known.reach,
                until_ms=until.get(row.account_id, 0),
                closes=tuple(closes.get(row.account_id, ())),
                held=tuple(known.held.get(row.account_id, ())),
                names=frozenset(known.names.get(row.account_id, ())),
                again=row.step in CANCELED and not row.failures,
                unresolved=row.account_id in known.unresolved,
                insists=row.step == FlattenStep.CANCELING and now - row.step_at > CANCELS_FOR,
            )
    return found


@dataclass(frozen=True, slots=True)
class _Run:
    """What our books say of the accounts of one run, by account."""

    reach: Reach
    held: Mapping[int, Sequence[Held]]
    names: Mapping[int, Sequence[str]]
    unresolved: frozenset[int]


def _read_run(rows: Sequence[FlattenAccount]) -> _Run:
    reach = Reach.of(rows[0].run.state)
    accounts = [row.account_id for row in rows]
    return _Run(
        reach, _held(reach, accounts), _names(reach, accounts), _unresolved(reach, accounts)
    )


def _unresolved(reach: Reach, accounts: Sequence[int]) -> frozenset[int]:
    """Where our books decide what is closed, they must know what became of every order.

    Of spot for a while only: who closes what nobody can find out waits for this flatten.
    """
    mine = Order.objects.filter(
        reach.rows(),
        account_id__in=accounts,
        cycle__ended_at__isnull=True,
        cycle__isnull=False,
    )
    if reach.only_cycles:
        doubtful = mine.filter(state__in=(*ON_THEIR_WAY, OrderState.MANUAL))
    else:
        spot = mine.filter(margin_mode=MarginMode.CASH.value, state__in=ON_THEIR_WAY)
        doubtful = spot.filter(sent_at__gt=db_now() - FOUND_OUT_WITHIN)
    return frozenset(doubtful.values_list("account_id", flat=True))


def _held(reach: Reach, accounts: Sequence[int]) -> Mapping[int, Sequence[Held]]:
    """What running cycles hold, where that decides what is closed: on spot, and of a strategy."""
    cycles = list(
        Cycle.objects.filter(reach.rows(), account_id__in=accounts, ended_at__isnull=True)
        .select_related("subscription__strategy", "account")
        .order_by("opened_at", "pk")
    )
    names: dict[str, set[str]] = {}
    for cycle in cycles:
        names.setdefault(cycle.account.market, set()).add(cycle.inst_id)
    rules = {market: instruments_of(market, [*each]) for market, each in names.items()}
    kept: dict[str, list[tuple[Cycle, Instrument | None]]] = {}
    for cycle in cycles:
        market = cycle.account.market
        instrument = rules[market].get(cycle.inst_id)
        if reach.only_cycles or (instrument is not None and instrument.is_spot):
            kept.setdefault(market, []).append((cycle, instrument))
    held: dict[int, list[Held]] = {}
    for pairs in kept.values():
        bases = {i.inst_id: i.base_currency for _, i in pairs if i is not None and i.is_spot}
        holdings = read_holdings([cycle.pk for cycle, _ in pairs], bases)
        for cycle, instrument in pairs:
            filled = holdings.get(cycle.pk, NOTHING).filled
            mode = cycle.subscription.strategy.margin_mode if cycle.subscription else "cross"
            one = Held(cycle, filled, instrument, mode)
            held.setdefault(cycle.account_id, []).append(one)
    return held


def instruments_of(market: str, inst_ids: Sequence[str]) -> Mapping[str, Instrument]:
    rows = Instrument.objects.filter(market=market, inst_id__in=set(inst_ids))
    return {row.inst_id: row for row in rows}


def _names(reach: Reach, accounts: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """A strategy's own orders are canceled wherever they wait."""
    if not reach.only_cycles:
        return {}
    rows = Order.objects.filter(
        reach.rows(), account_id__in=accounts, state__in=OPEN_STATES, flattens=False
    ).exclude(order_type=OrderType.MARKET)
    names: dict[int, list[str]] = {}
    for account, name in rows.values_list("account_id", "client_order_id"):
        names.setdefault(account, []).append(name)
    return names
