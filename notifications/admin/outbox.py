"""The outbox: what was told to whom, how it ended, and a way to try once more."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_base import RecordAdmin
from accounts.admin_services import confirm, confirmed
from accounts.display import link_to, moment, num, two
from notifications import services
from notifications.admin.states import level_badge, outcome_badge, state_badge, told
from notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    allowed_lookups = ("destination", "state", "combined_into")

    list_display = ("what", "created", "to", "weight_shown", "state_shown", "tries", "error")
    list_filter = ("state", "level", "destination")
    list_select_related = ("destination",)
    search_fields = ("kind", "destination__name")
    search_help_text = _("Kind or destination")
    ordering = ("-id",)
    list_per_page = 50
    actions = ("send_again",)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        row = kwargs.get("obj") or (args[-1] if args else None)
        if row is not None:
            context |= {
                "notification": row,
                "told": told(row),
                "state_html": state_badge(row),
                "level_html": level_badge(row),
                "log": [(attempt, outcome_badge(attempt)) for attempt in row.log.order_by("id")],
                "combined": row.combined.count(),
                "has_story": True,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("message"), ordering="kind")
    def what(self, row: Notification) -> str:
        return two(told(row), row.params.get("object") or "—")

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, row: Notification) -> str:
        return moment(row.created_at)

    @admin.display(description=_("to"), ordering="destination__name")
    def to(self, row: Notification) -> str:
        return link_to("notifications_destination", row.destination_id, row.destination)

    @admin.display(description=_("level"), ordering="weight")
    def weight_shown(self, row: Notification) -> str:
        return level_badge(row)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, row: Notification) -> str:
        return state_badge(row)

    @admin.display(description=_("tries"), ordering="attempts")
    def tries(self, row: Notification) -> str:
        return num(row.attempts)

    @admin.display(description=_("last error"))
    def error(self, row: Notification) -> str:
        return row.last_error or "—"

    @admin.action(description=_("Send again"), permissions=["manage_notifications"])
    def send_again(self, request: HttpRequest, queryset: Any) -> Any:
        if confirmed(request) is None:
            title = _("Send messages again")
            return confirm(
                self,
                request,
                queryset,
                title=title,
                consequences=[
                    _("Given up, dropped and unknown ones are sent; the others stay as they are."),
                    _("One whose outcome is unknown may arrive a second time."),
                ],
                button=title,
                ask_reason=False,
            )
        count = services.send_again(notifications=queryset, actor=request.user)  # type: ignore[arg-type]
        text = ngettext("%(n)d message waits to be sent.", "%(n)d messages wait to be sent.", count)
        level = messages.SUCCESS if count else messages.INFO
        self.message_user(request, text % {"n": count}, level)
        return None
