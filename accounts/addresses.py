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
    if settings.TRUSTED_PROXIES:
        said = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(said) >= settings.TRUSTED_PROXIES:
            found = _parse(said[-settings.TRUSTED_PROXIES])
            if found is not None:
                return str(found)
    direct = _parse(request.META.get("REMOTE_ADDR", ""))
    return None if direct is None else str(direct)


def client_network(request: HttpRequest) -> str | None:
    """The same for counting: a caller with IPv6 has a whole /64 to choose from."""
    address = client_ip(request)
    if address is None or ":" not in address:
        return address
    return str(IPv6Network(f"{address}/64", strict=False).network_address)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
