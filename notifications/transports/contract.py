"""What every way to reach people has: a route, a text, one try, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from notifications.enums import Outcome
from notifications.models import Destination

MOST_TRIES = 6
FEW_TRIES = 3
R = TypeVar("R")


@dataclass(frozen=True)
class Text:
    """What is said. `ident` stays the same however often it is tried."""

    subject: str
    body: str
    ident: str


@dataclass(frozen=True)
class Result:
    """How a try ended, in words of ours: answers of others are never shown as they came.

    `wait_s`: how long the destination is left alone. `blames_destination`: every other
    message would end the same. `left`: recipients who were not told.
    """

    outcome: Outcome
    code: str = ""
    words: str = ""
    wait_s: int = 0
    tries: int = MOST_TRIES
    blames_destination: bool = False
    left: tuple[str, ...] = ()


class Transport(Protocol[R]):
    """One way. `route` is taken before, and `send` neither reads nor writes the database."""

    per_minute: int
    longest: int  # bytes of a body

    def route(self, destination: Destination, left: list[str]) -> R:
        """Address and secrets, in the clear. Raises ValidationError when there are none."""

    def send(self, route: R, text: Text) -> Result:
        """Try once, within a deadline. Raises nothing that a bug did not cause."""

    def clean(self, destination: Destination) -> None:
        """Raise ValidationError by field for what could never be sent to."""
