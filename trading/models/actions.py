"""What is asked of something that rests at the exchange, and every request that asks it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField, uuid7
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.models import ExchangeAccount
from trading.enums import ActionKind, ActionState, AttemptOutcome
from trading.models.orders import Order, loose_key
from trading.models.protections import Protection

OPEN_ACTIONS = (ActionState.WAITING, ActionState.SENDING, ActionState.UNKNOWN)


class ActionQuerySet(TenantQuerySet["Action"]):
    def open(self) -> ActionQuerySet:
        return self.filter(state__in=OPEN_ACTIONS)


class Action(TenantModel):
    """A cancel, a change or a placement that is to be made true, however often it is asked.

    It is done when the order or the protection shows it, never because an answer said so.
    `open_key` is unique while it is open and NULL when it ended: one of its kind at a time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("asks"), max_length=12, choices=ActionKind)
    account = models.ForeignKey(
        ExchangeAccount, verbose_name=_("account"), on_delete=models.PROTECT, related_name="+"
    )
    order = loose_key(Order, _("order"), null=True, related="actions")
    protection = models.ForeignKey(
        Protection,
        verbose_name=_("protection"),
        on_delete=models.PROTECT,
        null=True,
        related_name="actions",
    )
    # NULL, not "": what ended must not stand in the way of the next.
    open_key = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001

    # What is wanted; what is NULL stays as it is.
    quantity = ExactDecimalField(_("quantity"), null=True)
    price = ExactDecimalField(_("price"), null=True)
    take_profit = ExactDecimalField(_("take profit"), null=True)
    stop_loss = ExactDecimalField(_("stop loss"), null=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    entered_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("entered by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )

    state = models.CharField(
        _("state"), max_length=12, choices=ActionState, default=ActionState.WAITING
    )
    result = models.CharField(_("what became of it"), max_length=300, blank=True)
    attempt = models.PositiveSmallIntegerField(_("attempts"), default=0)
    not_found_count = models.PositiveSmallIntegerField(default=0, editable=False)
    exp_at_ms = models.PositiveBigIntegerField(_("exchange deadline (ms)"), null=True)
    version = models.PositiveIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("sent"), null=True)
    not_before = models.DateTimeField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ActionQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        ordering = ("-created_at", "-id")
        indexes = (
            # the sweep
            models.Index(fields=("state", "not_before"), name="action_due"),
            models.Index(fields=("order",), name="action_of_order"),
            models.Index(fields=("tenant", "created_at"), name="action_of_tenant"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_state_display()}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_ACTIONS


class ActionAttempt(TenantModel):
    """One request of an action: written before it is sent, finished by its answer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.ForeignKey(
        Action, verbose_name=_("action"), on_delete=models.PROTECT, related_name="attempts"
    )
    number = models.PositiveSmallIntegerField(_("attempt"))
    exp_at_ms = models.PositiveBigIntegerField(_("exchange deadline (ms)"), null=True)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=AttemptOutcome, default=AttemptOutcome.PENDING
    )
    http_status = models.PositiveSmallIntegerField(_("HTTP"), null=True)
    code = models.CharField(_("code"), max_length=16, blank=True)
    message = models.CharField(_("message"), max_length=300, blank=True)
    excerpt = models.CharField(_("answer"), max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("attempt of an action")
        verbose_name_plural = _("attempts of actions")
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("action", "number"), name="action_attempt_once"),
        )

    def __str__(self) -> str:
        return f"{self.number}: {self.outcome}"
