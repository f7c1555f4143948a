"""One try of one notification: claimed and committed, made, and written down.

Nothing is sent twice. A robot or a mail server cannot be asked whether it has a message, so
a try whose outcome was not heard ends in `unknown` and only a person sends it again.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.keyring import SecretUnreadable
from accounts.models import Tenant
from accounts.sealed import SecretMoved
from notifications.enums import OPEN_STATES, DestinationStatus, Outcome, State
from notifications.messages import compose
from notifications.models import DeliveryAttempt, Destination, Notification
from notifications.transports import Result, Text, Transport, transport_of
from trading.faults import faultpoint
from trading.leases import db_now
from trading.transition import retried

LEASE_S: Final = 60
# What is not on its way by then is not sent: the claim would lapse while it is.
START_WITHIN_S: Final = 20
BACK_OFF_S: Final = (10, 30, 120, 600, 3600)
LONGEST_WORDS: Final = 300

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parcel:
    """A claimed notification, ready to leave: everything the try needs, and no database."""

    notification: Notification
    token: uuid.UUID
    transport: Transport[Any]
    text: Text
    route: Any = field(repr=False)
    claimed_at: float

    def send(self) -> tuple[Result, int]:
        """Make the try; how it ended, and after how many milliseconds."""
        started = time.monotonic()
        if started - self.claimed_at > START_WITHIN_S:
            return Result(Outcome.NOT_SENT, "late", _("It was not its turn in time.")), 0
        faultpoint("N2.before_send")
        with translation.override(self.notification.destination.language):
            result = self.transport.send(self.route, self.text)
        faultpoint("N3.after_send")
        return result, int((time.monotonic() - started) * 1000)


def prepare(notification: Notification, tenant: Tenant) -> Parcel | None:
    """Claim a notification and return what is to be sent; None when somebody else has it.

    The claim is committed before this returns. What can never be sent is written down here
    as a refusal: a destination without its secrets, a message that cannot be composed.
    """
    destination = notification.destination
    transport = transport_of(destination.kind)
    route, refused = _route(transport, notification)
    text = Text("", "", str(notification.pk))
    try:
        text = compose(notification, tenant, longest=transport.longest)
    except Exception:
        log.exception("message %s could not be written", notification.pk)
        refused = Result(Outcome.REFUSED, "text", _("The message could not be written."))
    token, claimed_at = uuid.uuid4(), time.monotonic()
    if not _claim(notification, token):
        return None
    faultpoint("N1.claimed")
    parcel = Parcel(notification, token, transport, text, route, claimed_at)
    if refused is not None:
        settle(parcel, refused, 0)
        return None
    return parcel


def _route(transport: Transport[Any], notification: Notification) -> tuple[Any, Result | None]:
    """Address and secrets, or why there are none."""
    try:
        return transport.route(notification.destination, notification.recipients_left), None
    except ValidationError as error:
        words = " ".join(error.messages)
    except (SecretUnreadable, SecretMoved):
        words = _("The stored secret cannot be read with the present keys.")
    return None, Result(Outcome.REFUSED, "", words, blames_destination=True)


@transaction.atomic
def _claim(notification: Notification, token: uuid.UUID) -> bool:
    now = db_now()
    rows = Notification.objects.filter(pk=notification.pk, state__in=OPEN_STATES)
    taken = rows.filter(attempts=notification.attempts).update(
        state=State.SENDING,
        attempts=notification.attempts + 1,
        claim_token=token,
        lease_until=now + timedelta(seconds=LEASE_S),
    )
    if taken:
        notification.state, notification.attempts = State.SENDING, notification.attempts + 1
    return bool(taken)


@retried
@transaction.atomic
def settle(parcel: Parcel, result: Result, duration_ms: int) -> bool:
    """Write down how a try ended; False when its claim had lapsed, and nothing is changed."""
    notification, now = parcel.notification, db_now()
    columns = _columns(notification, result, now)
    rows = Notification.objects.filter(pk=notification.pk, state=State.SENDING)
    if not rows.filter(claim_token=parcel.token).update(**columns):
        return False
    for name, value in columns.items():
        setattr(notification, name, value)
    DeliveryAttempt(
        notification=notification,
        destination=notification.destination,
        at=now,
        outcome=result.outcome,
        code=result.code[:40],
        words=result.words[:LONGEST_WORDS],
        duration_ms=duration_ms,
    ).save()
    _settle_destination(notification.destination, result, now)
    faultpoint("N4.before_commit")
    return True


def _columns(notification: Notification, result: Result, now: datetime) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "state": state_after(result, notification.attempts),
        "last_error": result.words[:LONGEST_WORDS],
        "claim_token": None,
        "lease_until": None,
    }
    if result.outcome == Outcome.SENT:
        columns |= {"sent_at": now, "recipients_left": list(result.left)}
    if columns["state"] == State.FAILED:
        wait_s = BACK_OFF_S[min(notification.attempts, len(BACK_OFF_S)) - 1]
        columns["not_before"] = now + timedelta(seconds=max(wait_s, result.wait_s))
    return columns


def state_after(result: Result, attempts: int) -> State:
    """What a notification is after this try."""
    if result.outcome == Outcome.SENT and not result.left:
        return State.SENT
    if result.outcome == Outcome.UNKNOWN:
        return State.UNKNOWN
    if result.outcome == Outcome.REFUSED or attempts >= result.tries:
        return State.GIVEN_UP
    return State.FAILED


def _settle_destination(destination: Destination, result: Result, now: datetime) -> None:
    rows = Destination.objects.filter(pk=destination.pk)
    if result.outcome == Outcome.SENT:
        rows.update(last_sent_at=now, not_before=None)
    elif result.blames_destination:
        mark_failing(destination, result.words, now)
    elif result.wait_s:
        rows.update(not_before=now + timedelta(seconds=result.wait_s))


def mark_failing(destination: Destination, reason: str, now: datetime) -> None:
    """The other side will refuse every message: stop, and say so once."""
    rows = Destination.objects.filter(pk=destination.pk, status=DestinationStatus.ENABLED)
    reason = reason[:LONGEST_WORDS]
    if not rows.update(status=DestinationStatus.FAILING, status_reason=reason, status_at=now):
        return
    destination.status, destination.status_reason = DestinationStatus.FAILING, reason
    audit.record(
        action="destination.failing",
        obj=destination,
        before={"status": DestinationStatus.ENABLED.value},
        after={"status": DestinationStatus.FAILING.value},
        level=AuditLevel.WARNING,
        reason=reason,
    )
