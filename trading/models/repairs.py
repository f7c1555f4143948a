"""What is to be done about a difference: proposed, decided by a person or the table, and done."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField, uuid7
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import ExchangeAccount
from signals.models import Signal
from strategies.models import Subscription
from trading.enums import DriftClass, PositionSide, RepairAction, RepairState
from trading.models.decisions import Cycle

OPEN_REPAIRS = (RepairState.PROPOSED, RepairState.APPROVED, RepairState.SENT)


class RepairQuerySet(TenantQuerySet["Repair"]):
    def open(self) -> RepairQuerySet:
        return self.filter(state__in=OPEN_REPAIRS)


class Repair(TenantModel):
    """One difference of one holding, with the numbers it was found by.

    `open_key` is unique while it is open and NULL when it ended: one at a time of a holding.
    `accepted` is what a person took for the customer's own when it was decided: of somebody
    else's trade only what comes on top of that is news again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(
        ExchangeAccount, verbose_name=_("account"), on_delete=models.PROTECT, related_name="repairs"
    )
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    cycle = models.ForeignKey(
        Cycle, verbose_name=_("cycle"), on_delete=models.PROTECT, null=True, related_name="repairs"
    )
    inst_id = models.CharField(_("instrument"), max_length=40)
    position_side = models.CharField(_("position side"), max_length=8, choices=PositionSide)
    # NULL, not "": what ended must not stand in the way of the next.
    open_key = models.CharField(max_length=96, null=True, unique=True, editable=False)  # noqa: DJ001

    kind = models.CharField(_("class"), max_length=16, choices=DriftClass)
    exchange = ExactDecimalField(_("at the exchange"))
    ours = ExactDecimalField(_("by our orders"))
    target = ExactDecimalField(_("target"))
    accepted = ExactDecimalField(_("accepted as the customer's own"), default=0)
    evidence = models.JSONField(_("evidence"), default=dict)

    action = models.CharField(_("what is to be done"), max_length=12, choices=RepairAction)
    quantity = ExactDecimalField(_("contracts"), default=0)
    worst_price = ExactDecimalField(_("at no worse than"), null=True)
    automatic = models.BooleanField(_("by itself"), default=False)

    state = models.CharField(
        _("state"), max_length=12, choices=RepairState, default=RepairState.PROPOSED
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    signal = models.OneToOneField(
        Signal, verbose_name=_("signal"), on_delete=models.PROTECT, null=True, related_name="+"
    )
    result = models.CharField(_("what became of it"), max_length=300, blank=True)
    version = models.PositiveIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(_("found"))
    seen_at = models.DateTimeField(_("last seen"))
    decided_at = models.DateTimeField(_("decided"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(RepairQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("repair")
        verbose_name_plural = _("repairs")
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=("state", "decided_at"), name="repair_due"),
            models.Index(fields=("tenant", "created_at"), name="repair_of_tenant"),
            # what was accepted last, and how many there were lately
            models.Index(fields=("account", "inst_id", "decided_at"), name="repair_of_holding"),
        )

    def __str__(self) -> str:
        return f"{self.inst_id}: {self.get_kind_display()}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_REPAIRS
