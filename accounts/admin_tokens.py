"""API tokens in the back office: made after the password, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
)

from accounts import tokens
from accounts.admin_services import ServiceAdmin, ServiceForm, adopt, confirm, confirmed
from accounts.display import badge, moment, mono
from accounts.enums import ApiScope, Role
from accounts.models import ApiToken, User
from accounts.roles import Ability, scopes_of
from accounts.scope import current_tenant_id
from accounts.stepup import is_fresh, redirect_to_step_up

LONGEST_DAYS = tokens.LONGEST.days


class NewTokenForm(ServiceForm):
    """Whom a program acts for, and what it may; the token itself is made, not typed."""

    field_of: ClassVar[dict[str, str]] = {"lifetime": "days"}

    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=ApiScope.choices,
        initial=[ApiScope.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("No more than this member may do by hand. Customers' tokens only read."),
    )
    days = forms.IntegerField(
        label=_("Days until it expires"),
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
    )


@admin.register(ApiToken)
class ApiTokenAdmin(ServiceAdmin):
    """A program's way in is never changed: it is revoked, and another is made."""

    view_ability = Ability.MANAGE_TOKENS
    add_ability = Ability.MANAGE_TOKENS

    list_display = ("name", "state", "user", "may_do", "begins", "used", "ends", "created_by")
    list_select_related = ("user", "created_by")
    search_fields = ("name", "token_prefix", "user__username")
    search_help_text = _("Name, member or the first letters of the token")
    ordering = ("-created_at", "-pk")
    list_per_page = 50
    add_fieldsets = ((None, {"fields": ("name", "user", "scopes", "days")}),)
    actions = ("revoke",)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewTokenForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.add_fieldsets if obj is None else super().get_fieldsets(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only members who may use the API; others would be refused anyway."""
        if db_field.name == "user":
            roles = [role for role in Role if scopes_of(role)]
            kwargs["queryset"] = User.objects.filter(
                is_active=True,
                memberships__tenant=current_tenant_id(),
                memberships__is_active=True,
                memberships__role__in=roles,
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        if self.has_add_permission(request) and not is_fresh(request):
            return redirect_to_step_up(request)
        # Whatever is pressed, the token is shown: one button is enough.
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = tokens.create_token(
            name=form.cleaned_data["name"],
            user=form.cleaned_data["user"],
            scopes=form.cleaned_data["scopes"],
            lifetime=timedelta(days=form.cleaned_data["days"]),
            actor=request.user,  # type: ignore[arg-type]
        )
        adopt(obj, made.row)
        request.made = made  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Show the token in this answer: it is kept nowhere in clear, not in a message."""
        made: tokens.NewToken = request.made  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Copy this now: it is shown once"),
            "opts": self.opts,
            "original": made.row,
            "secret": made.text,
            "back": reverse("admin:accounts_apitoken_changelist"),
        }
        page = TemplateResponse(request, "admin/accounts/apitoken/secret.html", context)
        page.headers["Cache-Control"] = "no-store"
        return page

    @admin.action(description=_("Revoke"), permissions=["manage_tokens"])
    def revoke(self, request: HttpRequest, queryset: Any) -> Any:
        if not is_fresh(request):
            return redirect_to_step_up(request)
        live = queryset.filter(revoked_at=None)
        reason = confirmed(request)
        if reason is None:
            text = _("Programs that use them are refused from now on. This cannot be undone.")
            title = _("Revoke tokens")
            return confirm(
                self, request, live, title=title, consequences=[text], button=title, danger=True
            )
        rows = list(live)
        for row in rows:
            tokens.revoke_token(token=row, actor=request.user, reason=reason)  # type: ignore[arg-type]
        told = ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", len(rows))
        self.message_user(request, told % {"count": len(rows)})
        return None

    @admin.display(description=_("status"))
    def state(self, row: ApiToken) -> str:
        if row.revoked_at is not None:
            return badge("idle", "block", _("Revoked"))
        if not row.is_live(timezone.now()):
            return badge("warn", "timer_off", _("Expired"))
        return badge("ok", "check", _("Valid"))

    @admin.display(description=_("scopes"))
    def may_do(self, row: ApiToken) -> str:
        return mono(" ".join(row.scopes))

    @admin.display(description=_("begins with"), ordering="token_prefix")
    def begins(self, row: ApiToken) -> str:
        return mono(f"{row.token_prefix}…")

    @admin.display(description=_("last used"), ordering="last_used_at")
    def used(self, row: ApiToken) -> str:
        return moment(row.last_used_at)

    @admin.display(description=_("expires"), ordering="expires_at")
    def ends(self, row: ApiToken) -> str:
        return moment(row.expires_at)
