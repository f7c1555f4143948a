"""Nothing is sent to an exchange whose clock and ours are too far apart: orders wait, visibly."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction

from accounts.enums import AuditLevel
from trading.endpoints import client_of, endpoint_of
from trading.enums import EventSource, OrderState, Reason
from trading.exchange.clock import HALT_AT_MS, WARN_AT_MS, ExchangeClock
from trading.exchange.types import Endpoint
from trading.execution.clock import clock_is_right
from trading.leases import db_now
from trading.market_news import tell_market
from trading.models import ClockReading
from trading.outgoing import Outgoing
from trading.transition import Change, retried, transition

LATER = timedelta(seconds=2)
NOTE_EVERY_S = 60.0
# A process that read its clock within this still counts; others are gone.
LATELY = timedelta(minutes=3)
FORGOTTEN = timedelta(days=1)


class ClockState(StrEnum):
    RIGHT = "right"
    OFF = "off"
    HALTED = "halted"


_noted: dict[str, tuple[ClockState, float]] = {}
_clocks: dict[str, ExchangeClock] = {}


def on_time(orders: Sequence[Outgoing]) -> list[Outgoing]:
    """Those that may go on as far as clocks go; the others wait, or end when they are too old."""
    right: dict[Endpoint, bool] = {}
    for order in orders:
        endpoint = endpoint_of(order.account)
        if endpoint not in right:
            client = client_of(order.account)
            right[endpoint] = clock_is_right(client)
            _clocks[endpoint.market] = client.clock
            note_clock(endpoint.market, client.clock)
    early = [order for order in orders if not right[endpoint_of(order.account)]]
    if not early:
        return list(orders)
    _hold(early)
    return [order for order in orders if right[endpoint_of(order.account)]]


def state_of(offset_ms: int) -> ClockState:
    """What an offset means: off above half a second, halted above two."""
    if abs(offset_ms) > HALT_AT_MS:
        return ClockState.HALTED
    return ClockState.OFF if abs(offset_ms) > WARN_AT_MS else ClockState.RIGHT


def note_clocks() -> int:
    """Write down every clock that this process keeps; how many."""
    for market, clock in list(_clocks.items()):
        clock_state = state_of(clock.offset_ms)
        note_clock(market, clock, clock_state)
    return len(_clocks)


def forget_noted() -> None:
    """As in a process that has just started."""
    _noted.clear()
    _clocks.clear()


def note_clock(market: str, clock: ExchangeClock, state: ClockState | None = None) -> None:
    """Write the reading down when it changed its meaning, else once a minute."""
    state = state or state_of(clock.offset_ms)
    last = _noted.get(market)
    now = time.monotonic()
    if last is not None and last[0] == state and now - last[1] < NOTE_EVERY_S:
        return
    if clock.is_known:
        _write(market, clock.offset_ms, state)
        _noted[market] = (state, now)


@retried
@transaction.atomic
def _write(market: str, offset_ms: int, state: ClockState) -> None:
    now = db_now()
    process = f"{platform.node()[:100]} {os.getpid()}"
    key = f"{market}|{process}"
    before = ClockReading.objects.filter(pk=key).first()
    was = state_of(before.offset_ms) if before else ClockState.RIGHT
    ClockReading.objects.filter(read_at__lt=now - FORGOTTEN).delete()
    ClockReading.objects.update_or_create(
        pk=key,
        defaults={
            "market": market,
            "process": process,
            "offset_ms": offset_ms,
            "is_halted": state == ClockState.HALTED,
            "read_at": now,
        },
    )
    if state != was and not _others_say_so(key, market, state, now):
        _tell(market, offset_ms, state)


def _others_say_so(key: str, market: str, state: ClockState, now: datetime) -> bool:
    """Another process found the same lately: people were told."""
    rows = ClockReading.objects.filter(market=market, read_at__gte=now - LATELY).exclude(pk=key)
    return any(state_of(row.offset_ms) == state for row in rows)


def _tell(market: str, offset_ms: int, state: ClockState) -> None:
    seconds = f"{abs(offset_ms) / 1000:.1f} s"
    after = {"offset_ms": offset_ms}
    match state:
        case ClockState.HALTED:
            level, action = AuditLevel.CRITICAL, "clock.halted"
            reason = f"our clock and the exchange's are {seconds} apart: nothing is sent"
        case ClockState.OFF:
            level, action = AuditLevel.WARNING, "clock.off"
            reason = f"our clock and the exchange's are {seconds} apart"
        case _:
            level, action = AuditLevel.NOTICE, "clock.right"
            reason = f"our clock and the exchange's are {seconds} apart again"
    tell_market(market, action, level=level, reason=reason, after=after)


@retried
@transaction.atomic
def _hold(orders: Sequence[Outgoing]) -> None:
    now = db_now()
    note = str(Reason.CLOCK_OFF.label)
    changes = []
    for order in orders:
        if order.opens and order.expires_at is not None and now > order.expires_at:
            changes.append(Change(order, OrderState.EXPIRED, {"reason": Reason.CLOCK_OFF}, note))
        else:
            columns = {"not_before": now + LATER, "reason": Reason.CLOCK_OFF}
            changes.append(Change(order, OrderState.READY, columns))
    transition(changes, source=EventSource.ENGINE, at=now)
