"""Who is told: the one place that names audiences and the groups of sockets."""

from __future__ import annotations

import re
from typing import Final

from notifications.enums import Stream

STAFF: Final = "staff"
MOST_LETTERS: Final = 99
_SAFE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)

STAFF_STREAMS: Final = frozenset(Stream)
CUSTOMER_STREAMS: Final = STAFF_STREAMS - {Stream.ATTENTION}


def customer_audience(customer_id: int) -> str:
    return f"cust.{customer_id}"


def streams_of(audience: str) -> frozenset[Stream]:
    return STAFF_STREAMS if audience == STAFF else CUSTOMER_STREAMS


def audience_group(tenant_id: int, audience: str) -> str:
    """Where the events of an audience are sent."""
    return _group(tenant_id, audience)


def user_group(tenant_id: int, user_id: int) -> str:
    """The sockets of one person, for questions about who they still are."""
    return _group(tenant_id, f"user.{user_id}")


def desk_group(tenant_id: int) -> str:
    """Every socket of a desk, for questions about the desk itself."""
    return _group(tenant_id, "desk")


def _group(tenant_id: int, rest: str) -> str:
    """Always names the tenant; nothing a client sends ever gets here."""
    name = f"t.{int(tenant_id)}.{rest}"
    if len(name) > MOST_LETTERS or not _SAFE.fullmatch(name):
        raise ValueError(f"not a group name: {name!r}")
    return name
