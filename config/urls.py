"""Every address of the product."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from accounts.views import set_language
from config.doors import root
from config.health.views import PROBES

handler500 = "config.doors.server_error"

urlpatterns = [
    path("", root, name="root"),
    # ProbeMiddleware answers these before anything else is asked of a request.
    *(path(address.removeprefix("/"), probe) for address, probe in PROBES.items()),
    path("i18n/language/", set_language, name="set_language"),
    # Below the admin's address, whose policy its theme needs, and before its catch-all.
    path("admin/me/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("portal/", include("config.portal.urls")),
    path("hooks/", include("signals.urls")),
    path("api/", include("config.api.urls")),
]
