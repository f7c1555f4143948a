"""What our own rows must keep: no trade after a halt, true identities, an end for everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from signals.enums import SignalStatus
from trading.auditing.facts import Books, Finding, Found, Note, OurOrder, Promise, TheirOrder
from trading.enums import FINAL_STATES, Leg, OrderState, OrderType, TradingMode
from trading.orders import client_order_id
from trading.switch import Covered

UNKNOWN_AT_MOST: Final = timedelta(seconds=60)
_AT_ONCE: Final = frozenset({OrderType.MARKET, OrderType.IOC, OrderType.FOK})
_NEEDS_REASON: Final = frozenset(
    {OrderState.REJECTED, OrderState.EXPIRED, OrderState.DENIED, OrderState.CANCELED}
)


@dataclass(frozen=True, slots=True)
class Closed:
    """A switch that was not `active`: which scope, how, from when until when (None: still)."""

    scope_key: str
    mode: TradingMode
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after a halt an order that was marked before it may still be accepted."""

    market: timedelta
    limit: timedelta
    margin: timedelta

    def after(self, order: OurOrder) -> timedelta:
        return (self.market if order.order_type in _AT_ONCE else self.limit) + self.margin


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """A signal and what was made of it. `expected` is None where the diary does not say."""

    id: UUID
    status: str
    received_at: datetime
    expected: int | None
    decisions: int
    copied_without_order: int = 0
    without_reason: int = 0


def check_halts(books: Books, halts: Sequence[Closed], patience: Patience, found: Found) -> None:
    """I7: after a halt nothing but what was on its way is accepted, after its deadline nothing."""
    orders = {order.client_order_id: order for order in books.ours.orders}
    for there in books.theirs.orders:
        order = orders.get(there.client_order_id)
        if order is None:
            continue
        if order.exp_at_ms is not None and there.accepted_ms > order.exp_at_ms:
            words = f"accepted {there.accepted_ms - order.exp_at_ms} ms after its deadline"
            found.findings.append(_broken(Promise.HALT, "after_deadline", words, order))
        halt = next((h for h in halts if _was_closed(h, order, there, patience)), None)
        if halt is not None:
            words = f"accepted while {halt.scope_key} was {halt.mode}, "
            words += f"set at {halt.since:%Y-%m-%d %H:%M:%S}"
            found.findings.append(_broken(Promise.HALT, "after_halt", words, order))


def check_identities(
    orders: Iterable[OurOrder], *, deployment_code: str, key: bytes, found: Found
) -> None:
    """I8: an order is its signal's desk's, and its id is what it must be."""
    for order in orders:
        if order.tenant_id != order.signal_tenant_id:
            words = "its desk is not its signal's"
            found.findings.append(_broken(Promise.IDENTITY, "foreign_signal", words, order))
        name = client_order_id(
            deployment_code=deployment_code,
            key=key,
            link_uid=order.link_uid,
            signal_id=order.signal_id,
            leg=order.leg_number,
            slice_=order.slice_number,
        )
        if name != order.client_order_id:
            words = f"{order.client_order_id} is not the id of this order, {name} is"
            found.findings.append(_broken(Promise.IDENTITY, "client_order_id", words, order))


def check_complete(signals: Iterable[SignalFacts], *, quiet: datetime, found: Found) -> None:
    """I9: every signal was decided for everyone it concerns, each with its order or a reason."""
    for signal in signals:
        for what, words in _incomplete(signal):
            if signal.received_at >= quiet and what == "not_copied":
                found.in_flight.append(Note("signal", f"signal {signal.id}: {words}"))
            else:
                found.findings.append(
                    Finding(
                        Promise.COMPLETE,
                        what,
                        f"signal {signal.id}: {words}",
                        signal_id=signal.id,
                    )
                )


def check_reasons(orders: Iterable[OurOrder], found: Found) -> None:
    """I9: an order that ended without being filled says why; one that has not ended is told."""
    for order in orders:
        if order.state in _NEEDS_REASON and not order.reason:
            words = f"it is {order.state} and nothing says why"
            found.findings.append(_broken(Promise.COMPLETE, "no_reason", words, order))
        elif order.state not in FINAL_STATES:
            found.in_flight.append(
                Note("order", f"{order.state}: {order.client_order_id}", order.account_id, order.id)
            )


def check_settled(orders: Iterable[OurOrder], *, now: datetime, found: Found) -> None:
    """I10: nothing is unknown for more than a minute, and nothing is being sent by nobody."""
    for order in orders:
        age = now - (order.sent_at or order.created_at)
        if order.state == OrderState.MANUAL:
            words = "its outcome is for a person to settle"
            found.findings.append(_broken(Promise.SETTLED, "manual", words, order))
        elif order.state == OrderState.UNKNOWN and age > UNKNOWN_AT_MOST:
            words = f"its outcome is unknown for {round(age.total_seconds())} s"
            found.findings.append(_broken(Promise.SETTLED, "unknown", words, order))
        elif order.state == OrderState.SENDING and _is_nobodys(order, now):
            words = "it was being sent, and its sender is gone"
            found.findings.append(_broken(Promise.SETTLED, "sender_gone", words, order))


def _broken(promise: Promise, what: str, words: str, order: OurOrder) -> Finding:
    return Finding(promise, what, words, order.account_id, order.id, order.signal_id)


def _was_closed(halt: Closed, order: OurOrder, there: TheirOrder, patience: Patience) -> bool:
    """Did this switch forbid the order when the exchange accepted it?"""
    at = there.accepted_ms / 1000
    if at <= (halt.since + patience.after(order)).timestamp():
        return False
    if halt.until is not None and at >= halt.until.timestamp():
        return False
    if halt.mode != TradingMode.HALTED and order.leg not in (Leg.OPEN, Leg.ADD):
        return False
    if order.flattens and not halt.scope_key.startswith("system"):
        return False  # flatten is the stricter one, except below a halt of the installation
    covered = Covered(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        customer_id=order.customer_id,
        inst_id=order.inst_id,
        strategy_id=order.strategy_id,
    )
    return halt.scope_key in covered.scope_keys()


def _incomplete(signal: SignalFacts) -> Iterable[tuple[str, str]]:
    if signal.status == SignalStatus.ACCEPTED:
        return [("not_copied", "it waits to be copied")]
    if signal.status == SignalStatus.QUARANTINED:
        return [("set_aside", "it was set aside and is not copied any further")]
    words = []
    if signal.expected is not None and signal.decisions != signal.expected:
        told = f"{signal.decisions} decisions for {signal.expected} accounts"
        words.append(("undecided", told))
    if signal.copied_without_order:
        words.append(("no_order", f"{signal.copied_without_order} copied without an order"))
    if signal.without_reason:
        words.append(("no_reason", f"{signal.without_reason} not copied without a reason"))
    return words


def _is_nobodys(order: OurOrder, now: datetime) -> bool:
    """A sweep follows within seconds; a lease that lapsed long ago was found by none."""
    return order.lease_until is None or now - order.lease_until > UNKNOWN_AT_MOST
