"""Everything a chunk of decisions is based on, read in a constant number of queries."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Count

from accounts.questions import Given, Question, columns_of
from accounts.rows import fetch
from customers.enums import PositionMode
from signals.enums import Direction
from signals.models import Signal
from trading.copying.ladder_watch import lost_sources
from trading.copying.links import Link
from trading.copying.means import Funds, Held, Means, read_means
from trading.departing import Around
from trading.enums import RESTING_TYPES, Leg, LimitKind, OrderState
from trading.guards import Guards, read_guards
from trading.models import (
    Cycle,
    Decision,
    Instrument,
    MarketPrice,
    Order,
    Position,
)
from trading.models.orders import OPEN_STATES
from trading.outgoing import OutgoingCycle, waits_with
from trading.positions_held import NOTHING, Holding, read_holdings, rules_of
from trading.repeats import NO_REPEATS, Repeats, read_repeats
from trading.sizing import InstrumentRules, LeaderNumbers, Traded
from trading.switch import Switchboard, limits_of_account, read_switchboard
from trading.usage import read_desks

log = logging.getLogger(__name__)

ZERO = Decimal(0)
NO_PLACES = frozenset[str]()
NOT_TRADED = (OrderState.DENIED, OrderState.REJECTED, OrderState.EXPIRED)


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """One instrument in one market, with its price; None where it is not known."""

    instrument: Instrument
    rules: InstrumentRules
    mark: Decimal | None
    mark_at: datetime | None


@dataclass(frozen=True, slots=True)
class Running:
    """A cycle that has not ended, and what it holds."""

    cycle: OutgoingCycle
    holding: Holding


class Facts(NamedTuple):
    """What is known about one link at the moment of decision."""

    link: Link
    market: MarketFacts | None
    cycles: Mapping[Direction, Running]
    taken: frozenset[str]
    switchboard: Switchboard
    open_positions: int
    used_today: Decimal
    # Quote currency; None where it is not known, or nobody asks.
    equity: Decimal | None
    available: Decimal | None
    exposure: Decimal
    used_margin: Decimal
    held: tuple[Held, ...]
    leader: LeaderNumbers
    guards: Guards
    desk_notional: Decimal
    repeats: Repeats
    # Orders of the customer, or shadow, that this source made and that wait, where it is limited.
    waiting_orders: int = 0
    # Nothing was heard of the leader for a while: nothing more is left waiting.
    leader_lost: bool = False

    @property
    def is_net(self) -> bool:
        return self.link.account.position_mode != PositionMode.LONG_SHORT

    def active_key(self, direction: Direction) -> str:
        key = f"{self.link.account.pk}|{self.link.inst_id}"
        return key if self.is_net else f"{key}|{direction}"

    def is_taken(self, direction: Direction) -> bool:
        """Another cycle has the place: another link's, or this one's of what else is traded so."""
        return self.active_key(direction) in self.taken


def undecided(signal: Signal, links: Sequence[Link]) -> list[Link]:
    """The links that have no decision for this signal yet: a repeated run skips the rest."""
    uids = [link.uid for link in links]
    rows = Decision.objects.filter(signal=signal, link_uid__in=uids)
    decided = set(rows.values_list("link_uid", flat=True))
    return [link for link in links if link.uid not in decided]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is the same for every follower of a chunk, read once, the switches being held."""

    markets: Mapping[tuple[str, str], MarketFacts]
    switchboard: Switchboard
    guards: Guards

    def around(self) -> Around:
        """The same in the words of whoever marks the orders."""
        return Around(
            switchboard=self.switchboard,
            guards=self.guards,
            instruments={key: facts.instrument for key, facts in self.markets.items()},
            mark_times={key: facts.mark_at for key, facts in self.markets.items()},
        )


def _of_markets(model: Any) -> Question:
    return Question(
        lambda: model.objects.filter(
            market__among=Given("markets"), inst_id__among=Given("insts")
        ).values_list(*columns_of(model))
    )


_PRICES, _INSTRUMENTS = _of_markets(MarketPrice), _of_markets(Instrument)


def read_frame(
    signal: Signal, links: Sequence[Link], now: datetime, begun: Collection[str]
) -> Frame:
    """`begun`: the instruments of running cycles, which may be mapped otherwise by now."""
    names = {link.account.market for link in links}
    inst_ids = {link.inst_id for link in links} | set(begun)
    if inst_ids - {signal.inst_id}:  # what the leader trades tells what its contracts are
        names, inst_ids = names | {signal.source.market}, inst_ids | {signal.inst_id}
    prices = _PRICES.objects(markets=names, insts=inst_ids)
    return Frame(
        markets=_read_markets(inst_ids, names, prices),
        switchboard=read_switchboard(signal.tenant_id),
        guards=read_guards(prices=prices, now=now),
    )


def read_facts(
    signal: Signal,
    links: Sequence[Link],
    now: datetime,
    frame: Frame,
    begun: Collection[str],
    known: Known | None = None,
) -> list[Facts]:
    """Read for every link of a chunk what its decision needs: of limits, what those in force do.

    `begun`: the instruments in which some of them have running cycles. They are read, and locked
    until the transaction ends, unless they are `known`.
    """
    accounts = [link.account.pk for link in links]
    markets, switchboard = frame.markets, frame.switchboard
    kinds = _limited(switchboard, links)
    if known is None:
        known = read_running(signal, links, markets) if begun else NOTHING_RUNS
    cycles, places = known
    if places:
        links = [link.as_begun(*places[link.uid]) if link.uid in places else link for link in links]
    inst_ids = {link.inst_id for link in links}
    taken = _read_taken_keys(signal, accounts, inst_ids)
    positions: Counter[tuple[int, str]] = Counter()
    used = {}
    if LimitKind.OPEN_POSITIONS in kinds:
        positions = _read_open_positions(accounts)
    if LimitKind.DAILY_NOTIONAL in kinds:
        used = _read_used_today(accounts, signal.tenant.day_start(now))
    means = read_means(links, inst_ids, _currencies(markets), signal.unit, now)
    desks = _read_desks(signal, set(markets), switchboard, now)
    watched = [link.account.pk for link in links if link.refuses_repeats]
    repeats = read_repeats(watched, inst_ids, but_signal=signal.pk, now=now)
    waiting = _read_waiting(signal, links)
    leaders = _Leaders(signal, markets)
    lost = waiting is not None and signal.source_id in lost_sources(
        now - timedelta(seconds=settings.SOURCE_TIMEOUT_S)
    )
    return [
        Facts(
            link=link,
            market=(market := markets.get((link.account.market, link.inst_id))),
            cycles=cycles.get(link.uid, {}),
            taken=_taken_by_others(taken, link),
            switchboard=switchboard,
            open_positions=_beside(positions, link),
            used_today=used.get(link.account.pk, ZERO),
            equity=(funds := _funds(means, link, market)) and funds.equity,
            available=funds and funds.available,
            exposure=means.exposures.get(link.account.pk, ZERO),
            used_margin=means.margins.get(link.uid, ZERO),
            held=_held_there(means, link),
            leader=leaders.of(link),
            guards=frame.guards,
            desk_notional=desks.get((link.account.market, link.inst_id), ZERO),
            repeats=repeats if link.refuses_repeats else NO_REPEATS,
            waiting_orders=0 if waiting is None else waiting[link.account.waits_with],
            leader_lost=lost,
        )
        for link in links
    ]


def _taken_by_others(
    taken: Mapping[int, Sequence[tuple[str, UUID | None]]], link: Link
) -> frozenset[str]:
    places = taken.get(link.account.pk)
    if places is None:
        return NO_PLACES
    return frozenset(key for key, owner in places if owner != link.uid)


def _held_there(means: Means, link: Link) -> tuple[Held, ...]:
    """What the account holds of the link's instrument."""
    held = means.held.get(link.account.pk)
    return tuple(h for h in held if h.inst_id == link.inst_id) if held else ()


def _limited(switchboard: Switchboard, links: Sequence[Link]) -> set[LimitKind]:
    """The kinds of limit that somebody has set for any of these."""
    kinds = switchboard.kinds
    for link in links:
        kinds.update(limit.kind for limit in limits_of_account(link.account))
    return kinds


def _read_markets(
    inst_ids: Collection[str], markets: set[str], rows: Sequence[MarketPrice]
) -> dict[tuple[str, str], MarketFacts]:
    prices = {(price.market, price.inst_id): price for price in rows}
    found = {}
    for instrument in _INSTRUMENTS.objects(markets=markets, insts=inst_ids):
        key = (instrument.market, instrument.inst_id)
        price = prices.get(key)
        found[key] = MarketFacts(
            instrument=instrument,
            rules=rules_of(instrument),
            mark=price.mark if price else None,
            mark_at=price.mark_at if price else None,
        )
    return found


def _read_desks(
    signal: Signal,
    markets: Collection[tuple[str, str]],
    switchboard: Switchboard,
    now: datetime,
) -> dict[tuple[str, str], Decimal]:
    """What the desk holds of the instrument in each market; read only where a limit asks for it."""
    if LimitKind.DESK_NOTIONAL not in switchboard.kinds:
        return {}
    places = [(signal.tenant_id, *key) for key in markets]
    sums = read_desks(places, now, unsent=True)
    return {(market, inst_id): value for (_, market, inst_id), value in sums.items()}


class Known(NamedTuple):
    """The running cycles of links, and of each in which instrument and whether turned round."""

    cycles: Mapping[UUID, Mapping[Direction, Running]]
    places: Mapping[UUID, tuple[str, bool]]


NOTHING_RUNS = Known({}, {})


def read_running(
    signal: Signal,
    links: Sequence[Link],
    markets: Mapping[tuple[str, str], MarketFacts],
    *,
    lock: bool = True,
) -> Known:
    """The running cycles that this source began; locked they cannot end while we decide."""
    mine = Cycle.objects.select_for_update() if lock else Cycle.objects.all()
    rows = fetch(
        mine.filter(
            link_uid__in=[link.uid for link in links],
            source_id=signal.source_id,
            leader_inst_id=signal.inst_id,
            ended_at__isnull=True,
        )
        .order_by("opened_at", "pk")
        .values_list(
            "link_uid", "inst_id", "is_reversed", "direction", "pk", "follower_base", "leader_base"
        )
    )
    spot = [facts.instrument for facts in markets.values() if facts.instrument.is_spot]
    bases = {instrument.inst_id: instrument.base_currency for instrument in spot}
    holdings = read_holdings([row[4] for row in rows], bases)
    found: dict[UUID, dict[Direction, Running]] = {}
    places: dict[UUID, tuple[str, bool]] = {}
    for link_uid, inst_id, is_reversed, direction, *cycle in rows:
        place = places.setdefault(link_uid, (inst_id, is_reversed))
        if place != (inst_id, is_reversed):
            log.error("link %s runs %s in two ways", link_uid, signal.inst_id)
            continue
        running = Running(OutgoingCycle(*cycle), holdings.get(cycle[0], NOTHING))
        found.setdefault(link_uid, {})[Direction(direction)] = running
    return Known(found, places)


_TAKEN = Question(
    lambda: (
        Cycle.objects.filter(
            account_id__among=Given("accounts"),
            inst_id__among=Given("insts"),
            active_key__isnull=False,
        )
        .order_by()
        .values_list("account_id", "active_key", "link_uid", "source_id", "leader_inst_id")
    )
)


def _read_taken_keys(
    signal: Signal, accounts: Sequence[int], inst_ids: Collection[str]
) -> dict[int, list[tuple[str, UUID | None]]]:
    """Per account the places in use, each with its link; with none where the link has it from
    another source, or from another of the leader's instruments."""
    taken: dict[int, list[tuple[str, UUID | None]]] = {}
    rows = _TAKEN.ask(accounts=accounts, insts=inst_ids)
    for account, key, link_uid, *began in rows:
        owner = link_uid if began == [signal.source_id, signal.inst_id] else None
        taken.setdefault(account, []).append((str(key), owner))
    return taken


def _read_waiting(signal: Signal, links: Sequence[Link]) -> Counter[tuple[str, int]] | None:
    """By whose they are, of those who copy by limit orders: asked only where somebody does."""
    customers = {link.account.customer_id for link in links if link.prices.waits}
    if not customers:
        return None
    rows = (
        Order.objects.filter(
            cycle__source_id=signal.source_id,
            account__customer_id__in=customers,
            state__in=OPEN_STATES,
            order_type__in=RESTING_TYPES,
            leg__in=(Leg.OPEN, Leg.ADD),
        )
        .order_by()
        .values_list("account_id", "account__customer_id", "account__is_shadow")
        .annotate(count=Count("pk"))
    )
    waiting: Counter[tuple[str, int]] = Counter()
    for account, customer, is_shadow, count in rows:
        waiting[waits_with(account, customer, is_shadow)] += count
    return waiting


def _read_open_positions(accounts: Sequence[int]) -> Counter[tuple[int, str]]:
    rows = Position.objects.filter(account_id__in=accounts).open().order_by()
    return Counter(rows.values_list("account_id", "inst_id"))


def _beside(positions: Counter[tuple[int, str]], link: Link) -> int:
    """How many positions the account has in other instruments."""
    if not positions:
        return 0
    own = link.account.pk
    return (
        sum(n for (account, inst), n in positions.items() if account == own)
        - positions[own, link.inst_id]
    )


def _read_used_today(accounts: Sequence[int], since: datetime) -> dict[int, Decimal]:
    """Notional opened today, added up here: a database's own sum may not be exact."""
    used: dict[int, Decimal] = {}
    rows = (
        Order.objects.filter(
            account_id__in=accounts, created_at__gte=since, leg__in=(Leg.OPEN, Leg.ADD)
        )
        .exclude(state__in=NOT_TRADED)
        .values_list("account_id", "notional")
    )
    for account, notional in rows:
        used[account] = used.get(account, Decimal(0)) + (notional or Decimal(0))
    return used


def _currencies(markets: Mapping[tuple[str, str], MarketFacts]) -> set[str]:
    return {_settles_in(facts) for facts in markets.values()}


def _settles_in(market: MarketFacts) -> str:
    return market.instrument.settle_currency or market.instrument.quote_currency


def _funds(means: Means, link: Link, market: MarketFacts | None) -> Funds | None:
    """In quote currency: what settles in coins is worth their price."""
    if market is None:
        return None
    funds = means.funds.get((link.account.pk, _settles_in(market)))
    if funds is None or not market.rules.inverse:
        return funds
    if not market.mark:
        return None
    return Funds(funds.equity * market.mark, funds.available * market.mark)


class _Leaders:
    """The leader's numbers, which differ only by what the follower trades for them."""

    def __init__(self, signal: Signal, markets: Mapping[tuple[str, str], MarketFacts]) -> None:
        own = markets.get((signal.source.market, signal.inst_id))
        price = signal.reference_price
        same = LeaderNumbers(signal.leader_equity, signal.leverage, price)
        self._inst_id, self._same, self._mapped = signal.inst_id, same, same
        if own is not None:
            self._mapped = replace(same, traded=Traded(own.rules, price or own.mark))

    def of(self, link: Link) -> LeaderNumbers:
        return self._same if link.inst_id == self._inst_id else self._mapped
