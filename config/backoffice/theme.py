"""How the admin looks; its colours are the steps of static/css/tokens.css."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Copydesk",
    "SITE_URL": None,
    "SITE_HEADER": "Copydesk",
    "SITE_SUBHEADER": "config.backoffice.sidebar.desk_name",
    "SITE_ICON": lambda _request: static("img/logo.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("img/logo.svg")}
    ],
    "SITE_DROPDOWN": "config.backoffice.sidebar.desk_links",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "SHOW_LANGUAGES": True,
    "BORDER_RADIUS": "8px",
    "ACCOUNT": {
        "navigation": [
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
            {"title": _("Two-factor sign-in"), "link": reverse_lazy("accounts:two_factor")},
        ]
    },
    "LOGIN": {"form": "config.backoffice.login.LoginForm"},
    "ENVIRONMENT": "config.backoffice.sidebar.environment",
    "DASHBOARD_CALLBACK": "config.backoffice.dashboard.context",
    "STYLES": [
        lambda _request: static("css/tokens.css"),
        lambda _request: static("css/components.css"),
    ],
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "config.backoffice.sidebar.navigation",
    },
    "COLORS": {
        "base": {
            "50": "#f7f8fa",
            "100": "#eff1f5",
            "200": "#e3e6ed",
            "300": "#cdd2dd",
            "400": "#98a1b3",
            "500": "#626c80",
            "600": "#4a5366",
            "700": "#343c4c",
            "800": "#222836",
            "900": "#141923",
            "950": "#0c1018",
        },
        "primary": {
            "50": "#eff2fe",
            "100": "#dfe5fd",
            "200": "#c3cdfb",
            "300": "#9dacf6",
            "400": "#7a8cf0",
            "500": "#5468e4",
            "600": "#3a4bd0",
            "700": "#2f3cac",
            "800": "#28338b",
            "900": "#232c6e",
            "950": "#161b46",
        },
        "font": {
            "subtle-light": "var(--color-base-500)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-600)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
}
