"""Loss limits and how far each is used, and how near positions are to their liquidation."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy, Subscription
from trading.enums import (
    LossAction,
    LossMeasure,
    LossPeriod,
    LossScope,
    MarginLevel,
    PeriodClock,
)
from trading.models.positions import Position

if TYPE_CHECKING:
    from accounts.models import User

MORE_THAN_NOTHING = MinValueValidator(Decimal("0.000001"))


class LossLimit(TenantModel):
    """What may be lost in a period; every account, or every following, is measured by itself.

    Limits of all scopes hold together, so the strictest stops first.
    """

    scope = models.CharField(_("scope"), max_length=16, choices=LossScope)
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
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
    )
    period = models.CharField(_("period"), max_length=12, choices=LossPeriod)
    clock = models.CharField(
        _("periods begin by"), max_length=8, choices=PeriodClock, default=PeriodClock.DESK
    )
    measure = models.CharField(_("counted"), max_length=16, choices=LossMeasure)
    max_absolute = ExactDecimalField(
        _("at most"),
        null=True,
        blank=True,
        validators=[MORE_THAN_NOTHING],
        help_text=_("USDT. Empty: only the part of the equity counts."),
    )
    max_relative = ExactDecimalField(
        _("at most, of the equity"),
        null=True,
        blank=True,
        validators=[MORE_THAN_NOTHING],
        help_text=_("0.1 is a tenth of the equity at the beginning of the period."),
    )
    starts_at = models.DateTimeField(
        _("counts from"),
        null=True,
        blank=True,
        help_text=_(
            "What was before does not count. Empty: the period's beginning, and of a lifetime "
            "from when the limit was made."
        ),
    )
    action = models.CharField(_("then"), max_length=12, choices=LossAction, default=LossAction.HOLD)
    close_positions = models.BooleanField(
        _("close positions at market"),
        default=False,
        help_text=_("Of the followings concerned, once, when the limit is reached."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("changed by"),
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )

    objects: ClassVar[Any] = TenantManager()

    class Meta(TenantModel.Meta):
        verbose_name = _("loss limit")
        verbose_name_plural = _("loss limits")
        ordering = ("scope", "period", "pk")

    def __str__(self) -> str:
        return f"{self.get_period_display()}: {self.get_measure_display()}"

    def clean(self) -> None:
        if self.max_absolute is None and self.max_relative is None:
            raise ValidationError(
                {"max_absolute": _("Give an amount, a part of the equity, or both.")}
            )
        wanted = None if self.scope == LossScope.TENANT else self.scope
        for name in ("strategy", "customer", "account", "subscription"):
            named = getattr(self, f"{name}_id") is not None
            if name == wanted and not named:
                raise ValidationError({name: _("Choose what this applies to.")})
            if name != wanted and named:
                raise ValidationError({name: _("This scope does not take it.")})

    @property
    def of_links(self) -> bool:
        """Measured by what each following made, not by what the account is worth."""
        return self.scope in (LossScope.STRATEGY, LossScope.SUBSCRIPTION)


class LossStateQuerySet(TenantQuerySet["LossState"]):
    def visible_to(self, user: User) -> LossStateQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user)


class LossState(TenantModel):
    """How one account, or one following of it, stands against one limit in the present period.

    `base` is the equity at the beginning, `paid` what was paid in since (out: negative), until
    `paid_until`. Of a following, `realized` is what fills heard before `counted_until` made.
    `peak` is the most that was gained since; `known_peak` what it was when payments were read
    last: what is paid in looks like a gain until it is read. `used` is 1 when the limit is reached.
    """

    limit = models.ForeignKey(LossLimit, on_delete=models.CASCADE, related_name="states")
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="loss_states",
    )
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        null=True,
        related_name="loss_states",
    )
    key = models.CharField(max_length=64, unique=True, editable=False)
    since = models.DateTimeField(_("counted since"))
    base = ExactDecimalField(_("equity at the beginning"))
    base_unrealized = ExactDecimalField(default=0, editable=False)
    peak = ExactDecimalField(_("peak"), default=0)
    known_peak = ExactDecimalField(default=0, editable=False)
    paid = ExactDecimalField(_("paid in"), default=0)
    paid_until = models.DateTimeField(editable=False)
    realized = ExactDecimalField(default=0, editable=False)
    counted_until = models.DateTimeField(editable=False)
    loss = ExactDecimalField(_("lost"), default=0)
    used = ExactDecimalField(_("used"), default=0)
    measured_at = models.DateTimeField(_("measured"))
    breached_at = models.DateTimeField(_("reached"), null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(LossStateQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("use of a loss limit")
        verbose_name_plural = _("use of loss limits")
        ordering = ("-breached_at", "account", "pk")

    def __str__(self) -> str:
        return f"{self.account}: {self.limit}"


class MarginThreshold(TenantModel):
    """From where on a desk is warned or opens nothing more; without a row the settings' counts.

    `ratio` is the exchange's margin ratio (1 is liquidation), `distance` how far the mark is from
    the liquidation price, as a part of the mark. Reached from above; what is empty does not count.
    """

    level = models.CharField(
        _("threshold"),
        max_length=12,
        choices=[choice for choice in MarginLevel.choices if choice[0] != MarginLevel.SAFE],
    )
    ratio = ExactDecimalField(
        _("margin ratio"),
        null=True,
        blank=True,
        validators=[MORE_THAN_NOTHING],
        help_text=_("As OKX counts it: at 1 (100 %) it liquidates. Empty does not count."),
    )
    distance = ExactDecimalField(
        _("distance to liquidation"),
        null=True,
        blank=True,
        validators=[MORE_THAN_NOTHING],
        help_text=_("0.1 is a tenth of the mark price. Empty does not count."),
    )
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta(TenantModel.Meta):
        verbose_name = _("margin threshold")
        verbose_name_plural = _("margin thresholds")
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "level"), name="margin_threshold_once"),
        )

    def __str__(self) -> str:
        return str(self.get_level_display())


class MarginWatch(TenantModel):
    """How near one position is to its liquidation, as it was last told to people."""

    position = models.OneToOneField(
        Position, on_delete=models.CASCADE, related_name="margin_watch", verbose_name=_("position")
    )
    level = models.CharField(
        _("margin"), max_length=12, choices=MarginLevel, default=MarginLevel.SAFE
    )
    changed_at = models.DateTimeField(_("since"))

    objects: ClassVar[Any] = TenantManager()

    class Meta(TenantModel.Meta):
        verbose_name = _("margin of a position")
        verbose_name_plural = _("margins of positions")
        ordering = ("-changed_at",)

    def __str__(self) -> str:
        return f"{self.position}: {self.get_level_display()}"
