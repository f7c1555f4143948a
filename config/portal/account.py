"""A customer's own page: how the portal looks, the password, the accounts it shows."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.own_password import OwnPasswordMixin
from config.portal.access import Visit, enter, portal_page
from config.portal.looks import MarketColours, Theme, market_of, remember, theme_of


class OwnPasswordForm(OwnPasswordMixin, PasswordChangeForm):
    """The old password and the new one, twice."""


@portal_page
def account(request: HttpRequest, visit: Visit) -> HttpResponse:
    context = {
        "themes": Theme,
        "theme": theme_of(request),
        "markets": MarketColours,
        "market": market_of(request),
    }
    return TemplateResponse(request, "portal/account.html", context)


@require_POST
def looks(request: HttpRequest) -> HttpResponse:
    """Keep the choice in this browser; a word nobody knows changes nothing."""

    def keep(_visit: Visit) -> HttpResponse:
        theme, market = request.POST.get("theme"), request.POST.get("market")
        response = HttpResponseRedirect(reverse("portal:account"))
        remember(
            response,
            theme=Theme(theme) if theme in Theme.values else theme_of(request),
            market=MarketColours(market) if market in MarketColours.values else market_of(request),
        )
        return response

    return enter(request, keep)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; every other session of this person ends."""
    return enter(request, lambda visit: _password(request, visit))


def _password(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = OwnPasswordForm(visit.user, request.POST or None, request=request)
    if form.is_valid():
        form.change()
        update_session_auth_hash(request, visit.user)
        messages.success(request, _("Your password is changed. Other devices are signed out."))
        return HttpResponseRedirect(reverse("portal:account"))
    return TemplateResponse(request, "portal/password.html", {"form": form})


@require_safe
def licences(request: HttpRequest) -> HttpResponse:
    """Notices of what these pages bring along; anybody may read them."""
    return TemplateResponse(request, "portal/licences.html", {"packages": _packages()})


@lru_cache(maxsize=1)
def _packages() -> list[dict[str, Any]]:
    vendor = settings.BASE_DIR / "static" / "vendor"
    found = json.loads((vendor / "manifest.json").read_text())["packages"]
    return [
        {**package, "text": (vendor / name).read_text()}
        for package in found
        for name in package["files"]
        if "LICEN" in name
    ]
