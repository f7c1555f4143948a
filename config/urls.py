"""Every address of the product."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from config.health import livez

urlpatterns = [
    path("livez", livez, name="livez"),
    # Below the admin's address, whose policy its theme needs, and before its catch-all.
    path("admin/me/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("hooks/", include("signals.urls")),
]
