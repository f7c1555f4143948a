"""Named points at which tests make a process die, stop or stumble. Nothing in production.

COPYDESK_FAULTS="S6.before_send=kill:0.02;S7.after_send=kill:0.02;S5.marked=stop" works only
when settings say so, which production settings cannot. COPYDESK_FAULTS="@/path" names a file
that may change while the process lives. COPYDESK_FAULTS_SEED makes the draws repeatable.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from django.conf import settings

Plan = Mapping[str, tuple[Callable[[str], None], float]]


class InjectedFaultError(RuntimeError):
    """Raised on purpose at a fault point."""


def faultpoint(name: str) -> None:
    """Do what the environment asks for at this point; nothing unless faults are enabled."""
    faults = _plan()
    if name in faults:
        action, probability = faults[name]
        if _chance().random() < probability:
            action(name)


@cache
def _chance() -> random.Random:
    return random.Random(os.environ.get("COPYDESK_FAULTS_SEED"))  # noqa: S311 - not secrecy


def _plan() -> Plan:
    source = _source()
    if not source.startswith("@"):
        return _read(source)
    try:
        text = Path(source[1:]).read_text(encoding="ascii")
    except FileNotFoundError:
        return {}
    return _read(text.strip())


@cache
def _source() -> str:
    enabled = os.environ.get("COPYDESK_ENABLE_FAULTS") == "1"
    if not enabled or settings.COPYDESK_ENV not in ("test", "demo"):
        return ""
    return os.environ.get("COPYDESK_FAULTS", "")


@cache
def _read(text: str) -> Plan:
    return parse(text)


def parse(text: str) -> dict[str, tuple[Callable[[str], None], float]]:
    """Read `point=action[:probability]` pairs. Raises ValueError naming a wrong one."""
    plan = {}
    for part in filter(None, text.split(";")):
        point, _, what = part.partition("=")
        action, _, chance = what.partition(":")
        if action not in _ACTIONS:
            raise ValueError(f"unknown fault {part!r}: use {', '.join(_ACTIONS)}")
        plan[point] = (_ACTIONS[action], float(chance or 1))
    return plan


def _kill(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise(name: str) -> None:
    raise InjectedFaultError(name)


def _wait(_name: str) -> None:
    threading.Event().wait(1)


_ACTIONS: dict[str, Callable[[str], None]] = {
    "kill": _kill,
    "stop": _stop,
    "raise": _raise,
    "wait": _wait,
}
