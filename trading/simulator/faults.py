"""Faults on request: which call they hit, how often, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from trading.simulator.decimals import parse_whole

REST_KINDS: Final = frozenset(
    (
        "drop_before",
        "drop_after_accept",
        "rst_after_accept",
        "hang",
        "late_accept",
        "truncate",
        "html_200",
        "empty_200",
        "data_empty",
        "http",
        "code",
        "scode",
        "redirect",
        "slow_body",
        "partial",
    )
)
WS_KINDS: Final = frozenset(("ws_disconnect", "ws_drop", "ws_duplicate", "ws_stall", "ws_notice"))

_BEFORE: Final = frozenset(("drop_before", "http", "code", "scode", "redirect"))
_MATCHED: Final = frozenset(("path", "account", "inst", "cl_ord_id", "method", "nth", "channel"))
_ARGUMENT: Final = {
    "hang": "ms",
    "late_accept": "ms",
    "slow_body": "ms",
    "http": "status",
    "redirect": "status",
    "code": "code",
    "scode": "code",
    "partial": "slices",
}
_DEFAULTS: Final = {
    "hang": "30000",
    "late_accept": "500",
    "slow_body": "50",
    "http": "502",
    "redirect": "307",
    "code": "50026",
    "scode": "51008",
    "partial": "3",
}


class BadFaultError(ValueError):
    """A fault body that makes no sense; `field` names the part."""

    def __init__(self, field_name: str, why: str) -> None:
        self.field = field_name
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Subject:
    """One request or push, as a fault sees it."""

    path: str = ""
    method: str = ""
    account: str = ""
    channel: str = ""
    insts: Sequence[str] = ()
    cl_ord_ids: Sequence[str] = ()


@dataclass(slots=True)
class Fault:
    fault_id: str
    kind: str
    argument: str
    after: bool
    outer: str
    match: dict[str, str]
    prob: float
    times: int | None
    nth: int | None
    seen: int = 0
    hits: int = 0

    @property
    def number(self) -> int:
        return int(self.argument)

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.times

    def matches(self, subject: Subject) -> bool:
        plain = ("path", "method", "account", "channel")
        named = all(
            self.match[name] == getattr(subject, name) for name in plain if name in self.match
        )
        inst, cl_ord_id = self.match.get("inst"), self.match.get("cl_ord_id")
        return (
            named
            and (inst is None or inst in subject.insts)
            and (cl_ord_id is None or cl_ord_id in subject.cl_ord_ids)
        )

    def row(self) -> dict[str, Any]:
        return {
            "id": self.fault_id,
            "kind": self.kind,
            "argument": self.argument,
            "match": self.match,
            "prob": self.prob,
            "times": self.times,
            "nth": self.nth,
            "hits": self.hits,
        }


@dataclass(slots=True)
class Faults:
    """The installed faults, oldest first; the first that matches and draws is taken."""

    seed: int = 0
    installed: list[Fault] = field(default_factory=list)
    _made: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(f"faults|{self.seed}")  # noqa: S311 - must be repeatable

    def install(self, body: Any) -> Fault:
        """Both forms are read: `"http:502"` and `{"kind": "http", "status": 502}`."""
        if not isinstance(body, dict):
            raise BadFaultError("", "an object is expected")
        kind, argument, options = _read_kind(body.get("fault"))
        match, nth = _read_match(body.get("match"))
        self._made += 1
        fault = Fault(
            fault_id=f"f{self._made}",
            kind=kind,
            argument=argument,
            after=bool(options.get("after", kind not in _BEFORE)),
            outer=str(options.get("outer", "1")),
            match=match,
            prob=_read_prob(body.get("prob", 1)),
            times=_read_count("times", body.get("times")),
            nth=nth,
        )
        self.installed.append(fault)
        return fault

    def pick(self, kinds: frozenset[str], subject: Subject) -> Fault | None:
        for fault in self.installed:
            if fault.kind not in kinds or fault.spent or not fault.matches(subject):
                continue
            fault.seen += 1
            if fault.nth is not None and fault.seen != fault.nth:
                continue
            if fault.prob < 1 and self._random.random() >= fault.prob:
                continue
            fault.hits += 1
            return fault
        return None

    def clear(self) -> None:
        self.installed.clear()


def _read_kind(value: Any) -> tuple[str, str, dict[str, Any]]:
    options: dict[str, Any] = {}
    if isinstance(value, str):
        kind, _, argument = value.partition(":")
    elif isinstance(value, dict) and isinstance(value.get("kind"), str):
        options = value
        kind = value["kind"]
        given = value.get(_ARGUMENT.get(kind, ""))
        argument = "" if given is None else str(given)
    else:
        raise BadFaultError("fault", "a name or an object with kind is expected")
    if kind not in REST_KINDS | WS_KINDS:
        raise BadFaultError("fault", f"unknown fault {kind}")
    argument = argument or _DEFAULTS.get(kind, "")
    if kind in _ARGUMENT and parse_whole(argument, 7) is None:
        raise BadFaultError("fault", f"{_ARGUMENT[kind]} must be a whole number")
    _check_argument(kind, argument)
    return kind, argument, options


def _check_argument(kind: str, argument: str) -> None:
    lowest, highest = {"http": (200, 599), "redirect": (300, 399), "partial": (1, 1000)}.get(
        kind, (0, 9_999_999)
    )
    if kind in _ARGUMENT and not lowest <= int(argument) <= highest:
        raise BadFaultError("fault", f"{_ARGUMENT[kind]} is out of range")


def _read_match(value: Any) -> tuple[dict[str, str], int | None]:
    if value is None:
        return {}, None
    if not isinstance(value, dict):
        raise BadFaultError("match", "an object is expected")
    unknown = set(value) - _MATCHED
    if unknown:
        raise BadFaultError("match", f"unknown name {sorted(unknown)[0]}")
    wanted = {name: each for name, each in value.items() if name != "nth" and each is not None}
    if not all(isinstance(each, str) for each in wanted.values()):
        raise BadFaultError("match", "text is expected")
    return wanted, _read_count("match", value.get("nth"))


def _read_prob(value: Any) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadFaultError("prob", "a number from 0 to 1 is expected")
    return float(value)


def _read_count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadFaultError(name, "a whole number of at least 1 is expected")
    return int(value)
