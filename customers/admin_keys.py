"""Rows with an exchange key in the back office: the form, the check of the key as it goes."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from accounts.admin_services import PasswordAdminMixin, ServiceAdmin, ServiceForm
from accounts.display import badge, mono, two
from accounts.roles import Ability
from accounts.stepup import require_fresh
from customers.enums import KeyStatus, Market

KEY_FIELDS = {
    "api_key": "new_api_key",
    "api_secret": "new_api_secret",
    "passphrase": "new_passphrase",
}
_KEYS = {
    KeyStatus.MISSING: ("idle", "key_off"),
    KeyStatus.PENDING: ("wait", "schedule"),
    KeyStatus.VERIFIED: ("ok", "check"),
    KeyStatus.REFUSED: ("danger", "dangerous"),
}


def key_badge(account: Any) -> str:
    kind, icon = _KEYS[KeyStatus(account.key_status)]
    return badge(kind, icon, account.get_key_status_display())


def market_badge(account: Any) -> str:
    """Money that is not real is marked wherever the account is shown."""
    label = account.get_market_display()
    if account.market in {Market.SIMULATOR, Market.DEMO}:
        return badge("paper", "science", label)
    return str(label)


class KeyForm(ServiceForm):
    """For a row with a key. The three fields are write-only: left blank, the stored key stays."""

    field_of: ClassVar[dict[str, str]] = KEY_FIELDS

    new_api_key = forms.CharField(label=_("API key"), required=False)
    new_api_secret = forms.CharField(label=_("API secret"), required=False)
    new_passphrase = forms.CharField(label=_("Passphrase"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.key_last4 if self.instance.pk else ""
        for name in KEY_FIELDS.values():
            attrs = {"autocomplete": "new-password", "spellcheck": "false"}
            if stored:
                shown = f"••••{stored}" if name == "new_api_key" else "••••••••"
                attrs["placeholder"] = shown
            self.fields[name].widget = UnfoldAdminPasswordWidget(attrs=attrs)
        if stored:
            self.fields["new_api_key"].help_text = _(
                "Leave all three empty to keep the stored key."
            )

    def keys(self) -> dict[str, str]:
        return {name: self.cleaned_data.get(field, "") for name, field in KEY_FIELDS.items()}


class KeyedAdmin(PasswordAdminMixin, ServiceAdmin):
    """The pages of rows with a key: after a key was entered, its check is followed on the page.

    Another key in the place of a stored one takes a recent password.
    """

    change_ability = Ability.MANAGE_KEYS
    form = KeyForm
    called: ClassVar[str]
    """The name of the row in its templates."""

    def page_of(self, row: Any) -> dict[str, Any]:
        """What the page of a row shows beside its key."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.key_state)
        name = f"{self.opts.app_label}_{self.opts.model_name}_key"
        return [path("<int:object_id>/key/", view, name=name), *super().get_urls()]

    def key_state(self, request: HttpRequest, object_id: int) -> TemplateResponse:
        """The part of the page that says how the check of the key stands; asked until it ended."""
        row = self.get_object(request, str(object_id))
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        template = f"admin/{self.opts.app_label}/{self.opts.model_name}/key.html"
        return TemplateResponse(request, template, self._key_of(row))

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if change and form.instance.key_last4 and any(form.keys().values()):
            require_fresh(request)
        return super().save_form(request, form, change)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        row = kwargs.get("obj") or (args[-1] if args else None)
        if row is not None:
            context |= self._key_of(row) | self.page_of(row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _key_of(self, row: Any) -> dict[str, Any]:
        return {self.called: row, "badge_html": key_badge(row)}

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        if "_addanother" not in request.POST:
            _stay_here(request)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        if obj.key_status == KeyStatus.PENDING:
            _stay_here(request)
        return super().response_change(request, obj)

    @admin.display(description=_("key"), ordering="key_status")
    def key_shown(self, row: Any) -> str:
        """With the last letters that tell it from another."""
        end = mono(f"••••{row.key_last4}") if row.key_last4 else ""
        return two(key_badge(row), end)

    @admin.display(description=_("position mode"))
    def mode(self, row: Any) -> str:
        return row.get_position_mode_display() or "—"


def _stay_here(request: Any) -> None:
    """Answer as if "save and continue" had been pressed."""
    request.POST = request.POST.copy()
    request.POST["_continue"] = "1"
