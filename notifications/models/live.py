"""What open pages were told: one numbered sequence per audience and stream."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import uuid7_pk
from accounts.tenancy import TenantModel
from notifications.enums import Stream


class LiveStream(TenantModel):
    """The last number given to an audience in one stream; numbers are given by the relay only.

    Nothing is numbered for an audience that nobody has listened to for a day (`heard_at`).
    """

    audience = models.CharField(_("audience"), max_length=40)
    stream = models.CharField(_("stream"), max_length=16, choices=Stream)
    last_seq = models.BigIntegerField(_("last number"), default=0)
    heard_at = models.DateTimeField(_("last listened to"))

    class Meta(TenantModel.Meta):
        verbose_name = _("live stream")
        verbose_name_plural = _("live streams")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "audience", "stream"), name="live_stream_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.audience} {self.stream} {self.last_seq}"


class LiveEvent(TenantModel):
    """One thing that an audience was told to look at again; kept for a day."""

    id = uuid7_pk()
    audience = models.CharField(_("audience"), max_length=40)
    stream = models.CharField(_("stream"), max_length=16, choices=Stream)
    seq = models.BigIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=16)
    object_id = models.CharField(_("object id"), max_length=40, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("live event")
        verbose_name_plural = _("live events")
        constraints = (
            # also serves a reader that asks for what it missed
            models.UniqueConstraint(
                fields=("tenant", "audience", "stream", "seq"), name="live_event_once"
            ),
        )
        indexes = (
            # what is old, or too much for one desk
            models.Index(fields=("tenant", "at"), name="live_event_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.audience} {self.stream} {self.seq}"
