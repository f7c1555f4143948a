"""Who may use the control API: no page of another site, and only bearers of the token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

LEAST_TOKEN: Final = 16
_OPEN: Final = ("/health",)
_OWN_SITE: Final = (None, "same-origin", "none")


class RefusedError(Exception):
    """The call is not for this caller; `status` is the HTTP status."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)


def check(headers: Mapping[str, str], path: str, token: str) -> None:
    """A browser says where a call comes from; other programs say nothing.

    Without a token the name in `Host` must be this machine's, since a foreign name
    may have been pointed at it.
    """
    if headers.get("Sec-Fetch-Site") not in _OWN_SITE:
        raise RefusedError(403, "calls from another site are refused")
    host, origin = headers.get("Host", ""), headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        raise RefusedError(403, "calls from another origin are refused")
    if not token:
        if not is_address(urlsplit(f"//{host}").hostname or ""):
            raise RefusedError(403, "call this port by its address")
        return
    given = headers.get("Authorization", "")
    wanted = f"Bearer {token}"
    if path not in _OPEN and not hmac.compare_digest(given.encode(), wanted.encode()):
        raise RefusedError(401, "the control token is expected: Authorization: Bearer …")


def is_address(host: str) -> bool:
    """An IP address or localhost, which no name server can point elsewhere."""
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)
