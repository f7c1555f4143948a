"""In and out: signing in and out, and the one-time link of somebody new."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import passwords, signin
from accounts.entry import SESSION_KEY
from accounts.passwords import welcomed
from accounts.roles import Ability, may
from config.portal.access import desks_of


class PortalLoginForm(AuthenticationForm):
    """Customers of an active desk. Everybody else is told what a wrong password is told."""

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not desks_of(user):
            raise self.get_invalid_login_error()


class Login(LoginView):
    form_class = PortalLoginForm
    template_name = "portal/login.html"
    next_page = "portal:overview"
    http_method_names = ("get", "head", "post")

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and may(request, Ability.READ_PORTAL):
            return HttpResponseRedirect(reverse("portal:overview"))
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Enter a desk where they are a customer: the oldest membership may be another one."""
        user = form.get_user()
        self.request.session[SESSION_KEY] = desks_of(user)[0].pk
        return signin.enter(self.request, user, self.get_success_url())


class Logout(LogoutView):
    next_page = "portal:login"


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, uid: UUID, token: str) -> HttpResponse:
    """Set the first password. The link is spent with it."""
    user = welcomed(uid, token)
    if user is None:
        return _over(request)
    form = SetPasswordForm(user, request.POST or None)
    if form.is_valid():
        password = form.cleaned_data["new_password1"]
        try:
            done = passwords.welcome(uid=uid, token=token, password=password)
        except forms.ValidationError as refusal:
            form.add_error("new_password1", refusal)
        else:
            if done is None:
                return _over(request)
            messages.success(request, _("Your password is set. Sign in with it."))
            return HttpResponseRedirect(reverse("portal:login"))
    context = {"form": form, "name": user.get_username()}
    return TemplateResponse(request, "portal/welcome.html", context)


def _over(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, "portal/welcome_over.html", {}, status=404)
