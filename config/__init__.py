"""The front hall: settings, wiring and the pages that show several rooms at once."""

from __future__ import annotations

# Tasks declared with @shared_task find this application in every process that loads Django.
from config.celery import app as celery_app

__all__ = ("celery_app",)
