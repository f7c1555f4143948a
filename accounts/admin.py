"""Admin pages of this room: desks, people, the diary and open approvals."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import approvals
from accounts.admin_base import RecordAdmin
from accounts.admin_people import HelpMixin, with_second_factor
from accounts.admin_tokens import ApiTokenAdmin  # noqa: F401 - importing it registers it
from accounts.enums import Role
from accounts.models import Approval, AuditEntry, Installation, Membership, Tenant, User
from accounts.roles import Ability, may
from accounts.scope import current_tenant_id
from accounts.services import add_member, remove_member
from accounts.stepup import is_fresh, redirect_to_step_up
from accounts.two_factor import end_sessions

if admin.site.is_registered(Group):  # roles are memberships
    admin.site.unregister(Group)


class GlobalAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows above the desks: superusers only, and never deleted."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return GlobalAdmin.has_view_permission(self, request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return GlobalAdmin.has_view_permission(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Who may not look is refused before the row is looked for: else it told whether it is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        history: HttpResponse = super().history_view(request, object_id, extra_context)
        return history


@admin.register(Installation)
class InstallationAdmin(GlobalAdmin):
    list_display = ("name", "switch_version")
    readonly_fields = ("switch_version",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Tenant)
class TenantAdmin(GlobalAdmin):
    list_display = ("name", "slug", "status", "timezone", "created_at")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    readonly_fields = ("uid", "switch_version", "created_at")
    prepopulated_fields = {"slug": ("name",)}


@admin.register(User)
class UserAdmin(HelpMixin, DjangoUserAdmin, GlobalAdmin):
    """Managers see their desk's people; only superusers change the person behind the member."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    list_display = (
        "username", "email", "first_name", "last_name", "is_active", "second_factor", "last_login",
    )  # fmt: skip
    list_filter = ("is_active",)
    search_fields = ("username", "email", "first_name", "last_name")
    ordering = ("username",)
    readonly_fields = ("uid", "last_login", "date_joined")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "uid")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "language")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )
    actions = ("unlock", "remove_second_factor")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        rows = with_second_factor(super().get_queryset(request))
        if request.user.is_superuser:
            return rows
        return rows.filter(memberships__tenant=current_tenant_id())

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return GlobalAdmin.has_view_permission(self, request) or may(request, Ability.MANAGE_STAFF)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            end_sessions(obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if request.user.is_superuser:
            return super().get_fieldsets(request, obj)
        return ((None, {"fields": ("username", "first_name", "last_name", "email", "is_active")}),)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup.partition("__")[0] in {"is_active", "id", "pk"}


@admin.register(Membership)
class MembershipAdmin(GlobalAdmin):
    """Managers of a desk decide who may do what in it; a member is switched off, not deleted."""

    list_display = ("user", "role", "is_active", "created_at")
    list_filter = ("role", "is_active")
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__email")
    ordering = ("user__username",)
    readonly_fields = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Membership]:
        rows: models.QuerySet[Membership] = super().get_queryset(request)
        tenant_id = current_tenant_id()
        if tenant_id is None:
            return rows if request.user.is_superuser else rows.none()
        return rows.filter(tenant=tenant_id)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return GlobalAdmin.has_view_permission(self, request) or self._manages(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        itself = obj is not None and obj.user_id == request.user.pk
        return self.has_view_permission(request, obj) and not itself

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("user", "tenant") if obj else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if obj.is_active:
            obj.pk = add_member(user=obj.user, tenant=obj.tenant, role=Role(obj.role)).pk
        else:
            if change:
                remove_member(membership=obj)
            super().save_model(request, obj, form, change)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup.partition("__")[0] in {"role", "is_active", "id", "pk"}

    def _manages(self, request: HttpRequest, obj: Any) -> bool:
        own = obj is None or obj.tenant_id == current_tenant_id()
        return own and may(request, Ability.MANAGE_STAFF)


@admin.register(AuditEntry)
class AuditEntryAdmin(RecordAdmin):
    view_ability = Ability.VIEW_AUDIT
    allowed_lookups = ("object_type", "object_id", "request_id")

    list_display = ("at", "level", "action", "object_label", "actor_label", "reason")
    list_filter = ("level", "actor")
    list_select_related = ("actor",)
    search_fields = ("action", "object_label", "actor_label", "request_id")
    date_hierarchy = "at"
    ordering = ("-at", "-id")


@admin.register(Approval)
class ApprovalAdmin(RecordAdmin):
    list_display = ("action", "status", "requested_by", "requested_at", "approved_by", "expires_at")
    list_filter = ("status", "requested_by")
    list_select_related = ("requested_by", "approved_by")
    search_fields = ("action", "object_id", "reason")
    ordering = ("-requested_at",)
    actions = ("approve_selected", "refuse_selected")

    @admin.action(description=_("Approve"), permissions=["approve"])
    def approve_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._decide(request, queryset, approvals.approve)

    @admin.action(description=_("Refuse"), permissions=["approve"])
    def refuse_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._decide(request, queryset, approvals.refuse)

    def _decide(self, request: HttpRequest, queryset: Any, decide: Any) -> HttpResponse | None:
        if not is_fresh(request):
            return redirect_to_step_up(request)
        done = 0
        for approval in queryset:
            try:
                decide(approval=approval, by=request.user)
            except approvals.ApprovalError as error:
                self.message_user(request, f"{approval}: {error}", messages.WARNING)
            else:
                done += 1
        text = ngettext("%(count)d request decided.", "%(count)d requests decided.", done)
        self.message_user(request, text % {"count": done})
        return None
