"""What stops openings by itself: breakers of accounts and markets."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.tenancy import SystemTenantManager, SystemTenantModel
from customers.enums import Market
from customers.models import ExchangeAccount
from strategies.models import Subscription
from trading.enums import BreakerCause, BreakerState


class Breaker(SystemTenantModel):
    """One breaker; rows with tenant NULL stand for a whole market.

    Anything but closed stops openings. `probe_at` is when the exchange is next asked whether
    all is well, `failed_probes` how often it was not: the wait doubles each time.
    """

    key = models.CharField(max_length=96, unique=True, editable=False)
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("exchange account"),
        on_delete=models.PROTECT,
        null=True,
        related_name="breakers",
    )
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        null=True,
        related_name="breakers",
        help_text=_("Only this following of the account is stopped."),
    )
    market = models.CharField(_("market"), max_length=16, choices=Market)
    cause = models.CharField(_("cause"), max_length=16, choices=BreakerCause)
    state = models.CharField(
        _("state"), max_length=12, choices=BreakerState, default=BreakerState.CLOSED
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    failed_probes = models.PositiveSmallIntegerField(_("failed tries"), default=0)
    times_opened = models.PositiveIntegerField(_("times opened"), default=0)
    opened_at = models.DateTimeField(pgettext_lazy("breaker", "opened"), null=True)
    probe_at = models.DateTimeField(_("next try"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("closed by"),
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )

    objects: ClassVar[Any] = SystemTenantManager()

    class Meta(SystemTenantModel.Meta):
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")
        ordering = ("-opened_at",)
        indexes = (
            # what stands in the way at the moment
            models.Index(fields=("state", "probe_at"), name="breaker_open"),
        )

    def __str__(self) -> str:
        return f"{self.subscription or self.account or self.market}: {self.get_cause_display()}"
