"""How long a session lives: idle and in all, for staff and for customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

OPENED_KEY: Final = "opened_at"
SEEN_KEY: Final = "seen_at"
# Writing the session on every request would cost a write each; people are put out early by this.
WRITTEN_EVERY_S: Final = 60


def is_over(session: Mapping[str, Any], *, staff: bool) -> bool:
    """Whether this session was idle, or open, for too long. Looks only; sockets ask it too."""
    now = timezone.now().timestamp()
    opened, seen = session.get(OPENED_KEY), session.get(SEEN_KEY)
    if opened is None or seen is None:
        return False
    idle = settings.STAFF_SESSION_IDLE_S if staff else settings.CUSTOMER_SESSION_IDLE_S
    longest = settings.STAFF_SESSION_MAX_S if staff else settings.CUSTOMER_SESSION_MAX_S
    return bool(now - seen >= idle or now - opened >= longest)


def note_activity(request: HttpRequest) -> None:
    """Somebody is at the screen; pages that fetch themselves again are nobody."""
    now, session = int(timezone.now().timestamp()), request.session
    if OPENED_KEY not in session:
        session[OPENED_KEY] = session[SEEN_KEY] = now
    elif not is_automatic(request) and now - session[SEEN_KEY] >= WRITTEN_EVERY_S:
        session[SEEN_KEY] = now


def is_automatic(request: HttpRequest) -> bool:
    """Whether a script of ours asks, not a person."""
    return request.headers.get("X-Live") == "1"
