"""What the first room does by the clock."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.approvals import expire_approvals
from accounts.enums import ApprovalStatus
from accounts.models import Approval
from accounts.tenancy import all_tenants, tenant_scope


@shared_task
def expire_overdue_approvals() -> None:
    """Requests that nobody decided in time are closed, and do not wait for a person any more."""
    now = timezone.now()
    with all_tenants("the desks with requests that are overdue"):
        overdue = Approval.objects.filter(status=ApprovalStatus.PENDING, expires_at__lte=now)
        desks = set(overdue.order_by().values_list("tenant_id", flat=True))
    for desk in desks:
        with tenant_scope(desk):
            expire_approvals(now=now)
