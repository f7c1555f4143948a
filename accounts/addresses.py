"""From which address a request came; the one place that reads forwarded headers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The address of the caller, behind as many proxies as are ours; None for a local socket.

    Each of our proxies adds the address it was called from, so the caller is as many places
    from the right as there are proxies; what stands further left is the caller's own claim.
    """
    direct = _parse(request.META.get("REMOTE_ADDR", ""))
    return forwarded_ip(request) or (None if direct is None else str(direct))


def forwarded_ip(request: HttpRequest) -> str | None:
    """What our proxies say alone; None where they say nothing that can be read."""
    said = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if not 0 < settings.TRUSTED_PROXIES <= len(said):
        return None
    found = _parse(said[-settings.TRUSTED_PROXIES])
    return None if found is None else str(found)


def client_network(request: HttpRequest) -> str | None:
    """The same for counting: a caller with IPv6 has a whole /64 to choose from."""
    address = client_ip(request)
    if address is None or ":" not in address:
        return address
    return str(IPv6Network(f"{address}/64", strict=False).network_address)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    # Some proxies write the port too: 192.0.2.7:4711, [2001:db8::7]:4711.
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
