"""Where a desk wants to be told, and of what."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.enums import AuditLevel
from accounts.fields import EncryptedTextField, uid_field
from accounts.tenancy import TenantModel
from notifications.enums import DestinationStatus, Kind, Security


class Destination(TenantModel):
    """One mailbox list or robot of a desk.

    Its messages are sent one after another, under the claim kept here (`claim_token` until
    `claim_until`), and not before `not_before`: what one refuses never holds up the others.
    """

    uid = uid_field()
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    language = models.CharField(
        _("language"), max_length=16, choices=settings.LANGUAGES, default="en"
    )

    recipients = models.JSONField(_("recipients"), default=list, blank=True)
    sender = models.EmailField(_("from"), blank=True)
    smtp_host = models.CharField(_("SMTP server"), max_length=253, blank=True)
    smtp_port = models.PositiveIntegerField(_("SMTP port"), default=587)
    smtp_security = models.CharField(
        _("encryption"), max_length=16, choices=Security, default=Security.STARTTLS
    )
    smtp_user = models.CharField(_("SMTP user"), max_length=200, blank=True)
    smtp_password = EncryptedTextField(_("SMTP password"), blank=True)
    robot_token = EncryptedTextField(_("robot token"), blank=True)
    signing_secret = EncryptedTextField(_("signing secret"), blank=True)
    token_last4 = models.CharField(_("token ends in"), max_length=4, blank=True, editable=False)

    status = models.CharField(
        _("status"), max_length=16, choices=DestinationStatus, default=DestinationStatus.ENABLED
    )
    status_reason = models.CharField(_("reason"), max_length=300, blank=True)
    status_at = models.DateTimeField(_("since"), default=timezone.now)
    listens_from = models.DateTimeField(_("told from"), default=timezone.now)
    not_before = models.DateTimeField(_("waits until"), null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    claim_until = models.DateTimeField(null=True, editable=False)

    last_sent_at = models.DateTimeField(_("last sent"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("destination")
        verbose_name_plural = _("destinations")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="destination_name_per_tenant"),
        )

    def __str__(self) -> str:
        return self.name


class NotificationRule(TenantModel):
    """What a destination is told of: diary entries of a level and of some kinds.

    Kinds are what an action starts with (`order` is every `order.…`); none means all.
    """

    destination = models.ForeignKey(
        Destination,
        verbose_name=_("destination"),
        on_delete=models.PROTECT,
        related_name="rules",
    )
    minimum_level = models.CharField(
        _("from level"), max_length=16, choices=AuditLevel, default=AuditLevel.WARNING
    )
    kinds = models.JSONField(_("kinds"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("pk",)

    def __str__(self) -> str:
        what = ", ".join(str(kind) for kind in self.kinds) or _("everything")
        return f"{what} ({self.get_minimum_level_display()})"
