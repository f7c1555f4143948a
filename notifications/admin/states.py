"""States of this room as badges, and messages in a few words."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.display import badge
from accounts.enums import AuditLevel
from notifications.enums import DestinationStatus, Outcome, State
from notifications.messages import DIGEST, TEST
from notifications.models import DeliveryAttempt, Destination, Notification
from notifications.words import headline

_DESTINATIONS: Final = {
    DestinationStatus.ENABLED: ("ok", "play_arrow"),
    DestinationStatus.PAUSED: ("idle", "pause"),
    DestinationStatus.FAILING: ("danger", "dangerous"),
}
_STATES: Final = {
    State.PENDING: ("wait", "schedule"),
    State.SENDING: ("wait", "send"),
    State.SENT: ("ok", "check"),
    State.FAILED: ("warn", "replay"),
    State.GIVEN_UP: ("danger", "dangerous"),
    State.UNKNOWN: ("unknown", "help"),
    State.COMBINED: ("ok", "stacks"),
    State.DROPPED: ("idle", "block"),
}
_OUTCOMES: Final = {
    Outcome.SENT: ("ok", "check"),
    Outcome.REFUSED_NOW: ("warn", "replay"),
    Outcome.REFUSED: ("danger", "dangerous"),
    Outcome.NOT_SENT: ("warn", "cloud_off"),
    Outcome.UNKNOWN: ("unknown", "help"),
}
_LEVELS: Final = {
    AuditLevel.INFO: ("idle", "info"),
    AuditLevel.NOTICE: ("info", "info"),
    AuditLevel.WARNING: ("warn", "warning"),
    AuditLevel.CRITICAL: ("danger", "error"),
}


def destination_badge(row: Destination) -> str:
    kind, icon = _DESTINATIONS[DestinationStatus(row.status)]
    return badge(kind, icon, row.get_status_display())


def state_badge(row: Notification) -> str:
    kind, icon = _STATES[State(row.state)]
    return badge(kind, icon, row.get_state_display())


def outcome_badge(row: DeliveryAttempt) -> str:
    kind, icon = _OUTCOMES[Outcome(row.outcome)]
    return badge(kind, icon, row.get_outcome_display())


def level_badge(row: Notification) -> str:
    kind, icon = _LEVELS[AuditLevel(row.level)]
    return badge(kind, icon, row.get_level_display())


def told(row: Notification) -> str:
    """What a message is about, in the reader's words."""
    if row.kind == TEST:
        return _("Test message")
    if row.kind == DIGEST:
        count = row.params.get("count", 0)
        return ngettext("%(n)d message in one", "%(n)d messages in one", count) % {"n": count}
    return headline(row.kind)
