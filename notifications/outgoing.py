"""The one way out to the internet: https to a checked address, once, with a deadline.

What left and what did not is told apart: after NotSentError a message may be sent again,
after NoAnswerError nobody knows whether it was taken.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from yarl import URL

from notifications.addresses import RefusedAddressError, Target, check_addresses, check_url

CONNECT_S: Final = 3.0
TOTAL_S: Final = 5.0
LARGEST: Final = 65_536

__all__ = [
    "Answer",
    "NoAnswerError",
    "NotSentError",
    "RefusedAddressError",
    "Way",
    "find_way",
    "post",
    "trusted",
]


class NotSentError(Exception):
    """Nothing left: the name, the connection or its certificate failed."""


class NoAnswerError(Exception):
    """The request left and was not answered in time, or not whole."""


@dataclass(frozen=True)
class Answer:
    """What came back: at most 64 KiB of it, for machines to read and not to be shown."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Way:
    """Where the connection goes; the certificate is always that of the host that was named."""

    addresses: list[str]
    port: int
    scheme: str = "https"


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], hosts: Collection[str] = ()
) -> Answer:
    """Send `body` and return the answer, whatever its status; redirects are not followed.

    Raises RefusedAddressError and NotSentError when nothing left, NoAnswerError otherwise.
    Not to be called inside a transaction, nor on an event loop.
    """
    target = check_url(url, hosts=hosts)
    ends_at = time.monotonic() + TOTAL_S
    way = find_way(target.host, target.port)
    return asyncio.run(_post(target, way, body, dict(headers), ends_at))


def find_way(host: str, port: int, *, public_only: bool = True) -> Way:
    """The addresses of a name, asked once; all of them public, unless the operator chose it."""
    captured = _captured(host)
    if captured is not None:
        return captured
    found = _in_time(lambda: _lookup(host, port))
    return Way(check_addresses(found) if public_only else found, port)


def _lookup(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSentError(_("The name of the host could not be looked up.")) from error
    return [str(item[4][0]) for item in found]


def _in_time(lookup: Callable[[], list[str]]) -> list[str]:
    """The resolver knows no deadline; a thread that hangs in it is left behind."""
    got: list[Any] = []

    def run() -> None:
        try:
            got.append(lookup())
        except NotSentError as error:
            got.append(error)

    thread = threading.Thread(target=run, name="lookup", daemon=True)
    thread.start()
    thread.join(CONNECT_S)
    if not got:
        raise NotSentError(_("The name of the host was not looked up in time."))
    if isinstance(got[0], NotSentError):
        raise got[0]
    addresses: list[str] = got[0]
    return addresses


async def _post(
    target: Target, way: Way, body: bytes, headers: dict[str, str], ends_at: float
) -> Answer:
    connected = False

    async def note(*_args: Any) -> None:
        nonlocal connected
        connected = True

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(note)
    left_s = max(ends_at - time.monotonic(), 0.05)
    timeout = aiohttp.ClientTimeout(total=left_s, connect=min(CONNECT_S, left_s))
    session = aiohttp.ClientSession(
        connector=_connector(way),
        timeout=timeout,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[watch],
    )
    url = f"{way.scheme}://{target.host}:{way.port}{target.path}"
    host = target.host if target.port == 443 else f"{target.host}:{target.port}"  # noqa: PLR2004
    sent = {**headers, "Host": host, "Accept-Encoding": "identity", "User-Agent": "Copydesk"}
    async with session:
        try:
            return await _exchange(session, url, body, sent)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Their texts may hold the address, and with it a token.
            if connected:
                raise NoAnswerError(_words(error)) from None
            raise NotSentError(_words(error)) from None


async def _exchange(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> Answer:
    address = URL(url, encoded=True)  # a signature in the query is encoded once already
    async with session.post(address, data=body, headers=headers, allow_redirects=False) as response:
        parts, size = [], 0
        while size < LARGEST and (part := await response.content.read(LARGEST - size)):
            parts.append(part)
            size += len(part)
        return Answer(response.status, b"".join(parts))


class _Pinned(AbstractResolver):
    """Hands out the addresses that were checked, whatever is asked for."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        return None


def _connector(way: Way) -> aiohttp.TCPConnector:
    # A connection is used once: a request on an old one could be sent twice.
    return aiohttp.TCPConnector(
        resolver=_Pinned(way.addresses),
        ssl=trusted(),
        use_dns_cache=False,
        force_close=True,
        limit=1,
    )


def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: the system's authorities, and the tests' own."""
    return _trust(settings.OUTGOING_CAPTURE_CA)


@cache
def _trust(extra: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if extra and settings.COPYDESK_ENV != "production":
        context.load_verify_locations(cafile=extra)
    return context


def _captured(host: str) -> Way | None:
    """Where tests and the demo catch what would go to this host."""
    if not settings.OUTGOING_CAPTURE:
        return None
    if settings.COPYDESK_ENV == "production":
        raise ImproperlyConfigured("OUTGOING_CAPTURE is for tests and the demo.")
    place = settings.OUTGOING_CAPTURE.get(host)
    if place is None:
        return None
    parts = urlsplit(place)
    return Way([parts.hostname or "127.0.0.1"], parts.port or 443, parts.scheme)


def _words(error: BaseException) -> str:
    """What went wrong, without the address: it holds a token."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return _("The certificate of the host is not valid.")
        case TimeoutError():
            return _("No answer in time.")
        case aiohttp.ClientConnectorError():
            return _("No connection to the host.")
    return _("The connection broke (%(what)s).") % {"what": type(error).__name__}
