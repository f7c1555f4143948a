"""What the exchange says about itself: announced maintenance, and its clock. No tenant."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.enums import Market
from trading.enums import MaintenanceState

PLANNED = (MaintenanceState.SCHEDULED, MaintenanceState.ONGOING, MaintenanceState.PRE_OPEN)


class Maintenance(models.Model):
    """One announcement of a market, as it was last listed."""

    market = models.CharField(_("market"), max_length=16, choices=Market)
    identity = models.CharField(max_length=64, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=300)
    state = models.CharField(_("state"), max_length=12, choices=MaintenanceState)
    service_type = models.CharField(_("of what"), max_length=8, blank=True)
    stops_trading = models.BooleanField(_("stops trading"), default=False)
    begins_at = models.DateTimeField(_("begins"))
    ends_at = models.DateTimeField(_("ends"), null=True)
    link = models.CharField(_("link"), max_length=300, blank=True)
    seen_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("maintenance")
        verbose_name_plural = _("maintenance")
        ordering = ("-begins_at",)
        indexes = (models.Index(fields=("market", "state"), name="maintenance_of_market"),)

    def __str__(self) -> str:
        return self.title

    def covers(self, now: datetime, lead: timedelta) -> bool:
        """True from a while before it begins until the exchange says that it is over."""
        if not self.stops_trading or self.state not in PLANNED:
            return False
        if self.state != MaintenanceState.SCHEDULED:
            return True
        return self.begins_at - lead <= now and (self.ends_at is None or now < self.ends_at)


class MarketWatch(models.Model):
    """When a market's announcements were last read; an old reading freezes nothing."""

    market = models.CharField(_("market"), max_length=16, choices=Market, primary_key=True)
    read_at = models.DateTimeField(_("last read"), null=True)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    error = models.CharField(_("error"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("status of a market")
        verbose_name_plural = _("status of markets")

    def __str__(self) -> str:
        return self.market


class ClockReading(models.Model):
    """How far one process found the exchange's clock from its own."""

    key = models.CharField(max_length=200, primary_key=True)
    market = models.CharField(_("market"), max_length=16, choices=Market)
    process = models.CharField(_("process"), max_length=140)
    offset_ms = models.BigIntegerField(_("offset (ms)"))
    is_halted = models.BooleanField(_("sends nothing"), default=False)
    warned_at = models.DateTimeField(_("warned"), null=True)
    read_at = models.DateTimeField(_("read"))

    class Meta:
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")
        ordering = ("market", "process")
        indexes = (models.Index(fields=("read_at",), name="clock_recent"),)

    def __str__(self) -> str:
        return f"{self.market} {self.process}: {self.offset_ms} ms"
