"""Pages of this room: re-entering the password, and choosing a desk."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, entry, two_factor
from accounts.enums import AuditLevel, Language
from accounts.factor_views import CodeForm, checked
from accounts.language import remember
from accounts.models import Tenant, User
from accounts.roles import may_enter_admin
from accounts.services import choose_language
from accounts.stepup import mark_fresh, safe_next


class PasswordForm(forms.Form):
    """The signed-in user's own password."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class ProofForm(CodeForm, PasswordForm):
    """The password and a code, for those who have an authenticator."""

    field_order = ("password", "code")


@sensitive_post_parameters()
@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def step_up(request: HttpRequest) -> HttpResponse:
    """Ask for the password again; on success remember it for five minutes and go back."""
    user = cast("User", request.user)
    app = two_factor.authenticator_of(user)
    form = (ProofForm if app else PasswordForm)(request.POST or None)
    back = safe_next(request, request.POST.get("next") or request.GET.get("next"), _home(request))
    if form.is_valid() and _is_proven(request, user, form):
        return HttpResponseRedirect(back)
    context = {"title": _("Please confirm it is you"), "form": form, "next": back}
    if may_enter_admin(request):
        context = admin.site.each_context(request) | context
    return TemplateResponse(request, "accounts/step_up.html", context)


@login_required
@require_POST
def choose_desk(request: HttpRequest) -> HttpResponse:
    """Work in another desk from the next request on; a foreign one does not exist."""
    try:
        tenant = Tenant.objects.get(uid=request.POST.get("desk", ""))
    except (Tenant.DoesNotExist, ValueError, forms.ValidationError) as error:
        raise Http404 from error
    if entry.entry_for(request.user, tenant.pk).tenant != tenant:
        raise Http404
    request.session[entry.SESSION_KEY] = tenant.pk
    if request.user.is_superuser:
        with transaction.atomic():
            audit.record(action="desk.entered_by_superuser", obj=tenant, level=AuditLevel.NOTICE)
    return HttpResponseRedirect(safe_next(request, request.POST.get("next"), _home(request)))


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Keep the chosen language in this browser and, for a signed-in person, on their row."""
    asked = request.POST.get("language", "")
    if asked not in Language.values:
        return HttpResponseBadRequest("language: not one of " + ", ".join(Language.values))
    if isinstance(request.user, User):
        choose_language(user=request.user, language=Language(asked))
    given = request.POST.get("next") or request.headers.get("Referer")
    response = HttpResponseRedirect(safe_next(request, given, "/"))
    remember(response, Language(asked))
    return response


def _is_proven(request: HttpRequest, user: User, form: PasswordForm) -> bool:
    # Through the backends, so that a lockout counts these attempts too.
    password = form.cleaned_data["password"]
    proven = authenticate(request, username=user.get_username(), password=password) == user
    if not proven:
        form.add_error("password", _("That is not your password."))
    elif "code" in form.fields:
        proven = checked(request, user, form) is not None
    if proven:
        mark_fresh(request)
    with transaction.atomic():
        audit.record(
            action="user.stepped_up" if proven else "user.step_up_failed",
            level=AuditLevel.INFO if proven else AuditLevel.WARNING,
        )
    return proven


def _home(request: HttpRequest) -> str:
    return reverse("admin:index") if may_enter_admin(request) else "/"
