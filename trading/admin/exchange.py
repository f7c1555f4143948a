"""What the exchange says about itself: announced maintenance, and the clocks."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.display import badge, moment, num
from trading.admin.base import GlobalRecordAdmin
from trading.enums import MaintenanceState
from trading.exchange.clock import WARN_AT_MS
from trading.models import ClockReading, Maintenance, MarketWatch

UNREAD_AFTER = timedelta(minutes=5)
STATES = {
    MaintenanceState.SCHEDULED: ("wait", "event"),
    MaintenanceState.ONGOING: ("danger", "construction"),
    MaintenanceState.PRE_OPEN: ("warn", "hourglass_top"),
}


@admin.register(Maintenance)
class MaintenanceAdmin(GlobalRecordAdmin):
    list_display = ("title", "market", "state_shown", "trading", "begins", "ends", "seen")
    list_filter = ("market", "state", "stops_trading")
    search_fields = ("title",)
    ordering = ("-begins_at",)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, row: Maintenance) -> str:
        kind, icon = STATES.get(MaintenanceState(row.state), ("idle", "check"))
        return badge(kind, icon, row.get_state_display())

    @admin.display(description=_("openings"), ordering="stops_trading")
    def trading(self, row: Maintenance) -> str:
        if row.stops_trading:
            return badge("warn", "pause", _("Stopped meanwhile"))
        return badge("idle", "play_arrow", _("Go on"))

    @admin.display(description=_("begins"), ordering="begins_at")
    def begins(self, row: Maintenance) -> str:
        return moment(row.begins_at)

    @admin.display(description=_("ends"), ordering="ends_at")
    def ends(self, row: Maintenance) -> str:
        return moment(row.ends_at)

    @admin.display(description=_("last seen"), ordering="seen_at")
    def seen(self, row: Maintenance) -> str:
        return moment(row.seen_at)


@admin.register(MarketWatch)
class MarketWatchAdmin(GlobalRecordAdmin):
    list_display = ("market", "how", "read", "tried", "error")
    ordering = ("market",)

    @admin.display(description=_("status of the exchange"))
    def how(self, row: MarketWatch) -> str:
        if row.read_at is None or timezone.now() - row.read_at > UNREAD_AFTER:
            return badge("warn", "warning", _("Not heard of"))
        return badge("ok", "check", _("Read"))

    @admin.display(description=_("last read"), ordering="read_at")
    def read(self, row: MarketWatch) -> str:
        return moment(row.read_at)

    @admin.display(description=_("last tried"), ordering="tried_at")
    def tried(self, row: MarketWatch) -> str:
        return moment(row.tried_at)


@admin.register(ClockReading)
class ClockReadingAdmin(GlobalRecordAdmin):
    list_display = ("market", "process", "how", "offset", "read")
    list_filter = ("market", "is_halted")
    ordering = ("-read_at",)

    @admin.display(description=_("clock"), ordering="is_halted")
    def how(self, row: ClockReading) -> str:
        if row.is_halted:
            return badge("danger", "timer_off", _("Nothing is sent"))
        if abs(row.offset_ms) > WARN_AT_MS:
            return badge("warn", "warning", _("Off"))
        return badge("ok", "check", _("Right"))

    @admin.display(description=_("offset"), ordering="offset_ms")
    def offset(self, row: ClockReading) -> str:
        return num(row.offset_ms, unit="ms")

    @admin.display(description=_("read"), ordering="read_at")
    def read(self, row: ClockReading) -> str:
        return moment(row.read_at)
