"""What the control API is asked to announce, read strictly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trading.simulator.announcements import STATES, Announcement
from trading.simulator.control_input import BadInputError, only, whole

Row = dict[str, Any]

_LONGEST_S: Final = 30 * 86_400
_LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for, before the moment is known that its times count from."""

    title: str
    service_type: str
    begin_in_s: int
    lasts_s: int
    given: str

    def at(self, now_ms: int) -> Announcement:
        begin = now_ms + self.begin_in_s * 1000
        return Announcement(
            self.title, self.service_type, begin, begin + self.lasts_s * 1000, self.given
        )


def read_plans(body: Row) -> list[Plan]:
    """The whole list at once: an empty one takes every announcement back."""
    only(body, "announcements")
    listed = body.get("announcements")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadInputError("announcements", "a list of objects is expected")
    return [_read(each) for each in listed]


def _read(body: Row) -> Plan:
    only(body, "title", "service_type", "begin_in_s", "lasts_s", "state")
    title, given = body.get("title", "Maintenance"), body.get("state", "")
    if not isinstance(title, str) or not 0 < len(title) <= _LONGEST_TITLE:
        raise BadInputError("title", f"a text of up to {_LONGEST_TITLE} letters is expected")
    if given not in ("", *STATES):
        raise BadInputError("state", f"one of {', '.join(STATES)} is expected")
    kind = whole(body, "service_type", 0, 99, 5)
    begin = whole(body, "begin_in_s", -_LONGEST_S, _LONGEST_S, 0)
    return Plan(title, str(kind), begin, whole(body, "lasts_s", 1, _LONGEST_S, 3600), given)
