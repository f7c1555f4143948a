"""Maintenance that the exchange announces about itself, as `system/status` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

Row = dict[str, Any]

STATES: Final = ("scheduled", "ongoing", "pre_open", "completed", "canceled")


@dataclass(frozen=True, slots=True)
class Announcement:
    """Its state follows the clock, unless it was given one."""

    title: str
    service_type: str
    begin_ms: int
    end_ms: int
    given: str = ""

    def state(self, now_ms: int) -> str:
        if self.given:
            return self.given
        if now_ms < self.begin_ms:
            return "scheduled"
        return "ongoing" if now_ms < self.end_ms else "completed"

    def row(self, now_ms: int) -> Row:
        return {
            "title": self.title,
            "state": self.state(now_ms),
            "begin": str(self.begin_ms),
            "end": str(self.end_ms),
            "preOpenBegin": "",
            "href": "",
            "serviceType": self.service_type,
            "system": "unified",
            "scheDesc": "",
            "maintType": "1",
            "env": "1",
            "ts": str(now_ms),
        }
