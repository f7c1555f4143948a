"""Django's handle on the trading app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import pgettext_lazy


class TradingConfig(AppConfig):
    name = "trading"
    verbose_name = pgettext_lazy("room", "Trading")
    default_auto_field = "django.db.models.BigAutoField"
