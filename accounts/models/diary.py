"""The diary: what was done, by whom, and what is still to be told to someone."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.enums import AuditLevel
from accounts.fields import uuid7_pk
from accounts.tenancy import TenantModel


class AuditEntry(TenantModel):
    """One thing that was done. Added by `accounts.audit.record` only; never changed or deleted.

    Entries of the whole installation have no tenant and are read under `all_tenants` only.
    """

    append_only: ClassVar[bool] = True

    id = uuid7_pk()
    tenant = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Tenant",
        on_delete=models.PROTECT,
        editable=False,
        related_name="+",
        null=True,
        blank=True,
    )
    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)
    level = models.CharField(_("level"), max_length=16, choices=AuditLevel, default=AuditLevel.INFO)
    action = models.CharField(_("action"), max_length=100)

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    actor_label = models.CharField(_("done by"), max_length=200, blank=True)
    object_type = models.CharField(_("object type"), max_length=100, blank=True)
    object_id = models.CharField(_("object id"), max_length=64, blank=True)
    object_label = models.CharField(_("object"), max_length=200, blank=True)

    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("diary entry")
        verbose_name_plural = _("diary")
        ordering = ("-at", "-id")
        indexes = [
            # A desk's diary, newest first.
            models.Index(fields=["tenant", "at"], name="accounts_audit_tenant_at"),
            # The history page of one object.
            models.Index(fields=["object_type", "object_id"], name="accounts_audit_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}".strip()


class AuditPending(models.Model):
    """An entry nobody was told about yet; deleted by whoever writes its notifications."""

    entry = models.OneToOneField(
        AuditEntry, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )

    class Meta:
        verbose_name = _("undelivered diary entry")
        verbose_name_plural = _("undelivered diary entries")

    def __str__(self) -> str:
        return str(self.entry_id)
