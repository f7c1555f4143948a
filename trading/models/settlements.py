"""What people ask for an order whose outcome the engine could not find out."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import uuid7
from accounts.tenancy import TenantModel
from trading.enums import SettlementKind, SettlementState
from trading.models.orders import Order, loose_key


class Settlement(TenantModel):
    """One wish of a person for one order; an executor carries it out and says what became of it.

    `open_key` is unique while it waits and NULL when it ended: one wish at a time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = loose_key(Order, _("order"), related="settlements")
    kind = models.CharField(_("asks"), max_length=12, choices=SettlementKind)
    exchange_order_id = models.CharField(_("exchange order id"), max_length=40, blank=True)
    reason = models.CharField(_("reason"), max_length=300)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked by"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    # NULL, not "": what ended must not stand in the way of the next.
    open_key = models.CharField(max_length=40, null=True, unique=True, editable=False)  # noqa: DJ001

    state = models.CharField(
        _("state"), max_length=12, choices=SettlementState, default=SettlementState.WAITING
    )
    result = models.CharField(_("what became of it"), max_length=300, blank=True)
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(null=True, editable=False)
    asked_at = models.DateTimeField(_("asked"))
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("settlement by hand")
        verbose_name_plural = _("settlements by hand")
        ordering = ("-asked_at", "-id")
        indexes = (
            # the sweep
            models.Index(fields=("state", "not_before"), name="settlement_due"),
            models.Index(fields=("order",), name="settlement_of_order"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_state_display()}"
