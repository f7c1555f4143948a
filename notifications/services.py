"""What is done to destinations and messages by people. Raises ValidationError by field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.fields import hash_identity, uuid7
from accounts.statuses import move_status
from accounts.tenancy import current_tenant_id
from notifications.enums import DESTINATION_NEXT, STATE_NEXT, DestinationStatus, Kind, State
from notifications.messages import TEST
from notifications.models import Destination, Notification, NotificationRule
from notifications.sending import prepare, settle
from notifications.transports import transport_of
from notifications.transports.robots import pasted
from notifications.words import KINDS
from trading.leases import db_now

if TYPE_CHECKING:
    from accounts.models import User

LONGEST_SECRET: Final = 300
AGAIN: Final = tuple(state for state, after in STATE_NEXT.items() if State.PENDING in after)
# What a robot's whole address holds, for people who paste that.
_PASTED: Final = {
    Kind.DINGTALK: ("access_token", {"oapi.dingtalk.com"}),
    Kind.WECOM: ("key", {"qyapi.weixin.qq.com"}),
}


@dataclass(frozen=True)
class Secrets:
    """What was typed; an empty one keeps what is stored."""

    robot_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    smtp_password: str = field(default="", repr=False)


@transaction.atomic
def save_destination(
    *,
    destination: Destination,
    secrets: Secrets | None = None,
    changed: Collection[str] = (),
    actor: User | None,
) -> Destination:
    """Store a new or changed destination of the open desk.

    A failing one is enabled again: what it failed of may have been changed. The diary says
    which fields, and of a token its end.
    """
    added = destination.pk is None
    if added:
        destination.tenant_id = current_tenant_id()  # type: ignore[assignment] # full_clean refuses none
    typed = _put_secrets(destination, secrets or Secrets())
    transport_of(destination.kind).clean(destination)
    destination.full_clean()
    if destination.status == DestinationStatus.FAILING:
        destination.status, destination.status_reason = DestinationStatus.ENABLED, ""
        destination.status_at, destination.not_before = db_now(), None
    destination.save()
    after = {name: getattr(destination, name) for name in changed if name not in typed}
    audit.record(
        action="destination.added" if added else "destination.changed",
        obj=destination,
        after={"kind": destination.kind, "secrets_count": len(typed)} | after,
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return destination


def set_destination_status(
    *,
    destination: Destination,
    status: DestinationStatus,
    actor: User | None,
    reason: str = "",
) -> Destination:
    """Pause or enable. What happened while it was paused is not told afterwards."""
    now = db_now()
    columns: dict[str, Any] = {"status_reason": reason[:300], "status_at": now, "not_before": None}
    if destination.status == DestinationStatus.PAUSED:
        columns["listens_from"] = now
    return move_status(
        destination,
        status,
        along=DESTINATION_NEXT,
        kind="destination",
        actor=actor,
        reason=reason,
        columns=columns,
    )


@transaction.atomic
def save_rules(
    *, destination: Destination, rules: Iterable[NotificationRule], actor: User | None
) -> None:
    """Store new and changed rules of a destination."""
    rules = list(rules)
    for rule in rules:
        rule.destination = destination
        unknown = sorted(set(rule.kinds) - set(KINDS))
        if unknown:
            words = _("%(kind)s is not a kind of message.") % {"kind": unknown[0]}
            raise ValidationError({"kinds": words})
        rule.save()
    if rules:
        audit.record(
            action="destination.changed",
            obj=destination,
            after={"rules": [str(rule) for rule in rules]},
            level=AuditLevel.NOTICE,
            actor=actor,
        )


def send_test(*, destination: Destination, actor: User | None) -> Notification:
    """Send a message that says that it is one, now, and return how it ended.

    Takes as long as a try may. Not to be called inside a transaction. A failing destination
    that takes it is enabled again.
    """
    notification = _test_row(destination, actor)
    parcel = prepare(notification, destination.tenant)
    if parcel is not None:
        result, took_ms = parcel.send()
        settle(parcel, result, took_ms)
    # A test is not tried again by itself: whoever asked for it reads how it ended.
    Notification.objects.filter(pk=notification.pk, state=State.FAILED).update(state=State.GIVEN_UP)
    notification.refresh_from_db()
    destination = notification.destination
    if notification.state == State.SENT and destination.status == DestinationStatus.FAILING:
        set_destination_status(
            destination=destination, status=DestinationStatus.ENABLED, actor=actor
        )
    return notification


@transaction.atomic
def _test_row(destination: Destination, actor: User | None) -> Notification:
    ident = uuid7()
    notification = Notification(
        id=ident,
        destination=destination,
        dedup_key=hash_identity(f"{destination.uid}|test|{ident}"),
        kind=TEST,
        level=AuditLevel.INFO,
        params={"object": destination.name, "actor": "" if actor is None else str(actor)},
    )
    notification.save()
    audit.record(action="destination.tested", obj=destination, actor=actor)
    return notification


@transaction.atomic
def send_again(*, notifications: Iterable[Notification], actor: User | None) -> int:
    """Put messages that ended without being sent back into the queue; how many were.

    One whose outcome is unknown may arrive a second time: that is for the person to decide.
    """
    ids = [row.pk for row in notifications]
    rows = Notification.objects.filter(pk__in=ids, state__in=AGAIN)
    rows = rows.exclude(destination__status=DestinationStatus.PAUSED)
    found = list(rows.select_related("destination"))
    changed = Notification.objects.filter(pk__in=[row.pk for row in found], state__in=AGAIN).update(
        state=State.PENDING, attempts=0, not_before=db_now(), last_error=""
    )
    if changed:
        audit.record(
            action="notification.sent_again",
            obj=found[0],
            after={"count": changed, "ids": [str(row.pk) for row in found[:50]]},
            level=AuditLevel.NOTICE,
            actor=actor,
        )
    return int(changed)


def _put_secrets(destination: Destination, secrets: Secrets) -> dict[str, str]:
    """Give the row what was typed, and return it by field."""
    typed = {name: value.strip() for name, value in vars(secrets).items() if value.strip()}
    if "robot_token" in typed and destination.kind in _PASTED:
        parameter, hosts = _PASTED[Kind(destination.kind)]
        typed["robot_token"] = pasted(typed["robot_token"], parameter, hosts)
    _check_secrets(typed)
    for name, value in typed.items():
        setattr(destination, name, value)
    if "robot_token" in typed:
        destination.token_last4 = typed["robot_token"][-4:]
    return typed


def _check_secrets(typed: Mapping[str, str]) -> None:
    words = _("This is not what the other side gives out.")
    wrong = {
        name: words
        for name, value in typed.items()
        if not value or len(value) > LONGEST_SECRET or not value.isprintable()
    }
    robot = typed.get("robot_token", "x")
    if not robot.isascii() or " " in robot:
        wrong["robot_token"] = words
    if wrong:
        raise ValidationError(wrong)
