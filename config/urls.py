"""Every address of the product."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

from config.health import livez

urlpatterns = [
    path("livez", livez, name="livez"),
    path("admin/", admin.site.urls),
]
urlpatterns += [
    path(prefix, include(module))
    for prefix, module in (("accounts/", "accounts.urls"), ("hooks/", "signals.urls"))
    if find_spec(module)
]
