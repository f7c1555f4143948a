"""What comparing our books with the exchange's found, desk by desk."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import TenantModel
from customers.models import ExchangeAccount


class LedgerAudit(TenantModel):
    """One audit of a desk, or of one account of it. Counts are complete, lists are the first."""

    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("Empty when the whole desk was audited."),
    )
    since = models.DateTimeField(_("looked back to"), null=True)
    accounts = models.PositiveIntegerField(_("accounts"), default=0)
    orders = models.PositiveIntegerField(_("orders"), default=0)
    fills = models.PositiveIntegerField(_("fills"), default=0)
    signals = models.PositiveIntegerField(_("signals"), default=0)

    is_clean = models.BooleanField(_("clean"))
    finding_count = models.PositiveIntegerField(_("findings"), default=0)
    counts = models.JSONField(_("findings by promise"), default=dict)
    findings = models.JSONField(default=list)
    in_flight_count = models.PositiveIntegerField(_("in flight"), default=0)
    in_flight = models.JSONField(default=list)
    unseen_count = models.PositiveIntegerField(_("not to be seen"), default=0)
    unseen = models.JSONField(default=list)
    unread = models.JSONField(_("accounts that could not be read"), default=list)

    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("ledger audit")
        verbose_name_plural = _("ledger audits")
        ordering = ("-started_at", "-pk")
        indexes = (
            # the latest of a desk
            models.Index(fields=("tenant", "started_at"), name="audit_of_tenant"),
        )

    @property
    def first_finding(self) -> str:
        return str(next(iter(self.told(self.findings)), {}).get("detail", ""))

    @staticmethod
    def told(listed: list[Any]) -> list[dict[str, Any]]:
        """Findings or notes as they are shown; what another release wrote is shown as it is."""
        return [
            each if isinstance(each, dict) and "detail" in each else {"detail": str(each)}
            for each in listed
        ]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"
