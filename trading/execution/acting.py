"""Cancels, changes and protections made true: marked, sent, and settled by what is really there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from customers.credentials import NoKey
from customers.enums import AccountStatus
from trading.actions import change_unsent, end_unsent, step
from trading.endpoints import NoMarket, endpoint_of
from trading.enums import (
    ActionKind,
    ActionState,
    AttemptOutcome,
    EventSource,
    ProtectionState,
    TradingMode,
)
from trading.exchange.algos import AlgoLookup
from trading.exchange.types import LookupKind, OrderLookup, Outcome, SendOutcome
from trading.execution.asking import NOTHING_HEARD, Asked, Heard, Lookup, ask_accounts
from trading.execution.clock import clock_of
from trading.execution.judging import LATER, SOON, Seen, Step, judge
from trading.execution.keys import keys_of
from trading.execution.refused import Refusal, pause_refused
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now
from trading.models import Action, ActionAttempt, Position, Protection
from trading.models.actions import OPEN_ACTIONS
from trading.protections import end_protection
from trading.switch import Covered, read_switchboard
from trading.sync.apply import apply_algos, apply_orders
from trading.transition import retried

ROUND = 200
CLAIM = timedelta(seconds=15)
BACKOFF = timedelta(milliseconds=200)
LONGEST_BACKOFF = timedelta(seconds=5)
ALERT_AFTER = timedelta(seconds=60)
ALERT_WITHIN = timedelta(seconds=20)
DEADLINED = (ActionKind.AMEND, ActionKind.PROTECT, ActionKind.MOVE)

log = logging.getLogger(__name__)


def act_due(limit: int = ROUND) -> int:
    """One round over every open action that is due: look, decide, send, look again.

    Runs in the scope of all tenants. Safe to run twice at once and after a crash anywhere.
    """
    now = db_now()
    claimed = [asked for asked in map(_with_key, _claimed(now, limit)) if asked is not None]
    waiting = [one for one in claimed if one.action.state == ActionState.WAITING]
    in_doubt = [one for one in claimed if one.action.state != ActionState.WAITING]
    to_send = _decide([Heard(one, None, NOTHING_HEARD) for one in waiting], looked=False)
    for heard in ask_accounts(in_doubt, send=False):
        faultpoint("A.asked")
        to_send += _decide(heard, looked=True)
    faultpoint("A.claimed")
    marked = _mark(to_send)
    faultpoint("A.marked")
    for heard in ask_accounts(marked, send=True):
        faultpoint("A.answered")
        _record(heard)
        faultpoint("A.recorded")
        _pause_refused(heard)
        _decide([one for one in heard if _was_sent(one)], looked=True)
    return len(claimed)


def _claimed(now: datetime, limit: int) -> list[Action]:
    """Due ones, each taken by one process only."""
    due = (
        Action.objects.filter(state__in=OPEN_ACTIONS)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        .select_related("account__customer", "order__subscription", "protection")
        .order_by("created_at")[:limit]
    )
    return [one for one in due if step(one, ActionState(one.state), lease_until=now + CLAIM)]


def _with_key(action: Action) -> Asked | None:
    """Without a key or a market nothing can be asked: it comes up again with the next claim."""
    try:
        keys = keys_of(action.account)
        endpoint_of(action.account)
    except (NoKey, NoMarket) as error:
        log.warning("action %s cannot be asked about: %s", action.pk, error)
        return None
    return Asked(action, action.order, action.protection, keys)


def _decide(heard: Sequence[Heard], *, looked: bool) -> list[Asked]:
    """Write down what was found, take the next step of each, and return those to be sent."""
    held = _held_actions(heard)
    to_send = []
    for one in heard:
        try:
            with tenant_scope(one.asked.action.tenant_id):
                if _settle(one, looked=looked, held=one.asked.action.pk in held):
                    to_send.append(one.asked)
        except InjectedFaultError:
            raise
        except Exception:
            log.exception("action %s could not be settled", one.asked.action.pk)
    return to_send


def _settle(heard: Heard, *, looked: bool, held: bool) -> bool:
    """True when it is to be sent."""
    asked = heard.asked
    if looked:
        _write_down(asked, heard.lookup)
    _refresh(asked)
    now = db_now()
    seen = Seen(
        action=asked.action,
        order=asked.order,
        protection=asked.protection,
        now=now,
        lookup=heard.lookup.kind if looked else None,
        answer=heard.answer,
        is_late=_is_late(asked.action),
        is_held=held,
        is_flat=_is_flat(asked.protection),
    )
    _count_absence(seen)
    todo = judge(seen)
    if todo.send and heard.answer is None:
        return True
    _take(asked, todo, now)
    return False


def _write_down(asked: Asked, lookup: Lookup) -> None:
    if lookup.kind != LookupKind.FOUND:
        return
    account = asked.action.account
    if isinstance(lookup, OrderLookup) and lookup.report is not None:
        apply_orders(account, [lookup.report], source=EventSource.REST)
    elif isinstance(lookup, AlgoLookup) and lookup.report is not None:
        apply_algos(account, [lookup.report])


def _refresh(asked: Asked) -> None:
    if asked.order is not None:
        asked.order.refresh_from_db()
    if asked.protection is not None:
        asked.protection.refresh_from_db()


def _is_late(action: Action) -> bool:
    if action.exp_at_ms is None:
        return False
    patience_ms = (settings.SKEW_S + settings.GRACE_S) * 1000
    now_ms = clock_of(endpoint_of(action.account)).now_ms()
    return bool(now_ms > action.exp_at_ms + patience_ms)


def _is_flat(protection: Protection | None) -> bool:
    """As far as is known: a stop without a position would only fail."""
    if protection is None:
        return False
    held = Position.objects.filter(
        account_id=protection.account_id,
        inst_id=protection.inst_id,
        position_side=protection.position_side,
    )
    return not held.open().exists()


def _count_absence(seen: Seen) -> None:
    """Only a clear "does not exist", after a request can no longer arrive, says anything."""
    if seen.lookup == LookupKind.NOT_FOUND and (seen.is_late or seen.action.exp_at_ms is None):
        seen.action.not_found_count += 1
        Action.objects.filter(pk=seen.action.pk).update(not_found_count=seen.action.not_found_count)


@retried
@transaction.atomic
def _take(asked: Asked, todo: Step, now: datetime) -> None:
    action, order = asked.action, asked.order
    if todo.here and order is not None:
        do = end_unsent if action.kind == ActionKind.CANCEL else change_unsent
        if do(order, action, now):
            return
    if todo.end is None:
        wait = SOON if todo.send else todo.wait
        step(action, ActionState(action.state), lease_until=None, not_before=now + wait)
        _alert(action, now)
        return
    if step(action, todo.end, todo.words):
        _tell_end(asked, todo)


def _tell_end(asked: Asked, todo: Step) -> None:
    """A protection that could not be placed has failed; what staff asked for is answered."""
    action, protection = asked.action, asked.protection
    refused = todo.end == ActionState.REFUSED
    if refused and action.kind == ActionKind.PROTECT and protection is not None:
        end_protection(protection, ProtectionState.FAILED, todo.words, at=db_now())
    if refused and (action.entered_by_id is not None or protection is not None):
        audit.record(
            action="order.action_refused" if asked.order else "protection.action_refused",
            obj=asked.order or protection,
            level=AuditLevel.WARNING,
            after={"asked": action.kind},
            reason=todo.words,
            tenant=action.tenant_id,
        )


def _alert(action: Action, now: datetime) -> None:
    """A person hears of it once when something cannot be settled for a minute."""
    age = now - (action.sent_at or now)
    if ALERT_AFTER < age <= ALERT_AFTER + ALERT_WITHIN:
        audit.record(
            action="order.action_unresolved" if action.order_id else "protection.action_unresolved",
            obj=action.order or action.protection,
            level=AuditLevel.WARNING,
            after={"asked": action.kind, "attempts": action.attempt},
            tenant=action.tenant_id,
        )


@retried
@transaction.atomic
def _mark(asked: Sequence[Asked]) -> list[Asked]:
    """On record before it is sent: the attempt, and for a change the deadline that goes with it."""
    now = db_now()
    marked, attempts = [], []
    for one in asked:
        attempt = _attempt(one.action, now)
        columns: dict[str, Any] = {
            "attempt": attempt.number,
            "exp_at_ms": attempt.exp_at_ms,
            "sent_at": now,
            "not_found_count": 0,
            "lease_until": now + CLAIM,
            "not_before": None,
        }
        if step(one.action, ActionState.SENDING, **columns):
            marked.append(one)
            attempts.append(attempt)
    ActionAttempt.objects.bulk_create(attempts)
    return marked


def _attempt(action: Action, now: datetime) -> ActionAttempt:
    exp_at_ms = None
    if action.kind in DEADLINED:
        clock = clock_of(endpoint_of(action.account))
        exp_at_ms = clock.now_ms() + round(settings.ORDER_TTL_LIMIT_S * 1000)
    return ActionAttempt(
        tenant_id=action.tenant_id,
        action=action,
        number=action.attempt + 1,
        exp_at_ms=exp_at_ms,
        started_at=now,
    )


@retried
@transaction.atomic
def _record(heard: Iterable[Heard]) -> None:
    now = db_now()
    for one in heard:
        action, answer = one.asked.action, one.answer
        if answer is None:
            continue
        ActionAttempt.objects.filter(action=action, number=action.attempt).update(
            finished_at=now,
            outcome=AttemptOutcome(answer.kind.value),
            http_status=answer.http_status,
            code=answer.reason_code[:16],
            message=answer.message[:300],
            excerpt=answer.excerpt[:500],
        )
        if _was_sent(one):
            step(action, ActionState.UNKNOWN, lease_until=None, not_before=now + LATER)
        else:
            wait = _backoff(action.attempt, answer)
            step(action, ActionState.WAITING, lease_until=None, not_before=now + wait)


def _pause_refused(heard: Iterable[Heard]) -> None:
    """A key that was refused is told of once, and pauses its account, as with an order."""
    pause_refused(
        Refusal.of(one.asked.action.account_id, one.answer, action=str(one.asked.action.pk))
        for one in heard
        if one.answer is not None
        and one.answer.kind == Outcome.AUTH
        and one.asked.action.account.status == AccountStatus.ACTIVE
    )


def _was_sent(heard: Heard) -> bool:
    """Whether the request may have been looked at; then the order tells what came of it."""
    turned_away = (Outcome.NOT_PLACED, Outcome.AUTH)
    return heard.answer is not None and heard.answer.kind not in turned_away


def _backoff(attempt: int, answer: SendOutcome) -> timedelta:
    if answer.kind == Outcome.AUTH:
        # The key stays wrong until a person does something about it.
        return LONGEST_BACKOFF * (1 << min(max(attempt - 1, 0), 6))
    wait: timedelta = BACKOFF * 2 ** min(attempt, 6)
    return min(wait, LONGEST_BACKOFF)


def _held_actions(heard: Iterable[Heard]) -> set[UUID]:
    """Changes of openings that a switch stops."""
    held = set()
    for one in heard:
        action, order = one.asked.action, one.asked.order
        if action.kind == ActionKind.AMEND and order is not None and order.opens:
            board = read_switchboard(action.tenant_id)
            covered = Covered(
                tenant_id=action.tenant_id,
                account_id=action.account_id,
                customer_id=action.account.customer_id,
                inst_id=order.inst_id,
                strategy_id=order.subscription.strategy_id if order.subscription else None,
            )
            if any(mode != TradingMode.ACTIVE for mode in board.modes_for(covered)):
                held.add(action.pk)
    return held
