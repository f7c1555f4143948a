"""Django's handle on the front hall: when every room is loaded, the wiring is connected."""

from __future__ import annotations

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Copydesk"

    def ready(self) -> None:
        from config import checks, flow  # noqa: F401 - importing checks registers them
        from config.health import domain

        flow.connect()
        domain.register()
