"""Who does a job at the moment, and who is alive. Global rows: no tenant."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobLease(models.Model):
    """A periodic job that only one process may run at a time. Times are the database's."""

    name = models.CharField(_("job"), max_length=80, primary_key=True)
    owner = models.UUIDField(null=True)
    until = models.DateTimeField(_("held until"), null=True)
    ran_at = models.DateTimeField(_("last run"), null=True)

    class Meta:
        verbose_name = _("job lease")
        verbose_name_plural = _("job leases")

    def __str__(self) -> str:
        return self.name


class SocketLease(models.Model):
    """Which streams process keeps a private socket, and how the socket is."""

    objects: ClassVar[Any]

    account_id = models.PositiveBigIntegerField(primary_key=True)
    owner = models.UUIDField(null=True)
    until = models.DateTimeField(_("held until"), null=True)
    state = models.CharField(_("socket"), max_length=16, default="connecting")
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    changed_at = models.DateTimeField(_("changed"), null=True)
    last_event_at = models.DateTimeField(_("last news"), null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.account_id}: {self.state}"


class StreamLease(SocketLease):
    """The streams process that keeps an exchange account's private socket."""

    class Meta:
        verbose_name = _("private socket")
        verbose_name_plural = _("private sockets")


class LeaderLease(SocketLease):
    """The same of a leader account, whose id is `account_id`."""

    class Meta:
        verbose_name = _("leader's socket")
        verbose_name_plural = _("leaders' sockets")


class Heartbeat(models.Model):
    """A process that says it is alive."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("process"), max_length=24)
    host = models.CharField(_("host"), max_length=120)
    pid = models.PositiveIntegerField(_("pid"))
    started_at = models.DateTimeField(_("started"))
    beat_at = models.DateTimeField(_("last heard"))
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        ordering = ("kind", "-beat_at")
        indexes = (models.Index(fields=("kind", "beat_at"), name="heartbeat_alive"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.pid}@{self.host}"
