"""Everything a chunk of decisions is based on, read in a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count

from accounts.questions import Given, Question, columns_of
from accounts.rows import fetch
from customers.enums import PositionMode
from signals.enums import Direction, Unit
from signals.models import Signal
from trading.copying.links import Link
from trading.departing import Around
from trading.enums import Leg, LimitKind, OrderState
from trading.guards import Guards, read_guards
from trading.models import (
    Balance,
    Cycle,
    Decision,
    Instrument,
    MarketPrice,
    Order,
    Position,
)
from trading.models.orders import OPEN_STATES
from trading.outgoing import OutgoingCycle
from trading.positions_held import NOTHING, RESTING_TYPES, Holding, read_holdings, rules_of
from trading.repeats import NO_REPEATS, Repeats, read_repeats
from trading.sizing import InstrumentRules
from trading.switch import Switchboard, limits_of_account, read_switchboard
from trading.usage import read_desks

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
    equity: Decimal | None
    guards: Guards
    desk_notional: Decimal
    repeats: Repeats
    # Orders of the customer that this source made and that wait, where that is limited.
    waiting_orders: int = 0

    @property
    def is_net(self) -> bool:
        return self.link.account.position_mode != PositionMode.LONG_SHORT

    def active_key(self, inst_id: str, direction: Direction) -> str:
        key = f"{self.link.account.pk}|{inst_id}"
        return key if self.is_net else f"{key}|{direction}"

    def is_taken(self, inst_id: str, direction: Direction) -> bool:
        """Somebody else's cycle has the place: another link's, or another source's of this one."""
        return self.active_key(inst_id, direction) in self.taken


def undecided(signal: Signal, links: Sequence[Link]) -> list[Link]:
    """The links that have no decision for this signal yet: a repeated run skips the rest."""
    uids = [link.uid for link in links]
    rows = Decision.objects.filter(signal=signal, link_uid__in=uids)
    decided = set(rows.values_list("link_uid", flat=True))
    return [link for link in links if link.uid not in decided]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is the same for every follower of a chunk, read once, the switches being held."""

    markets: Mapping[str, MarketFacts]
    switchboard: Switchboard
    guards: Guards

    def around(self) -> Around:
        """The same in the words of whoever marks the orders."""
        by_key = {(name, f.instrument.inst_id): f for name, f in self.markets.items()}
        return Around(
            switchboard=self.switchboard,
            guards=self.guards,
            instruments={key: facts.instrument for key, facts in by_key.items()},
            mark_times={key: facts.mark_at for key, facts in by_key.items()},
        )


def _of_markets(model: Any) -> Question:
    return Question(
        lambda: model.objects.filter(
            market__among=Given("markets"), inst_id=Given("inst_id")
        ).values_list(*columns_of(model))
    )


_PRICES, _INSTRUMENTS = _of_markets(MarketPrice), _of_markets(Instrument)


def read_frame(signal: Signal, links: Sequence[Link], now: datetime) -> Frame:
    names = {link.account.market for link in links}
    prices = _PRICES.objects(markets=names, inst_id=signal.inst_id)
    return Frame(
        markets=_read_markets(signal.inst_id, names, prices),
        switchboard=read_switchboard(signal.tenant_id),
        guards=read_guards(prices=prices, now=now),
    )


def read_facts(
    signal: Signal, links: Sequence[Link], now: datetime, frame: Frame, begun: bool
) -> list[Facts]:
    """Read for every link of a chunk what its decision needs: of limits, what those in force do.

    `begun`: some of them have running cycles.
    """
    accounts = [link.account.pk for link in links]
    markets, switchboard = frame.markets, frame.switchboard
    kinds = _limited(switchboard, links)
    cycles = _read_cycles(signal, links, markets) if begun else {}
    taken = _read_taken_keys(signal, accounts)
    positions, used = {}, {}
    if LimitKind.OPEN_POSITIONS in kinds:
        positions = _read_open_positions(accounts, signal.inst_id)
    if LimitKind.DAILY_NOTIONAL in kinds:
        used = _read_used_today(accounts, signal.tenant.day_start(now))
    equities = _read_equities(accounts, markets) if signal.unit == Unit.PERCENT_EQUITY else {}
    desks = _read_desks(signal, set(markets), switchboard)
    watched = [link.account.pk for link in links if link.refuses_repeats]
    repeats = read_repeats(watched, signal.inst_id, but_signal=signal.pk, now=now)
    waiting = _read_waiting(signal, links)
    return [
        Facts(
            link=link,
            market=markets.get(link.account.market),
            cycles=cycles.get(link.uid, {}),
            taken=frozenset(
                key for key, owner in taken.get(link.account.pk, ()) if owner != link.uid
            ),
            switchboard=switchboard,
            open_positions=positions.get(link.account.pk, 0),
            used_today=used.get(link.account.pk, Decimal(0)),
            equity=equities.get(link.account.pk),
            guards=frame.guards,
            desk_notional=desks.get(link.account.market, Decimal(0)),
            repeats=repeats if link.refuses_repeats else NO_REPEATS,
            waiting_orders=waiting.get(link.account.customer_id, 0),
        )
        for link in links
    ]


def _limited(switchboard: Switchboard, links: Sequence[Link]) -> set[LimitKind]:
    """The kinds of limit that somebody has set for any of these."""
    kinds = {limit.kind for limits in switchboard.limits.values() for limit in limits}
    for link in links:
        kinds.update(limit.kind for limit in limits_of_account(link.account))
    return kinds


def _read_markets(
    inst_id: str, markets: set[str], rows: Sequence[MarketPrice]
) -> dict[str, MarketFacts]:
    prices = {price.market: price for price in rows}
    found = {}
    for instrument in _INSTRUMENTS.objects(markets=markets, inst_id=inst_id):
        price = prices.get(instrument.market)
        found[instrument.market] = MarketFacts(
            instrument=instrument,
            rules=rules_of(instrument),
            mark=price.mark if price else None,
            mark_at=price.mark_at if price else None,
        )
    return found


def _read_desks(signal: Signal, markets: set[str], switchboard: Switchboard) -> dict[str, Decimal]:
    """What the desk holds of the instrument in each market; read only where a limit asks for it."""
    listed = (limit for limits in switchboard.limits.values() for limit in limits)
    if not any(limit.kind == LimitKind.DESK_NOTIONAL for limit in listed):
        return {}
    places = [(signal.tenant_id, market, signal.inst_id) for market in markets]
    return {place[1]: sum_ for place, sum_ in read_desks(places, unsent=True).items()}


def _read_cycles(
    signal: Signal, links: Sequence[Link], markets: Mapping[str, MarketFacts]
) -> dict[UUID, dict[Direction, Running]]:
    """The running cycles that this source began, locked: they cannot end while we decide."""
    rows = fetch(
        Cycle.objects.select_for_update()
        .filter(
            link_uid__in=[link.uid for link in links],
            source_id=signal.source_id,
            leader_inst_id=signal.inst_id,
            ended_at__isnull=True,
        )
        .order_by("opened_at", "pk")
        .values_list("link_uid", "direction", "pk", "follower_base", "leader_base")
    )
    spot = [facts.instrument for facts in markets.values() if facts.instrument.is_spot]
    bases = {instrument.inst_id: instrument.base_currency for instrument in spot}
    holdings = read_holdings([row[2] for row in rows], bases)
    found: dict[UUID, dict[Direction, Running]] = {}
    for link_uid, direction, *cycle in rows:
        running = Running(OutgoingCycle(*cycle), holdings.get(cycle[0], NOTHING))
        found.setdefault(link_uid, {})[Direction(direction)] = running
    return found


_TAKEN = Question(
    lambda: (
        Cycle.objects.filter(
            account_id__among=Given("accounts"), inst_id=Given("inst_id"), active_key__isnull=False
        )
        .order_by()
        .values_list("account_id", "active_key", "link_uid", "source_id")
    )
)


def _read_taken_keys(
    signal: Signal, accounts: Sequence[int]
) -> dict[int, list[tuple[str, UUID | None]]]:
    """Per account the places in use, each with its link; of another source with none."""
    taken: dict[int, list[tuple[str, UUID | None]]] = {}
    rows = _TAKEN.ask(accounts=accounts, inst_id=signal.inst_id)
    for account, key, link_uid, source in rows:
        owner = link_uid if source == signal.source_id else None
        taken.setdefault(account, []).append((str(key), owner))
    return taken


def _read_waiting(signal: Signal, links: Sequence[Link]) -> dict[int, int]:
    """Per customer, of those who copy by limit orders: asked only where somebody does."""
    customers = {link.account.customer_id for link in links if link.prices.waits}
    if not customers:
        return {}
    rows = (
        Order.objects.filter(
            cycle__source_id=signal.source_id,
            account__customer_id__in=customers,
            state__in=OPEN_STATES,
            order_type__in=RESTING_TYPES,
            leg__in=(Leg.OPEN, Leg.ADD),
        )
        .order_by()
        .values_list("account__customer_id")
        .annotate(count=Count("pk"))
    )
    return dict(rows)


def _read_open_positions(accounts: Sequence[int], inst_id: str) -> dict[int, int]:
    rows = (
        Position.objects.filter(account_id__in=accounts)
        .open()
        .exclude(inst_id=inst_id)
        .values_list("account_id")
        .annotate(count=Count("pk"))
        .order_by()
    )
    return dict(rows)


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


def _read_equities(
    accounts: Sequence[int], markets: Mapping[str, MarketFacts]
) -> dict[int, Decimal]:
    currencies = {
        facts.instrument.settle_currency or facts.instrument.quote_currency
        for facts in markets.values()
    }
    rows = Balance.objects.filter(account_id__in=accounts, currency__in=currencies)
    return dict(rows.values_list("account_id", "equity"))
