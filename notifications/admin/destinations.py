"""Destinations in the back office: where to, of what, and a button to try it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.admin_base import TenantInline
from accounts.admin_services import ServiceAdmin
from accounts.display import moment, two
from accounts.roles import Ability
from accounts.stepup import is_fresh, redirect_to_step_up
from customers.admin import apply_to_rows
from notifications import services
from notifications.admin.forms import SECRET_FIELDS, DestinationForm, RuleForm
from notifications.admin.states import destination_badge, outcome_badge, state_badge, told
from notifications.enums import DestinationStatus, Kind
from notifications.models import Destination, NotificationRule

RECENT = 10
_MAIL = "kind == 'email'"
_ROBOT = "kind != 'email'"


class RuleInline(TenantInline):
    model = NotificationRule
    form = RuleForm
    change_ability = Ability.MANAGE_NOTIFICATIONS
    verbose_name_plural = _("Told of")
    fields = ("minimum_level", "kinds", "is_active")
    show_change_link = False

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 0 if obj else 1


@admin.register(Destination)
class DestinationAdmin(ServiceAdmin):
    change_ability = Ability.MANAGE_NOTIFICATIONS
    form = DestinationForm
    conditional_fields = {
        **dict.fromkeys(("recipients", "sender", "smtp_host", "smtp_port"), _MAIL),
        **dict.fromkeys(("smtp_security", "smtp_user", "new_smtp_password"), _MAIL),
        "new_robot_token": _ROBOT,
        "new_signing_secret": "kind == 'dingtalk'",
    }

    list_display = ("name_shown", "state", "kind", "language", "token_end", "last_sent", "since")
    list_filter = ("status", "kind")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": (("name", "kind"), "language")}),
        (
            _("Where to"),
            {"fields": ("recipients", "new_robot_token", "new_signing_secret")},
        ),
        (
            _("A mail server of your own"),
            {
                "description": _("For e-mail. Left empty, the installation's server is used."),
                "fields": (
                    ("smtp_host", "smtp_port", "smtp_security"),
                    ("smtp_user", "new_smtp_password"),
                    "sender",
                ),
            },
        ),
    )
    inlines = (RuleInline,)
    actions = ("enable", "pause")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.test_message)
        name = "notifications_destination_test"
        return [path("<int:object_id>/test/", view, name=name), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": ("name", "kind", "language", "recipients")}),)
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets[:2] if obj and obj.kind != Kind.EMAIL else fieldsets

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Who changes where alarms go proves first that it is them."""
        if request.method == "POST" and not is_fresh(request) and self._may_save(request):
            return redirect_to_step_up(request)
        context = {"must_confirm": not is_fresh(request), **(extra_context or {})}
        return _guarded(request, partial(self._changeform, object_id, form_url, context))

    def _changeform(
        self, object_id: str | None, form_url: str, context: dict[str, Any], request: HttpRequest
    ) -> Any:
        return super().changeform_view(request, object_id, form_url, context)

    def _may_save(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) or self.has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        names = [name for name in form.changed_data if name not in SECRET_FIELDS.values()]
        if change and not form.changed_data:
            return
        services.save_destination(
            destination=obj,
            secrets=form.secrets(),
            changed=names,
            actor=request.user,  # type: ignore[arg-type]
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        rules = [*formset.new_objects, *(row for row, _fields in formset.changed_objects)]
        if not change and not rules:
            rules = [NotificationRule()]  # everything from level warning on
        services.save_rules(destination=form.instance, rules=rules, actor=request.user)  # type: ignore[arg-type]
        formset.save_m2m()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        row = kwargs.get("obj") or (args[-1] if args else None)
        if row is not None:
            log = row.log.select_related("notification").order_by("-id")[:RECENT]
            context |= {
                "destination": row,
                "state_html": destination_badge(row),
                "log": [(row, told(row.notification), outcome_badge(row)) for row in log],
                "may_change": self.has_change_permission(request, row),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def test_message(self, request: HttpRequest, object_id: int) -> TemplateResponse:
        """Ask, send one message, and show how it ended."""
        row = self.get_object(request, str(object_id))
        if row is None or not self.has_change_permission(request, row):
            raise Http404
        sent = None
        if request.method == "POST":
            sent = services.send_test(destination=row, actor=request.user)  # type: ignore[arg-type]
            row.refresh_from_db()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Send a test message"),
            "opts": self.opts,
            "original": row,
            "state_html": destination_badge(row),
            "sent": sent,
            "sent_html": state_badge(sent) if sent else "",
            "attempt": sent.log.first() if sent else None,
        }
        return TemplateResponse(request, "admin/notifications/destination/test.html", context)

    @admin.display(description=_("name"), ordering="name")
    def name_shown(self, row: Destination) -> str:
        return two(row.name, row.status_reason or "—")

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Destination) -> str:
        return destination_badge(row)

    @admin.display(description=_("token ends in"))
    def token_end(self, row: Destination) -> str:
        return f"••••{row.token_last4}" if row.token_last4 else "—"

    @admin.display(description=_("last sent"), ordering="last_sent_at")
    def last_sent(self, row: Destination) -> str:
        return moment(row.last_sent_at)

    @admin.display(description=_("status since"), ordering="status_at")
    def since(self, row: Destination) -> str:
        return moment(row.status_at)

    @admin.action(description=_("Enable"), permissions=["manage_notifications"])
    def enable(self, request: HttpRequest, queryset: Any) -> None:
        self._set(request, queryset, DestinationStatus.ENABLED)

    @admin.action(description=_("Pause"), permissions=["manage_notifications"])
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        self._set(request, queryset, DestinationStatus.PAUSED)

    def _set(self, request: HttpRequest, queryset: Any, status: DestinationStatus) -> None:
        terms: Any = {"status": status, "actor": request.user}
        run = partial(services.set_destination_status, **terms)
        apply_to_rows(self, request, queryset, lambda row: run(destination=row))


@sensitive_post_parameters(*SECRET_FIELDS.values())
def _guarded(request: HttpRequest, view: Any) -> Any:
    """What is typed as a secret stays out of reports of errors."""
    return view(request)
