"""Forms of destinations and their rules; secrets are typed in and never shown."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
)

from accounts.admin_services import ServiceForm
from accounts.forms import TenantModelForm
from notifications.services import Secrets
from notifications.words import KINDS

SECRET_FIELDS: Final = {
    "robot_token": "new_robot_token",
    "signing_secret": "new_signing_secret",
    "smtp_password": "new_smtp_password",
}


class RecipientsField(forms.CharField):
    """A list kept as JSON, typed one address a line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", str(value or "")))))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class KindsField(forms.MultipleChoiceField):
    """The kinds a rule asks for; a kind that is no longer known stays until it is unticked."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminCheckboxSelectMultipleWidget
        super().__init__(choices=list(KINDS.items()), widget=widget, required=False, **kwargs)


class DestinationForm(ServiceForm):
    field_of: ClassVar[dict[str, str]] = SECRET_FIELDS

    recipients = RecipientsField(
        label=_("Recipients"), required=False, help_text=_("One e-mail address a line.")
    )
    new_robot_token = forms.CharField(
        label=_("Robot token"),
        required=False,
        help_text=_("DingTalk's access token or WeCom's key; the robot's whole address will do."),
    )
    new_signing_secret = forms.CharField(
        label=_("Signing secret"),
        required=False,
        help_text=_("DingTalk only: begins with SEC. Choose signing as the robot's security."),
    )
    new_smtp_password = forms.CharField(label=_("SMTP password"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "kind" in self.fields:
            self.fields["kind"].disabled = True
        for name, field in SECRET_FIELDS.items():
            if field not in self.fields:
                continue
            attrs = {"autocomplete": "new-password", "spellcheck": "false"}
            if self.instance.pk and getattr(self.instance, name):
                last4 = self.instance.token_last4 if name == "robot_token" else ""
                attrs["placeholder"] = f"••••{last4 or '••••'}"
                self.fields[field].help_text = _("Leave empty to keep the stored one.")
            self.fields[field].widget = UnfoldAdminPasswordWidget(attrs=attrs)

    def secrets(self) -> Secrets:
        typed = {name: self.cleaned_data.get(field) or "" for name, field in SECRET_FIELDS.items()}
        return Secrets(**typed)


class RuleForm(TenantModelForm):
    kinds = KindsField(label=_("Kinds"), help_text=_("None ticked means all."))
