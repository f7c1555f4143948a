"""What concerns everybody in a market: told to the installation and to each desk there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import User
from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount


def tell_market(  # noqa: PLR0913 - what a diary line consists of
    market: str,
    action: str,
    *,
    level: AuditLevel,
    reason: str,
    after: Mapping[str, Any] | None = None,
    obj: models.Model | None = None,
    actor: User | None = None,
) -> None:
    """One entry in every diary that it concerns. Runs inside a transaction.

    Entries of the installation reach nobody by message: each desk hears of it in its own.
    """
    said = {"market": market, **(after or {})}
    line: dict[str, Any] = {"action": action, "level": level, "after": said, "reason": reason[:300]}
    audit.record(**line, obj=obj, actor=actor, tenant=None)
    for desk in desks_in(market):
        audit.record(**line, actor=actor, tenant=desk)


def desks_in(market: str) -> list[int]:
    """The desks that have an account in the market."""
    with all_tenants("desks of a market"):
        accounts = ExchangeAccount.objects.filter(market=market).order_by()
        return sorted(set(accounts.values_list("tenant_id", flat=True)))
