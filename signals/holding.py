"""Signals that wait until a person approves them: which do, and what ends their waiting.

A close that waits is money lost, so a source may let closes go at once. A reversal is divided
then, and always: its close must not expire with its opening. Whatever goes at once overtakes the
openings that wait for the same position, since they were sent before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.db import transaction

from accounts import audit
from accounts.fields import hash_identity
from signals.afterwards import announce
from signals.enums import (
    ApprovalRule,
    Direction,
    Intent,
    SignalReason,
    SignalStatus,
    Stance,
    Unit,
)
from signals.events import signal_refused
from signals.models import Signal, SignalSource
from signals.standing import Standing, Stated, opposite

# A later one of two that came in one call: what is first in time is first in line.
NEXT = timedelta(microseconds=1)


def hold(signal: Signal, source: SignalSource, standing: Standing) -> Signal | None:
    """Let an accepted signal wait where its source asks for that.

    Returns the opening half of a reversal, to be stored with what is left of it: its close.
    """
    rule = ApprovalRule(source.approval)
    if rule == ApprovalRule.NONE or signal.account_id or signal.intent == Intent.CANCEL:
        return None
    opening = _divided(signal) if signal.intent == Intent.FLIP else None
    if opening is not None:
        _wait(opening, source)
    if opens(signal, standing):
        _wait(signal, source)
    elif rule == ApprovalRule.ALL:
        signal.status = SignalStatus.HELD
    return opening


def opens(signal: Signal, standing: Standing) -> bool:
    """Whether more is held after it."""
    if signal.intent == Intent.TARGET:
        held = standing.of(Direction(signal.direction)).quantity
        return signal.quantity is not None and signal.quantity > held
    return signal.intent in (Intent.OPEN, Intent.ADD, Intent.FLIP)


def overtake(signals: Iterable[Signal]) -> None:
    """End the waiting of what was sent before these for the same position. In their transaction."""
    for signal in signals:
        source: SignalSource = signal.source
        goes_ahead = signal.status == SignalStatus.ACCEPTED and not signal.account_id
        if source.approval == ApprovalRule.NONE or not goes_ahead:
            continue
        waiting = Signal.objects.filter(
            source_id=signal.source_id,
            status=SignalStatus.HELD,
            inst_id=signal.inst_id,
            direction=signal.direction,
            received_at__lt=signal.received_at,
            held_until__isnull=False,  # openings: a close that waits is overtaken by nothing
        )
        for overtaken in waiting:
            if end(overtaken, SignalStatus.EXPIRED, SignalReason.OVERTAKEN):
                audit.record(action="signal.overtaken", obj=overtaken, after={"by": str(signal.pk)})


def end(signal: Signal, status: SignalStatus, reason: SignalReason) -> bool:
    """End a signal's waiting, once: False when something else already did."""
    ended = Signal.objects.filter(pk=signal.pk, status=SignalStatus.HELD).update(
        status=status, reason=reason
    )
    if ended:
        transaction.on_commit(partial(announce, signal_refused, signal.pk, signal.source_id))
    return bool(ended)


def _wait(signal: Signal, source: SignalSource) -> None:
    until = signal.received_at + timedelta(seconds=source.approval_seconds)
    signal.status = SignalStatus.HELD
    signal.held_until = until if signal.expires_at is None else min(until, signal.expires_at)


def _divided(flip: Signal) -> Signal:
    """Make the reversal a close of the other side, and return the opening of its own."""
    side = Direction(flip.direction)
    wanted = Stated(None, None, Stance(side.value), size=flip.quantity, unit=Unit(flip.unit))
    opening = Signal(
        tenant_id=flip.tenant_id,
        source=flip.source,
        external_id=flip.external_id,
        dedupe_hash=hash_identity(f"opening:{flip.dedupe_hash}"),
        inst_id=flip.inst_id,
        intent=Intent.OPEN,
        direction=side,
        quantity_mode=flip.quantity_mode,
        quantity_value=flip.quantity_value,
        quantity=flip.quantity,
        unit=flip.unit,
        reference_price=flip.reference_price,
        leverage=flip.leverage,
        leader_equity=flip.leader_equity,
        leader_entry=flip.leader_entry,
        margin_mode=flip.margin_mode,
        take_profit=flip.take_profit,
        stop_loss=flip.stop_loss,
        stated=wanted.as_json(),
        created_by=flip.created_by,
        raw=flip.raw,
        signal_at=flip.signal_at,
        received_at=flip.received_at + NEXT,
        expires_at=flip.expires_at,
    )
    flip.intent, flip.direction = Intent.CLOSE, opposite(side)
    flip.quantity = flip.quantity_value = flip.take_profit = flip.stop_loss = None
    flip.quantity_mode, flip.stated = "", None
    return opening
