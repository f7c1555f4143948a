"""Form parts: a secret's input, and a model form that knows its tenant."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.scope import current_tenant_id
from accounts.sealed import Secret


class SecretFormField(forms.CharField):
    """Never shows what is stored; left blank it keeps it."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "new-password", "spellcheck": "false"}
        kwargs.setdefault("widget", forms.PasswordInput(attrs=attrs, render_value=False))
        super().__init__(**kwargs)

    def _clean_bound_field(self, bound: Any) -> Any:
        stored = bound.initial
        value = stored if self.disabled else bound.data
        if isinstance(stored, Secret) and value in {None, "", stored}:
            return stored
        return self.clean(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not self.disabled and bool(data)


class TenantModelForm(forms.ModelForm):
    """A form whose row has its tenant before it is validated, so that uniqueness within the
    desk is a field error and not a failed insert."""

    def _post_clean(self) -> None:
        if self.instance.tenant_id is None:
            self.instance.tenant_id = current_tenant_id()
        super()._post_clean()  # type: ignore[misc]

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"tenant"}
