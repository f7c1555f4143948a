"""What each account holds, as the exchange last said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import ExchangeAccount
from trading.enums import Grain, PositionSide
from trading.models.orders import MARGIN_MODES

if TYPE_CHECKING:
    from accounts.models import User


class PositionQuerySet(TenantQuerySet["Position"]):
    def open(self) -> PositionQuerySet:
        return self.exclude(quantity=0)

    def visible_to(self, user: User) -> PositionQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Position(TenantModel):
    """A position in contracts: signed in net mode, positive on either side in long-short mode."""

    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="positions",
    )
    inst_id = models.CharField(_("instrument"), max_length=40)
    position_side = models.CharField(_("position side"), max_length=8, choices=PositionSide)
    margin_mode = models.CharField(_("margin mode"), max_length=16, choices=MARGIN_MODES)
    quantity = ExactDecimalField(_("quantity"), default=0)
    average_price = ExactDecimalField(_("average price"), null=True)
    mark_price = ExactDecimalField(_("mark price"), null=True)
    unrealized_pnl = ExactDecimalField(_("unrealized PnL"), default=0)
    leverage = ExactDecimalField(_("leverage"), null=True)
    liquidation_price = ExactDecimalField(_("liquidation price"), null=True)
    notional = ExactDecimalField(_("notional"), null=True)
    margin_ratio = ExactDecimalField(_("margin ratio"), null=True)
    exchange_updated_at = models.DateTimeField(_("exchange time"), null=True)
    updated_at = models.DateTimeField(_("updated"))

    objects: ClassVar[Any] = TenantManager.from_queryset(PositionQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("position")
        verbose_name_plural = _("positions")
        ordering = ("inst_id", "account")
        constraints = (
            models.UniqueConstraint(
                fields=("account", "inst_id", "position_side", "margin_mode"), name="position_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.quantity.normalize():f}"


class BalanceQuerySet(TenantQuerySet["Balance"]):
    def visible_to(self, user: User) -> BalanceQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Balance(TenantModel):
    """One currency of an account, or TOTAL: all of it, in USD as the exchange values it."""

    TOTAL: ClassVar[str] = "TOTAL"

    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="balances",
    )
    currency = models.CharField(_("currency"), max_length=20)
    equity = ExactDecimalField(_("equity"), default=0)
    cash = ExactDecimalField(_("cash"), default=0)
    available = ExactDecimalField(_("available"), default=0)
    frozen = ExactDecimalField(_("frozen"), default=0)
    unrealized_pnl = ExactDecimalField(_("unrealized PnL"), default=0)
    exchange_updated_at = models.DateTimeField(_("exchange time"), null=True)
    updated_at = models.DateTimeField(_("updated"))

    objects: ClassVar[Any] = TenantManager.from_queryset(BalanceQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("balance")
        verbose_name_plural = _("balances")
        ordering = ("account", "currency")
        constraints = (
            models.UniqueConstraint(fields=("account", "currency"), name="balance_once"),
        )

    def __str__(self) -> str:
        return f"{self.currency} {self.equity:f}"


class EquitySnapshot(TenantModel):
    """Total equity of an account at a moment, in USD as the exchange values it."""

    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="equity_snapshots",
    )
    at = models.DateTimeField(_("at"))
    # What is written without one is shown in every curve rather than in none.
    grain = models.PositiveSmallIntegerField(
        _("first of its"), choices=Grain, default=Grain.DAY, editable=False
    )
    equity = ExactDecimalField(_("equity"))
    unrealized_pnl = ExactDecimalField(_("unrealized PnL"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("equity snapshot")
        verbose_name_plural = _("equity snapshots")
        ordering = ("-at",)
        constraints = (
            models.UniqueConstraint(fields=("account", "at"), name="equity_snapshot_once"),
        )
        indexes = (
            # a curve: a few readings a day, however many there are
            models.Index(fields=("account", "grain", "at"), name="equity_snapshot_curve"),
        )

    def __str__(self) -> str:
        return f"{self.equity:f}"
