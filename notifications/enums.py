"""The closed sets of words this room stores."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.enums import AuditLevel


class Kind(TextChoices):
    """A way to reach people; `notifications.transports` has one for each."""

    EMAIL = "email", _("E-mail")
    DINGTALK = "dingtalk", _("DingTalk robot")
    WECOM = "wecom", _("WeCom robot")


class Security(TextChoices):
    STARTTLS = "starttls", _("STARTTLS")
    TLS = "tls", _("TLS from the start")


class DestinationStatus(TextChoices):
    """Failing: refused by the other side for good, until a person has looked at it."""

    ENABLED = "enabled", _("Enabled")
    PAUSED = "paused", _("Paused")
    FAILING = "failing", _("Failing")


DESTINATION_NEXT = {
    DestinationStatus.ENABLED: frozenset({DestinationStatus.PAUSED, DestinationStatus.FAILING}),
    DestinationStatus.PAUSED: frozenset({DestinationStatus.ENABLED}),
    DestinationStatus.FAILING: frozenset({DestinationStatus.ENABLED, DestinationStatus.PAUSED}),
}


class State(TextChoices):
    """Where a notification stands.

    `unknown`: it was on its way and nobody heard the answer. It is never sent again by itself.
    """

    PENDING = "pending", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed, will be tried again")
    GIVEN_UP = "given_up", _("Given up")
    UNKNOWN = "unknown", _("Outcome unknown")
    COMBINED = "combined", _("Told in a combined message")
    DROPPED = "dropped", _("Dropped")


OPEN_STATES = (State.PENDING, State.FAILED)

STATE_NEXT = {
    State.PENDING: frozenset({State.SENDING, State.COMBINED, State.DROPPED}),
    State.FAILED: frozenset({State.SENDING, State.COMBINED, State.DROPPED}),
    State.SENDING: frozenset({State.SENT, State.FAILED, State.GIVEN_UP, State.UNKNOWN}),
    State.GIVEN_UP: frozenset({State.PENDING}),
    State.UNKNOWN: frozenset({State.PENDING}),
    State.DROPPED: frozenset({State.PENDING}),
    State.SENT: frozenset(),
    State.COMBINED: frozenset(),
}


class Outcome(TextChoices):
    """How one try ended."""

    SENT = "sent", _("Taken")
    REFUSED_NOW = "refused_now", _("Refused for now")
    REFUSED = "refused", _("Refused")
    NOT_SENT = "not_sent", _("Not reached")
    UNKNOWN = "unknown", _("No answer")


# How much a level weighs: rules compare it, and what weighs more is sent first.
WEIGHTS = {
    AuditLevel.INFO: 0,
    AuditLevel.NOTICE: 1,
    AuditLevel.WARNING: 2,
    AuditLevel.CRITICAL: 3,
}


class Stream(TextChoices):
    """What an open page can listen to."""

    SIGNALS = "signals", _("Signals")
    ORDERS = "orders", _("Orders")
    POSITIONS = "positions", _("Positions")
    EQUITY = "equity", _("Equity")
    ATTENTION = "attention", _("Needs attention")
