"""The admin classes of tenant tables: rows, choices, filters and actions of one desk only."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import FieldListFilter
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from accounts import audit
from accounts.enums import AuditLevel
from accounts.fields import EncryptedTextField
from accounts.forms import TenantModelForm
from accounts.models import Membership, Tenant, User
from accounts.roles import Ability, may
from accounts.scope import current_scope, current_tenant_id
from accounts.tenancy import TenantModel

_FILTER_LOOKUPS = {
    *("exact", "in", "isnull", "gt", "gte", "lt", "lte", "range"),
    *("date", "year", "month", "day", "id", "pk"),
}
_HIDDEN_PARTS = {"tenant", "tenant_id", "password"}


def admin_link(obj: models.Model | None, text: str | None = None) -> SafeString | str:
    """A link to the object's admin page; its text alone where it has none."""
    if obj is None:
        return "-"
    label = str(obj) if text is None else text
    try:
        url = reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])
    except NoReverseMatch:
        return label
    return format_html('<a href="{}">{}</a>', url, label)


class ScopedChoicesMixin:
    """Foreign keys offer rows of this desk; of the global tables, only its own people."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", choices_in_scope(db_field.related_model))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", choices_in_scope(db_field.related_model))
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]


def choices_in_scope(model: type[models.Model]) -> models.QuerySet[Any]:
    """The rows of this table that may be offered in the open scope."""
    rows = model._default_manager.all()
    scope = current_scope()
    if scope is None or scope.is_all:
        return rows
    if issubclass(model, User):
        return rows.filter(memberships__tenant=scope.tenant_id)
    if issubclass(model, Membership):
        return rows.filter(tenant=scope.tenant_id)
    if issubclass(model, Tenant):
        return rows.filter(pk=scope.tenant_id)
    return rows


class TenantModelAdmin(ScopedChoicesMixin, ModelAdmin):  # type: ignore[misc]
    """One desk's rows. Abilities decide what is shown; nothing is deleted unless `deletable`.

    Actions name an ability as their permission: `@admin.action(permissions=["operate_orders"])`.
    """

    view_ability: ClassVar[Ability] = Ability.VIEW_DESK
    change_ability: ClassVar[Ability | None] = None
    add_ability: ClassVar[Ability | None] = None
    deletable: ClassVar[bool] = False
    allowed_lookups: ClassVar[tuple[str, ...]] = ()
    writes_diary: ClassVar[bool] = True
    # Streams that renew the list while it is looked at; docs/live.md.
    live_streams: ClassVar[str] = ""

    form = TenantModelForm
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset(request)
        return rows.none() if current_scope() is None else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Outside every desk none of its rows exists, whatever a page adds to the query."""
        if current_scope() is None and issubclass(self.model, TenantModel):
            return None
        return super().get_object(request, object_id, from_field)

    def get_ordering(self, request: HttpRequest) -> Any:
        return super().get_ordering(request) or self.opts.ordering or ("-pk",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.view_ability) and _readable(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        ability = self.change_ability
        return ability is not None and may(request, ability) and _own(obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        ability = self.add_ability or self.change_ability
        return ability is not None and may(request, ability)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.deletable and self.has_change_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Foreign keys named alone offer only what occurs in the rows shown."""
        filters = super().get_list_filter(request)
        return [self._related_only(item) for item in filters]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what a filter offers: any other field in the address could be probed."""
        parts = lookup.split("__")
        if _HIDDEN_PARTS & set(parts) or self._is_secret(parts[0]):
            return False
        if not self._is_field(parts[0]):
            return bool(super().lookup_allowed(lookup, value, request))
        return any(_offered(lookup, name) for name in self._lookups(request))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change and obj.tenant_id is None:
            obj.tenant_id = current_tenant_id()
        super().save_model(request, obj, form, change)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """The diary of this object; absent and foreign objects are answered alike."""
        obj = self.get_object(request, object_id)
        if obj is None:
            absent: HttpResponse = self._get_obj_does_not_exist_redirect(
                request, self.opts, object_id
            )
            return absent
        if not self.has_view_permission(request, obj) or not may(request, Ability.VIEW_AUDIT):
            raise PermissionDenied
        query = urlencode({"object_type": self.opts.label_lower, "object_id": obj.pk})
        return HttpResponseRedirect(f"{reverse('admin:accounts_auditentry_changelist')}?{query}")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        self._note("added", obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        self._note("changed", obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self._note("deleted", obj, [])

    def _note(self, what: str, obj: Any, message: Any) -> None:
        """The diary instead of Django's own log, which knows no desks."""
        if self.writes_diary:
            after = {"changes": message} if message else {}
            audit.record(
                action=f"{obj._meta.model_name}.{what}",
                obj=obj,
                after=after,
                level=AuditLevel.NOTICE,
            )

    def _related_only(self, item: Any) -> Any:
        if isinstance(item, str) and "__" not in item and self._is_relation(item):
            return item, admin.RelatedOnlyFieldListFilter
        return item

    def _lookups(self, request: HttpRequest | None) -> list[str]:
        names = ["pk", self.opts.pk.name, *self.allowed_lookups]
        if self.date_hierarchy:
            names.append(self.date_hierarchy)
        for item in self.get_list_filter(request) if request else self.list_filter:
            name: Any = item[0] if isinstance(item, (tuple, list)) else item
            if isinstance(name, str):
                names.append(name)
            elif isinstance(name, type) and not issubclass(name, FieldListFilter):
                names.append(str(getattr(name, "parameter_name", "")))
        return names

    def _is_field(self, name: str) -> bool:
        return name == "pk" or self._field(name) is not None

    def _is_relation(self, name: str) -> bool:
        field = self._field(name)
        return field is not None and bool(field.is_relation)

    def _is_secret(self, name: str) -> bool:
        return isinstance(self._field(name), EncryptedTextField)

    def _field(self, name: str) -> Any:
        attnames = {field.attname: field for field in self.opts.concrete_fields}
        try:
            return self.opts.get_field(name)
        except FieldDoesNotExist:
            return attnames.get(name)


class RecordAdmin(TenantModelAdmin):
    """What happened: read-only for everyone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TenantInline(ScopedChoicesMixin, TabularInline):  # type: ignore[misc]
    """A child table inside its parent's page, under the same rules."""

    view_ability: ClassVar[Ability] = Ability.VIEW_DESK
    change_ability: ClassVar[Ability | None] = None

    form = TenantModelForm
    extra = 0
    can_delete = False
    show_change_link = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.view_ability) and _readable(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.change_ability is not None and may(request, self.change_ability) and _own(obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _offered(lookup: str, name: str) -> bool:
    """Whether a filter on this name could have asked this; no text search through relations."""
    if lookup == name:
        return True
    asked = lookup.removeprefix(f"{name}__")
    return asked != lookup and set(asked.split("__")) <= _FILTER_LOOKUPS


def _own(obj: Any) -> bool:
    return obj is None or obj.tenant_id == current_tenant_id()


def _readable(obj: Any) -> bool:
    return _own(obj) or (obj.tenant_id is None and obj.reads_system_rows)


def _ability_check(ability: Ability) -> Any:
    def check(self: Any, request: HttpRequest, *args: Any) -> bool:
        return may(request, ability)

    return check


# Django and unfold look for `has_<permission>_permission` when an action names a permission.
for _ability in Ability:
    setattr(TenantModelAdmin, f"has_{_ability.value}_permission", _ability_check(_ability))
