"""Pushes the way a fault wants them: lost, doubled, late, out of order, half."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from trading.simulator.faults import Fault
from trading.simulator.frames import Frame
from trading.simulator.session import Session

# A push held back for later ones is sent at last when none come.
_LONGEST_HOLD_S: Final = 1.0


@dataclass(slots=True)
class Disturbance:
    """What earlier faults left behind on one connection.

    `losing` counts the pushes per channel that are still to be lost; `held` are
    pushes with the number of later ones that go first.
    """

    losing: dict[str, int] = field(default_factory=dict)
    held: list[tuple[int, Frame]] = field(default_factory=list)


class Disturbances:
    """The connections that faults have disturbed."""

    def __init__(self) -> None:
        self._states: dict[Session, Disturbance] = {}

    def __contains__(self, session: Session) -> bool:
        return session in self._states

    def forget(self, session: Session) -> None:
        self._states.pop(session, None)

    def push(self, session: Session, frame: Frame, channel: str, fault: Fault | None) -> None:
        """Send one push of a channel, unless this fault or an earlier one has other plans."""
        if self._is_lost(session, channel):
            return
        if fault is not None and self._withhold(session, frame, channel, fault):
            return
        if fault is not None and fault.kind == "ws_notice":
            session.notify_restart()
        copies = fault.number if fault is not None and fault.kind == "ws_duplicate" else 0
        for _ in range(1 + copies):
            session.write(frame)
        self._release(session)

    def _state(self, session: Session) -> Disturbance:
        return self._states.setdefault(session, Disturbance())

    def _is_lost(self, session: Session, channel: str) -> bool:
        state = self._states.get(session)
        if state is None or not state.losing.get(channel):
            return False
        state.losing[channel] -= 1
        return True

    def _withhold(self, session: Session, frame: Frame, channel: str, fault: Fault) -> bool:
        """Whether the push is not sent now; what happens instead has happened."""
        if fault.kind in _CUTS:
            _CUTS[fault.kind](session, frame, fault)
        elif fault.kind == "ws_gap":
            self._state(session).losing[channel] = fault.number - 1
        elif fault.kind == "ws_delay":
            asyncio.get_running_loop().call_later(fault.number / 1000, session.write, frame)
        elif fault.kind == "ws_reorder":
            self._hold(session, frame, fault.number)
        else:
            return fault.kind == "ws_drop"
        return True

    def _hold(self, session: Session, frame: Frame, window: int) -> None:
        self._state(session).held.append((window, frame))
        asyncio.get_running_loop().call_later(_LONGEST_HOLD_S, self._give_up, session, frame)

    def _release(self, session: Session) -> None:
        """One push went out: those that waited for it as their last come now."""
        state = self._states.get(session)
        if state is None or not state.held:
            return
        waiting = [(left - 1, frame) for left, frame in state.held]
        state.held = [each for each in waiting if each[0] > 0]
        for left, frame in waiting:
            if left <= 0:
                session.write(frame)

    def _give_up(self, session: Session, frame: Frame) -> None:
        state = self._states.get(session)
        if state is not None and any(each is frame for _, each in state.held):
            state.held = [each for each in state.held if each[1] is not frame]
            session.write(frame)


def _fall_silent(session: Session, _frame: Frame, _fault: Fault) -> None:
    session.silent = True


_CUTS: Final[dict[str, Callable[[Session, Frame, Fault], None]]] = {
    "ws_close": lambda session, _frame, fault: session.end(fault.number),
    "ws_disconnect": lambda session, _frame, _fault: session.drop(),
    "ws_half": lambda session, frame, _fault: session.write_half(frame),
    "ws_stall": _fall_silent,
}
