"""Room 1: who may enter, and the diary of what was done."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = _("People")

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from accounts import checks  # noqa: F401 (registers the system checks)
        from accounts.fields import register_decimal_collation

        connection_created.connect(
            register_decimal_collation, dispatch_uid="accounts.decimal_collation"
        )
