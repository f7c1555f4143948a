"""A desk's destinations and its outbox, in every state."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from accounts.enums import AuditLevel
from accounts.fields import hash_identity
from notifications.enums import WEIGHTS, DestinationStatus, Kind, Outcome, State
from notifications.models import DeliveryAttempt, Destination, Notification, NotificationRule
from tests.world_day import World


def tell_people(world: World, canary: str) -> None:
    """Three destinations with a rule each, and a message of theirs in every state."""
    destinations = [
        Destination(
            name=f"Risk group {canary}".strip(), kind=Kind.DINGTALK, token_last4="9f2c",
            robot_token=f"dingtalk-token-{world.tenant.pk}", signing_secret="SECof-the-tests",
            language="zh-hans",
        ),
        Destination(
            name=f"Night watch {canary}".strip(), kind=Kind.WECOM, token_last4="77aa",
            robot_token=f"wecom-key-{world.tenant.pk}", status=DestinationStatus.FAILING,
            status_reason=f"The key is not known to WeCom (93000). {canary}".strip(),
        ),
        Destination(
            name=f"Owners {canary}".strip(), kind=Kind.EMAIL, recipients=["owner@example.org"],
            smtp_host="smtp.example.org", smtp_user="desk", smtp_password="smtp-password",
            sender="desk@example.org",
        ),
    ]  # fmt: skip
    for place, destination in enumerate(destinations):
        destination.save()
        kinds = [["order", "account"], [], ["signal"]][place]
        NotificationRule(
            destination=destination, minimum_level=AuditLevel.WARNING, kinds=kinds
        ).save()
    for place, state in enumerate(State):
        _message(destinations[place % 3], state, place, canary)


def _message(destination: Destination, state: State, place: int, canary: str) -> None:
    now = timezone.now() - timedelta(minutes=10 * place)
    failed = {State.FAILED: Outcome.NOT_SENT, State.GIVEN_UP: Outcome.REFUSED,
              State.UNKNOWN: Outcome.UNKNOWN, State.SENT: Outcome.SENT}.get(state)  # fmt: skip
    level = AuditLevel.CRITICAL if place % 2 else AuditLevel.WARNING
    message = Notification(
        destination=destination,
        dedup_key=hash_identity(str(uuid.uuid4())),
        kind="order.late_fill",
        level=level,
        weight=WEIGHTS[level],
        params={"object": f"BTC-USDT-SWAP buy 1 {canary}".strip(), "actor": "system"},
        state=state,
        attempts=1 if failed else 0,
        last_error="" if failed in {None, Outcome.SENT} else f"HTTP 502 {canary}".strip(),
        created_at=now,
        sent_at=now if state == State.SENT else None,
        lease_until=now if state == State.SENDING else None,
    )
    message.save()
    if failed:
        DeliveryAttempt(
            notification=message, destination=destination, at=now, outcome=failed,
            code="502", words=f"bad gateway {canary}".strip(), duration_ms=120 + place,
        ).save()  # fmt: skip
