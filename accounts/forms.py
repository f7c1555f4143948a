"""Form parts: a secret's input, and a model form that knows its tenant."""

from __future__ import annotations

from typing import Any

from django import forms

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
