"""Signals of the past decided once more, by today's code, terms, limits and switches.

Each follower begins with what it held before the first of them, and then holds what the replay
itself decided, as if all of it had filled: a ratio that was changed shows in the whole day, not in
the openings alone. Prices and times are those of then. Equity, open positions elsewhere and waiting
orders are today's. Nothing is traded, locked or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from accounts.fields import uuid7
from signals.enums import Direction, Intent, SignalStatus, Unit
from signals.models import Signal
from signals.standing import moved
from strategies.matching import match
from strategies.models import Subscription
from trading.copying.deciding import Draft
from trading.copying.leader import LeaderMove, opposite
from trading.copying.links import Link, read_links
from trading.copying.preview import AsOf, preview
from trading.copying.reading import NOT_TRADED, Known, Running
from trading.enums import Leg, OrderState
from trading.models import Cycle, Decision, Order
from trading.outgoing import OutgoingCycle
from trading.positions_held import INCREASES, NOTHING, OrderPart, holding_of

ZERO: Final = Decimal(0)
CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was, or would be, decided: the quantity is signed, openings above zero."""

    outcome: str
    reason: str
    quantity: Decimal
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One follower and one signal. `then` is None for who did not follow yet, `now` for who
    does not any more."""

    signal: Signal
    link_uid: UUID
    subscription_id: int | None
    then: Verdict | None
    now: Verdict | None

    @property
    def differs(self) -> bool:
        """Another outcome, another reason, or another quantity."""
        if self.then is None or self.now is None:
            return self.then is not self.now
        mine = (self.then.outcome, self.then.reason, self.then.quantity)
        return mine != (self.now.outcome, self.now.reason, self.now.quantity)

    @property
    def changed(self) -> list[tuple[str, str, str]]:
        """The numbers that came out otherwise: name, then, now."""
        before = self.then.numbers if self.then else {}
        after = self.now.numbers if self.now else {}
        names = dict.fromkeys((*before, *after))
        return [
            (name, before.get(name, ""), after.get(name, ""))
            for name in names
            if _plain(before.get(name)) != _plain(after.get(name))
        ]


def of_source(
    source_id: int, since: datetime, until: datetime, most: int | None = None
) -> list[Signal]:
    """What a source sent in this time and was copied, in the order in which it was."""
    rows = Signal.objects.filter(source_id=source_id, received_at__gte=since, received_at__lt=until)
    return list(replayable(rows)[:most])


def replayable(rows: Any) -> Any:
    """Of these signals, those of the sources themselves that were copied."""
    mine = rows.filter(status=SignalStatus.COPIED, account__isnull=True, link_uid__isnull=True)
    return mine.select_related("source", "tenant").order_by("received_at", "id")


def replay(signals: Iterable[Signal], *, strategy_id: int | None = None) -> Iterator[Replayed]:
    """Decide them once more, the oldest first, each follower by itself.

    A fixed number of queries for each signal and 500 followers. Who follows by now is decided as
    well as who did then.
    """
    book = _Book()
    for signal in signals:
        yield from _replayed(signal, book, strategy_id)


def _replayed(signal: Signal, book: _Book, strategy_id: int | None) -> Iterator[Replayed]:
    then = _decided(signal, strategy_id)
    at = min((one.decided_at for one in then.values()), default=signal.received_at)
    move = book.move(signal, then.values())
    keys = set(_followers(signal, strategy_id)) | {one.subscription_id for one in then.values()}
    listed = sorted(key for key in keys if key is not None)
    for start in range(0, len(listed), CHUNK):
        links = read_links(signal, listed[start : start + CHUNK])
        book.open(signal, links, at)
        as_of = AsOf(
            at=at,
            known=book.known(signal, links),
            taken=_taken(signal, links, at),
            prices=_prices(signal, then.values()),
            used=_used(links, signal, at),
        )
        for link, draft in zip(links, preview(signal, links, move=move, as_of=as_of), strict=True):
            book.follow(signal, link, draft)
            was = then.pop(link.uid, None)
            yield Replayed(
                signal,
                link.uid,
                link.subscription_id,
                None if was is None else was.verdict,
                _verdict(draft),
            )
    for link_uid, one in then.items():  # who is gone
        yield Replayed(signal, link_uid, one.subscription_id, one.verdict, None)
    book.moved(signal, move)


@dataclass(frozen=True, slots=True)
class _Then:
    subscription_id: int | None
    market: str
    decided_at: datetime
    verdict: Verdict


def _decided(signal: Signal, strategy_id: int | None) -> dict[UUID, _Then]:
    rows = Decision.objects.filter(signal=signal, subscription__isnull=False)
    if strategy_id is not None:
        rows = rows.filter(subscription__strategy_id=strategy_id)
    ordered: dict[UUID, Decimal] = {}
    made = Order.objects.filter(signal=signal, subscription__isnull=False)
    for link_uid, leg, quantity in made.values_list("link_uid", "leg", "quantity"):
        ordered[link_uid] = ordered.get(link_uid, ZERO) + _signed(leg, quantity)
    columns = (
        "link_uid", "subscription_id", "account__market", "decided_at", "outcome", "reason",
        "numbers",
    )  # fmt: skip
    return {
        uid: _Then(key, market, at, Verdict(outcome, reason, ordered.get(uid, ZERO), numbers))
        for uid, key, market, at, outcome, reason, numbers in rows.values_list(*columns)
    }


def _followers(signal: Signal, strategy_id: int | None) -> Iterable[int]:
    rows = match(signal).select_related(None)
    if strategy_id is not None:
        rows = rows.filter(strategy_id=strategy_id)
    return list(rows.values_list("pk", flat=True))


def _verdict(draft: Draft) -> Verdict:
    quantity = sum(
        (_signed(order.leg, sum(order.quantities, ZERO)) for order in draft.orders), ZERO
    )
    return Verdict(str(draft.outcome), str(draft.reason), quantity, draft.numbers)


def _signed(leg: str, quantity: Decimal) -> Decimal:
    return quantity if leg in INCREASES else -quantity


def _prices(signal: Signal, then: Iterable[_Then]) -> dict[tuple[str, str], Decimal]:
    """What each market asked then: as the decisions kept it, else what the leader paid."""
    found = {}
    if signal.reference_price:
        found[signal.source.market, signal.inst_id] = signal.reference_price
    for one in then:
        numbers = one.verdict.numbers
        told = [value for name, value in numbers.items() if name.rpartition(".")[2] == "price"]
        if told:
            inst_id = numbers.get("traded_as", signal.inst_id)
            found[one.market, inst_id] = Decimal(told[0])
    return found


def _taken(
    signal: Signal, links: Sequence[Link], at: datetime
) -> dict[int, list[tuple[str, UUID | None]]]:
    """The places that were in use by the accounts of these links, as `reading` has them."""
    net = {link.account.pk: link.account.position_mode != "long_short" for link in links}
    rows = Cycle.objects.filter(account_id__in=net).filter(_ran_at(at)).order_by()
    taken: dict[int, list[tuple[str, UUID | None]]] = {}
    mine = [signal.source_id, signal.inst_id]
    for account, inst_id, direction, uid, *began in rows.values_list(
        "account_id", "inst_id", "direction", "link_uid", "source_id", "leader_inst_id"
    ):
        key = f"{account}|{inst_id}" if net[account] else f"{account}|{inst_id}|{direction}"
        taken.setdefault(account, []).append((key, uid if began == mine else None))
    return taken


def _ran_at(at: datetime) -> Q:
    return Q(opened_at__lt=at) & (Q(ended_at__isnull=True) | Q(ended_at__gte=at))


def _used(links: Sequence[Link], signal: Signal, at: datetime) -> dict[int, Decimal]:
    used: dict[int, Decimal] = {}
    rows = Order.objects.filter(
        account_id__in=[link.account.pk for link in links],
        created_at__gte=signal.tenant.day_start(at),
        created_at__lt=at,
        leg__in=INCREASES,
    ).exclude(state__in=NOT_TRADED)
    for account, notional in rows.values_list("account_id", "notional"):
        used[account] = used.get(account, ZERO) + (notional or ZERO)
    return used


Own = tuple[UUID, int, str]


class _Book:
    """What leaders and followers hold while a replay goes on."""

    def __init__(self) -> None:
        self._cycles: dict[Own, dict[Direction, Running]] = {}
        self._places: dict[Own, tuple[str, bool]] = {}
        self._leaders: dict[tuple[int, str, Direction], Decimal] = {}

    def move(self, signal: Signal, then: Iterable[_Then]) -> LeaderMove:
        """Where the signal took the leader, as it was decided then."""
        direction = Direction(signal.direction)
        mine = (signal.source_id, signal.inst_id)
        told = next((t.verdict.numbers for t in then if "leader_before" in t.verdict.numbers), {})
        known = told.get("leader_before")
        before = self._leaders.get((*mine, direction), ZERO) if known is None else Decimal(known)
        after = told.get("leader_after")
        return LeaderMove(
            intent=Intent(signal.intent),
            direction=direction,
            before=before,
            after=moved(signal, before) if after is None else Decimal(after),
            opposite_before=self._leaders.get((*mine, opposite(direction)), ZERO),
            unit=Unit(signal.unit),
        )

    def moved(self, signal: Signal, move: LeaderMove) -> None:
        mine = (signal.source_id, signal.inst_id)
        self._leaders[*mine, move.direction] = move.after
        if move.intent == Intent.FLIP:
            self._leaders[*mine, opposite(move.direction)] = ZERO

    def open(self, signal: Signal, links: Sequence[Link], at: datetime) -> None:
        """Begin with what those held at that moment who were not met before."""
        new = [link.uid for link in links if self._own(signal, link.uid) not in self._cycles]
        if not new:
            return
        for uid in new:
            self._cycles[self._own(signal, uid)] = {}
        rows = list(
            Cycle.objects.filter(
                link_uid__in=new, source_id=signal.source_id, leader_inst_id=signal.inst_id
            )
            .filter(_ran_at(at))
            .order_by("opened_at", "pk")
        )
        parts = _filled_before([row.pk for row in rows], at)
        for row in rows:
            own = self._own(signal, row.link_uid)
            cycle = OutgoingCycle(row.pk, row.follower_base, row.leader_base)
            holding = holding_of(parts.get(row.pk, ()))
            self._cycles[own][Direction(row.direction)] = Running(cycle, holding)
            self._places[own] = (row.inst_id, row.is_reversed)

    def known(self, signal: Signal, links: Sequence[Link]) -> Known:
        owns = {link.uid: self._own(signal, link.uid) for link in links}
        return Known(
            {uid: self._cycles[own] for uid, own in owns.items() if self._cycles[own]},
            {uid: self._places[own] for uid, own in owns.items() if self._cycles[own]},
        )

    def follow(self, signal: Signal, link: Link, draft: Draft) -> None:
        """Hold what was decided, as if it had filled at once."""
        own = self._own(signal, link.uid)
        cycles = dict(self._cycles[own])
        for direction, base in draft.rebased.items():
            held = cycles[direction]
            cycle = OutgoingCycle(held.cycle.pk, base.follower_base, base.leader_base)
            cycles[direction] = replace(held, cycle=cycle)
        for direction in draft.ended:
            cycles.pop(direction, None)
        for order in draft.orders:
            quantity = sum(order.quantities, ZERO)
            if order.leg == Leg.CLOSE:
                cycles.pop(order.direction, None)
            elif order.leg != Leg.OPEN:
                cycles[order.direction] = _more(cycles[order.direction], order.leg, quantity)
        if draft.new_cycle is not None:
            toward = Direction(signal.direction)
            if link.following.reverse:
                toward = opposite(toward)
            self._begin(own, cycles, draft, toward)
        self._cycles[own] = cycles

    def _begin(
        self, own: Own, cycles: dict[Direction, Running], draft: Draft, toward: Direction
    ) -> None:
        base, following = draft.new_cycle, draft.facts.link.following
        assert base is not None  # noqa: S101 - asked before
        opened = [order for order in draft.orders if order.leg == Leg.OPEN]
        running = Running(OutgoingCycle(uuid7(), base.follower_base, base.leader_base), NOTHING)
        for order in opened:
            running = _more(running, order.leg, sum(order.quantities, ZERO))
        cycles[opened[0].direction if opened else toward] = running
        self._places[own] = (following.inst_id, following.reverse)

    def _own(self, signal: Signal, link_uid: UUID) -> Own:
        return (link_uid, signal.source_id, signal.inst_id)


def _more(running: Running, leg: Leg, quantity: Decimal) -> Running:
    part = _part(uuid7(), uuid7(), leg, quantity)
    return replace(running, holding=holding_of((*running.holding.parts, part)))


def _part(order: UUID, signal: UUID, leg: Leg, filled: Decimal) -> OrderPart:
    return OrderPart(
        id=order,
        signal_id=signal,
        leg=leg,
        state=OrderState.FILLED,
        quantity=filled,
        filled=filled,
        fee_in_kind=ZERO,
    )


def _filled_before(cycles: Sequence[UUID], at: datetime) -> dict[UUID, list[OrderPart]]:
    """What these cycles' orders of before filled in the end."""
    parts: dict[UUID, list[OrderPart]] = {}
    rows = Order.objects.filter(cycle_id__in=cycles, created_at__lt=at).order_by("lane_at", "id")
    for cycle, order, signal, leg, filled in rows.values_list(
        "cycle_id", "id", "signal_id", "leg", "filled_quantity"
    ):
        parts.setdefault(cycle, []).append(_part(order, signal, Leg(leg), filled))
    return parts


def _plain(value: str | None) -> Decimal | str | None:
    """Numbers as numbers: 1 and 1.0 are the same."""
    try:
        return None if value is None else Decimal(value)
    except InvalidOperation:
        return value


def names_of(rows: Iterable[Replayed]) -> dict[int, Subscription]:
    """The subscriptions of these, for people to read."""
    keys = {row.subscription_id for row in rows if row.subscription_id is not None}
    found = Subscription.objects.filter(pk__in=keys)
    return {row.pk: row for row in found.select_related("strategy", "account__customer")}
