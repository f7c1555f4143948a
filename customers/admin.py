"""Customers and their exchange accounts in the back office."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_services import ServiceAdmin, adopt, confirm, confirmed
from accounts.display import badge, link_to, list_of, num
from accounts.roles import Ability
from customers import services
from customers.admin_keys import KEY_FIELDS, KeyedAdmin, market_badge
from customers.admin_portal import portal_page
from customers.enums import AccountStatus, CustomerStatus, KeyStatus, Market
from customers.models import Customer, ExchangeAccount

CUSTOMER_TERMS = ("email", "phone", "notes", "initial_balance", "max_leverage")
ACCOUNT_TERMS = (
    "api_host", "initial_balance", "max_leverage", "max_order_notional", "max_daily_notional",
    "max_open_positions",
)  # fmt: skip

_STATES = {
    "active": ("ok", "play_arrow"),
    "inactive": ("idle", "pause"),
    "paused": ("warn", "pause"),
    "archived": ("idle", "inventory_2"),
}


def state_badge(status: str, label: Any) -> str:
    kind, icon = _STATES[status]
    return badge(kind, icon, label)


@admin.register(Customer)
class CustomerAdmin(ServiceAdmin):
    change_ability = Ability.MANAGE_CUSTOMERS

    list_display = ("name", "state", "accounts_shown", "email", "phone", "leverage", "created")
    list_filter = ("status",)
    search_fields = ("name", "email", "phone")
    search_help_text = _("Name, e-mail or phone")
    ordering = ("name",)
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("name", ("email", "phone"), "notes")}),
        (_("Terms"), {"fields": (("initial_balance", "max_leverage"),)}),
    )
    actions = ("activate", "deactivate", "archive")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(portal_page, self))
        place = path("<int:object_id>/portal/", view, name="customers_customer_portal")
        return [place, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> Any:
        verified = Q(accounts__key_status=KeyStatus.VERIFIED)
        rows = super().get_queryset(request)
        return rows.annotate(
            all_accounts=Count("accounts"), ready=Count("accounts", filter=verified)
        )

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Customer) -> str:
        return state_badge(row.status, row.get_status_display())

    @admin.display(description=_("accounts"), ordering="all_accounts")
    def accounts_shown(self, row: Any) -> str:
        text = _("%(ready)d of %(all)d ready") % {"ready": row.ready, "all": row.all_accounts}
        return list_of("customers_exchangeaccount", f"customer__id__exact={row.pk}", text)

    @admin.display(description=_("maximum leverage"))
    def leverage(self, row: Customer) -> str:
        return num(row.max_leverage, unit="×", why=str(_("Not limited here")))

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, row: Customer) -> str:
        from accounts.display import moment

        return moment(row.created_at)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            note_change("changed", obj, form.changed_data)
            return
        terms = {name: form.cleaned_data[name] for name in CUSTOMER_TERMS}
        name = form.cleaned_data["name"]
        adopt(obj, services.create_customer(name=name, actor=request.user, **terms))  # type: ignore[arg-type]

    @admin.action(description=_("Activate"), permissions=["manage_customers"])
    def activate(self, request: HttpRequest, queryset: Any) -> Any:
        return self._set(request, queryset, CustomerStatus.ACTIVE)

    @admin.action(description=_("Deactivate"), permissions=["manage_customers"])
    def deactivate(self, request: HttpRequest, queryset: Any) -> Any:
        return self._set(request, queryset, CustomerStatus.INACTIVE)

    @admin.action(description=_("Archive"), permissions=["manage_customers"])
    def archive(self, request: HttpRequest, queryset: Any) -> Any:
        return self._set(request, queryset, CustomerStatus.ARCHIVED)

    def _set(self, request: HttpRequest, queryset: Any, status: CustomerStatus) -> Any:
        queryset = Customer.objects.filter(pk__in=queryset.values("pk")).order_by("name")
        reason = confirmed(request)
        if reason is None:
            return confirm_status(self, request, queryset, _("customers"), status)
        terms: Any = {"status": status, "actor": request.user, "reason": reason}
        run = partial(services.set_customer_status, **terms)
        return apply_to_rows(self, request, queryset, lambda row: run(customer=row))


@admin.register(ExchangeAccount)
class ExchangeAccountAdmin(KeyedAdmin):
    allowed_lookups = ("customer",)
    called = "account"

    list_display = (
        "label_shown", "customer_link", "market_shown", "key_shown", "state", "mode",
        "verified",
    )  # fmt: skip
    list_filter = ("key_status", "status", "market")
    list_select_related = ("customer",)
    search_fields = ("label", "customer__name", "key_last4", "exchange_uid")
    search_help_text = _("Customer, label, last four of the key or OKX user id")
    ordering = ("customer__name", "label")
    list_per_page = 50
    autocomplete_fields = ("customer",)
    fieldsets = (
        (None, {"fields": ("customer", ("label", "market"), "api_host")}),
        (
            _("API key"),
            {
                "description": _("Trade permission only. A key that may withdraw is refused."),
                "fields": ("new_api_key", ("new_api_secret", "new_passphrase")),
            },
        ),
        (
            _("Limits"),
            {
                "fields": (
                    ("initial_balance", "max_leverage"),
                    ("max_order_notional", "max_daily_notional", "max_open_positions"),
                )
            },
        ),
    )
    actions = ("pause", "resume", "recheck")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("customer", "market") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj) and not (obj and obj.is_paper):
            return fieldsets
        return tuple(item for item in fieldsets if "new_api_key" not in item[1]["fields"])

    def page_of(self, row: ExchangeAccount) -> dict[str, Any]:
        return {
            "state_html": state_badge(row.status, row.get_status_display()),
            "market_html": market_badge(row),
        }

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            note_change(
                "changed", obj, [n for n in form.changed_data if n not in KEY_FIELDS.values()]
            )
        else:
            terms = {name: form.cleaned_data[name] for name in ACCOUNT_TERMS}
            adopt(
                obj,
                services.create_exchange_account(
                    customer=form.cleaned_data["customer"],
                    label=form.cleaned_data["label"],
                    market=Market(form.cleaned_data["market"]),
                    actor=request.user,  # type: ignore[arg-type]
                    **terms,
                ),
            )
        if any(form.keys().values()):
            adopt(obj, services.set_keys(account=obj, actor=request.user, **form.keys()))  # type: ignore[arg-type]

    @admin.display(description=_("account"), ordering="label")
    def label_shown(self, row: ExchangeAccount) -> str:
        return row.label

    @admin.display(description=_("customer"), ordering="customer__name")
    def customer_link(self, row: ExchangeAccount) -> str:
        return link_to("customers_customer", row.customer_id, row.customer)

    @admin.display(description=_("market"), ordering="market")
    def market_shown(self, row: ExchangeAccount) -> str:
        return market_badge(row)

    @admin.display(description=_("trading"), ordering="status")
    def state(self, row: ExchangeAccount) -> str:
        return state_badge(row.status, row.get_status_display())

    @admin.display(description=_("verified"), ordering="verified_at")
    def verified(self, row: ExchangeAccount) -> str:
        from accounts.display import moment

        return moment(row.verified_at)

    @admin.action(description=_("Pause trading"), permissions=["manage_keys"])
    def pause(self, request: HttpRequest, queryset: Any) -> Any:
        reason = confirmed(request)
        if reason is None:
            return confirm_status(self, request, queryset, _("accounts"), AccountStatus.PAUSED)
        run = partial(services.pause_account, reason=reason, actor=request.user)  # type: ignore[arg-type]
        return apply_to_rows(self, request, queryset, lambda row: run(account=row))

    @admin.action(description=_("Resume trading"), permissions=["manage_keys"])
    def resume(self, request: HttpRequest, queryset: Any) -> Any:
        reason = confirmed(request)
        if reason is None:
            return confirm_status(self, request, queryset, _("accounts"), AccountStatus.ACTIVE)
        run = partial(services.resume_account, reason=reason, actor=request.user)  # type: ignore[arg-type]
        return apply_to_rows(self, request, queryset, lambda row: run(account=row))

    @admin.action(description=_("Check the key again"), permissions=["manage_keys"])
    def recheck(self, request: HttpRequest, queryset: Any) -> Any:
        run = partial(services.recheck_keys, actor=request.user)  # type: ignore[arg-type]
        return apply_to_rows(self, request, queryset, lambda row: run(account=row))


_CONSEQUENCES = {
    "active": _("New signals are copied to them from now on."),
    "inactive": _(
        "No signal is copied to them. Positions stay open; their sockets stay connected."
    ),
    "paused": _("No new order is sent for them. Positions stay open and waiting orders can fill."),
    "archived": _("No signal is copied to them again. Nothing is deleted: orders and fills stay."),
}


def confirm_status(owner: Any, request: HttpRequest, queryset: Any, what: Any, status: Any) -> Any:
    count = queryset.count()
    words = {"verb": status.label.lower(), "what": what, "count": count}
    title = _("Set %(count)d %(what)s to %(verb)s") % words
    return confirm(
        owner,
        request,
        queryset,
        title=title,
        consequences=[_CONSEQUENCES[status.value]],
        button=title,
        danger=status.value == "archived",
    )


def apply_to_rows(owner: Any, request: HttpRequest, queryset: Any, run: Any) -> None:
    """Run a service over the rows and say what happened: what was done, what was refused."""
    done = 0
    for row in queryset:
        try:
            run(row)
        except ValidationError as refusal:
            owner.message_user(request, f"{row}: {' '.join(refusal.messages)}", messages.WARNING)
        else:
            done += 1
    text = ngettext("%(count)d row changed.", "%(count)d rows changed.", done) % {"count": done}
    owner.message_user(request, text, messages.SUCCESS if done else messages.INFO)


def note_change(what: str, obj: Any, names: Any) -> None:
    """The diary line of a plain edit: which fields, never the values of a key."""
    from accounts import audit
    from accounts.enums import AuditLevel

    audit.record(
        action=f"{obj._meta.model_name}.{what}",
        obj=obj,
        after={name: str(getattr(obj, name)) for name in names},
        level=AuditLevel.NOTICE,
    )
