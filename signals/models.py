"""Where instructions come from, and each instruction as it came."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField, ExactDecimalField, uuid7
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.enums import Market
from signals.enums import (
    ApprovalRule,
    Dialect,
    Direction,
    Intent,
    LeaderMarginMode,
    QuantityMode,
    SignalPurpose,
    SignalReason,
    SignalStatus,
    SourceKind,
    SourceStatus,
    Unit,
)
from signals.leader_models import LeaderAccount, LeaderHolding, LeaderTrade

if TYPE_CHECKING:
    from accounts.models import User

__all__ = [
    "LeaderAccount",
    "LeaderHolding",
    "LeaderPosition",
    "LeaderTrade",
    "Signal",
    "SignalNonce",
    "SignalSource",
]


class SignalSourceQuerySet(TenantQuerySet["SignalSource"]):
    def visible_to(self, user: User) -> SignalSourceQuerySet:
        """Customers see the sources of the strategies they follow."""
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(
            strategies__subscriptions__account__customer__portal_user=user
        ).distinct()


class SignalSource(TenantModel):
    """Something the desk takes instructions from.

    Its signals are copied strictly one at a time, under the claim kept here
    (`claim_token` until `claim_until`); after five claims that changed nothing the
    first waiting signal is set aside.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(
        _("kind"), max_length=16, choices=SourceKind, default=SourceKind.WEBHOOK
    )
    dialect = models.CharField(
        _("format"), max_length=24, choices=Dialect, default=Dialect.COPYDESK
    )
    market = models.CharField(
        _("market"),
        max_length=16,
        choices=Market,
        help_text=_("Whose instruments and prices give its quantities their meaning."),
    )

    secret = EncryptedTextField(_("signing secret"), blank=True)
    previous_secret = EncryptedTextField(_("previous signing secret"), blank=True)
    token_hash = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - many rows have none
    rate_per_second = models.PositiveIntegerField(
        _("signals per second at most"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
    )

    approval = models.CharField(
        _("approval"),
        max_length=16,
        choices=ApprovalRule,
        default=ApprovalRule.NONE,
        help_text=_("What waits until a person approves it. Cancels never wait."),
    )
    approval_seconds = models.PositiveIntegerField(
        _("openings wait for at most"),
        default=300,
        validators=[MinValueValidator(10), MaxValueValidator(86_400)],
        help_text=_(
            "Seconds. A strategy still refuses openings that are older than its own limit: "
            "raise it there as well. Closes wait as long as it takes."
        ),
    )

    status = models.CharField(
        _("status"), max_length=16, choices=SourceStatus, default=SourceStatus.ENABLED
    )
    last_signal_at = models.DateTimeField(_("last signal"), null=True, editable=False)
    refused_count = models.PositiveBigIntegerField(_("refused calls"), default=0, editable=False)
    duplicate_count = models.PositiveBigIntegerField(_("duplicates"), default=0, editable=False)

    claim_token = models.UUIDField(null=True, editable=False)
    claim_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(SignalSourceQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("signal source")
        verbose_name_plural = _("signal sources")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="source_name_per_tenant"),
        )

    def __str__(self) -> str:
        return self.name


class SignalQuerySet(TenantQuerySet["Signal"]):
    def waiting(self) -> SignalQuerySet:
        """Accepted and not yet copied, in the order in which they must be."""
        return self.filter(status=SignalStatus.ACCEPTED).order_by("received_at", "id")

    def visible_to(self, user: User) -> SignalQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(decisions__account__customer__portal_user=user).distinct()


class Signal(TenantModel):
    """One instruction, in normal form, with the raw payload as it came (without secrets).

    `dedupe_hash` is NULL for refused signals: their id is still free.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(
        SignalSource, verbose_name=_("source"), on_delete=models.PROTECT, related_name="signals"
    )
    external_id = models.CharField(_("sender's id"), max_length=128, blank=True)
    dedupe_hash = models.CharField(max_length=64, null=True, editable=False)  # noqa: DJ001 - many rows have none

    inst_id = models.CharField(_("instrument"), max_length=40, blank=True)
    intent = models.CharField(_("intent"), max_length=8, choices=Intent, blank=True)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction, blank=True)
    quantity_mode = models.CharField(
        _("quantity in"), max_length=16, choices=QuantityMode, blank=True
    )
    quantity_value = ExactDecimalField(_("quantity as sent"), null=True)
    quantity = ExactDecimalField(
        _("quantity"), null=True, help_text=_("Contracts, or percent where the unit says so.")
    )
    unit = models.CharField(max_length=16, choices=Unit, default=Unit.CONTRACTS)
    reference_price = ExactDecimalField(_("reference price"), null=True)
    leverage = ExactDecimalField(_("leverage"), null=True)
    margin_mode = models.CharField(
        _("leader's margin mode"), max_length=16, choices=LeaderMarginMode, blank=True
    )
    leader_equity = ExactDecimalField(
        _("leader's equity"),
        null=True,
        help_text=_("USDT, when it traded. Sizing in proportion to equity needs it."),
    )
    leader_entry = ExactDecimalField(
        _("leader's average entry"),
        null=True,
        help_text=_("Of its whole position after this signal, where its sender says so."),
    )
    take_profit = ExactDecimalField(_("take profit"), null=True)
    stop_loss = ExactDecimalField(_("stop loss"), null=True)
    stated = models.JSONField(
        _("position as stated"),
        null=True,
        editable=False,
        help_text=_("What the sender said of its whole position, of formats that say so."),
    )
    has_gap = models.BooleanField(
        _("gap"),
        default=False,
        editable=False,
        help_text=_("The sender came from another position than we knew: one of its was lost."),
    )
    account = models.ForeignKey(
        "customers.ExchangeAccount",
        verbose_name=_("only for account"),
        on_delete=models.PROTECT,
        null=True,
        related_name="manual_signals",
        help_text=_("Manual signals act on one account."),
    )
    purpose = models.CharField(
        _("made by the product"), max_length=16, choices=SignalPurpose, blank=True, editable=False
    )
    # Only this subscription is concerned, and the leader does not move.
    link_uid = models.UUIDField(null=True, editable=False)
    created_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("entered by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )

    status = models.CharField(
        _("status"), max_length=16, choices=SignalStatus, default=SignalStatus.ACCEPTED
    )
    refused_field = models.CharField(_("field"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=32, choices=SignalReason, blank=True)
    reason_text = models.CharField(_("in words"), max_length=300, blank=True)
    held_until = models.DateTimeField(
        _("waits until"),
        null=True,
        editable=False,
        help_text=_("When an opening that waits for approval expires; closes never do."),
    )
    decided_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("decided by"),
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, editable=False)
    claims = models.PositiveSmallIntegerField(default=0, editable=False)
    raw = models.TextField(_("payload as received"), blank=True)

    signal_at = models.DateTimeField(_("signal time"))
    received_at = models.DateTimeField(_("received"))
    expires_at = models.DateTimeField(_("opens expire"), null=True)
    copied_at = models.DateTimeField(_("copied"), null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(SignalQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("signal")
        verbose_name_plural = _("signals")
        ordering = ("-received_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("source", "dedupe_hash"), name="signal_once_per_source"
            ),
        )
        indexes = (
            # the next signal of a source
            models.Index(fields=("source", "status", "received_at"), name="signal_next_of_source"),
            # the sweep over all sources
            models.Index(fields=("status", "received_at"), name="signal_waiting"),
            # the list of a desk
            models.Index(fields=("tenant", "received_at"), name="signal_of_tenant"),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.intent} {self.direction}".strip() or str(self.id)

    @property
    def is_by_hand(self) -> bool:
        """For one account, which follows nobody with it."""
        return self.account_id is not None and self.link_uid is None


class SignalNonce(TenantModel):
    """A nonce that was used; kept for ten minutes so that a call cannot be replayed."""

    source = models.ForeignKey(SignalSource, on_delete=models.CASCADE, related_name="+")
    nonce_hash = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(fields=("source", "nonce_hash"), name="nonce_once_per_source"),
        )
        indexes = (models.Index(fields=("used_at",), name="nonce_by_age"),)

    def __str__(self) -> str:
        return self.nonce_hash[:8]


class LeaderPosition(TenantModel):
    """The position a source would hold had it traded its own signals (decided in `copying`)."""

    source = models.ForeignKey(
        SignalSource, verbose_name=_("source"), on_delete=models.PROTECT, related_name="positions"
    )
    account = models.ForeignKey(
        "customers.ExchangeAccount",
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    scope_key = models.CharField(max_length=40, default="", editable=False)
    inst_id = models.CharField(_("instrument"), max_length=40)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    quantity = ExactDecimalField(_("quantity"), default=0)
    unit = models.CharField(_("unit"), max_length=16, choices=Unit, default=Unit.CONTRACTS)
    average_entry = ExactDecimalField(_("average entry"), null=True)
    updated_at = models.DateTimeField(_("changed"))

    class Meta(TenantModel.Meta):
        verbose_name = _("leader position")
        verbose_name_plural = _("leader positions")
        constraints = (
            models.UniqueConstraint(
                fields=("source", "scope_key", "inst_id", "direction"),
                name="leader_position_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.direction} {self.quantity}"
