"""Leader accounts in the back office: their keys, how they are heard and what they hold."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin_services import adopt
from accounts.display import badge, moment, num
from customers.admin import apply_to_rows
from customers.admin_keys import KeyedAdmin, KeyForm, market_badge
from customers.enums import Market
from signals import leaders
from signals.enums import ApprovalRule, LeaderLink
from signals.models import LeaderAccount, LeaderPosition
from signals.services import Waiting

RECENT = 20
_LINKS = {
    LeaderLink.WAITING: ("idle", "schedule"),
    LeaderLink.CONNECTED: ("ok", "cable"),
    LeaderLink.POLLING: ("warn", "sync"),
    LeaderLink.STALE: ("danger", "cloud_off"),
    LeaderLink.ERROR: ("danger", "dangerous"),
}


def leader_badge(leader: LeaderAccount) -> str:
    kind, icon = _LINKS[LeaderLink(leader.link)]
    return badge(kind, icon, leader.get_link_display())


class NewLeaderForm(KeyForm):
    """A source and the account that it watches are added as one."""

    name = forms.CharField(label=_("Name"), max_length=80, widget=UnfoldAdminTextInputWidget)
    market = forms.ChoiceField(
        label=_("Market"), choices=Market.choices, widget=UnfoldAdminSelectWidget
    )
    approval = forms.ChoiceField(
        label=_("Approval"),
        choices=ApprovalRule.choices,
        initial=ApprovalRule.NONE,
        widget=UnfoldAdminSelectWidget,
        help_text=_("What waits until a person approves it. Cancels never wait."),
    )
    approval_seconds = forms.IntegerField(
        label=_("Openings wait for at most"),
        initial=300,
        min_value=10,
        max_value=86_400,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Seconds."),
    )


@admin.register(LeaderAccount)
class LeaderAccountAdmin(KeyedAdmin):
    called = "leader"

    list_display = (
        "name_shown", "link_shown", "key_shown", "market_shown", "mode", "equity_shown",
        "heard",
    )  # fmt: skip
    list_filter = ("link", "key_status")
    list_select_related = ("source",)
    search_fields = ("source__name", "key_last4", "exchange_uid")
    search_help_text = _("Name, last four of the key or OKX user id")
    ordering = ("source__name",)
    fieldsets = (
        (
            _("API key"),
            {
                "description": _(
                    "One that only reads is enough. A key that may withdraw is refused."
                ),
                "fields": ("new_api_key", ("new_api_secret", "new_passphrase")),
            },
        ),
    )
    add_fieldsets = (
        (None, {"fields": (("name", "market"),)}),
        *fieldsets,
        (_("Approval"), {"fields": (("approval", "approval_seconds"),)}),
    )
    actions = ("recheck",)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewLeaderForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        # The record above is headed "API key" already.
        replacing = ((_("Replace the API key"), self.fieldsets[0][1]),)
        return replacing if self.has_change_permission(request, obj) else ()

    def page_of(self, row: LeaderAccount) -> dict[str, Any]:
        return {
            "link_html": leader_badge(row),
            "market_html": market_badge(row.source),
            "holdings": _holdings(row),
            "trades": list(row.trades.all()[:RECENT]),
        }

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        keys, actor = form.keys(), request.user
        if change:
            if any(keys.values()):
                adopt(obj, leaders.set_leader_keys(leader=obj, keys=keys, actor=actor))  # type: ignore[arg-type]
            return
        terms = form.cleaned_data
        made = leaders.create_leader_source(
            name=terms["name"],
            market=Market(terms["market"]),
            keys=keys,
            waiting=Waiting(ApprovalRule(terms["approval"]), terms["approval_seconds"]),
            actor=actor,  # type: ignore[arg-type]
        )
        adopt(obj, made)

    @admin.display(description=_("leader"), ordering="source__name")
    def name_shown(self, row: LeaderAccount) -> str:
        return row.source.name

    @admin.display(description=_("link"), ordering="link")
    def link_shown(self, row: LeaderAccount) -> str:
        return leader_badge(row)

    @admin.display(description=_("market"), ordering="source__market")
    def market_shown(self, row: LeaderAccount) -> str:
        return market_badge(row.source)

    @admin.display(description=_("equity"))
    def equity_shown(self, row: LeaderAccount) -> str:
        return num(row.equity, 2, unit="USDT", why=str(_("Not read yet")))

    @admin.display(description=_("last activity"), ordering="heard_at")
    def heard(self, row: LeaderAccount) -> str:
        return moment(row.heard_at)

    @admin.action(description=_("Check the key again"), permissions=["manage_keys"])
    def recheck(self, request: HttpRequest, queryset: Any) -> Any:
        run = partial(leaders.recheck_leader_keys, actor=request.user)  # type: ignore[arg-type]
        return apply_to_rows(self, request, queryset, lambda row: run(leader=row))


def _holdings(leader: LeaderAccount) -> list[tuple[Any, Any]]:
    """What it holds, beside where the signals lead that were copied of it."""
    rows = LeaderPosition.objects.filter(source_id=leader.source_id, scope_key="")
    copied = {(row.inst_id, row.direction): row.quantity for row in rows}
    held = leader.holdings.filter(quantity__gt=0)
    return [(row, copied.get((row.inst_id, row.direction))) for row in held]
