"""Django's handle on the admin: the site that `django.contrib.admin` builds is ours."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class BackofficeConfig(AdminConfig):
    default = False
    default_site = "config.backoffice.site.BackofficeSite"
