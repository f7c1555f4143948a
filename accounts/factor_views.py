"""Pages of the second factor: the code at the door, and one's own app and recovery codes."""

from __future__ import annotations

import base64
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

import qrcode
from django import forms
from django.contrib import admin
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from qrcode.image.svg import SvgPathFillImage

from accounts import lockout, signin, two_factor
from accounts.display import age
from accounts.models import Authenticator, User
from accounts.roles import may_enter_admin
from accounts.stepup import is_fresh, redirect_to_step_up, safe_next
from accounts.two_factor import Factor

BEGUN_KEY: Final = "enrolling"


class CodeForm(forms.Form):
    """Six digits of the app, or a recovery code."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "characters",
                "autofocus": True,
                "spellcheck": "false",
            }
        ),
    )


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The password was right; the code completes the sign-in."""
    user = signin.waiting_user(request)
    if user is None:
        return HttpResponseRedirect(reverse("admin:login"))
    form = CodeForm(request.POST or None)
    if form.is_valid():
        back = signin.waiting_next(request)
        factor = checked(request, user, form)
        if factor is not None:
            signin.complete(request, user, factor)
            return HttpResponseRedirect(safe_next(request, back, "/"))
    context = {"title": _("One more step"), "form": form, "person": user}
    return _door(request, "accounts/code.html", context)


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
def two_factor_page(request: HttpRequest) -> HttpResponse:
    """One's own app: set up, confirm, replace, new recovery codes."""
    user = signin.waiting_user(request) or _staff_user(request)
    if user is None or (user != request.user and two_factor.authenticator_of(user) is not None):
        return HttpResponseRedirect(reverse("admin:login"))
    if user == request.user and not is_fresh(request):
        return redirect_to_step_up(request)
    form = CodeForm()
    if request.method == "POST":
        match request.POST.get("do"):
            case "begin":
                # Remembered here: whoever else knows the password may have begun one too, and
                # nobody must take up a key that somebody else has seen.
                request.session[BEGUN_KEY] = two_factor.begin_enrolment(user=user).pk
                return HttpResponseRedirect(reverse("accounts:two_factor"))
            case "confirm":
                form = CodeForm(request.POST)
                shown = _confirm(request, user, form)
                if shown is not None:
                    return shown
            case "renew" if two_factor.authenticator_of(user) is not None:
                return _codes(request, two_factor.renew_codes(user=user))
    return _page(request, user, form)


def checked(request: HttpRequest, user: User, form: forms.Form) -> Factor | None:
    """The factor that the form's code proves; else the form says why not, and it is counted."""
    if lockout.is_locked(request, user):
        return None
    until = two_factor.wait_until(user)
    if until is not None:
        wait = age(until - timezone.now() + timedelta(seconds=1))
        form.add_error("code", _("Too fast. Try again in %(time)s.") % {"time": wait})
        return None
    factor = two_factor.check_code(user=user, code=form.cleaned_data["code"])
    if factor is None:
        lockout.count_failure(request, user)
        form.add_error("code", _("That code is not valid, or was used already."))
    return factor


def _confirm(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse | None:
    if not form.is_valid():
        return None
    back = signin.waiting_next(request)
    try:
        codes = two_factor.confirm_enrolment(
            user=user, app=_begun(request, user), code=form.cleaned_data["code"]
        )
    except ValidationError as refusal:
        form.add_error(None, refusal)
        return None
    if user == request.user:
        update_session_auth_hash(request, user)
        signin.keep_factor(request, user, Factor.APP)
    else:
        signin.complete(request, user, Factor.APP)
        # From here on the page is that of somebody inside.
        return _codes(request, codes, back)
    return _codes(request, codes)


def _begun(request: HttpRequest, user: User) -> Authenticator | None:
    return two_factor.pending_of(user, request.session.get(BEGUN_KEY))


def _staff_user(request: HttpRequest) -> User | None:
    user = request.user
    return user if isinstance(user, User) and two_factor.is_staff(user) else None


def _page(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse:
    app, pending = two_factor.authenticator_of(user), _begun(request, user)
    context: dict[str, Any] = {
        "title": _("Two-factor sign-in"),
        "form": form,
        "app": app,
        "codes_left": two_factor.codes_left(user) if app else 0,
        "required": two_factor.is_required(user),
    }
    if pending is not None:
        address = two_factor.app_address(pending)
        secret = pending.secret.reveal()
        grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        context |= {"address": address, "qr": _picture(address), "secret": grouped}
    return _door(request, "accounts/two_factor.html", context)


def _codes(request: HttpRequest, codes: list[str], back: str = "") -> HttpResponse:
    back = safe_next(request, back, reverse("accounts:two_factor"))
    context = {"title": _("Your recovery codes"), "codes": codes, "back": back}
    return _door(request, "accounts/recovery_codes.html", context)


def _door(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Inside the back office with its frame, before it as the login page is."""
    inside = may_enter_admin(request) and signin.has_second_factor(request)
    frame = "admin/page.html" if inside else "accounts/door.html"
    return TemplateResponse(
        request, template, {**admin.site.each_context(request), "frame": frame, **context}
    )


@sensitive_variables("address")
def _picture(address: str) -> str:
    """A QR code as the address of a picture, which needs no second request."""
    out = BytesIO()
    qrcode.make(address, image_factory=SvgPathFillImage, border=2).save(out)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()
