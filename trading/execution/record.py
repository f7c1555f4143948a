"""What an answer means for its order, written down in one transaction per batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from trading.attempts import Tried, answer_late, write_tried
from trading.enums import AttemptOutcome, EventSource, OrderState, Reason
from trading.exchange.types import Outcome, SendOutcome
from trading.execution import keys
from trading.execution.refused import follow_refusals
from trading.execution.send import Answered
from trading.execution.watching import watch_answers
from trading.faults import faultpoint
from trading.leases import db_now
from trading.models import Order
from trading.outgoing import Outgoing
from trading.transition import Change, retried, transition

FIRST_LOOK = timedelta(milliseconds=500)
BACKOFF = timedelta(milliseconds=200)
LONGEST_BACKOFF = timedelta(seconds=5)
MARGIN_CODES = frozenset({"51008", "51131", "59108"})
IP_CODES = frozenset({"50110"})
FLAT_CODES = frozenset({"51023", "51169"})


class _Verdict(NamedTuple):
    to: OrderState
    columns: dict[str, Any]
    note: str = ""
    proved_not_placed: bool = False


def record(answered: Sequence[Answered]) -> None:
    """Write the answers down, and pause the accounts whose keys were refused."""
    follow_refusals(write_down(answered))


def write_down(answered: Sequence[Answered]) -> list[Answered]:
    """Write the answers down and return the refusals: `follow_refusals` is to be told of them.

    News of the same order may have come by another way meanwhile.
    """
    faultpoint("S7.before_record")
    now = db_now()
    done = _write(answered, now)
    for one in answered:
        if one.marked.order.id not in done:
            _record_late(one)
    faultpoint("S7.recorded")
    watch_answers([one for one in answered if one.outcome.kind == Outcome.UNKNOWN])
    for one in answered:
        if one.outcome.kind == Outcome.AUTH:
            keys.refuse(one.marked.order.account)
    return [one for one in answered if one.outcome.kind in (Outcome.REJECTED, Outcome.AUTH)]


@retried
@transaction.atomic
def _write(answered: Sequence[Answered], now: datetime) -> set[UUID]:
    """The ids of the orders that still were as they were marked."""
    tried = [_tried(one) for one in answered]
    changes = [_change(one, now) for one in answered]
    written = transition(changes, source=EventSource.ENGINE, at=now, answered=True)
    done = {(change.order.id, change.order.attempt) for change in written}
    write_tried(one for one in tried if (one.order_id, one.number) in done)
    late = [one for one in tried if (one.order_id, one.number) not in done]
    if late:
        answer_late(late)
    return {order_id for order_id, _ in done}


def _tried(one: Answered) -> Tried:
    """The attempt with its answer. The order is as it was marked."""
    order, attempt, outcome = one.marked.order, one.marked.attempt, one.outcome
    return Tried(
        attempt.order_id,
        attempt.exp_at_ms,
        one.at,
        order.tenant_id,
        attempt.signal_at,
        attempt.number,
        attempt.started_at,
        AttemptOutcome(outcome.kind.value),
        outcome.http_status,
        outcome.reason_code[:16],
        _text(outcome.message, 300),
        _text(outcome.excerpt, 500),
    )


def _text(said: str, length: int) -> str:
    """What an exchange says may be anything; a database takes neither NUL nor half a letter."""
    clean = said[:length].replace("\0", "")
    return clean if clean.isascii() else clean.encode(errors="replace").decode()


def _change(one: Answered, now: datetime) -> Change:
    order = one.marked.order
    verdict = _verdict(one, now)
    columns = {"claim_token": None, "lease_until": None, **verdict.columns}
    return Change(order, verdict.to, columns, _text(verdict.note, 300), verdict.proved_not_placed)


def _verdict(one: Answered, now: datetime) -> _Verdict:
    order, outcome = one.marked.order, one.outcome
    words = {
        "exchange_code": outcome.reason_code[:16],
        "exchange_message": _text(outcome.message, 300),
    }
    match outcome.kind:
        case Outcome.ACK:
            placed = {"exchange_order_id": outcome.exchange_order_id, "acked_at": one.at}
            return _Verdict(OrderState.LIVE, placed)
        case Outcome.REJECTED | Outcome.AUTH:
            note = f"{outcome.reason_code} {outcome.message}".strip()
            return _Verdict(OrderState.REJECTED, {**words, "reason": _reason(order, outcome)}, note)
        case Outcome.NOT_PLACED:
            wait = _backoff(order.attempt, outcome)
            note = f"not placed: {outcome.reason_code or outcome.message}"
            columns = {**words, "not_before": now + wait}
            return _Verdict(OrderState.READY, columns, note, proved_not_placed=True)
        case _:
            note = f"outcome unknown: {outcome.reason_code or outcome.excerpt}"
            columns = {**words, "not_before": now + FIRST_LOOK, "reason": Reason.UNKNOWN_RESULT}
            return _Verdict(OrderState.UNKNOWN, columns, note)


def _reason(order: Outgoing, outcome: SendOutcome) -> Reason:
    code = outcome.reason_code
    if code in IP_CODES:
        return Reason.IP_NOT_ALLOWED
    if outcome.kind == Outcome.AUTH:
        return Reason.KEY_INVALID
    if code in MARGIN_CODES:
        return Reason.INSUFFICIENT_MARGIN
    if code in FLAT_CODES and not order.opens:
        return Reason.ALREADY_FLAT
    return Reason.EXCHANGE_REJECTED


def _backoff(attempt: int, outcome: SendOutcome) -> timedelta:
    if outcome.retry_after_s is not None:
        return min(timedelta(seconds=int(outcome.retry_after_s)) + BACKOFF, LONGEST_BACKOFF)
    wait: timedelta = BACKOFF * 2 ** min(attempt, 6)
    return min(wait, LONGEST_BACKOFF)


def _record_late(one: Answered) -> None:
    """The socket was faster than the answer: keep what it said, add what only we know."""
    if one.outcome.kind != Outcome.ACK:
        return
    order = Order.objects.filter(id=one.marked.order.id, signal_at=one.marked.order.signal_at)
    order.filter(acked_at__isnull=True).update(acked_at=one.at)
    order.filter(exchange_order_id="").update(exchange_order_id=one.outcome.exchange_order_id)
