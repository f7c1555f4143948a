"""Audits of the books: what was compared, what differs, and where to go from there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_base import RecordAdmin
from accounts.display import badge, link_to, moment, num
from customers.models import ExchangeAccount
from trading.models import LedgerAudit, Order

PROMISES: Final[Mapping[str, Any]] = {
    "I1": _("No order is at the exchange twice"),
    "I2": _("No order is lost, on either side"),
    "I3": _("States and filled quantities agree"),
    "I4": _("Every fill is on both sides, once"),
    "I5": _("Positions are the sum of the fills"),
    "I6": _("Orders were accepted in their order"),
    "I7": _("Nothing after a halt or a deadline"),
    "I8": _("Every order is its desk's own"),
    "I9": _("Every signal was copied to its end"),
    "I10": _("Nothing is left unknown"),
}


@admin.register(LedgerAudit)
class LedgerAuditAdmin(RecordAdmin):
    list_display = (
        "started", "result", "looked_at", "order_count", "fill_count", "moving", "not_seen",
    )  # fmt: skip
    list_filter = ("is_clean",)
    list_select_related = ("account__customer",)
    ordering = ("-started_at", "-pk")
    list_per_page = 50

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, row: LedgerAudit) -> str:
        return moment(row.started_at)

    @admin.display(description=_("result"), ordering="is_clean")
    def result(self, row: LedgerAudit) -> str:
        return result_badge(row)

    @admin.display(description=_("accounts"))
    def looked_at(self, row: LedgerAudit) -> str:
        return str(row.account) if row.account_id else num(row.accounts)

    @admin.display(description=_("orders"))
    def order_count(self, row: LedgerAudit) -> str:
        return num(row.orders)

    @admin.display(description=_("fills"))
    def fill_count(self, row: LedgerAudit) -> str:
        return num(row.fills)

    @admin.display(description=_("in flight"))
    def moving(self, row: LedgerAudit) -> str:
        return num(row.in_flight_count)

    @admin.display(description=_("not to be seen"))
    def not_seen(self, row: LedgerAudit) -> str:
        return num(row.unseen_count)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        context |= audit_story(kwargs.get("obj") or args[-1])
        return super().render_change_form(request, context, *args, **kwargs)


def result_badge(row: LedgerAudit) -> str:
    if not row.is_clean:
        count = row.finding_count
        words = ngettext("%(n)d finding", "%(n)d findings", count) % {"n": count}
        return badge("danger", "dangerous", words)
    if row.unread:
        words = ngettext("%(n)d account not read", "%(n)d accounts not read", len(row.unread))
        return badge("warn", "warning", words % {"n": len(row.unread)})
    return badge("ok", "check", _("Clean"))


def audit_story(row: LedgerAudit) -> dict[str, Any]:
    """Each promise with its findings, and what was in flight or out of sight, with links."""
    findings, moving, unseen, unread = (
        row.told(listed) for listed in (row.findings, row.in_flight, row.unseen, row.unread)
    )
    notes = [*findings, *moving, *unseen, *unread]
    accounts = ExchangeAccount.objects.filter(
        pk__in={note["account_id"] for note in notes if "account_id" in note}
    ).select_related("customer")
    orders = Order.objects.filter(pk__in={note["order_id"] for note in notes if "order_id" in note})
    shown = partial(_shown, {a.pk: a for a in accounts}, {str(o.pk): o for o in orders})
    others = (
        (_("Accounts that could not be read"), len(unread), unread),
        (_("In flight while it ran"), row.in_flight_count, moving),
        (_("Longer ago than the exchange tells"), row.unseen_count, unseen),
    )
    return {
        "has_story": True,
        "row": row,
        "result_html": result_badge(row),
        "promises": [(key, words, row.counts.get(key, 0)) for key, words in PROMISES.items()],
        "findings": [shown(found) for found in findings],
        "others": [(title, n, [shown(note) for note in told]) for title, n, told in others if n],
    }


def _shown(
    accounts: Mapping[int, ExchangeAccount], orders: Mapping[str, Order], found: Mapping[str, Any]
) -> dict[str, Any]:
    account = accounts.get(found.get("account_id", 0))
    order = orders.get(found.get("order_id", ""))
    signal = found.get("signal_id")
    return {
        "promise": found.get("promise", ""),
        "what": found.get("what", "").replace("_", " "),
        "detail": found["detail"],
        "account": link_to("customers_exchangeaccount", account.pk, account) if account else "",
        "order": link_to("trading_order", order.pk, order) if order else "",
        "signal": link_to("signals_signal", signal, _("Signal")) if signal else "",
    }
