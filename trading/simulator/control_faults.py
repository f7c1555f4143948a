"""The control API for what is wrong: faults, latency, limits and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trading.simulator.actions import Action, as_floats, performing
from trading.simulator.control_input import Asked, Handlers, NotThereError, choice, only, whole
from trading.simulator.fault_kinds import KINDS
from trading.simulator.faults import OPERATIONS, read
from trading.simulator.hub import Hub
from trading.simulator.venue import Venue

Row = dict[str, Any]

_PURGE_LARGEST: Final = 90 * 86_400_000
_LATENCY_LARGEST: Final = 600_000
_CLOCK_FURTHEST: Final = 10**10
_MODES: Final = ("okx", "off")
_POLICIES: Final = ("live_only", "ever", "never")


@dataclass(frozen=True, slots=True)
class Setting:
    """A whole number that may be turned, with its bounds."""

    low: int
    high: int
    read: Callable[[Venue], int]
    turn: Callable[[Venue, int], None]


def _read_limits(body: Row) -> Row:
    """What is to be turned, checked; only the names that are given."""
    only(body, "mode", "limits", "dup_clordid", *_SETTINGS)
    made: Row = {}
    if "mode" in body or "limits" in body:
        made["mode"] = choice(body, ("mode", "limits"), _MODES, "")
    if "dup_clordid" in body:
        made["dup_clordid"] = choice(body, ("dup_clordid",), _POLICIES, "")
    for name, setting in _SETTINGS.items():
        if name in body:
            made[name] = whole(body, name, setting.low, setting.high)
    return made


def _turn_limits(venue: Venue, wanted: Row) -> None:
    if "mode" in wanted:
        venue.limiter.enabled = wanted["mode"] == "okx"
    if "dup_clordid" in wanted:
        venue.exchange.rules.dup_clordid = wanted["dup_clordid"]
        venue.exchange.state.keeps_names = wanted["dup_clordid"] == "ever"
    for name, setting in _SETTINGS.items():
        if name in wanted:
            setting.turn(venue, wanted[name])


def limits_row(venue: Venue) -> Row:
    return {
        "mode": "okx" if venue.limiter.enabled else "off",
        "dup_clordid": venue.exchange.rules.dup_clordid,
        **{name: setting.read(venue) for name, setting in _SETTINGS.items()},
    }


def _read_latency(body: Row) -> int:
    only(body, "ms")
    return whole(body, "ms", 0, _LATENCY_LARGEST)


def fault_rows(venue: Venue) -> list[Row]:
    now = venue.faults.now()
    return [each.row(now) for each in venue.faults.installed]


def _latency(hub: Hub, wanted: int) -> Row:
    hub.venue.latency_ms = wanted
    return {"ms": wanted}


def _limits(hub: Hub, wanted: Row) -> Row:
    _turn_limits(hub.venue, wanted)
    return limits_row(hub.venue)


def _read_fault(body: Row) -> Row:
    """Read whole now, installed (and its time begun) later."""
    read(body)
    return body


def _add(hub: Hub, wanted: Row) -> Row:
    return {"id": hub.venue.faults.install(wanted).fault_id}


def _read_nothing(body: Row) -> None:
    only(body)


def _clear(hub: Hub, _wanted: None) -> Row:
    hub.venue.faults.clear()
    return {"faults": []}


async def _settings(hub: Hub, _asked: Asked) -> Row:
    return {**limits_row(hub.venue), "latency_ms": hub.venue.latency_ms}


async def _list(hub: Hub, _asked: Asked) -> Row:
    return {"faults": fault_rows(hub.venue)}


async def _kinds(_hub: Hub, _asked: Asked) -> Row:
    return {"kinds": [kind.row() for kind in KINDS.values()], "ops": list(OPERATIONS.values())}


async def _change(hub: Hub, asked: Asked) -> Row:
    fault = hub.venue.faults.change(asked.name, as_floats(asked.body))
    if fault is None:
        raise NotThereError(f"no fault {asked.name}")
    return fault.row(hub.venue.faults.now())


async def _remove(hub: Hub, asked: Asked) -> Row:
    if not hub.venue.faults.remove(asked.name):
        raise NotThereError(f"no fault {asked.name}")
    return {"id": asked.name, "removed": True}


def _turn_lag(venue: Venue, value: int) -> None:
    venue.exchange.rules.read_lag_ms = value


def _turn_purge(venue: Venue, value: int) -> None:
    venue.exchange.rules.purge_canceled_ms = value


def _turn_idle(venue: Venue, value: int) -> None:
    venue.ws_idle_s = value


_SETTINGS: Final[dict[str, Setting]] = {
    "read_lag_ms": Setting(
        0, _LATENCY_LARGEST, lambda venue: venue.exchange.rules.read_lag_ms, _turn_lag
    ),
    "purge_canceled_ms": Setting(
        0, _PURGE_LARGEST, lambda venue: venue.exchange.rules.purge_canceled_ms, _turn_purge
    ),
    "clock_offset_ms": Setting(
        -_CLOCK_FURTHEST,
        _CLOCK_FURTHEST,
        lambda venue: venue.clock.skew_ms(),
        lambda venue, value: venue.clock.jump(value),
    ),
    "clock_drift_ppm": Setting(
        -1_000_000 + 1,
        1_000_000,
        lambda venue: venue.clock.drift_ppm,
        lambda venue, value: venue.clock.drift(value),
    ),
    "ws_idle_s": Setting(1, 86_400, lambda venue: venue.ws_idle_s, _turn_idle),
}

ACTIONS: Final[dict[str, Action]] = {
    "latency": Action(_read_latency, _latency),
    "limits": Action(_read_limits, _limits),
    "fault": Action(_read_fault, _add, floats=True),
    "clear_faults": Action(_read_nothing, _clear),
}
HANDLERS: Final[Handlers] = {
    ("POST", "/latency"): performing(ACTIONS["latency"]),
    ("GET", "/limits"): _settings,
    ("POST", "/limits"): performing(ACTIONS["limits"]),
    ("GET", "/faults"): _list,
    ("POST", "/faults"): performing(ACTIONS["fault"]),
    ("DELETE", "/faults"): performing(ACTIONS["clear_faults"]),
    ("GET", "/faults/kinds"): _kinds,
    ("PATCH", "/faults/*"): _change,
    ("DELETE", "/faults/*"): _remove,
}
