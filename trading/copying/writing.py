"""Decisions, cycles and orders of one chunk, written in one transaction."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from accounts.bulk import insert_many
from accounts.bulk_rows import Rows, Template
from accounts.bulk_update import update_many
from accounts.fields import new_hex, uuid7
from customers.enums import PositionMode
from signals.enums import Direction, Intent
from signals.models import Signal
from trading.attached import attached
from trading.canceling import wish_canceled
from trading.copying.deciding import Draft, own_move
from trading.copying.drafts import OrderDraft
from trading.copying.leader import LeaderMove
from trading.copying.links import Link
from trading.copying.reading import Facts
from trading.departing import MARKED_COLUMNS, Around, Made, Mark, Marked, mark_nobody
from trading.enums import (
    RESTING_TYPES,
    EventSource,
    Leg,
    OrderState,
    PositionSide,
    Reason,
    Side,
)
from trading.models import Cycle, Decision, Order
from trading.orders import ClientOrderIds, lane_key
from trading.outgoing import (
    Alike,
    Outgoing,
    OutgoingCycle,
    OutgoingStrategy,
    OutgoingSubscription,
)
from trading.positions_held import UNSENT, OrderPart
from trading.protections import protections_of, towards_market
from trading.risk import INCREASES
from trading.transition import Change, transition

TAKEN_BACK = {Intent.CANCEL: (OrderState.CANCELED, Reason.CANCELED_BY_SIGNAL)}
SUPERSEDED = (OrderState.DENIED, Reason.SUPERSEDED)
ORDER_OWN = (
    "id",
    "decision_id",
    "subscription_id",
    "account_id",
    "cycle_id",
    "link_uid",
    "client_order_id",
    "lane_key",
    "waits_for",
)


class Outrun(RuntimeError):  # noqa: N818 - says what happened
    """An order was sent while it was being taken back: what was decided no longer holds."""


@dataclass(frozen=True, slots=True)
class Written:
    """The orders of a chunk, and those of them that leave now that it is committed."""

    orders: Sequence[Outgoing] = ()
    marked: Sequence[Marked] = ()

    @property
    def waiting(self) -> list[Outgoing]:
        """Those that somebody has to look at before they may leave."""
        gone = {one.order.id for one in self.marked}
        return [order for order in self.orders if order.id not in gone]


def write_drafts(  # noqa: PLR0913 - what a chunk is written from
    signal: Signal,
    move: LeaderMove,
    drafts: Sequence[Draft],
    around: Around,
    *,
    lane_at: datetime,
    now: datetime,
    mark: Mark = mark_nobody,
) -> Written:
    """Write a chunk and return its orders, ready to be sent. Runs inside a transaction.

    `mark` may let some of them leave as soon as the transaction commits.

    Raises IntegrityError when another process decided one of these links meanwhile, and
    Outrun when one of their orders left meanwhile.
    """
    _take_back(move, drafts, now)
    _end(drafts, now)
    writing = _Writing(signal, move, lane_at, now)
    for draft in drafts:
        writing.take(draft)
    marked = mark([line.made for line in writing.lines], around, at=now)
    writing.write()
    return Written([line.made.order for line in writing.lines], marked)


class _Line(NamedTuple):
    """One new order with what its row says besides."""

    made: Made
    slot: _Slot
    decision: str
    link: str


class _Slot:
    """The rows of all orders that take the same place in the drafts of followers who are alike."""

    def __init__(self, leg: OrderDraft, terms: dict[str, Any]) -> None:
        self.leg = leg
        self.terms = terms
        self.alike = Alike(terms)
        self.templates: dict[tuple[str, int | None], Template] = {}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the rows of followers who are alike have in common."""

    decision: Template
    cycle: Template | None
    slots: tuple[_Slot, ...]


class _Writing:
    """The rows of one chunk, gathered and then written, a statement for each table."""

    def __init__(self, signal: Signal, move: LeaderMove, lane_at: datetime, now: datetime) -> None:
        self._signal, self._move, self._lane_at, self._now = signal, move, lane_at, now
        self._ids = ClientOrderIds(
            deployment_code=settings.DEPLOYMENT_CODE,
            key=settings.ORDER_ID_KEY.encode(),
            signal_id=signal.id,
        )
        self._shapes: dict[Hashable, _Shape] = {}
        self._followed: dict[tuple[int, str, str], OutgoingSubscription] = {}
        self._decisions = Rows(Decision, ("id", "subscription_id", "account_id", "link_uid"))
        self._cycles = Rows(
            Cycle, ("id", "link_uid", "subscription_id", "account_id", "active_key")
        )
        self._orders = Rows(Order, ORDER_OWN)
        self.lines: list[_Line] = []

    def take(self, draft: Draft) -> None:
        """Take in one follower's decision, and the cycle and orders that come of it."""
        shape = self._shapes.get(draft.likeness)
        if shape is None:
            shape = self._shapes[draft.likeness] = self._shape(draft)
        link = draft.facts.link
        link_hex, decision = link.uid.hex, new_hex()
        shape.decision.rows.append((decision, link.subscription_id, link.account.pk, link_hex))
        cycle = self._cycle(shape, draft, link_hex)
        closing: UUID | None = None
        for slot in shape.slots:
            order = self._order(slot, draft, cycle, link_hex, closing)
            self.lines.append(_Line(Made(order, draft.likeness), slot, decision, link_hex))
            if slot.leg.leg == Leg.CLOSE:
                closing = order.id

    def write(self) -> None:
        """Write everything; the orders as they are by now."""
        for made, slot, decision, link in self.lines:
            order = made.order
            marked = (order.state, order.exp_at_ms)
            template = slot.templates.get(marked)
            if template is None:
                template = slot.templates[marked] = self._order_template(slot, order)
            cycle_id = order.cycle_id
            row = (
                order.id.hex,
                decision,
                order.subscription_id,
                order.account_id,
                None if cycle_id is None else cycle_id.hex,
                link,
                order.client_order_id,
                order.lane_key,
                None if order.waits_for is None else order.waits_for.hex,
            )
            template.rows.append(row)
        self._decisions.write()
        self._cycles.write()
        self._orders.write()
        insert_many(protections_of((line.made.order, UUID(line.link)) for line in self.lines))

    def _shape(self, draft: Draft) -> _Shape:
        signal, base = self._signal, draft.new_cycle
        decision = self._decisions.template(
            tenant_id=signal.tenant_id,
            signal_id=signal.pk,
            outcome=draft.outcome,
            reason=draft.reason,
            numbers=draft.numbers,
            decided_at=self._now,
        )
        cycle = None
        if base is not None:
            cycle = self._cycles.template(
                tenant_id=signal.tenant_id,
                source_id=signal.source_id,
                inst_id=draft.facts.link.inst_id,
                leader_inst_id=signal.inst_id,
                is_reversed=draft.facts.link.following.reverse,
                direction=own_move(self._move, draft.facts).direction,
                unit=self._move.unit,
                follower_base=base.follower_base,
                leader_base=base.leader_base,
                opened_at=self._now,
            )
        return _Shape(decision, cycle, tuple(self._slots(draft)))

    def _slots(self, draft: Draft) -> Iterator[_Slot]:
        for leg_number, leg in enumerate(draft.orders):
            common = _terms(self._signal, draft.facts, leg)
            for slice_number, quantity in enumerate(leg.quantities):
                notional = leg.notional
                if len(leg.quantities) > 1 and notional is not None:
                    notional = notional * quantity / sum(leg.quantities)
                asked = leg.asked(slice_number)
                profit, loss = _protection(self._signal, draft.facts, leg, asked)
                own = {
                    "take_profit": profit,
                    "stop_loss": loss,
                    "lane_at": self._lane_at,
                    "created_at": self._now,
                    "leg_number": leg_number,
                    "slice_number": slice_number,
                    "quantity": quantity,
                    "price": asked,
                    "notional": notional,
                }
                yield _Slot(leg, common | own)

    def _order_template(self, slot: _Slot, order: Outgoing) -> Template:
        """What the rows of the slot's orders have in common that are in the state of this one."""
        marked = {name: getattr(order, name) for name in MARKED_COLUMNS}
        return self._orders.template(**slot.terms | marked)

    def _cycle(self, shape: _Shape, draft: Draft, link_hex: str) -> OutgoingCycle | None:
        base = draft.new_cycle
        if shape.cycle is None or base is None:
            return None
        link, cycle = draft.facts.link, uuid7()
        row = (
            cycle.hex,
            link_hex,
            link.subscription_id,
            link.account.pk,
            draft.facts.active_key(own_move(self._move, draft.facts).direction),
        )
        shape.cycle.rows.append(row)
        return OutgoingCycle(cycle, base.follower_base, base.leader_base)

    def _order(
        self,
        slot: _Slot,
        draft: Draft,
        new_cycle: OutgoingCycle | None,
        link_hex: str,
        closing: UUID | None,
    ) -> Outgoing:
        link, leg, terms = draft.facts.link, slot.leg, slot.terms
        cycle = new_cycle
        if leg.in_cycle is not None:
            cycle = draft.facts.cycles[leg.in_cycle].cycle
            base = draft.rebased.get(leg.in_cycle)
            if base is not None:
                cycle = OutgoingCycle(cycle.pk, base.follower_base, base.leader_base)
        of_each = (
            uuid7(),
            link.account.pk,
            link.subscription_id,
            None if cycle is None else cycle.pk,
            self._ids.of(link_hex, terms["leg_number"], terms["slice_number"]),
            lane_key(link.account.pk, link.inst_id, terms["position_side"]),
            closing if leg.waits_for_close else None,
        )
        return slot.alike.make(of_each, link.account, self._subscription(link), cycle)

    def _subscription(self, link: Link) -> OutgoingSubscription | None:
        if link.strategy_id is None:
            return None
        key = (link.strategy_id, link.subscription_status, link.strategy_status)
        found = self._followed.get(key)
        if found is None:
            strategy = OutgoingStrategy(link.strategy_status)
            found = OutgoingSubscription(link.strategy_id, link.subscription_status, strategy)
            self._followed[key] = found
        return found


def _take_back(move: LeaderMove, drafts: Sequence[Draft], now: datetime) -> None:
    """Openings that were not sent yet are taken back; what rests at the exchange is canceled."""
    parts = [part for draft in drafts for part in _unwanted(draft)]
    if not parts:
        return
    to, reason = TAKEN_BACK.get(move.intent, SUPERSEDED)
    unsent = {part.id for part in parts if part.is_unsent}
    found = list(Order.objects.filter(id__in=[part.id for part in parts]))
    if any(order.id in unsent and order.state not in UNSENT for order in found):
        raise Outrun
    taken = transition(
        [Change(order, to, {"reason": reason}) for order in found if order.id in unsent],
        source=EventSource.ENGINE,
        at=now,
    )
    if len(taken) < len(unsent):
        raise Outrun
    resting = [o.id for o in found if not o.is_final and o.order_type in RESTING_TYPES]
    if resting:
        wish_canceled(Order.objects.filter(id__in=resting), _why_canceled(move))


def _why_canceled(move: LeaderMove) -> Reason:
    if move.intent == Intent.CANCEL:
        return Reason.CANCELED_BY_SIGNAL
    left = move.intent == Intent.FLIP or move.after == 0
    return Reason.LEADER_CLOSED if left else Reason.LEADER_REDUCED


def _unwanted(draft: Draft) -> Iterator[OrderPart]:
    """What of a follower's openings may not fill any more."""
    for direction in draft.canceled:
        for part in draft.facts.cycles[direction].holding.parts:
            if part.sign > 0 and not part.is_final:
                yield part
    for direction, places in draft.cut.items():
        for place in places:
            yield draft.facts.cycles[direction].holding.parts[place]


def _end(drafts: Sequence[Draft], now: datetime) -> None:
    ended = [_key(draft, direction) for draft in drafts for direction in draft.ended]
    if ended:
        Cycle.objects.filter(pk__in=ended).update(ended_at=now, active_key=None)
    released = [_key(draft, direction) for draft in drafts for direction in draft.released]
    if released:
        Cycle.objects.filter(pk__in=released).update(active_key=None)
    closing = [_key(draft, direction) for draft in drafts for direction in draft.closing]
    if closing:
        Cycle.objects.filter(pk__in=closing, closing_at=None).update(closing_at=now)
    reopened = [_key(draft, direction) for draft in drafts for direction in draft.reopened]
    if reopened:
        Cycle.objects.filter(pk__in=reopened).update(closing_at=None)
    rebased = [
        (_key(draft, direction), base.follower_base, base.leader_base)
        for draft in drafts
        for direction, base in draft.rebased.items()
    ]
    update_many(Cycle, rebased, match=("id",), columns=("follower_base", "leader_base"))


def _key(draft: Draft, direction: Direction) -> UUID:
    return draft.facts.cycles[direction].cycle.pk


def _terms(signal: Signal, facts: Facts, leg: OrderDraft) -> dict[str, Any]:
    """What all slices of a leg have in common, for all followers who are alike."""
    link = facts.link
    account = link.account
    spot = facts.market is not None and facts.market.rules.spot
    side, position_side, reduce_only = _sides(leg, account.position_mode, spot)
    max_age = link.max_age
    if signal.expires_at is not None:
        max_age = min(max_age, signal.expires_at - signal.signal_at)
    opens = leg.leg in (Leg.OPEN, Leg.ADD)
    return {
        "tenant_id": signal.tenant_id,
        "signal_at": signal.signal_at,
        "signal_id": signal.pk,
        "leg": leg.leg,
        "market": account.market,
        "inst_id": link.inst_id,
        "side": side,
        "position_side": position_side,
        "reduce_only": reduce_only,
        "order_type": leg.asking.order_type,
        "margin_mode": leg.margin_mode,
        "leverage": leg.leverage if opens else None,
        "keeps_leverage": opens and leg.keeps_leverage,
        "reference_price": leg.asking.reference or signal.reference_price or leg.price,
        "max_slippage": leg.asking.max_slippage,
        "notional": leg.notional,
        "leader_after": leg.leader_after,
        "state": OrderState.READY,
        "expires_at": signal.signal_at + max_age if opens else None,
    }


def _protection(
    signal: Signal, facts: Facts, leg: OrderDraft, asked: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """What the link attaches to an opening, on the tick of the follower's market.

    A ratio counts from the price that a resting order asks for, else from the mark: the bound of
    an order that takes what there is is not what it will pay. The leader's prices are those of
    its own instrument.
    """
    market = facts.market
    if leg.leg not in INCREASES or market is None or market.rules.spot:
        return None, None
    rests = leg.asking.order_type in RESTING_TYPES
    same = facts.link.inst_id == signal.inst_id
    prices = attached(
        facts.link.protection,
        mirrored=(signal.take_profit, signal.stop_loss) if same else (None, None),
        reverses=facts.link.following.reverse,
        rising=(rising := leg.direction == Direction.LONG),
        entry=(asked if rests else None) or market.mark or signal.reference_price,
        leverage=leg.leverage,
    )
    tick = market.rules.tick_size
    return (
        towards_market(prices.take_profit, tick, above=rising),
        towards_market(prices.stop_loss, tick, above=not rising),
    )


def _sides(leg: OrderDraft, position_mode: str, spot: bool) -> tuple[Side, PositionSide, bool]:
    """Side, position side and reduce-only as the follower's own position mode asks for them."""
    opens = leg.leg in (Leg.OPEN, Leg.ADD)
    side = Side.BUY if (leg.direction == Direction.LONG) == opens else Side.SELL
    if position_mode == PositionMode.LONG_SHORT and not spot:
        return side, PositionSide(leg.direction.value), False
    return side, PositionSide.NET, not opens and not spot
