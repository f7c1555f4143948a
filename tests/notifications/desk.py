"""A small desk that wants to be told of things."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import AuditEntry, Tenant
from accounts.tenancy import tenant_scope
from customers.models import Customer
from notifications.delivery import deliver_due
from notifications.enums import Kind
from notifications.fanout import fan_out
from notifications.models import DeliveryAttempt, Destination, Notification, NotificationRule
from tests import factories as make
from tests.notifications.capture import SMTP

TOKEN, SECRET, KEY = "dingtalk-token/1+2", "SEC0123456789", "wecom-key-4711"


@dataclass
class Desk:
    tenant: Tenant
    customer: Customer

    def destination(self, kind: Kind = Kind.DINGTALK, **fields: Any) -> Destination:
        """One that is told of everything from level info on."""
        level = fields.pop("level", AuditLevel.INFO)
        kinds = fields.pop("kinds", [])
        values = {"name": f"{kind.value} {timezone.now()}", **_fields(kind), **fields}
        with tenant_scope(self.tenant):
            row = Destination(kind=kind, tenant=self.tenant, **values)
            row.save()
            NotificationRule(destination=row, minimum_level=level, kinds=kinds).save()
        return row

    def note(self, action: str = "order.late_fill", **terms: Any) -> AuditEntry:
        """Something happens and is written into the diary."""
        terms.setdefault("level", AuditLevel.WARNING)
        terms.setdefault("obj", self.customer)
        with tenant_scope(self.tenant), transaction.atomic():
            return audit.record(action=action, **terms)

    def notes(self, count: int, **terms: Any) -> None:
        with tenant_scope(self.tenant), transaction.atomic():
            audit.record_many(
                audit.Note(
                    action="order.late_fill", obj=self.customer, level=AuditLevel.WARNING,
                    reason=f"number {number}", **terms,
                )
                for number in range(count)
            )  # fmt: skip

    def tell(self) -> dict[str, int] | None:
        """What the task does: from the diary to the outbox, and out of it."""
        fan_out()
        return deliver_due()

    def rows(self, **terms: Any) -> list[Notification]:
        with tenant_scope(self.tenant):
            found = Notification.objects.filter(**terms).select_related("destination")
            return list(found.order_by("id"))

    def states(self, **terms: Any) -> list[str]:
        return [row.state for row in self.rows(**terms)]

    def log(self) -> list[tuple[str, str]]:
        with tenant_scope(self.tenant):
            rows = DeliveryAttempt.objects.order_by("id")
            return list(rows.values_list("outcome", "code"))

    def log_at(self) -> datetime:
        """When the last try ended."""
        with tenant_scope(self.tenant):
            at: datetime = DeliveryAttempt.objects.order_by("-id").values_list("at", flat=True)[0]
        return at

    def now(self, destination: Destination) -> Destination:
        with tenant_scope(self.tenant):
            return Destination.objects.get(pk=destination.pk)

    def later(self, seconds: float) -> None:
        """Time passes: whatever waits for a moment comes that much nearer to it."""
        back = timedelta(seconds=seconds)
        with tenant_scope(self.tenant):
            for row in Notification.objects.all():
                row.not_before -= back
                row.created_at -= back
                row.lease_until = row.lease_until and row.lease_until - back
                row.save()
            for place in Destination.objects.all():
                place.not_before = place.not_before and place.not_before - back
                place.save()
        _age_log(self.tenant, back)


def make_desk(name: str = "North desk", **fields: Any) -> Desk:
    tenant = make.make_tenant(name, **fields)
    return Desk(tenant, make.make_customer(tenant, name="Ana Chen"))


def _fields(kind: Kind) -> dict[str, Any]:
    match kind:
        case Kind.DINGTALK:
            return {"robot_token": TOKEN, "signing_secret": SECRET}
        case Kind.WECOM:
            return {"robot_token": KEY}
    return {
        "recipients": ["risk@example.org"], "smtp_host": SMTP, "sender": "desk@example.org",
        "smtp_user": "desk", "smtp_password": "smtp-password",
    }  # fmt: skip


def _age_log(tenant: Tenant, back: timedelta) -> None:
    """The log is append-only: only a plain queryset moves its times."""
    from django.db import models

    rows = models.QuerySet(model=DeliveryAttempt).filter(tenant_id=tenant.pk)
    for row in rows.values("pk", "at"):
        models.QuerySet(model=DeliveryAttempt).filter(pk=row["pk"]).update(at=row["at"] - back)
