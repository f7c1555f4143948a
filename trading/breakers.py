"""Breakers: opened by what the exchange answered, closed by what it is asked, or by a person.

A breaker that opens bites at once: its change bumps the version that every marking holds.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from accounts.models import User
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from strategies.models import Subscription
from trading.enums import BreakerCause, BreakerState
from trading.leases import db_now
from trading.market_news import tell_market
from trading.models import Breaker
from trading.switch import bump_version

FIRST_PROBE = timedelta(seconds=60)
SLOWEST_PROBE = timedelta(minutes=15)
PROBE_LEASE = timedelta(seconds=20)
# Opened again so soon after it closed, it goes on waiting as long as it did.
RELAPSE = timedelta(minutes=10)
OPENED = {
    BreakerCause.MAINTENANCE: ("maintenance.began", AuditLevel.WARNING),
    # People hear of the limit itself, with its numbers.
    BreakerCause.LOSS_LIMIT: ("breaker.opened", AuditLevel.NOTICE),
    BreakerCause.MARGIN_LOW: ("margin.blocked", AuditLevel.CRITICAL),
}
CLOSED = {
    BreakerCause.MAINTENANCE: ("maintenance.over", AuditLevel.WARNING),
    BreakerCause.MARGIN_LOW: ("margin.unblocked", AuditLevel.NOTICE),
}
# Nothing that the exchange could be asked tells whether these are over.
NOT_PROBED = (BreakerCause.MAINTENANCE, BreakerCause.LOSS_LIMIT, BreakerCause.MARGIN_LOW)
NOT_CLOSED = (BreakerState.OPEN, BreakerState.HALF_OPEN)


@dataclass(frozen=True, slots=True)
class Place:
    """What a breaker stands for: one following of an account, an account, or a market."""

    market: str
    account: ExchangeAccount | None = None
    subscription: Subscription | None = None

    def key(self, cause: BreakerCause) -> str:
        if self.subscription is not None:
            return f"subscription|{self.subscription.pk}|{cause}"
        place = f"account|{self.account.pk}" if self.account else f"market|{self.market}"
        return f"{place}|{cause}"

    @property
    def tenant_id(self) -> int | None:
        return self.account.tenant_id if self.account else None


@retried
@transaction.atomic
def open_breaker(place: Place, cause: BreakerCause, reason: str) -> bool:
    """Stop openings there. False when that breaker is open already: nothing is written then."""
    now = db_now()
    with _scope(place.tenant_id):
        row, _created = Breaker.objects.get_or_create(
            key=place.key(cause),
            defaults={
                "tenant_id": place.tenant_id,
                "account": place.account,
                "subscription": place.subscription,
                "market": place.market,
                "cause": cause,
            },
        )
        failed = row.failed_probes if row.closed_at and now - row.closed_at < RELAPSE else 0
        opened = Breaker.objects.filter(pk=row.pk, state=BreakerState.CLOSED).update(
            state=BreakerState.OPEN,
            reason=reason[:300],
            failed_probes=failed,
            times_opened=row.times_opened + 1,
            opened_at=now,
            probe_at=None if cause in NOT_PROBED[1:] else now + _wait(failed),
        )
        if not opened:
            return False
        bump_version(place.tenant_id)
        action, level = OPENED.get(cause, ("breaker.opened", AuditLevel.CRITICAL))
        _tell(row, action, level, reason, {"cause": cause})
    return True


def claim_probe(row: Breaker) -> bool:
    """Take a breaker whose time has come; one process asks the exchange at a time."""
    now = db_now()
    with _scope(row.tenant_id):
        taken: int = Breaker.objects.filter(
            pk=row.pk, state__in=NOT_CLOSED, probe_at=row.probe_at
        ).update(state=BreakerState.HALF_OPEN, probe_at=now + PROBE_LEASE)
    return taken == 1


def probe_failed(row: Breaker, why: str) -> None:
    """Wait twice as long before the next try."""
    failed = row.failed_probes + 1
    with _scope(row.tenant_id):
        Breaker.objects.filter(pk=row.pk, state=BreakerState.HALF_OPEN).update(
            state=BreakerState.OPEN, failed_probes=failed, probe_at=db_now() + _wait(failed)
        )
    row.failed_probes = failed


@retried
@transaction.atomic
def close_breaker(row: Breaker, note: str, *, actor: User | None = None) -> bool:
    """Let openings go on. False when it was closed already."""
    with _scope(row.tenant_id):
        closed = Breaker.objects.filter(pk=row.pk, state__in=NOT_CLOSED).update(
            state=BreakerState.CLOSED, closed_at=db_now(), closed_by=actor, probe_at=None
        )
        if not closed:
            return False
        bump_version(row.tenant_id)
        action, level = CLOSED.get(BreakerCause(row.cause), ("breaker.closed", AuditLevel.NOTICE))
        _tell(row, action, level, note, {"cause": row.cause}, actor)
    return True


def reset_breaker(row: Breaker, *, reason: str, actor: User) -> bool:
    """A person closes it before the exchange was asked. Raises ValidationError without a reason."""
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the diary keeps it.")})
    return close_breaker(row, reason, actor=actor)


def _wait(failed: int) -> timedelta:
    wait: timedelta = min(FIRST_PROBE * 2 ** min(failed, 8), SLOWEST_PROBE)
    return wait


def _scope(tenant_id: int | None) -> AbstractContextManager[Any]:
    if tenant_id is None:
        return all_tenants("a breaker of a market")
    return tenant_scope(tenant_id)


def _tell(
    row: Breaker,
    action: str,
    level: AuditLevel,
    reason: str,
    after: dict[str, Any],
    actor: User | None = None,
) -> None:
    if row.tenant_id is None:
        tell_market(
            row.market, action, level=level, reason=reason, after=after, obj=row, actor=actor
        )
        return
    audit.record(
        action=action,
        obj=row,
        level=level,
        after=after,
        reason=reason[:300],
        actor=actor,
        tenant=row.tenant_id,
    )
