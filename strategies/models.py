"""Who follows what, and how."""

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
    CloseType,
    CopyExisting,
    FlipPolicy,
    MarginMode,
    MinSizePolicy,
    OpenOrders,
    OverMaxPolicy,
    SizingMode,
    StrategyStatus,
    SubscriptionStatus,
)
from strategies.protection import StrategyProtection, SubscriptionProtection

if TYPE_CHECKING:
    from accounts.models import User


MOST_RUNGS = 20
_SLIPPAGE = [MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal("0.5"))]
_DISCOUNT = [MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal("0.04"))]


class StrategyQuerySet(TenantQuerySet["Strategy"]):
    def active(self) -> StrategyQuerySet:
        return self.filter(status=StrategyStatus.ACTIVE)

    def visible_to(self, user: User) -> StrategyQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(subscriptions__account__customer__portal_user=user).distinct()


class Strategy(StrategyProtection, TenantModel):
    """A way of following one or more sources."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    sources: Any = models.ManyToManyField(
        SignalSource,
        verbose_name=_("sources"),
        through="StrategySource",
        related_name="strategies",
    )
    instruments = models.JSONField(
        _("instruments"),
        default=list,
        blank=True,
        help_text=_("OKX instrument ids. Empty means all."),
    )

    sizing_mode = models.CharField(
        _("sizing"), max_length=32, choices=SizingMode, default=SizingMode.FIXED_RATIO
    )
    follow_ratio = ExactDecimalField(
        _("follow ratio"),
        default=Decimal("0.1"),
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(100))],
        help_text=_("0.1 follows a tenth of the leader's quantity."),
    )
    fixed_notional = ExactDecimalField(
        _("notional per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("USDT, for fixed notional sizing."),
    )
    min_size_policy = models.CharField(
        _("below the minimum"), max_length=16, choices=MinSizePolicy, default=MinSizePolicy.SKIP
    )
    over_max_policy = models.CharField(
        _("above the maximum"),
        max_length=16,
        choices=OverMaxPolicy,
        default=OverMaxPolicy.SCALE_DOWN,
    )
    margin_mode = models.CharField(
        _("margin mode"), max_length=16, choices=MarginMode, default=MarginMode.CROSS
    )
    max_leverage = ExactDecimalField(
        _("maximum leverage"), default=Decimal(1), validators=[MinValueValidator(Decimal(1))]
    )
    max_age_seconds = models.PositiveIntegerField(
        _("opens expire after"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_("Seconds after the signal's time. Closes never expire."),
    )

    # prices
    open_orders = models.CharField(
        _("openings are sent"), max_length=16, choices=OpenOrders, default=OpenOrders.IOC
    )
    max_slippage = ExactDecimalField(
        _("maximum slippage"),
        default=Decimal("0.005"),
        validators=_SLIPPAGE,
        help_text=_(
            "0.005 refuses an opening whose price is more than 0.5 % worse than the leader's. "
            "Closes are never refused."
        ),
    )
    flip_policy = models.CharField(
        _("reversals"), max_length=16, choices=FlipPolicy, default=FlipPolicy.FOLLOW
    )

    # limit copying
    discount_min = ExactDecimalField(
        _("nearest discount"),
        default=Decimal("0.01"),
        validators=_DISCOUNT,
        help_text=_("0.01 to 0.04: so much below the leader's price, of a short above it."),
    )
    discount_max = ExactDecimalField(
        _("farthest discount"), default=Decimal("0.04"), validators=_DISCOUNT
    )
    rungs = models.PositiveSmallIntegerField(
        _("orders per signal"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_RUNGS)],
        help_text=_("Spread evenly from the nearest to the farthest discount."),
    )
    max_orders = models.PositiveSmallIntegerField(
        _("most waiting orders"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_RUNGS)],
        help_text=_("Of one customer and source. What is beyond is not placed."),
    )
    post_only = models.BooleanField(
        _("post-only"), default=False, help_text=_("An order that would trade at once is canceled.")
    )
    ttl_hours = models.PositiveSmallIntegerField(
        _("waiting orders end after"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(720)],
        help_text=_("Hours."),
    )

    refuse_repeats = models.BooleanField(
        _("refuse repeats"),
        default=False,
        help_text=_(
            "Refuse an opening of the same size on the same side within two seconds of another "
            "signal's. Leave it off where fast additions are meant."
        ),
    )

    status = models.CharField(
        _("status"), max_length=16, choices=StrategyStatus, default=StrategyStatus.ACTIVE
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(StrategyQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("strategy")
        verbose_name_plural = _("strategies")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="strategy_name_per_tenant"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self._check_ladder()
        if self.sizing_mode == SizingMode.FIXED_NOTIONAL and self.fixed_notional is None:
            raise ValidationError({"fixed_notional": _("Fixed notional sizing needs an amount.")})
        listed = self.instruments
        if not isinstance(listed, list) or not all(isinstance(i, str) and i for i in listed):
            raise ValidationError({"instruments": _("A list of instrument ids, or empty for all.")})

    def _check_ladder(self) -> None:
        if self.open_orders != OpenOrders.LIMIT:
            return
        if self.discount_min > self.discount_max:
            raise ValidationError(
                {"discount_max": _("Must not be smaller than the nearest discount.")}
            )
        if self.rungs > self.max_orders:
            raise ValidationError({"rungs": _("Must not be more than may wait at once.")})

    def trades(self, inst_id: str) -> bool:
        return not self.instruments or inst_id in self.instruments


class StrategySource(TenantModel):
    """A strategy listening to a source."""

    strategy = models.ForeignKey(Strategy, on_delete=models.CASCADE, related_name="source_links")
    source = models.ForeignKey(
        SignalSource,
        verbose_name=_("source"),
        on_delete=models.PROTECT,
        related_name="strategy_links",
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("source of a strategy")
        verbose_name_plural = _("sources of strategies")
        constraints = (
            models.UniqueConstraint(fields=("strategy", "source"), name="strategy_source_once"),
        )

    def __str__(self) -> str:
        return f"{self.strategy} ← {self.source}"


class SubscriptionQuerySet(TenantQuerySet["Subscription"]):
    def following(self, source: SignalSource) -> SubscriptionQuerySet:
        """Every subscription that a signal of this source concerns, stopped ones left out."""
        return (
            self.filter(strategy__source_links__source=source)
            .exclude(status=SubscriptionStatus.STOPPED)
            .exclude(strategy__status=StrategyStatus.ARCHIVED)
        )

    def visible_to(self, user: User) -> SubscriptionQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user)


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
    follow_ratio = ExactDecimalField(
        _("follow ratio"),
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
    max_leverage = ExactDecimalField(
        _("maximum leverage"), null=True, blank=True, validators=[MinValueValidator(Decimal(1))]
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
        validators=_SLIPPAGE,
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
