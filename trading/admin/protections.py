"""Take profits and stop losses, with what was asked of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import RecordAdmin
from accounts.display import badge, link_to, moment, num, two
from accounts.roles import Ability, may
from trading.admin.asking import protection_page
from trading.admin.states import side_mark, whose
from trading.enums import ProtectionState
from trading.models import Action, Protection

_LOOKS = {
    ProtectionState.WAITING: ("wait", "schedule"),
    ProtectionState.LIVE: ("ok", "shield"),
    ProtectionState.TRIGGERED: ("idle", "done"),
    ProtectionState.CANCELED: ("idle", "block"),
    ProtectionState.FAILED: ("danger", "dangerous"),
}


@admin.register(Protection)
class ProtectionAdmin(RecordAdmin):
    live_streams = "orders"
    allowed_lookups = ("account", "account__customer", "cycle", "inst_id")

    list_display = (
        "instrument", "status", "profit", "loss", "closes", "customer", "created", "order_link",
    )  # fmt: skip
    list_filter = ("state", "triggered_by")
    list_select_related = ("account__customer", "order")
    search_fields = ("inst_id", "client_algo_id", "exchange_algo_id", "account__customer__name")
    search_help_text = _("Instrument, customer or id")
    ordering = ("-created_at", "-id")
    list_per_page = 50

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(protection_page, self))
        place = path("<uuid:object_id>/ask/", view, name="trading_protection_ask")
        return [place, *super().get_urls()]

    @admin.display(description=_("instrument"), ordering="inst_id")
    def instrument(self, row: Protection) -> str:
        return two(row.inst_id, side_mark(row.side, row.position_side))

    @admin.display(description=_("state"), ordering="state")
    def status(self, row: Protection) -> str:
        kind, icon = _LOOKS[ProtectionState(row.state)]
        return badge(kind, icon, row.get_state_display(), row.reason)

    @admin.display(description=_("take profit"))
    def profit(self, row: Protection) -> str:
        return num(row.take_profit, why=str(_("None")))

    @admin.display(description=_("stop loss"))
    def loss(self, row: Protection) -> str:
        return num(row.stop_loss, why=str(_("None")))

    @admin.display(description=_("quantity"))
    def closes(self, row: Protection) -> str:
        return num(row.quantity)

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Protection) -> str:
        return whose(row.account)

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, row: Protection) -> str:
        return moment(row.created_at)

    @admin.display(description=_("came with"))
    def order_link(self, row: Protection) -> str:
        if row.order is None:
            return str(_("placed on a position"))
        return link_to("trading_order", row.order_id, row.order)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        kept = kwargs.get("obj") or args[-1]
        context |= {
            "has_story": True,
            "kept": kept,
            "protections": [kept],
            "may_ask": may(request, Ability.OPERATE_ORDERS),
            "actions": actions_of(protection=kept),
        }
        return super().render_change_form(request, context, *args, **kwargs)


def actions_of(**match: Any) -> list[Action]:
    rows = Action.objects.filter(**match).select_related("entered_by")
    return list(rows.prefetch_related("attempts").order_by("-created_at")[:20])
