"""In which language and time zone a page is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from accounts.enums import Language
from accounts.models import User


def language_of(request: HttpRequest) -> str:
    """The signed-in person's choice, else this browser's, else what the browser asks for."""
    user = getattr(request, "user", None)
    if isinstance(user, User) and user.language in Language.values:
        return str(user.language)
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    if chosen in Language.values:
        return str(chosen)
    return translation.get_language_from_request(request)


def remember(response: HttpResponseBase, language: Language) -> None:
    """Keep the choice in this browser, for the pages before the login."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language.value,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )


class LanguageAndZoneMiddleware:
    """Answer every page in its reader's language and in the desk's time zone.

    Listed after TenantScopeMiddleware, which knows the desk. Template responses are rendered
    inside the call, so they need nothing more.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        language, tenant = language_of(request), getattr(request, "tenant", None)
        zone: Any = tenant.zone if tenant else None
        request.LANGUAGE_CODE = language
        with translation.override(language), timezone.override(zone):
            response = self.get_response(request)
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", language)
        return response
