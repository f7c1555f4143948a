"""The door of the back office: memberships decide who passes, not Django's staff flag."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm as PlainAuthenticationForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpResponseRedirect
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm

from accounts import signin
from accounts.own_password import OwnPasswordMixin
from config.backoffice.desks import desks_of


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    """Staff of a desk and superusers. Everybody else is told what a wrong password is told."""

    def confirm_login_allowed(self, user: Any) -> None:
        PlainAuthenticationForm.confirm_login_allowed(self, user)
        if not user.is_superuser and not desks_of(user):
            raise self.get_invalid_login_error()


class StaffLoginView(LoginView):
    """The password; `signin` asks for what else is needed before anybody is signed in."""

    authentication_form = LoginForm
    template_name = "admin/login.html"

    def form_valid(self, form: Any) -> HttpResponseRedirect:
        return signin.enter(self.request, form.get_user(), self.get_success_url())


class StaffPasswordForm(OwnPasswordMixin, AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """The old password and the new one, twice."""


class StaffPasswordView(PasswordChangeView):
    form_class = StaffPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}
