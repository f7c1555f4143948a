"""Requests that a second person must decide."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.enums import APPROVAL_NEXT, ApprovalStatus
from accounts.fields import uid_field
from accounts.tenancy import TenantModel


class Approval(TenantModel):
    """One dangerous change, asked for by one person and decided by another."""

    uid = uid_field()
    action = models.CharField(_("action"), max_length=100)
    object_type = models.CharField(_("object type"), max_length=100, blank=True)
    object_id = models.CharField(_("object id"), max_length=64, blank=True)
    payload = models.JSONField(_("payload"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    status = models.CharField(
        _("status"), max_length=16, choices=ApprovalStatus, default=ApprovalStatus.PENDING
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("requested by"),
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )

    requested_at = models.DateTimeField(_("requested at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ("-requested_at", "-pk")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True)
                | ~models.Q(approved_by=models.F("requested_by")),
                name="accounts_approval_two_persons",
            ),
        ]
        indexes = [
            # The desk's open requests.
            models.Index(
                fields=["tenant", "status", "requested_at"], name="accounts_approval_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} ({self.get_status_display()})"

    def may_become(self, status: ApprovalStatus) -> bool:
        return status in APPROVAL_NEXT[ApprovalStatus(self.status)]

    def is_expired(self, now: datetime) -> bool:
        return self.status == ApprovalStatus.PENDING and self.expires_at <= now
