"""A message about a whole position, taken by where its source is when its turn comes.

It was understood when it came in, beside what waited then. What waited may have been refused,
rejected or set aside since: only under the claim is it known where the source really stands.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from signals.enums import QuantityMode, SignalReason, SignalStatus
from signals.models import Signal
from signals.parsing import ParseError
from signals.standing import Stated, apply, read_standing, settle

SAID = ("intent", "direction", "quantity", "quantity_mode", "quantity_value", "has_gap")


@transaction.atomic
def restate(signal: Signal) -> bool:
    """Make the signal say what is to be done now; False when it ended, with its reason.

    Runs under the claim on its source. May be repeated: until the signal is copied its source
    stands where it stood.
    """
    if not signal.stated:
        return True
    before, had_gap = _said(signal), signal.has_gap
    standing = read_standing(signal.source_id, signal.inst_id, ())
    try:
        move = settle(Stated.of_json(signal.stated), standing)
    except ParseError as error:
        refuse(signal, error)
        return False
    apply(signal, move)
    signal.has_gap = signal.has_gap or had_gap
    if not move.is_percent and signal.quantity_mode == QuantityMode.PERCENT:
        # A share of what was held became a quantity of its own, in what positions are counted in.
        signal.quantity_mode = "" if move.quantity is None else QuantityMode(signal.unit)
        signal.quantity_value = move.quantity
    after = _said(signal)
    if after != before:
        Signal.objects.filter(pk=signal.pk).update(**after)
        audit.record(
            action="signal.restated",
            obj=signal,
            before=before,
            after=after,
            level=AuditLevel.NOTICE,
            tenant=signal.tenant_id,
        )
    return True


def _said(signal: Signal) -> dict[str, object]:
    return {name: getattr(signal, name) for name in SAID}


@transaction.atomic
def refuse(signal: Signal, error: ParseError) -> None:
    """End a signal that cannot be followed from where its source stands. Nothing is copied."""
    ended = Signal.objects.filter(pk=signal.pk).waiting().order_by()
    if not ended.update(
        status=SignalStatus.REFUSED,
        reason=SignalReason.INVALID,
        refused_field=error.field[:80],
        reason_text=error.reason[:300],
        copied_at=timezone.now(),
    ):
        return
    audit.record(
        action="signal.not_understood",
        obj=signal,
        after={"field": error.field, "reason": error.reason},
        level=AuditLevel.WARNING,
        reason=error.reason,
        tenant=signal.tenant_id,
    )
