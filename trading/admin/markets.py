"""Instruments and prices: shared by all desks, written by the market book only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.display import badge, list_of, moment, num, two
from trading.admin.base import GlobalRecordAdmin
from trading.models import Instrument, InstrumentVersion, MarketPrice

# What the exchange calls its kinds of instruments, in words.
TYPES = {"SPOT": _("Spot"), "SWAP": _("Perpetual swap"), "FUTURES": _("Future")}


@admin.register(Instrument)
class InstrumentAdmin(GlobalRecordAdmin):
    list_display = (
        "named", "value", "lot", "tick", "smallest", "leverage", "status", "ends", "history",
    )  # fmt: skip
    list_filter = (
        "market", "inst_type", "state", ("expires_at", admin.EmptyFieldListFilter),
        "settle_currency",
    )  # fmt: skip
    search_fields = ("inst_id",)
    ordering = ("market", "inst_id")
    list_per_page = 50

    @admin.display(description=_("instrument"), ordering="inst_id")
    def named(self, row: Instrument) -> str:
        """With what it is and where."""
        kind = TYPES.get(row.inst_type, row.inst_type)
        return two(row.inst_id, f"{kind} · {row.get_market_display()}")

    @admin.display(description=_("contract value"))
    def value(self, row: Instrument) -> str:
        return num(row.contract_value, unit=row.base_currency)

    @admin.display(description=_("lot size"))
    def lot(self, row: Instrument) -> str:
        return num(row.lot_size)

    @admin.display(description=_("tick size"))
    def tick(self, row: Instrument) -> str:
        return num(row.tick_size)

    @admin.display(description=_("minimum"))
    def smallest(self, row: Instrument) -> str:
        return num(row.min_size)

    @admin.display(description=_("leverage"))
    def leverage(self, row: Instrument) -> str:
        return num(row.max_leverage, unit="×", why=str(_("Spot")))

    @admin.display(description=_("state"), ordering="state")
    def status(self, row: Instrument) -> str:
        if row.is_live:
            return badge("ok", "check", _("Trading"))
        return badge("warn", "pause", _("Not trading"), row.state)

    @admin.display(description=_("delisted"), ordering="expires_at")
    def ends(self, row: Instrument) -> str:
        return moment(row.expires_at)

    @admin.display(description=_("rules before"))
    def history(self, row: Instrument) -> str:
        return list_of("trading_instrumentversion", f"instrument={row.pk}", _("Show"))


@admin.register(InstrumentVersion)
class InstrumentVersionAdmin(GlobalRecordAdmin):
    """What was valid when: an instrument that never changed has none."""

    list_display = (
        "instrument", "valid_from_shown", "valid_until_shown", "value", "lot", "tick", "smallest",
        "largest",
    )  # fmt: skip
    list_filter = ("instrument__market",)
    list_select_related = ("instrument",)
    search_fields = ("instrument__inst_id",)
    ordering = ("-valid_from", "instrument")
    list_per_page = 50

    @admin.display(description=_("valid from"), ordering="valid_from")
    def valid_from_shown(self, row: InstrumentVersion) -> str:
        return moment(row.valid_from)

    @admin.display(description=_("valid until"), ordering="valid_until")
    def valid_until_shown(self, row: InstrumentVersion) -> str:
        return moment(row.valid_until)

    @admin.display(description=_("contract value"))
    def value(self, row: InstrumentVersion) -> str:
        return num(row.contract_value)

    @admin.display(description=_("lot size"))
    def lot(self, row: InstrumentVersion) -> str:
        return num(row.lot_size)

    @admin.display(description=_("tick size"))
    def tick(self, row: InstrumentVersion) -> str:
        return num(row.tick_size)

    @admin.display(description=_("minimum"))
    def smallest(self, row: InstrumentVersion) -> str:
        return num(row.min_size)

    @admin.display(description=_("maximum market order"))
    def largest(self, row: InstrumentVersion) -> str:
        return num(row.max_market_size, why=str(_("Not limited")))


@admin.register(MarketPrice)
class MarketPriceAdmin(GlobalRecordAdmin):
    list_display = ("inst_id", "market", "mark_shown", "last_shown", "bid_shown", "ask_shown", "at")
    list_filter = ("market",)
    search_fields = ("inst_id",)
    ordering = ("market", "inst_id")

    @admin.display(description=_("mark price"))
    def mark_shown(self, row: MarketPrice) -> str:
        return num(row.mark, why=str(_("No mark price yet")))

    @admin.display(description=_("last"))
    def last_shown(self, row: MarketPrice) -> str:
        return num(row.last, why=str(_("No trade yet")))

    @admin.display(description=_("bid"))
    def bid_shown(self, row: MarketPrice) -> str:
        return num(row.bid, why=str(_("Nobody bids")))

    @admin.display(description=_("ask"))
    def ask_shown(self, row: MarketPrice) -> str:
        return num(row.ask, why=str(_("Nobody asks")))

    @admin.display(description=_("mark price time"), ordering="mark_at")
    def at(self, row: MarketPrice) -> str:
        return moment(row.mark_at)
