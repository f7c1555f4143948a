"""Signals that the product makes itself, for one subscription, in the line of its source.

They go the same way as what the source sends: copied in turn, decided by the same rules. The
leader does not move by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.fields import hash_identity
from signals.afterwards import announce, event_of
from signals.enums import Direction, Intent, SignalPurpose, SignalStatus, Unit
from signals.models import Signal, SignalSource

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ForOneLink:
    """What is asked for, and for whom. `known_as` makes it once, however often it is asked."""

    source: SignalSource
    link_uid: UUID
    account_id: int
    purpose: SignalPurpose
    known_as: str
    inst_id: str
    direction: Direction
    quantity: Decimal | None = None
    unit: Unit = Unit.CONTRACTS
    entry: Decimal | None = None
    leader_equity: Decimal | None = None
    margin_mode: str = ""


@transaction.atomic
def make_signal(asked: ForOneLink, *, actor: User | None, reason: str = "") -> Signal | None:
    """Store it, accepted, and announce it on commit; None when it was made before."""
    now = timezone.now()
    signal = Signal(
        tenant_id=asked.source.tenant_id,
        source=asked.source,
        external_id=asked.known_as,
        dedupe_hash=hash_identity(f"id:{asked.known_as}"),
        inst_id=asked.inst_id,
        intent=Intent.CLOSE if asked.purpose == SignalPurpose.LEAVE else Intent.TARGET,
        direction=asked.direction,
        quantity=asked.quantity,
        unit=asked.unit,
        reference_price=asked.entry,
        leader_entry=asked.entry,
        leader_equity=asked.leader_equity,
        margin_mode=asked.margin_mode,
        account_id=asked.account_id,
        link_uid=asked.link_uid,
        purpose=asked.purpose,
        created_by=actor,
        status=SignalStatus.ACCEPTED,
        signal_at=now,
        received_at=now,
    )
    try:
        with transaction.atomic():
            signal.save(force_insert=True)
    except IntegrityError:
        return None
    audit.record(
        action="signal.made",
        obj=signal,
        level=AuditLevel.NOTICE,
        after={"purpose": asked.purpose, "link": str(asked.link_uid)},
        reason=reason,
        actor=actor,
    )
    transaction.on_commit(partial(announce, event_of(signal), signal.pk, asked.source.pk))
    return signal
