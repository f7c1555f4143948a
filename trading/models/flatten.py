"""Flattening: one run for each time the switch of a scope was set to it, one row per account."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import uid_field
from accounts.tenancy import SystemTenantManager, SystemTenantModel, TenantModel
from customers.models import ExchangeAccount
from trading.enums import FlattenStep
from trading.models.limits import TradingState


class FlattenRun(SystemTenantModel):
    """From the moment a scope's switch was set to flatten until it was set to something else.

    `active_key` is unique while the run goes on and NULL when it ended.
    """

    uid = uid_field()
    state = models.ForeignKey(
        TradingState, verbose_name=_("switch"), on_delete=models.PROTECT, related_name="runs"
    )
    reason = models.CharField(_("reason"), max_length=300)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("started by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    # NULL, not "": an ended run must not stand in the way of the next.
    active_key = models.CharField(  # noqa: DJ001
        max_length=96, null=True, unique=True, editable=False
    )
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects: ClassVar[Any] = SystemTenantManager()

    class Meta(SystemTenantModel.Meta):
        verbose_name = _("flatten")
        verbose_name_plural = _("flattens")
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return f"{self.state.scope_key} {self.started_at:%Y-%m-%d %H:%M}"


class FlattenAccount(TenantModel):
    """How far one account has come. What is true is read at the exchange each time anew.

    `leg` numbers the rounds of all its life, `round` those since the account was last flat:
    after a few of them a person is asked. `remaining` is what the last reading showed.
    """

    run = models.ForeignKey(
        FlattenRun, verbose_name=_("flatten"), on_delete=models.PROTECT, related_name="accounts"
    )
    account = models.ForeignKey(
        ExchangeAccount, verbose_name=_("account"), on_delete=models.PROTECT, related_name="+"
    )

    step = models.CharField(
        _("step"), max_length=12, choices=FlattenStep, default=FlattenStep.CANCELING
    )
    round = models.PositiveSmallIntegerField(_("round"), default=0)
    leg = models.PositiveSmallIntegerField(default=0, editable=False)
    flat_reads = models.PositiveSmallIntegerField(default=0, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    remaining = models.JSONField(_("still open"), default=list)
    problem = models.CharField(_("problem"), max_length=300, blank=True)
    history = models.JSONField(_("history"), default=list)

    version = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    not_before = models.DateTimeField(null=True, editable=False)

    started_at = models.DateTimeField(_("started"))
    step_at = models.DateTimeField(_("since"))
    read_at = models.DateTimeField(_("read"), null=True)
    flat_at = models.DateTimeField(_("flat"), null=True)
    alerted_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("account being flattened")
        verbose_name_plural = _("accounts being flattened")
        ordering = ("run", "account")
        constraints = (
            models.UniqueConstraint(fields=("run", "account"), name="flatten_account_once"),
        )
        indexes = (
            # the sweep: what is due
            models.Index(fields=("not_before",), name="flatten_due"),
        )

    def __str__(self) -> str:
        return f"{self.account_id}: {self.step}"
