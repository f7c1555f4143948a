"""How this browser wants the portal: light or dark, and which colour rises. Kept in cookies."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

YEAR_S = 365 * 86_400


class Theme(TextChoices):
    AUTO = "auto", _("As the device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class MarketColours(TextChoices):
    GREEN_UP = "green-up", _("Green rises, red falls")
    RED_UP = "red-up", _("Red rises, green falls")


def theme_of(request: HttpRequest | None) -> Theme:
    found = _read(request, "theme")
    return Theme(found) if found in Theme.values else Theme.AUTO


def market_of(request: HttpRequest | None) -> MarketColours:
    """What was chosen, else what is usual in the language: red rises in Chinese."""
    found = _read(request, "market")
    if found in MarketColours.values:
        return MarketColours(found)
    chinese = (get_language() or "").startswith("zh")
    return MarketColours.RED_UP if chinese else MarketColours.GREEN_UP


def remember(response: HttpResponse, *, theme: Theme, market: MarketColours) -> None:
    for name, value in (("theme", theme.value), ("market", market.value)):
        response.set_cookie(
            cookie_name(name),
            value,
            max_age=YEAR_S,
            secure=settings.SECURE_COOKIES,
            httponly=True,
            samesite="Lax",
        )


def cookie_name(name: str) -> str:
    return f"__Host-copydesk-{name}" if settings.SECURE_COOKIES else f"copydesk-{name}"


def _read(request: Any, name: str) -> str:
    return "" if request is None else str(request.COOKIES.get(cookie_name(name), ""))
