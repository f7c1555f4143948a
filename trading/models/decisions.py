"""What was decided for each follower, and the cycle it belongs to.

A foreign key has no index of its own where another one begins with it, or nobody asks by it
alone: a signal writes a row for every account that follows. For the same reason the database does
not look up what a row points to: it was read in the transaction that writes the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField, uuid7
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import ExchangeAccount
from signals.enums import Direction, Unit
from signals.models import Signal, SignalSource
from signals.standing import opposite
from strategies.models import Subscription
from trading.enums import DecisionOutcome, Reason

if TYPE_CHECKING:
    from accounts.models import User


class Cycle(TenantModel):
    """A link's way from flat to flat on one instrument.

    The pair (`follower_base`, `leader_base`) is fixed when the cycle opens:
    target = floor to lot of follower_base x leader now / leader_base. What is held
    is derived from the cycle's orders, never stored twice. `active_key` is unique
    while the cycle runs and NULL when it ended: one link per account and instrument.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.PROTECT,
        editable=False,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    link_uid = models.UUIDField(editable=False)
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        related_name="cycles",
    )
    source = models.ForeignKey(
        SignalSource,
        verbose_name=_("source"),
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="cycles",
    )
    inst_id = models.CharField(_("instrument"), max_length=40)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    # Kept as they were when it opened, however the strategy maps or turns things by now.
    leader_inst_id = models.CharField(_("leader's instrument"), max_length=40)
    is_reversed = models.BooleanField(_("reverse"), default=False)
    unit = models.CharField(_("leader counts in"), max_length=16, choices=Unit)
    follower_base = ExactDecimalField(_("follower's base"))
    leader_base = ExactDecimalField(_("leader's base"))
    # NULL, not "": an ended cycle must not stand in the way of the next.
    active_key = models.CharField(  # noqa: DJ001
        max_length=96, null=True, unique=True, editable=False
    )
    opened_at = models.DateTimeField(_("opened"))
    closing_at = models.DateTimeField(
        _("closing since"),
        null=True,
        help_text=_("The leader closed while orders of it still waited at the exchange."),
    )
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("cycle")
        verbose_name_plural = _("cycles")
        ordering = ("-opened_at",)
        constraints = (
            # Without it nobody would find the cycle that the leader's close must end.
            models.CheckConstraint(
                condition=~models.Q(leader_inst_id=""), name="cycle_of_an_instrument"
            ),
        )
        indexes = (
            models.Index(fields=("tenant", "opened_at"), name="cycle_of_tenant"),
            # the running cycles of the followers of a source
            models.Index(fields=("source", "leader_inst_id", "ended_at"), name="cycle_of_leader"),
            models.Index(
                fields=("link_uid", "leader_inst_id", "ended_at"), name="cycle_of_follower"
            ),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.direction}"

    @property
    def leader_direction(self) -> Direction:
        """The side of the leader's position that it follows."""
        own = Direction(self.direction)
        return opposite(own) if self.is_reversed else own


class DecisionQuerySet(TenantQuerySet["Decision"]):
    def visible_to(self, user: User) -> DecisionQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Decision(TenantModel):
    """Why a follower was or was not copied, with the numbers used. One per link and signal."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.PROTECT,
        editable=False,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    signal = models.ForeignKey(
        Signal,
        verbose_name=_("signal"),
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="decisions",
    )
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="decisions",
    )
    account = models.ForeignKey(
        ExchangeAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="decisions",
    )
    link_uid = models.UUIDField(editable=False)
    outcome = models.CharField(_("outcome"), max_length=16, choices=DecisionOutcome)
    reason = models.CharField(_("reason"), max_length=40, choices=Reason, blank=True)
    numbers = models.JSONField(_("numbers used"), default=dict)
    decided_at = models.DateTimeField(_("decided"))

    objects: ClassVar[Any] = TenantManager.from_queryset(DecisionQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ("-decided_at", "-id")
        constraints = (
            # also: the decisions of a signal
            models.UniqueConstraint(fields=("signal", "link_uid"), name="decision_once_per_signal"),
        )
        indexes = (
            models.Index(fields=("tenant", "decided_at"), name="decision_of_tenant"),
            models.Index(fields=("account", "decided_at"), name="decision_of_account"),
        )

    def __str__(self) -> str:
        return f"{self.outcome} {self.reason}".strip()

    @property
    def made_orders(self) -> Any:
        """The orders it became, found by their signal and link: that is what has an index."""
        mine = self.orders.filter(signal_id=self.signal_id, link_uid=self.link_uid)
        return mine.order_by("leg_number", "slice_number")
