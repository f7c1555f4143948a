"""Who is alive, who does which job, and which private sockets are open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import CharField, OuterRef, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.display import age, badge, link_to, moment
from customers.models import ExchangeAccount
from trading.admin.base import GlobalRecordAdmin
from trading.models import Heartbeat, JobLease, StreamLease

QUIET_AFTER: Final = timedelta(seconds=30)


@admin.register(Heartbeat)
class HeartbeatAdmin(GlobalRecordAdmin):
    list_display = ("kind", "alive", "heard", "running", "host", "pid", "note")
    list_filter = ("kind",)
    ordering = ("kind", "-beat_at")

    @admin.display(description=_("state"))
    def alive(self, row: Heartbeat) -> str:
        if timezone.now() - row.beat_at > QUIET_AFTER:
            return badge("warn", "warning", _("Silent"))
        return badge("ok", "check", _("Alive"))

    @admin.display(description=_("last heard"), ordering="beat_at")
    def heard(self, row: Heartbeat) -> str:
        return moment(row.beat_at)

    @admin.display(description=_("running for"), ordering="started_at")
    def running(self, row: Heartbeat) -> str:
        return age(row.beat_at - row.started_at)


@admin.register(JobLease)
class JobLeaseAdmin(GlobalRecordAdmin):
    list_display = ("name", "held", "last_run")
    ordering = ("name",)

    @admin.display(description=_("held until"), ordering="until")
    def held(self, row: JobLease) -> str:
        return moment(row.until)

    @admin.display(description=_("last run"), ordering="ran_at")
    def last_run(self, row: JobLease) -> str:
        return moment(row.ran_at)


@admin.register(StreamLease)
class StreamLeaseAdmin(GlobalRecordAdmin):
    """The table is shared, so the rows are narrowed to the accounts of the desk at hand."""

    list_display = ("account", "socket", "reason", "since", "news")
    list_filter = ("state",)
    ordering = ("account_id",)
    readonly_fields = ("account",)

    def get_queryset(self, request: HttpRequest) -> Any:
        if getattr(request, "tenant", None) is None:
            return StreamLease.objects.none()
        own = ExchangeAccount.objects.filter(pk=OuterRef("account_id"))
        return StreamLease.objects.filter(
            account_id__in=ExchangeAccount.objects.order_by().values("pk")
        ).annotate(
            label=Subquery(own.values("label")[:1], output_field=CharField()),
            customer=Subquery(own.values("customer__name")[:1], output_field=CharField()),
        )

    @admin.display(description=_("account"), ordering="customer")
    def account(self, row: Any) -> str:
        return link_to("customers_exchangeaccount", row.account_id, f"{row.customer} / {row.label}")

    @admin.display(description=_("socket"), ordering="state")
    def socket(self, row: StreamLease) -> str:
        if row.state in {"ready", "live", "connected"}:
            return badge("ok", "check", _("Connected"))
        return badge("warn", "sync_problem", _("Not connected"), row.state)

    @admin.display(description=_("since"), ordering="changed_at")
    def since(self, row: StreamLease) -> str:
        return moment(row.changed_at)

    @admin.display(description=_("last news"), ordering="last_event_at")
    def news(self, row: StreamLease) -> str:
        return moment(row.last_event_at)
