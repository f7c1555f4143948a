"""What can be broken: every kind of fault, its argument and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trading.simulator.decimals import parse_whole

_LONGEST: Final = 7


class BadFaultError(ValueError):
    """A fault body that makes no sense; `field` names the part."""

    def __init__(self, field_name: str, why: str) -> None:
        self.field = field_name
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Kind:
    """`where` is the door it works at: rest (also order operations over the socket),
    push, login, ack or connect. `after` tells whether the call is carried out first, unless
    the fault says otherwise, which only `choosable` kinds let it."""

    name: str
    where: str
    does: str
    argument: str = ""
    default: str = ""
    low: int = 0
    high: int = 9_999_999
    after: bool = True
    choosable: bool = False

    def row(self) -> dict[str, Any]:
        return {
            "kind": self.name,
            "where": self.where,
            "does": self.does,
            "argument": self.argument,
            "default": self.default,
            "after": self.after,
            "choosable": self.choosable,
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind with its argument. `outer` is the code around failed rows; `silent`
    leaves out the answer of a late acceptance."""

    kind: Kind
    argument: str
    after: bool
    outer: str
    silent: bool


def read_effect(value: Any) -> Effect:
    """Both forms: `"http:502"` and `{"kind": "http", "status": 502, "after": true}`."""
    options: dict[str, Any] = {}
    if isinstance(value, str):
        name, _, argument = value.partition(":")
    elif isinstance(value, dict) and isinstance(value.get("kind"), str):
        name, options = value["kind"], value
        given = options.get(KINDS[name].argument) if name in KINDS else None
        argument = "" if given is None else str(given)
    else:
        raise BadFaultError("fault", "a name or an object with kind is expected")
    kind = KINDS.get(name)
    if kind is None:
        raise BadFaultError("fault", f"unknown fault {name}")
    _check_options(kind, options)
    return Effect(
        kind=kind,
        argument=_argument(kind, argument),
        after=options.get("after", kind.after),
        outer=options.get("outer", "1"),
        silent=options.get("silent", False),
    )


def _argument(kind: Kind, given: str) -> str:
    if not kind.argument:
        if given:
            raise BadFaultError("fault", f"{kind.name} takes no argument")
        return ""
    argument = given or kind.default
    number = parse_whole(argument, _LONGEST)
    if number is None:
        raise BadFaultError("fault", f"{kind.argument} must be a whole number")
    if not kind.low <= number <= kind.high:
        raise BadFaultError("fault", f"{kind.argument} must be from {kind.low} to {kind.high}")
    return argument


def _check_options(kind: Kind, options: dict[str, Any]) -> None:
    allowed = {"kind": True, kind.argument: True}
    allowed["after"] = kind.choosable and isinstance(options.get("after"), bool)
    allowed["outer"] = kind.name == "scode" and options.get("outer") in ("0", "1", "2")
    allowed["silent"] = kind.name == "late_accept" and isinstance(options.get("silent"), bool)
    for name in options:
        if not allowed.get(name):
            raise BadFaultError("fault", f"{name} cannot be used with {kind.name} like this")


_REST: Final = (
    Kind("drop_before", "rest", "nothing done, connection closed", after=False),
    Kind("drop_after_accept", "rest", "done, then closed without an answer"),
    Kind("rst_after_accept", "rest", "done, then reset without an answer"),
    Kind("hang", "rest", "silence for so long, then closed", "ms", "30000", choosable=True),
    Kind("late_accept", "rest", "answers 50004, lands later", "ms", "500"),
    Kind("truncate", "rest", "half a body", choosable=True),
    Kind("slow_body", "rest", "a body in eight pieces", "ms", "50"),
    Kind("html_200", "rest", "a page of HTML with status 200", choosable=True),
    Kind("empty_200", "rest", "an empty body with status 200", choosable=True),
    Kind("data_empty", "rest", "an envelope of success without data", choosable=True),
    Kind("http", "rest", "HTML with this status", "status", "502", 200, 599, False, True),
    Kind("redirect", "rest", "sent to the same path", "status", "307", 300, 399, False, True),
    Kind(
        "code", "rest", "an envelope with this code", "code", "50026", after=False, choosable=True
    ),
    Kind("scode", "rest", "rows with this code", "code", "51008", after=False, choosable=True),
    Kind("partial", "rest", "a taker order is filled in parts", "slices", "3", 1, 1000),
)
_SOCKET: Final = (
    Kind("ws_drop", "push", "lost"),
    Kind("ws_gap", "push", "lost, and the following ones of the channel", "count", "3", 1, 10_000),
    Kind("ws_duplicate", "push", "comes so many times more", "copies", "1", 1, 100),
    Kind("ws_reorder", "push", "comes after so many later ones", "window", "3", 1, 1000),
    Kind("ws_delay", "push", "comes later", "ms", "500"),
    Kind("ws_disconnect", "push", "the connection is cut instead"),
    Kind("ws_half", "push", "half of the frame, then the connection is cut"),
    Kind("ws_close", "push", "a close frame with this code instead", "code", "4006", 1000, 4999),
    Kind("ws_stall", "push", "silence from here on, even to pings, without closing"),
    Kind("ws_notice", "push", "preceded by the notice to reconnect (64008)"),
    Kind("ws_login", "login", "refused with this code", "code", "60009", 1),
    Kind("ws_login_slow", "login", "answered later", "ms", "3000"),
    Kind("ws_ack_lost", "ack", "subscribed, but the acknowledgement is lost"),
    Kind("ws_refuse", "connect", "refused with this status", "status", "503", 400, 599),
)
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (*_REST, *_SOCKET)}


def _at(*doors: str) -> frozenset[str]:
    return frozenset(kind.name for kind in KINDS.values() if kind.where in doors)


REST_KINDS: Final = _at("rest")
PUSH_KINDS: Final = _at("push")
LOGIN_KINDS: Final = _at("login")
ACK_KINDS: Final = _at("ack")
CONNECT_KINDS: Final = _at("connect")
