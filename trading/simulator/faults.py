"""Faults on request: which call they hit, when and how often."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from trading.simulator.fault_kinds import (
    ACK_KINDS,
    CONNECT_KINDS,
    LOGIN_KINDS,
    PUSH_KINDS,
    REST_KINDS,
    BadFaultError,
    Effect,
    read_effect,
)

__all__ = [
    "ACK_KINDS",
    "CONNECT_KINDS",
    "LOGIN_KINDS",
    "OPERATIONS",
    "PUSH_KINDS",
    "REST_KINDS",
    "BadFaultError",
    "Fault",
    "Faults",
    "Subject",
]

MOST_INSTALLED: Final = 1000
# The names of order operations over the socket, for the REST paths that do the same.
OPERATIONS: Final = {
    "/api/v5/trade/order": "order",
    "/api/v5/trade/batch-orders": "batch-orders",
    "/api/v5/trade/cancel-order": "cancel-order",
    "/api/v5/trade/cancel-batch-orders": "batch-cancel-orders",
    "/api/v5/trade/amend-order": "amend-order",
    "/api/v5/trade/amend-batch-orders": "batch-amend-orders",
}
_PLAIN: Final = ("path", "method", "account", "channel", "op")
_LISTED: Final = {"inst": "insts", "cl_ord_id": "cl_ord_ids", "side": "sides"}
_CHANCES: Final = ("nth", "prob", "from_s", "for_s")
_BODY: Final = frozenset(("match", "fault", "prob", "times", "from_s", "for_s"))
_LONGEST_S: Final = 10**7


@dataclass(frozen=True, slots=True)
class Subject:
    """One request or push, as a fault sees it."""

    path: str = ""
    method: str = ""
    account: str = ""
    channel: str = ""
    insts: Sequence[str] = ()
    cl_ord_ids: Sequence[str] = ()
    sides: Sequence[str] = ()

    @property
    def op(self) -> str:
        """`order`, `cancel-order` …; a lookup of an order (GET) is none."""
        return OPERATIONS.get(self.path, "") if self.method == "POST" else ""


@dataclass(frozen=True, slots=True)
class Terms:
    """When a fault strikes: `from_s` after it was installed, for `for_s`; the nth
    match only; by chance; so many times."""

    match: dict[str, str]
    nth: int | None
    prob: float
    times: int | None
    from_s: float
    for_s: float | None


@dataclass(slots=True)
class Fault:
    fault_id: str
    effect: Effect
    terms: Terms
    since: float
    seen: int = 0
    hits: int = 0

    @property
    def kind(self) -> str:
        return self.effect.kind.name

    @property
    def argument(self) -> str:
        return self.effect.argument

    @property
    def number(self) -> int:
        return int(self.effect.argument)

    @property
    def after(self) -> bool:
        return self.effect.after

    @property
    def outer(self) -> str:
        return self.effect.outer

    @property
    def silent(self) -> bool:
        return self.effect.silent

    def state(self, now: float) -> str:
        """waiting for its window, active, or over."""
        terms = self.terms
        spent = terms.times is not None and self.hits >= terms.times
        missed = terms.nth is not None and self.seen >= terms.nth
        began = self.since + terms.from_s
        ended = terms.for_s is not None and now >= began + terms.for_s
        if spent or missed or ended:
            return "over"
        return "active" if now >= began else "waiting"

    def matches(self, subject: Subject) -> bool:
        match = self.terms.match
        return all(
            value in getattr(subject, _LISTED[name])
            if name in _LISTED
            else value == getattr(subject, name)
            for name, value in match.items()
        )

    def row(self, now: float) -> dict[str, Any]:
        effect, terms = self.effect, self.terms
        return {
            "id": self.fault_id,
            "kind": self.kind,
            "argument": effect.argument,
            "after": effect.after,
            "outer": effect.outer,
            "silent": effect.silent,
            "match": terms.match,
            "nth": terms.nth,
            "prob": terms.prob,
            "times": terms.times,
            "from_s": terms.from_s,
            "for_s": terms.for_s,
            "state": self.state(now),
            "hits": self.hits,
        }


@dataclass(slots=True)
class Faults:
    """The installed faults, oldest first; the first that matches and draws is taken."""

    seed: int = 0
    now: Callable[[], float] = time.monotonic
    installed: list[Fault] = field(default_factory=list)
    _bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    _made: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(f"faults|{self.seed}")  # noqa: S311 - must be repeatable

    def install(self, body: Any) -> Fault:
        effect, terms = read(body)
        if len(self.installed) >= MOST_INSTALLED:
            self._forget_those_over()
        if len(self.installed) >= MOST_INSTALLED:
            raise BadFaultError("", f"{MOST_INSTALLED} faults are installed: remove some")
        self._made += 1
        fault = Fault(f"f{self._made}", effect, terms, self.now())
        self.installed.append(fault)
        self._bodies[fault.fault_id] = body
        return fault

    def change(self, fault_id: str, body: dict[str, Any]) -> Fault | None:
        """Replace the given parts; its hits stay, its time window begins anew."""
        fault = self.find(fault_id)
        if fault is None:
            return None
        merged = {**self._bodies[fault_id], **body}
        fault.effect, fault.terms = read(merged)
        fault.since = self.now()
        self._bodies[fault_id] = merged
        return fault

    def find(self, fault_id: str) -> Fault | None:
        return next((each for each in self.installed if each.fault_id == fault_id), None)

    def remove(self, fault_id: str) -> bool:
        kept = [each for each in self.installed if each.fault_id != fault_id]
        found = len(kept) < len(self.installed)
        self.installed[:] = kept
        self._bodies.pop(fault_id, None)
        return found

    def pick(self, kinds: frozenset[str], subject: Subject) -> Fault | None:
        now = self.now()
        for fault in self.installed:
            if fault.kind not in kinds or not fault.matches(subject):
                continue
            if fault.state(now) != "active":
                continue
            terms = fault.terms
            fault.seen += 1
            if terms.nth is not None and fault.seen != terms.nth:
                continue
            if terms.prob < 1 and self._random.random() >= terms.prob:
                continue
            fault.hits += 1
            return fault
        return None

    def _forget_those_over(self) -> None:
        now = self.now()
        for fault in [each for each in self.installed if each.state(now) == "over"]:
            self.remove(fault.fault_id)

    def clear(self) -> None:
        self.installed.clear()
        self._bodies.clear()


def read(body: Any) -> tuple[Effect, Terms]:
    """A whole fault body, or BadFaultError; nothing is installed."""
    if not isinstance(body, dict):
        raise BadFaultError("", "an object is expected")
    unknown = sorted(set(body) - _BODY)
    if unknown:
        raise BadFaultError(unknown[0], "unknown name")
    match = _read_match(body.get("match"))
    chances = {name: body.get(name, match.pop(name, None)) for name in _CHANCES}
    effect = read_effect(body.get("fault"))
    if not all(isinstance(each, str) for each in match.values()):
        raise BadFaultError("match", "text is expected")
    if match.get("op", "order") not in OPERATIONS.values():
        raise BadFaultError("match", f"op is one of {', '.join(OPERATIONS.values())}")
    return effect, Terms(
        match=match,
        nth=_count("match", chances["nth"]),
        prob=_prob(chances["prob"]),
        times=_count("times", body.get("times")),
        from_s=_seconds("from_s", chances["from_s"]) or 0.0,
        for_s=_seconds("for_s", chances["for_s"]),
    )


def _read_match(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadFaultError("match", "an object is expected")
    unknown = sorted(set(value) - {*_PLAIN, *_LISTED, *_CHANCES})
    if unknown:
        raise BadFaultError("match", f"unknown name {unknown[0]}")
    return {name: each for name, each in value.items() if each is not None}


def _prob(value: Any) -> float:
    if value is None:
        return 1.0
    if not _is_number(value) or not 0 <= value <= 1:
        raise BadFaultError("prob", "a number from 0 to 1 is expected")
    return float(value)


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value <= _LONGEST_S:
        raise BadFaultError(name, "a number of seconds is expected")
    return float(value)


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadFaultError(name, "a whole number of at least 1 is expected")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
