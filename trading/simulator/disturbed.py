"""Pushes the way a fault wants them: lost, doubled, late, out of order, half."""

from __future__ import annotations

from trading.simulator.frames import Frame
from trading.simulator.session import Session


def send_faulty(session: Session, frame: Frame, kind: str) -> None:
    if kind == "ws_drop":
        return
    if kind == "ws_disconnect":
        session.drop()
        return
    if kind == "ws_stall":
        session.silent = True
        return
    if kind == "ws_notice":
        session.notify_restart()
    session.write(frame)
    if kind == "ws_duplicate":
        session.write(frame)
