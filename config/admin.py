"""Pages that show several rooms at once take the place of the rooms' own."""

from __future__ import annotations

from config.backoffice import diary, pages, schedules

__all__ = ["diary", "pages", "schedules"]
