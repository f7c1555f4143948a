"""Django's handle on the trading app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TradingConfig(AppConfig):
    name = "trading"
    verbose_name = _("Trading")
    default_auto_field = "django.db.models.BigAutoField"
