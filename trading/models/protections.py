"""Take profits and stop losses that the exchange keeps for a position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField, uuid7
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import ExchangeAccount
from strategies.enums import MarginMode
from trading.enums import OrderCause, PositionSide, ProtectionState, Side
from trading.models.decisions import Cycle
from trading.models.orders import Order, loose_key

if TYPE_CHECKING:
    from accounts.models import User

ACTIVE = (ProtectionState.WAITING, ProtectionState.LIVE)


class ProtectionQuerySet(TenantQuerySet["Protection"]):
    def active(self) -> ProtectionQuerySet:
        """What the exchange has or may have."""
        return self.filter(state__in=ACTIVE)

    def visible_to(self, user: User) -> ProtectionQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Protection(TenantModel):
    """A take profit, a stop loss or both: one algo order at the exchange, under an id of ours.

    It came with an opening order (`order`), which the exchange arms when that has filled, or
    was placed on a position by staff. What it becomes when triggered is an Order of ours.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        related_name="protections",
    )
    inst_id = models.CharField(_("instrument"), max_length=40)
    side = models.CharField(_("closes by"), max_length=8, choices=Side)
    position_side = models.CharField(_("position side"), max_length=8, choices=PositionSide)
    margin_mode = models.CharField(_("margin mode"), max_length=16, choices=MarginMode)
    link_uid = models.UUIDField(editable=False)
    cycle = models.ForeignKey(
        Cycle,
        verbose_name=_("cycle"),
        on_delete=models.PROTECT,
        null=True,
        related_name="protections",
    )
    order = loose_key(Order, _("came with"), null=True, related="protections")
    client_algo_id = models.CharField(_("our id"), max_length=32)
    exchange_algo_id = models.CharField(_("exchange algo id"), max_length=40, blank=True)

    take_profit = ExactDecimalField(_("take profit"), null=True)
    stop_loss = ExactDecimalField(_("stop loss"), null=True)
    quantity = ExactDecimalField(_("quantity"), help_text=_("Contracts it closes at most."))

    state = models.CharField(
        _("state"), max_length=12, choices=ProtectionState, default=ProtectionState.WAITING
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    exchange_code = models.CharField(_("exchange code"), max_length=16, blank=True)
    triggered_by = models.CharField(
        _("triggered"), max_length=12, choices=OrderCause, blank=True, default=""
    )
    closing_order = loose_key(Order, _("became"), null=True, related="+")
    entered_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("entered by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    version = models.PositiveIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(_("created"))
    checked_at = models.DateTimeField(_("looked up"), null=True)
    fitted_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("ended"), null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ProtectionQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("protection")
        verbose_name_plural = _("protections")
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("account", "client_algo_id"), name="protection_client_id_once"
            ),
        )
        indexes = (
            # what is to be looked up, and what stands before a new opening
            models.Index(fields=("state", "checked_at"), name="protection_due"),
            models.Index(fields=("account", "inst_id", "state"), name="protection_of_position"),
            models.Index(fields=("tenant", "created_at"), name="protection_of_tenant"),
            models.Index(fields=("order",), name="protection_of_order"),
        )

    def __str__(self) -> str:
        prices = [f"{p.normalize():f}" for p in (self.take_profit, self.stop_loss) if p is not None]
        return f"{self.inst_id} {' / '.join(prices)}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE
