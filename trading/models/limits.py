"""Limits and the trading-state switch, at every scope.

Rows with tenant NULL bind the whole installation. `scope_key` names the scope in one
NOT NULL column, so that uniqueness over scopes is one plain constraint.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from accounts.tenancy import SystemTenantManager, SystemTenantModel
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy
from trading.enums import LimitKind, Scope, TradingMode


class Scoped(SystemTenantModel):
    """What a limit and a switch share: the scope they act on."""

    scope = models.CharField(_("scope"), max_length=16, choices=Scope)
    scope_key = models.CharField(max_length=96, editable=False)
    strategy = models.ForeignKey(
        Strategy, verbose_name=_("strategy"), on_delete=models.PROTECT, null=True, blank=True
    )
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, null=True, blank=True
    )
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("exchange account"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
    )
    inst_id = models.CharField(_("instrument"), max_length=40, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("changed by"),
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta(SystemTenantModel.Meta):
        abstract = True


class TradingState(Scoped):
    """The switch of one scope; the strictest of all that apply wins."""

    mode = models.CharField(
        _("trading"), max_length=16, choices=TradingMode, default=TradingMode.ACTIVE
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    objects: ClassVar[Any] = SystemTenantManager()

    class Meta(Scoped.Meta):
        abstract = False
        verbose_name = _("trading state")
        verbose_name_plural = _("trading states")
        ordering = ("scope", "scope_key")
        constraints = (
            models.UniqueConstraint(fields=("scope_key",), name="trading_state_once_per_scope"),
        )

    def __str__(self) -> str:
        return f"{self.scope}: {self.mode}"


class Limit(Scoped):
    """An upper bound; the strictest of all that apply wins."""

    kind = models.CharField(_("limit"), max_length=24, choices=LimitKind)
    value = ExactDecimalField(_("at most"), validators=[MinValueValidator(0)])
    is_active = models.BooleanField(_("active"), default=True)

    objects: ClassVar[Any] = SystemTenantManager()

    class Meta(Scoped.Meta):
        abstract = False
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        ordering = ("scope", "kind")
        constraints = (
            models.UniqueConstraint(fields=("scope_key", "kind"), name="limit_once_per_scope"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ≤ {self.value:f}"
