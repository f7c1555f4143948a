"""Only pages of ours may open a socket: a foreign page would come with our cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host


def is_own_origin(origin: str) -> bool:
    """Whether the page is served under a host name of ours. `*` in ALLOWED_HOSTS names none."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not host:
        return False
    if ":" in host:
        host = f"[{host}]"
    named = [pattern for pattern in settings.ALLOWED_HOSTS if pattern != "*"]
    return validate_host(host, named)
