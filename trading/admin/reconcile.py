"""Readings of accounts, and news that could not be believed."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import RecordAdmin
from accounts.display import badge, link_to, moment, num
from trading.models import QuarantinedReport, ReconcileRun


@admin.register(ReconcileRun)
class ReconcileRunAdmin(RecordAdmin):
    allowed_lookups = ("account",)

    list_display = ("started", "account_link", "cause", "result", "corrections", "differences")
    list_filter = ("ok", "cause")
    list_select_related = ("account__customer",)
    search_fields = ("account__customer__name", "account__label")
    ordering = ("-started_at",)
    list_per_page = 50

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, row: ReconcileRun) -> str:
        return moment(row.started_at)

    @admin.display(description=_("account"))
    def account_link(self, row: ReconcileRun) -> str:
        return link_to("customers_exchangeaccount", row.account_id, row.account)

    @admin.display(description=_("result"), ordering="ok")
    def result(self, row: ReconcileRun) -> str:
        if row.ok:
            return badge("ok", "check", _("Read in full"))
        if row.finished_at is None:
            return badge("wait", "schedule", _("Running"))
        return badge("warn", "warning", _("Not read in full"), row.error)

    @admin.display(description=_("corrections"), ordering="changes")
    def corrections(self, row: ReconcileRun) -> str:
        return num(row.changes)

    @admin.display(description=_("differences"))
    def differences(self, row: ReconcileRun) -> str:
        return num(len(row.drifts))


@admin.register(QuarantinedReport)
class QuarantinedReportAdmin(RecordAdmin):
    allowed_lookups = ("account",)

    list_display = ("last", "account_link", "kind", "reason", "times", "first")
    list_filter = ("kind",)
    list_select_related = ("account__customer",)
    search_fields = ("kind", "reason", "account__customer__name")
    ordering = ("-last_at",)

    @admin.display(description=_("last"), ordering="last_at")
    def last(self, row: QuarantinedReport) -> str:
        return moment(row.last_at)

    @admin.display(description=_("account"))
    def account_link(self, row: QuarantinedReport) -> str:
        return link_to("customers_exchangeaccount", row.account_id, row.account)

    @admin.display(description=_("times"), ordering="count")
    def times(self, row: QuarantinedReport) -> str:
        return num(row.count)

    @admin.display(description=_("first"), ordering="first_at")
    def first(self, row: QuarantinedReport) -> str:
        return moment(row.first_at)
