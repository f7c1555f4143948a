"""Checks against the exchange, and news that could not be believed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import TenantModel
from customers.models import ExchangeAccount


class ReconcileRun(TenantModel):
    """One reading of an account over REST; written even when all was well."""

    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="reconcile_runs",
    )
    cause = models.CharField(_("cause"), max_length=24)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    ok = models.BooleanField(_("read in full"), default=False)
    changes = models.PositiveIntegerField(_("corrections"), default=0)
    drifts = models.JSONField(_("differences"), default=list)
    unconfirmed = models.PositiveSmallIntegerField(
        _("to be looked at again"),
        default=0,
        help_text=_("Differences that a second reading has to confirm before anything is done."),
    )
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("reconcile run")
        verbose_name_plural = _("reconcile runs")
        ordering = ("-started_at",)
        indexes = (models.Index(fields=("account", "started_at"), name="run_of_account"),)

    def __str__(self) -> str:
        return f"{self.account} {self.started_at:%H:%M:%S}"


class QuarantinedReport(TenantModel):
    """News from the exchange that was not applied: counted by kind, last one kept."""

    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="quarantined",
    )
    kind = models.CharField(_("kind"), max_length=40)
    reason = models.CharField(_("reason"), max_length=200)
    excerpt = models.CharField(_("excerpt"), max_length=500, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))

    class Meta(TenantModel.Meta):
        verbose_name = _("quarantined report")
        verbose_name_plural = _("quarantined reports")
        ordering = ("-last_at",)
        constraints = (
            models.UniqueConstraint(fields=("account", "kind", "reason"), name="quarantine_once"),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"
