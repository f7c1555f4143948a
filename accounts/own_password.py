"""Changing one's own password, for the forms of every door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.passwords import set_password

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm as _Form
else:
    _Form = object


class OwnPasswordMixin(_Form):
    """Before Django's form. The old password is asked through the backends, so that lock-out
    counts wrong ones, and the change is in the diary."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        given: str = self.cleaned_data["old_password"]
        name = self.user.get_username()
        if authenticate(self.request, username=name, password=given) != self.user:
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return given

    def change(self) -> Any:
        """Give the person the new password; every other session of theirs ends."""
        return set_password(user=self.user, password=self.cleaned_data["new_password1"])

    def save(self, commit: bool = True) -> Any:
        return self.change()
