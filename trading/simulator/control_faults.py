"""The control API for what is wrong: faults, latency, limits and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trading.simulator.control_input import Asked, Handlers, NotThereError, choice, only, whole
from trading.simulator.fault_kinds import KINDS
from trading.simulator.faults import OPERATIONS
from trading.simulator.hub import Hub
from trading.simulator.venue import Venue

Row = dict[str, Any]

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


def read_limits(body: Row) -> Row:
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


def turn_limits(venue: Venue, wanted: Row) -> None:
    if "mode" in wanted:
        venue.limiter.enabled = wanted["mode"] == "okx"
    if "dup_clordid" in wanted:
        venue.exchange.rules.dup_clordid = wanted["dup_clordid"]
    for name, setting in _SETTINGS.items():
        if name in wanted:
            setting.turn(venue, wanted[name])


def limits_row(venue: Venue) -> Row:
    return {
        "mode": "okx" if venue.limiter.enabled else "off",
        "dup_clordid": venue.exchange.rules.dup_clordid,
        **{name: setting.read(venue) for name, setting in _SETTINGS.items()},
    }


def read_latency(body: Row) -> int:
    only(body, "ms")
    return whole(body, "ms", 0, _LATENCY_LARGEST)


def fault_rows(venue: Venue) -> list[Row]:
    now = venue.faults.now()
    return [each.row(now) for each in venue.faults.installed]


async def _latency(hub: Hub, asked: Asked) -> Row:
    hub.venue.latency_ms = read_latency(asked.body)
    return {"ms": hub.venue.latency_ms}


async def _limits(hub: Hub, asked: Asked) -> Row:
    """Only the names that are given change; everything is checked first."""
    turn_limits(hub.venue, read_limits(asked.body))
    return limits_row(hub.venue)


async def _settings(hub: Hub, _asked: Asked) -> Row:
    return {**limits_row(hub.venue), "latency_ms": hub.venue.latency_ms}


async def _add(hub: Hub, asked: Asked) -> Row:
    return {"id": hub.venue.faults.install(asked.body).fault_id}


async def _list(hub: Hub, _asked: Asked) -> Row:
    return {"faults": fault_rows(hub.venue)}


async def _kinds(_hub: Hub, _asked: Asked) -> Row:
    return {"kinds": [kind.row() for kind in KINDS.values()], "ops": list(OPERATIONS.values())}


async def _clear(hub: Hub, _asked: Asked) -> Row:
    hub.venue.faults.clear()
    return {"faults": []}


async def _change(hub: Hub, asked: Asked) -> Row:
    fault = hub.venue.faults.change(asked.name, asked.body)
    if fault is None:
        raise NotThereError(f"no fault {asked.name}")
    return fault.row(hub.venue.faults.now())


async def _remove(hub: Hub, asked: Asked) -> Row:
    if not hub.venue.faults.remove(asked.name):
        raise NotThereError(f"no fault {asked.name}")
    return {"id": asked.name, "removed": True}


def _turn_lag(venue: Venue, value: int) -> None:
    venue.exchange.rules.read_lag_ms = value


def _turn_idle(venue: Venue, value: int) -> None:
    venue.ws_idle_s = value


_SETTINGS: Final[dict[str, Setting]] = {
    "read_lag_ms": Setting(
        0, _LATENCY_LARGEST, lambda venue: venue.exchange.rules.read_lag_ms, _turn_lag
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

HANDLERS: Final[Handlers] = {
    ("POST", "/latency"): _latency,
    ("GET", "/limits"): _settings,
    ("POST", "/limits"): _limits,
    ("GET", "/faults"): _list,
    ("POST", "/faults"): _add,
    ("DELETE", "/faults"): _clear,
    ("GET", "/faults/kinds"): _kinds,
    ("PATCH", "/faults/*"): _change,
    ("DELETE", "/faults/*"): _remove,
}
