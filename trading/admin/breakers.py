"""Breakers: what stops openings by itself, and the one thing a person may do about it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import RecordAdmin
from accounts.admin_services import confirm, confirmed
from accounts.display import badge, link_to, moment, num
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from trading.breakers import reset_breaker
from trading.enums import BreakerState
from trading.models import Breaker

STATES = {
    BreakerState.CLOSED: ("ok", "check"),
    BreakerState.OPEN: ("danger", "electrical_services"),
    BreakerState.HALF_OPEN: ("warn", "hourglass_top"),
}


@admin.register(Breaker)
class BreakerAdmin(RecordAdmin):
    allowed_lookups = ("account",)

    list_display = ("place", "state_shown", "why", "opened", "next_try", "closed", "times")
    list_filter = ("state", "cause", "market")
    list_select_related = (
        "account__customer", "tenant", "subscription__account__customer", "subscription__strategy",
    )  # fmt: skip
    search_fields = ("account__customer__name", "account__label", "reason")
    ordering = ("-opened_at",)
    actions = ("close_now",)

    @admin.display(description=_("stands for"))
    def place(self, row: Breaker) -> Any:
        if row.subscription is not None:
            return link_to("strategies_subscription", row.subscription.pk, row.subscription)
        if row.account_id is None:
            return row.get_market_display()
        return link_to("customers_exchangeaccount", row.account_id, row.account)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, row: Breaker) -> str:
        kind, icon = STATES[BreakerState(row.state)]
        return badge(kind, icon, row.get_state_display())

    @admin.display(description=_("because"))
    def why(self, row: Breaker) -> str:
        return row.reason or row.get_cause_display()

    @admin.display(description=pgettext_lazy("breaker", "opened"), ordering="opened_at")
    def opened(self, row: Breaker) -> str:
        return moment(row.opened_at)

    @admin.display(description=_("next try"), ordering="probe_at")
    def next_try(self, row: Breaker) -> str:
        return moment(row.probe_at)

    @admin.display(description=_("closed"), ordering="closed_at")
    def closed(self, row: Breaker) -> str:
        return moment(row.closed_at)

    @admin.display(description=_("times opened"), ordering="times_opened")
    def times(self, row: Breaker) -> str:
        return num(row.times_opened)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may(request, Ability.LOOSEN_SWITCH)

    @admin.action(description=_("Close without waiting"), permissions=("operate",))
    def close_now(self, request: HttpRequest, queryset: Any) -> Any:
        if not is_fresh(request):
            return redirect_to_step_up(request)
        reason = confirmed(request)
        rows = queryset.exclude(state=BreakerState.CLOSED)
        if not reason:
            return confirm(
                self,
                request,
                rows,
                title=gettext("Close breakers"),
                consequences=[
                    gettext("Openings go on at once, without the exchange having been asked."),
                    gettext("A breaker opens again as soon as its cause is seen again."),
                ],
                button=gettext("Close them"),
                danger=True,
            )
        self._close(request, rows, reason)
        return None

    def _close(self, request: HttpRequest, rows: Any, reason: str) -> None:
        closed = 0
        for row in rows:
            if row.tenant_id is None and not request.user.is_superuser:
                text = gettext("%(what)s: only an administrator of the installation may close it.")
                self.message_user(request, text % {"what": row}, messages.WARNING)
                continue
            closed += reset_breaker(row, reason=reason, actor=request.user)  # type: ignore[arg-type]
        text = ngettext("%(n)d breaker was closed.", "%(n)d breakers were closed.", closed)
        level = messages.SUCCESS if closed else messages.INFO
        self.message_user(request, text % {"n": closed}, level)
