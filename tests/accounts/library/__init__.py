"""A small app of tenant tables, installed by tests/accounts/conftest.py for its tests."""

from __future__ import annotations

from django.apps import AppConfig, apps


class LibraryConfig(AppConfig):
    name = "tests.accounts.library"
    label = "library"
    default_auto_field = "django.db.models.BigAutoField"


def install() -> None:
    """Add the app to a running registry; the test database then gets its tables."""
    if "library" in apps.app_configs:
        return
    config = AppConfig.create("tests.accounts.library.LibraryConfig")
    apps.app_configs[config.label] = config
    config.apps = apps
    config.import_models()
    apps.clear_cache()
