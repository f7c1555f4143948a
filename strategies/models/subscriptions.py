"""Who follows what, and what one account does differently."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import ExchangeAccount
from signals.models import SignalSource
from strategies.enums import (
    FOLLOWED,
    CloseType,
    CopyExisting,
    LeverageMode,
    MarginChoice,
    MinSizePolicy,
    OverMaxPolicy,
    SizingMode,
    StrategyStatus,
    SubscriptionStatus,
)
from strategies.models.strategies import SLIPPAGE, Strategy
from strategies.protection import SubscriptionProtection
from strategies.refusing import (
    refused_instrument_terms,
    refused_instruments,
    refused_overrides,
    refused_sources,
)

if TYPE_CHECKING:
    from accounts.models import User


class SubscriptionQuerySet(TenantQuerySet["Subscription"]):
    def following(self, source: SignalSource) -> SubscriptionQuerySet:
        """Every subscription that a signal of this source concerns, stopped ones left out."""
        return (
            self.filter(strategy__source_links__source=source)
            .exclude(status=SubscriptionStatus.STOPPED)
            .exclude(strategy__status=StrategyStatus.ARCHIVED)
        )

    def mirroring(self) -> SubscriptionQuerySet:
        """Those whose positions take over what becomes of their leader's stops."""
        asked = models.Q(mirror_protection=True)
        by_strategy = models.Q(mirror_protection__isnull=True, strategy__mirror_protection=True)
        return self.filter(asked | by_strategy, status__in=FOLLOWED).exclude(
            strategy__status=StrategyStatus.ARCHIVED
        )

    def visible_to(self, user: User) -> SubscriptionQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Subscription(SubscriptionProtection, TenantModel):
    """One account following one strategy. Its `uid` is the link's identity in order ids."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    strategy = models.ForeignKey(
        Strategy, verbose_name=_("strategy"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("exchange account"),
        on_delete=models.PROTECT,
        related_name="subscriptions",
    )
    sizing_mode = models.CharField(
        _("sizing"),
        max_length=32,
        choices=SizingMode,
        blank=True,
        help_text=_("Empty takes the strategy's."),
    )
    follow_ratio = ExactDecimalField(
        _("follow ratio"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(100))],
        help_text=_("Empty takes the strategy's."),
    )
    equity_multiplier = ExactDecimalField(
        _("equity multiplier"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(100))],
        help_text=_("Empty takes the strategy's."),
    )
    fixed_notional = ExactDecimalField(
        _("notional per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("Empty takes the strategy's."),
    )
    fixed_margin = ExactDecimalField(
        _("margin per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("Empty takes the strategy's."),
    )
    fixed_quantity = ExactDecimalField(
        _("quantity per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.00000001"))],
        help_text=_("Empty takes the strategy's."),
    )
    available_ratio = ExactDecimalField(
        _("share of the available balance"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(1))],
        help_text=_("Empty takes the strategy's."),
    )
    risk_ratio = ExactDecimalField(
        _("risk per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(1))],
        help_text=_("Empty takes the strategy's."),
    )
    allocated_capital = ExactDecimalField(
        _("allocated capital"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("USDT. The smaller of this and the strategy's counts."),
    )
    max_account_leverage = ExactDecimalField(
        _("maximum exposure"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("Times the equity. The smaller of this and the strategy's counts."),
    )
    min_size_policy = models.CharField(
        _("below the minimum"),
        max_length=16,
        choices=MinSizePolicy,
        blank=True,
        help_text=_("Empty takes the strategy's."),
    )
    over_max_policy = models.CharField(
        _("above the maximum"),
        max_length=16,
        choices=OverMaxPolicy,
        blank=True,
        help_text=_("Empty takes the strategy's."),
    )
    margin_mode = models.CharField(
        _("margin mode"),
        max_length=16,
        choices=MarginChoice,
        blank=True,
        help_text=_("Empty takes the strategy's."),
    )
    leverage_mode = models.CharField(
        _("leverage"),
        max_length=16,
        choices=LeverageMode,
        blank=True,
        help_text=_("Empty takes the strategy's."),
    )
    leverage = ExactDecimalField(
        _("fixed at"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(1))],
        help_text=_("Empty takes the strategy's."),
    )
    max_leverage = ExactDecimalField(
        _("maximum leverage"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(1))],
        help_text=_("The smaller of this and the strategy's counts."),
    )
    reverse = models.BooleanField(
        _("reverse"),
        null=True,
        blank=True,
        choices=((True, _("Yes")), (False, _("No"))),
        help_text=_("Empty takes the strategy's."),
    )
    denied_instruments = models.JSONField(
        _("never traded"),
        default=list,
        blank=True,
        help_text=_("OKX instrument ids that this account leaves out besides the strategy's."),
    )
    instrument_terms = models.JSONField(
        _("terms by instrument"),
        default=dict,
        blank=True,
        help_text=_("What holds for one of the leader's instruments instead."),
    )
    copy_existing = models.CharField(
        _("positions of before"),
        max_length=16,
        choices=CopyExisting,
        default=CopyExisting.NO,
        help_text=_("What becomes of what the leader holds when the following begins."),
    )
    is_shadow = models.BooleanField(_("shadow"), default=False, editable=False)
    shadow_of = models.ForeignKey(
        "self",
        verbose_name=_("shadow of"),
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="shadows",
    )

    max_slippage = ExactDecimalField(
        _("maximum slippage"),
        null=True,
        blank=True,
        validators=SLIPPAGE,
        help_text=_("Empty takes the strategy's."),
    )
    status = models.CharField(
        _("status"), max_length=16, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE
    )
    # How it is being stopped, or was; empty while nobody stops it.
    ending = models.CharField(
        _("stopped by"), max_length=16, choices=CloseType, blank=True, editable=False
    )
    ending_at = models.DateTimeField(_("stopped since"), null=True, editable=False)
    # Since when it follows this time: what may happen once per following is counted from it.
    started_at = models.DateTimeField(_("follows since"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(SubscriptionQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("strategy__name", "account__customer__name")
        constraints = (
            models.UniqueConstraint(fields=("strategy", "account"), name="subscription_once"),
        )
        indexes = (models.Index(fields=("tenant", "status"), name="subscription_by_status"),)

    def __str__(self) -> str:
        return f"{self.account} → {self.strategy}"

    def clean(self) -> None:
        if not self.strategy_id:
            return  # the field says so already
        errors = {
            **refused_overrides(self, self.strategy),
            **refused_instruments(self),
            **refused_instrument_terms(self.instrument_terms),
        }
        if self.sizing_mode and not errors:
            links = self.strategy.source_links.select_related("source")
            errors = refused_sources(self.sizing_mode, [link.source for link in links])
        if errors:
            raise ValidationError(errors)
