"""What must not be set where messages go to real people."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def check_capture(**kwargs: Any) -> list[CheckMessage]:
    """Catching messages is for tests and the demo: it would let anything listen."""
    caught = settings.OUTGOING_CAPTURE or settings.OUTGOING_CAPTURE_CA
    if settings.COPYDESK_ENV != "production" or not caught:
        return []
    message = "OUTGOING_CAPTURE and OUTGOING_CAPTURE_CA are for tests and the demo."
    return [Error(message, hint="Unset them.", id="notifications.E001")]
