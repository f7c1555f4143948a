"""The audit trail, with its levels marked and every entry linked to what it is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin import AuditEntryAdmin
from accounts.display import badge, link_to, moment
from accounts.models import AuditEntry
from config.backoffice.dashboard import LEVELS

SPANS: Final = {"1": _("Last 24 hours"), "7": _("Last 7 days"), "30": _("Last 30 days")}

admin.site.unregister(AuditEntry)


class SinceFilter(admin.SimpleListFilter):
    """Plain bounds: a hierarchy of days would need the database to know time zones."""

    title = _("time")
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(SPANS.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in SPANS:
            return queryset
        return queryset.filter(at__gte=timezone.now() - timedelta(days=int(self.value() or 0)))


@admin.register(AuditEntry)
class AuditEntryPage(AuditEntryAdmin):
    date_hierarchy = None  # type: ignore[assignment]

    list_display = ("happened", "weight", "action", "about", "actor_label", "reason")
    list_filter = (SinceFilter, "level", "actor")  # type: ignore[assignment]
    search_help_text = _("Action, object, person or request id")
    list_per_page = 50

    @admin.display(description=_("at"), ordering="at")
    def happened(self, row: AuditEntry) -> str:
        return moment(row.at)

    @admin.display(description=_("level"), ordering="level")
    def weight(self, row: AuditEntry) -> str:
        kind, icon = LEVELS[row.level]
        return badge(kind, icon, row.get_level_display())

    @admin.display(description=_("object"), ordering="object_label")
    def about(self, row: AuditEntry) -> str:
        if not row.object_id:
            return row.object_label
        return link_to(row.object_type.replace(".", "_"), row.object_id, row.object_label)
