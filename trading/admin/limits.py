"""Limits, written through the switch room; the trading switch itself has its own page."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import RecordAdmin, TenantModelAdmin
from accounts.admin_services import PasswordAdminMixin
from accounts.display import moment, num
from accounts.forms import TenantModelForm
from accounts.roles import Ability
from accounts.stepup import require_fresh
from trading.admin.in_force import in_force
from trading.admin.states import mode_badge
from trading.enums import LimitKind, Scope
from trading.models import Instrument, Limit, TradingState
from trading.switch import set_limit

TARGETS = {
    Scope.STRATEGY: "strategy",
    Scope.CUSTOMER: "customer",
    Scope.ACCOUNT: "account",
    Scope.INSTRUMENT: "inst_id",
}

IN_MONEY = frozenset(
    {
        LimitKind.ORDER_NOTIONAL,
        LimitKind.DAILY_NOTIONAL,
        LimitKind.POSITION_NOTIONAL,
        LimitKind.DESK_NOTIONAL,
    }
)
TIMES = frozenset({LimitKind.LEVERAGE, LimitKind.LEADER_MULTIPLE})


def unit_of(kind: str) -> str:
    """What the figure of such a limit counts."""
    if kind in IN_MONEY:
        return "USDT"
    return "×" if kind in TIMES else ""


def _in_desk(request: HttpRequest) -> bool:
    return getattr(request, "tenant", None) is not None


def applies_to(row: Limit | TradingState) -> Any:
    """What the row binds, in words."""
    if row.tenant_id is None:
        return row.inst_id or Scope.SYSTEM.label
    return getattr(row, TARGETS.get(Scope(row.scope), "tenant"))


class LimitForm(TenantModelForm):
    """A limit of this desk: exactly the target that its scope names."""

    class Meta:
        model = Limit
        fields = (
            "kind",
            "value",
            "scope",
            "strategy",
            "customer",
            "account",
            "inst_id",
            "is_active",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "scope" in self.fields:
            field: Any = self.fields["scope"]
            field.choices = [c for c in Scope.choices if c[0] != Scope.SYSTEM]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        wanted = TARGETS.get(cleaned.get("scope"))  # type: ignore[arg-type]
        if wanted and not cleaned.get(wanted):
            raise ValidationError({wanted: _("Choose what this applies to.")})
        if wanted == "inst_id":
            cleaned["inst_id"] = cleaned["inst_id"].strip().upper()
            if not Instrument.objects.filter(inst_id=cleaned["inst_id"]).exists():
                words = _("No such instrument is known: this would stop nothing.")
                raise ValidationError({wanted: words})
        return cleaned

    def _post_clean(self) -> None:
        """The row is written by `set_limit`, which finds or makes it by its scope."""
        if self.instance.pk:
            super()._post_clean()


@admin.register(Limit)
class LimitAdmin(PasswordAdminMixin, TenantModelAdmin):
    """To allow more takes a recent password."""

    change_ability = Ability.CHANGE_LIMITS
    writes_diary = False
    compressed_fields = False
    form = LimitForm
    list_before_template = "admin/trading/limit/in_force.html"

    list_display = ("kind", "bound", "scope", "target", "is_active", "changed_by", "changed")
    list_filter = ("kind", "scope", "is_active")
    list_select_related = (
        "strategy", "customer", "account__customer", "changed_by", "tenant",
    )  # fmt: skip
    search_fields = ("inst_id", "strategy__name", "customer__name", "account__customer__name")
    ordering = ("scope", "kind")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        shown = [(bound, unit_of(bound.kind)) for bound in in_force()] if _in_desk(request) else []
        return super().changelist_view(request, {**(extra_context or {}), "in_force": shown})

    @admin.display(description=_("at most"))
    def bound(self, row: Limit) -> str:
        return num(row.value, unit=unit_of(row.kind))

    @admin.display(description=_("applies to"))
    def target(self, row: Limit) -> Any:
        return applies_to(row)

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, row: Limit) -> str:
        return moment(row.changed_at)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Limit | None = None
    ) -> tuple[str, ...]:
        return ("kind", "scope", *TARGETS.values()) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        row = obj if change else None
        read = (lambda name: getattr(row, name)) if row else form.cleaned_data.get
        scope = Scope(read("scope"))
        name = TARGETS.get(scope)
        saved = set_limit(
            kind=LimitKind(read("kind")),
            value=form.cleaned_data["value"],
            actor=request.user,  # type: ignore[arg-type]
            tenant=request.tenant,  # type: ignore[attr-defined]
            scope=scope,
            target=read(name) if name else None,
            is_active=form.cleaned_data["is_active"],
            on_loosening=partial(require_fresh, request),
        )
        for field in obj._meta.concrete_fields:
            setattr(obj, field.attname, getattr(saved, field.attname))
        obj._state.adding = False


@admin.register(TradingState)
class TradingStateAdmin(RecordAdmin):
    """A record: the switch is thrown on its own page."""

    list_display = ("target", "mode_shown", "reason", "changed_by", "changed")
    list_filter = ("mode", "scope")
    list_select_related = ("strategy", "customer", "account__customer", "changed_by", "tenant")
    ordering = ("scope", "scope_key")

    @admin.display(description=_("scope"), ordering="scope")
    def target(self, row: TradingState) -> Any:
        return applies_to(row)

    @admin.display(description=_("trading"), ordering="mode")
    def mode_shown(self, row: TradingState) -> str:
        return mode_badge(row.mode)

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, row: TradingState) -> str:
        return moment(row.changed_at)
