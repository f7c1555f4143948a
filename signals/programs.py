"""A signal sent by a program with a token, through the one intake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tokens import without_tokens
from signals.enums import Dialect, SignalStatus
from signals.intake import Received, receive_signal, refuse
from signals.parsing import ParseError, redacted_raw
from signals.parsing.registry import READERS

if TYPE_CHECKING:
    from accounts.models import User
    from signals.models import SignalSource


@transaction.atomic
def send_signal(
    *, source: SignalSource, payload: dict[str, Any], raw: bytes, user: User
) -> Received:
    """Take a signal as a webhook's is taken: stored once, accepted or refused, and announced.

    `payload` is what the body says beside the source, from strict JSON; `raw` is the body.
    Raises RateExceeded, having stored nothing.
    """
    now, kept = timezone.now(), without_tokens(redacted_raw(raw))
    try:
        parsed = READERS[Dialect(source.dialect)](payload)
    except ParseError as error:
        return refuse(source=source, error=error, raw=kept, received_at=now, created_by=user)
    received = receive_signal(
        source=source, parsed=parsed, raw=kept, received_at=now, created_by=user
    )
    signal = received.signal
    taken = signal.status in (SignalStatus.ACCEPTED, SignalStatus.HELD)
    if taken and not received.duplicate:
        after = {"source": source.name, "instrument": signal.inst_id, "intent": signal.intent}
        after |= {"direction": signal.direction, "external_id": signal.external_id}
        audit.record(
            action="signal.sent", obj=signal, after=after, level=AuditLevel.NOTICE, actor=user
        )
    return received
