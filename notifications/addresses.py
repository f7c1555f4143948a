"""Which addresses on the internet may be called: the rules against being sent to ourselves.

Two questions, in this order: may this URL be called at all, by its text alone; and is what
its name resolves to a public address. Whoever calls connects to the address that was checked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

PORTS: Final = frozenset({443, 8443})
LONGEST: Final = 2048
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+\Z")
# A last label that a resolver could read as a number: 10.1, 0x7f.1, 127.0.0.0x1.
_NUMERIC: Final = re.compile(r"(?:\d+|0x[0-9a-f]*)\Z")
_INNER: Final = (
    *(".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".corp"),
    *(".home", ".home.arpa", ".arpa", ".onion", ".test", ".example", ".invalid", ".alt"),
)

# IANA's special-purpose registries, written out: `is_global` differs between Python versions.
_CLOSED_4: Final = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    "168.63.129.16/32",  # Azure's metadata, on a public address
)
_OPEN_6: Final = ipaddress.ip_network("2000::/3")
_CLOSED_6: Final = ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
_CLOSED: Final = tuple(ipaddress.ip_network(text) for text in (*_CLOSED_4, *_CLOSED_6))


class RefusedAddressError(ValueError):
    """The address may not be called; nothing was sent. The text is for people."""


@dataclass(frozen=True)
class Target:
    """A URL that passed, in parts; `path` begins with a slash and holds the query."""

    host: str
    port: int
    path: str


def check_url(url: str, *, hosts: Collection[str] = ()) -> Target:
    """The parts of a URL that may be called, judged by its text alone.

    With `hosts`, only these names. Raises RefusedAddressError saying what is wrong.
    """
    if len(url) > LONGEST:
        raise RefusedAddressError(_("The address is too long."))
    # Anything else is read differently by different parsers, or looks like what it is not.
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise RefusedAddressError(_("The address holds characters that do not belong in one."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedAddressError(_("This is not an address.")) from error
    if parts.scheme != "https" or url[5:8] != "://":
        raise RefusedAddressError(_("The address must begin with https://."))
    if "@" in parts.netloc:
        raise RefusedAddressError(_("The address must hold no user name or password."))
    host = check_host(parts.hostname or "", hosts=hosts)
    if parts.netloc.endswith(":") or (443 if port is None else port) not in PORTS:
        raise RefusedAddressError(_("Only ports 443 and 8443 may be called."))
    path = parts.path or "/"
    return Target(host, port or 443, f"{path}?{parts.query}" if parts.query else path)


def check_host(name: str, *, hosts: Collection[str] = ()) -> str:
    """The name in lower case. Raises RefusedAddressError for numbers and inner names."""
    host = name.lower()
    if hosts and host not in hosts:
        raise RefusedAddressError(_("This host is not called from here."))
    if not _NAME.match(host) or _NUMERIC.search(host.rpartition(".")[2]):
        raise RefusedAddressError(_("The host must be a name on the internet, not a number."))
    if f".{host}".endswith(_INNER):
        raise RefusedAddressError(_("The host is a name of a private network."))
    return host


def check_addresses(addresses: Iterable[str]) -> list[str]:
    """What a name resolved to, if every address is public.

    One private address among public ones is enough to refuse: it would be tried next.
    """
    found = list(dict.fromkeys(addresses))
    if not found:
        raise RefusedAddressError(_("The name of the host is not known."))
    if not all(is_public(address) for address in found):
        raise RefusedAddressError(_("The host is in a private network."))
    return found


def is_public(address: str) -> bool:
    """Whether this is an ordinary address on the internet, with no other hidden in it."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    # IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) lies outside the open block or is closed.
    if ip.version == 6 and (ip not in _OPEN_6 or "%" in address):  # noqa: PLR2004
        return False
    return ip.is_global and not any(ip in network for network in _CLOSED)
