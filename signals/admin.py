"""Sources and signals in the back office."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from accounts.admin_base import RecordAdmin
from accounts.admin_services import ServiceAdmin, ServiceForm, adopt
from accounts.display import badge, link_to, moment, num, two
from accounts.roles import Ability, may
from customers.admin import apply_to_rows, note_change
from customers.enums import Market
from signals import services
from signals.admin_decisions import APPROVING, REJECTING, decide
from signals.admin_leaders import LeaderAccountAdmin
from signals.enums import ApprovalRule, Dialect, SignalStatus, SourceKind, SourceStatus
from signals.models import LeaderPosition, Signal, SignalNonce, SignalSource
from signals.parsing import example

__all__ = [
    "LeaderAccountAdmin",
    "LeaderPositionAdmin",
    "SignalAdmin",
    "SignalSourceAdmin",
    "signal_badge",
    "source_badge",
]

_SOURCES = {
    SourceStatus.ENABLED: ("ok", "play_arrow"),
    SourceStatus.DISABLED: ("idle", "pause"),
    SourceStatus.QUARANTINED: ("danger", "front_hand"),
}
_SIGNALS = {
    SignalStatus.ACCEPTED: ("wait", "schedule"),
    SignalStatus.HELD: ("warn", "how_to_reg"),
    SignalStatus.COPIED: ("ok", "check"),
    SignalStatus.REFUSED: ("danger", "dangerous"),
    SignalStatus.EXPIRED: ("idle", "timer_off"),
    SignalStatus.QUARANTINED: ("danger", "front_hand"),
}


def source_badge(source: SignalSource) -> str:
    kind, icon = _SOURCES[SourceStatus(source.status)]
    return badge(kind, icon, source.get_status_display())


def signal_badge(signal: Signal) -> str:
    kind, icon = _SIGNALS[SignalStatus(signal.status)]
    return badge(kind, icon, signal.get_status_display())


class NewSourceForm(ServiceForm):
    """What a new source needs; the secrets of a webhook are made, not typed."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(kind, kind.label) for kind in (SourceKind.WEBHOOK, SourceKind.API)],
        widget=UnfoldAdminSelectWidget,
        help_text=_("Webhooks are signed with a secret. Programs of the API enter with a token."),
    )
    with_token = forms.BooleanField(
        label=_("Secret address"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("For senders that cannot sign, such as TradingView: /hooks/t/TOKEN/."),
    )


def _waiting(terms: dict[str, Any]) -> services.Waiting:
    return services.Waiting(ApprovalRule(terms["approval"]), terms["approval_seconds"])


@admin.register(SignalSource)
class SignalSourceAdmin(ServiceAdmin):
    change_ability = Ability.MANAGE_SOURCES

    list_display = (
        "name", "state", "kind", "dialect", "market", "last", "refused", "doubled", "rate",
    )  # fmt: skip
    list_filter = ("status", "kind", "dialect", "market")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", ("kind", "market"), ("dialect", "rate_per_second"))}),
        (_("Approval"), {"fields": (("approval", "approval_seconds"),)}),
        (_("Counts"), {"fields": (("last_signal_at", "refused_count", "duplicate_count"),)}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": (("name", "kind"), ("market", "dialect"), "rate_per_second", "with_token")},
        ),
        (_("Approval"), {"fields": (("approval", "approval_seconds"),)}),
    )
    actions = ("enable", "disable")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewSourceForm
        return super().get_form(request, obj, change, **kwargs)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        examples = [(dialect.label, example(dialect)) for dialect in Dialect]
        return super().add_view(request, form_url, {**(extra_context or {}), "examples": examples})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = ("kind", "market", "dialect", "last_signal_at", "refused_count", "duplicate_count")
        # Nothing that the desk itself enters waits.
        ours = obj.kind in (SourceKind.MANUAL, SourceKind.SYSTEM)
        return (*fixed, "approval", "approval_seconds") if ours else fixed

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:object_id>/secret/",
                wrap(self.new_secret),
                name="signals_signalsource_secret",
            ),
            path(
                "<int:object_id>/address/",
                wrap(self.new_address),
                name="signals_signalsource_address",
            ),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self._check_loosening(request, obj)
            super().save_model(request, obj, form, change)
            note_change("changed", obj, form.changed_data)
            return
        if form.cleaned_data["kind"] == SourceKind.API:
            adopt(obj, self._api_source(request, form.cleaned_data))
            return
        made = services.create_source(
            name=form.cleaned_data["name"],
            market=Market(form.cleaned_data["market"]),
            dialect=Dialect(form.cleaned_data["dialect"]),
            rate_per_second=form.cleaned_data["rate_per_second"],
            with_token=form.cleaned_data["with_token"],
            waiting=_waiting(form.cleaned_data),
            actor=request.user,  # type: ignore[arg-type]
        )
        adopt(obj, made.source)
        request.made = made  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Show the secrets in this answer: they are kept nowhere in clear, not in a message."""
        if obj.kind == SourceKind.API:
            return super().response_add(request, obj, post_url_continue)
        made: services.NewSecrets = request.made  # type: ignore[attr-defined]
        return self._show_once(request, obj, secret=made.secret, token=made.token)

    def _api_source(self, request: HttpRequest, terms: dict[str, Any]) -> SignalSource:
        if terms["dialect"] != Dialect.COPYDESK:
            refused = _("Programs of the API speak Copydesk JSON. Other formats are for webhooks.")
            raise ValidationError({"dialect": refused})
        if terms["with_token"]:
            refused = _("Only webhooks have a secret address.")
            raise ValidationError({"with_token": refused})
        return services.create_api_source(
            name=terms["name"],
            market=Market(terms["market"]),
            rate_per_second=terms["rate_per_second"],
            waiting=_waiting(terms),
            actor=request.user,  # type: ignore[arg-type]
        )

    def _check_loosening(self, request: HttpRequest, obj: SignalSource) -> None:
        """Who may not approve may not do away with approving either."""
        before = SignalSource.objects.get(pk=obj.pk)
        rules = list(ApprovalRule)
        weaker = rules.index(ApprovalRule(obj.approval)) < rules.index(
            ApprovalRule(before.approval)
        )
        longer = obj.approval_seconds > before.approval_seconds
        guarded = before.approval != ApprovalRule.NONE and (weaker or longer)
        if guarded and not may(request, Ability.APPROVE):
            refused = _("Only who approves signals may let fewer of them wait, or wait longer.")
            raise ValidationError({"approval": refused})

    def new_secret(self, request: HttpRequest, object_id: int) -> Any:
        source = self._changeable(request, object_id)
        if request.method == "POST":
            made = services.rotate_source_secret(source=source, actor=request.user)  # type: ignore[arg-type]
            return self._show_once(request, source, secret=made.secret)
        text = _(
            "The new secret is shown once. The present one is accepted too until you clear it."
        )
        return self._ask(request, source, _("Make a new signing secret"), text)

    def new_address(self, request: HttpRequest, object_id: int) -> Any:
        source = self._changeable(request, object_id)
        if request.method == "POST":
            token = services.rotate_source_token(source=source, actor=request.user)  # type: ignore[arg-type]
            return self._show_once(request, source, token=token)
        text = _("The new address is shown once. The present one is dead at once.")
        return self._ask(request, source, _("Make a new secret address"), text)

    def _changeable(self, request: HttpRequest, object_id: int) -> SignalSource:
        source: SignalSource | None = self.get_object(request, str(object_id))
        if source is None or not self.has_change_permission(request, source):
            raise Http404
        if source.kind != SourceKind.WEBHOOK:
            raise Http404
        return source

    def _ask(self, request: HttpRequest, source: SignalSource, title: Any, text: Any) -> Any:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "original": source,
            "text": text,
        }
        return TemplateResponse(request, "admin/signals/signalsource/ask.html", context)

    def _show_once(
        self, request: HttpRequest, source: SignalSource, *, secret: str = "", token: Any = None
    ) -> TemplateResponse:
        address = request.build_absolute_uri("/hooks/")
        told = example(Dialect(source.dialect), secret) if secret else ""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Copy this now: it is shown once"),
            "example": told,
            "opts": self.opts,
            "original": source,
            "secret": secret,
            "address": f"{address}t/{token}/" if token else "",
            "signed_address": f"{address}{source.uid}/" if secret else "",
            "back": reverse("admin:signals_signalsource_change", args=(source.pk,)),
        }
        response = TemplateResponse(request, "admin/signals/signalsource/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: SignalSource) -> str:
        return source_badge(row)

    @admin.display(description=_("last signal"), ordering="last_signal_at")
    def last(self, row: SignalSource) -> str:
        return moment(row.last_signal_at)

    @admin.display(description=_("refused"), ordering="refused_count")
    def refused(self, row: SignalSource) -> str:
        return num(row.refused_count)

    @admin.display(description=_("duplicates"), ordering="duplicate_count")
    def doubled(self, row: SignalSource) -> str:
        return num(row.duplicate_count)

    @admin.display(description=_("at most"))
    def rate(self, row: SignalSource) -> str:
        return num(row.rate_per_second, unit="/s")

    @admin.action(description=_("Enable"), permissions=["manage_sources"])
    def enable(self, request: HttpRequest, queryset: Any) -> None:
        self._set(request, queryset, SourceStatus.ENABLED)

    @admin.action(description=_("Disable"), permissions=["manage_sources"])
    def disable(self, request: HttpRequest, queryset: Any) -> None:
        self._set(request, queryset, SourceStatus.DISABLED)

    def _set(self, request: HttpRequest, queryset: Any, status: SourceStatus) -> None:
        run = partial(services.set_source_status, status=status, actor=request.user)  # type: ignore[arg-type]
        apply_to_rows(self, request, queryset, lambda row: run(source=row))


@admin.register(Signal)
class SignalAdmin(RecordAdmin):
    live_streams = "signals"
    allowed_lookups = ("source", "account", "inst_id")

    list_display: tuple[str, ...] = (
        "instrument", "received", "source_link", "amount", "price", "status_shown", "why",
    )  # fmt: skip
    list_filter = ("status", "intent", "direction", "source", "reason", "has_gap")
    list_select_related = ("source", "account__customer", "created_by")
    search_fields = ("inst_id", "external_id", "source__name")
    search_help_text = _("Instrument, sender's id or source")
    ordering = ("-received_at", "-id")
    list_per_page = 50
    actions = ("approve", "reject", "replay")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("source", "account__customer")

    @admin.action(description=_("Approve"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: Any) -> Any:
        return decide(self, request, queryset, APPROVING)

    @admin.action(description=_("Reject"), permissions=["approve"])
    def reject(self, request: HttpRequest, queryset: Any) -> Any:
        return decide(self, request, queryset, REJECTING)

    @admin.action(description=_("Decide once more, without trading"))
    def replay(self, request: HttpRequest, queryset: Any) -> Any:
        """Beside what was decided then; the page only reads."""
        keys = queryset.order_by("received_at", "id").values_list("pk", flat=True)[:50]
        query = urlencode({"id": [str(key) for key in keys]}, doseq=True)
        return HttpResponseRedirect(f"{reverse('admin:replay')}?{query}")

    @admin.display(description=_("instrument"), ordering="inst_id")
    def instrument(self, row: Signal) -> str:
        terms = f"{row.get_intent_display()} {row.get_direction_display()}".strip()
        return two(row.inst_id or _("Not readable"), terms or "—")

    @admin.display(description=_("received"), ordering="received_at")
    def received(self, row: Signal) -> str:
        return moment(row.received_at)

    @admin.display(description=_("source"), ordering="source__name")
    def source_link(self, row: Signal) -> str:
        return link_to("signals_signalsource", row.source_id, row.source)

    @admin.display(description=_("quantity"))
    def amount(self, row: Signal) -> str:
        unit = "" if row.unit == "contracts" else "%"
        return num(row.quantity, unit=unit, why=str(_("The whole position")))

    @admin.display(description=_("reference price"))
    def price(self, row: Signal) -> str:
        return num(row.reference_price, why=str(_("Not sent")))

    @admin.display(description=_("status"), ordering="status")
    def status_shown(self, row: Signal) -> str:
        return signal_badge(row)

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, row: Signal) -> str:
        return row.reason_text or (row.get_reason_display() if row.reason else "")


@admin.register(LeaderPosition)
class LeaderPositionAdmin(RecordAdmin):
    list_display = ("inst_id", "direction", "held", "unit", "source_link", "account", "changed")
    list_filter = ("direction", "source")
    list_select_related = ("source", "account__customer")
    search_fields = ("inst_id", "source__name")
    ordering = ("inst_id", "direction")

    @admin.display(description=_("quantity"))
    def held(self, row: LeaderPosition) -> str:
        return num(row.quantity)

    @admin.display(description=_("source"))
    def source_link(self, row: LeaderPosition) -> str:
        return link_to("signals_signalsource", row.source_id, row.source)

    @admin.display(description=_("changed"), ordering="updated_at")
    def changed(self, row: LeaderPosition) -> str:
        return moment(row.updated_at)


@admin.register(SignalNonce)
class SignalNonceAdmin(RecordAdmin):
    list_display = ("used", "source")
    list_select_related = ("source",)
    ordering = ("-used_at",)

    @admin.display(description=_("used"), ordering="used_at")
    def used(self, row: SignalNonce) -> str:
        return moment(row.used_at)
