"""What is to be told to whom, and every try to do so."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.enums import AuditLevel
from accounts.fields import uuid7_pk
from accounts.models import AuditEntry
from accounts.tenancy import TenantModel
from notifications.enums import Outcome, State
from notifications.models.destinations import Destination
from notifications.words import headline


class Notification(TenantModel):
    """One diary entry for one destination; or a combined or test message, which has no entry.

    A try is claimed by a conditional UPDATE to `sending`, committed before anything leaves.
    Who finds a claim past its `lease_until` does not know whether the message left.
    """

    id = uuid7_pk()
    destination = models.ForeignKey(
        Destination,
        verbose_name=_("destination"),
        on_delete=models.PROTECT,
        related_name="notifications",
    )
    entry = models.ForeignKey(
        AuditEntry,
        verbose_name=_("diary entry"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    dedup_key = models.CharField(max_length=64, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=100)
    level = models.CharField(_("level"), max_length=16, choices=AuditLevel)
    weight = models.PositiveSmallIntegerField(default=0, editable=False)
    params = models.JSONField(_("about"), default=dict)

    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    not_before = models.DateTimeField(_("not before"), default=timezone.now)
    recipients_left = models.JSONField(default=list, editable=False)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    combined_into = models.ForeignKey(
        "self",
        verbose_name=_("told in"),
        on_delete=models.PROTECT,
        null=True,
        related_name="combined",
    )
    claim_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    created_at = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-id",)
        indexes = (
            # what waits, over all destinations; claims that nobody settled
            models.Index(fields=("state", "not_before"), name="notification_due"),
            # what waits for one destination
            models.Index(
                fields=("destination", "state", "not_before"), name="notification_of_destination"
            ),
            # the list of a desk
            models.Index(fields=("tenant", "created_at"), name="notification_of_tenant"),
        )

    def __str__(self) -> str:
        about = str(self.params.get("object", "")) if isinstance(self.params, dict) else ""
        return f"{headline(self.kind)} {about}".strip()


class DeliveryAttempt(TenantModel):
    """One try to deliver a notification: when, and what the other side said."""

    append_only = True

    id = uuid7_pk()
    notification = models.ForeignKey(
        Notification,
        verbose_name=_("notification"),
        on_delete=models.PROTECT,
        related_name="log",
    )
    destination = models.ForeignKey(
        Destination,
        verbose_name=_("destination"),
        on_delete=models.PROTECT,
        related_name="log",
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome)
    code = models.CharField(_("code"), max_length=40, blank=True)
    words = models.CharField(_("answer"), max_length=300, blank=True)
    duration_ms = models.PositiveIntegerField(_("milliseconds"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery log")
        ordering = ("-id",)
        indexes = (
            # how many went to a destination within the last minute
            models.Index(fields=("destination", "at"), name="attempt_of_destination"),
        )

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} {self.code}".strip()
