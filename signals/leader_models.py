"""A leader's account at the exchange: what it holds, and what it traded."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField, ExactDecimalField
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.enums import KeyStatus, PositionMode
from signals.enums import Direction, LeaderLink, LeaderMarginMode

if TYPE_CHECKING:
    from accounts.models import User


class LeaderAccountQuerySet(TenantQuerySet["LeaderAccount"]):
    def watched(self) -> LeaderAccountQuerySet:
        """Those whose private socket is kept open. A disabled source's too: what its leader
        holds must be known when it is enabled again."""
        return self.filter(key_status=KeyStatus.VERIFIED)

    def visible_to(self, user: User) -> LeaderAccountQuerySet:
        return self if may(user, Ability.READ_ROWS) else self.none()


class LeaderAccount(TenantModel):
    """The OKX account behind a source of the kind `leader`, with a key that reads it.

    The three key fields are write-only: they are read through `customers.credentials` and
    nowhere else. The row is the claim under which the leader's news is written down.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.OneToOneField(
        "signals.SignalSource",
        verbose_name=_("source"),
        on_delete=models.PROTECT,
        related_name="leader",
    )

    api_key = EncryptedTextField(_("API key"), blank=True)
    api_secret = EncryptedTextField(_("API secret"), blank=True)
    passphrase = EncryptedTextField(_("passphrase"), blank=True)
    key_last4 = models.CharField(_("key ends in"), max_length=4, blank=True, editable=False)
    key_fingerprint = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - many rows have none
    key_version = models.PositiveIntegerField(default=0, editable=False)
    key_status = models.CharField(
        _("key"), max_length=16, choices=KeyStatus, default=KeyStatus.MISSING, editable=False
    )
    key_reason = models.CharField(_("key check"), max_length=300, blank=True, editable=False)
    key_permissions = models.JSONField(_("permissions"), default=list, editable=False)
    key_warnings = models.JSONField(_("warnings"), default=list, editable=False)
    exchange_uid = models.CharField(_("OKX user id"), max_length=40, blank=True, editable=False)
    position_mode = models.CharField(
        _("position mode"), max_length=16, choices=PositionMode, blank=True, editable=False
    )
    verified_at = models.DateTimeField(_("verified"), null=True, editable=False)

    equity = ExactDecimalField(
        _("equity"), null=True, editable=False, help_text=_("USDT, as the exchange values it.")
    )
    equity_at = models.DateTimeField(_("equity read"), null=True, editable=False)
    # Until then nothing of the leader's becomes a signal: what it held before is not copied.
    snapshot_at = models.DateTimeField(_("followed since"), null=True, editable=False)
    # By the exchange's clock: everything traded before this moment is known.
    known_until = models.DateTimeField(null=True, editable=False)
    # When the last signal was handed in; the next is later, whatever the clock says.
    said_at = models.DateTimeField(null=True, editable=False)
    # Where what was copied is not what it holds, and how far people were told of it.
    drifts = models.JSONField(default=dict, editable=False)

    link = models.CharField(
        _("link"), max_length=16, choices=LeaderLink, default=LeaderLink.WAITING, editable=False
    )
    link_reason = models.CharField(_("link reason"), max_length=200, blank=True, editable=False)
    link_since = models.DateTimeField(_("since"), null=True, editable=False)
    heard_at = models.DateTimeField(_("last activity"), null=True, editable=False)
    read_at = models.DateTimeField(_("last reading"), null=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=300, blank=True, editable=False)
    last_error_at = models.DateTimeField(_("last error at"), null=True, editable=False)

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(LeaderAccountQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("leader account")
        verbose_name_plural = _("leader accounts")
        ordering = ("source__name",)
        indexes = (models.Index(fields=("key_status",), name="leader_by_key_status"),)

    def __str__(self) -> str:
        return self.source.name

    @property
    def market(self) -> str:
        return str(self.source.market)

    @property
    def api_host(self) -> str:
        """A leader is reached where its market is."""
        return ""

    @property
    def is_verified(self) -> bool:
        return self.key_status == KeyStatus.VERIFIED


class LeaderHolding(TenantModel):
    """What a leader holds by all that was heard of it: every change of it became a signal.

    One row for each way of holding, kept at 0 when it ends. `LeaderPosition` beside it is
    where the signals lead that were copied; the two differ where some were refused.
    """

    leader = models.ForeignKey(
        LeaderAccount, verbose_name=_("leader"), on_delete=models.CASCADE, related_name="holdings"
    )
    inst_id = models.CharField(_("instrument"), max_length=40)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    margin_mode = models.CharField(_("margin mode"), max_length=16, choices=LeaderMarginMode)
    quantity = ExactDecimalField(_("quantity"), default=0)
    average_entry = ExactDecimalField(_("average entry"), null=True)
    leverage = ExactDecimalField(_("leverage"), null=True)
    take_profit = ExactDecimalField(_("take profit"), null=True)
    stop_loss = ExactDecimalField(_("stop loss"), null=True)
    # Neither is for a part of what is held only: then followers may have them for all of theirs.
    stops_for_all = models.BooleanField(default=False, editable=False)
    traded_at = models.DateTimeField(_("last traded"), null=True)
    updated_at = models.DateTimeField(_("changed"))

    class Meta(TenantModel.Meta):
        verbose_name = _("leader's holding")
        verbose_name_plural = _("leader's holdings")
        ordering = ("inst_id", "direction", "margin_mode")
        constraints = (
            models.UniqueConstraint(
                fields=("leader", "inst_id", "direction", "margin_mode"),
                name="leader_holding_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.direction} {self.quantity}"


class LeaderTrade(TenantModel):
    """One fill of a leader, known once however often and by whichever way it was heard."""

    leader = models.ForeignKey(
        LeaderAccount, verbose_name=_("leader"), on_delete=models.CASCADE, related_name="trades"
    )
    trade_hash = models.CharField(max_length=64, editable=False)
    inst_id = models.CharField(_("instrument"), max_length=40)
    trade_id = models.CharField(_("trade"), max_length=40)
    exchange_order_id = models.CharField(_("order"), max_length=40)
    side = models.CharField(_("side"), max_length=8)
    position_side = models.CharField(_("position side"), max_length=8)
    margin_mode = models.CharField(
        _("margin mode"), max_length=16, choices=LeaderMarginMode, blank=True
    )
    quantity = ExactDecimalField(_("quantity"))
    price = ExactDecimalField(_("price"))
    traded_at = models.DateTimeField(_("traded"))
    heard_at = models.DateTimeField(_("heard"))
    by_reading = models.BooleanField(_("found by reading"), default=False)
    # Part of the first reading: it was there before, and became no signal.
    is_older = models.BooleanField(_("from before"), default=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("leader's trade")
        verbose_name_plural = _("leader's trades")
        ordering = ("-traded_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=("leader", "trade_hash"), name="leader_trade_once"),
        )
        indexes = (
            # the last ones of a leader, and those since a moment
            models.Index(fields=("leader", "traded_at"), name="leader_trade_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.side} {self.quantity}"
