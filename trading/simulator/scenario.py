"""Running a scenario: its steps at their times and at the events they wait for."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from trading.simulator.actions import REFUSALS
from trading.simulator.control_input import NotThereError
from trading.simulator.hub import Hub
from trading.simulator.scenario_file import Scenario, Step
from trading.simulator.state import Entry

Row = dict[str, Any]


@dataclass(slots=True)
class _Progress:
    """How far one step is; a step that failed goes on with its repetitions."""

    step: Step
    seen: int = 0
    done: int = 0
    errors: list[str] = field(default_factory=list)

    def row(self) -> Row:
        over = self.done >= self.step.times
        state = "done" if over else ("running" if self.done else "waiting")
        return {
            "line": self.step.line,
            "at": self.step.delay_s,
            "on": None if self.step.trigger is None else self.step.trigger.event,
            "does": [name for name, _ in self.step.does],
            "times": self.step.times,
            "done": self.done,
            "state": "failed" if self.errors else state,
            "errors": self.errors,
        }


class Run:
    """One scenario from its start until every step is done or it is stopped."""

    def __init__(self, hub: Hub, scenario: Scenario) -> None:
        self.scenario = scenario
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._progress = [_Progress(step) for step in scenario.steps]
        self._waiting = [each for each in self._progress if each.step.trigger is not None]
        self._timers: set[asyncio.TimerHandle] = set()
        self._stopped = False
        if self._waiting:
            hub.venue.exchange.entry_listeners.append(self._heard)
        for each in self._progress:
            if each.step.trigger is None:
                self._later(each, each.step.delay_s)

    def stop(self) -> None:
        self._stopped = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._listen_no_more()

    def row(self) -> Row:
        over = all(each.done >= each.step.times for each in self._progress)
        state = "done" if over else ("stopped" if self._stopped else "running")
        steps = [each.row() for each in self._progress]
        return {"name": self.scenario.name, "state": state, "steps": steps}

    def _heard(self, entry: Entry) -> None:
        """Called while the exchange is at work: what is to be done is done right after."""
        for each in list(self._waiting):
            trigger = each.step.trigger
            if trigger is None or entry["kind"] != trigger.event:
                continue
            if any(entry.get(name) != value for name, value in trigger.match.items()):
                continue
            each.seen += 1
            if each.seen == trigger.nth:
                self._waiting.remove(each)
                self._later(each, each.step.delay_s)

    def _later(self, progress: _Progress, delay_s: float) -> None:
        def run() -> None:
            self._timers.discard(timer)
            self._do(progress)

        timer = self._loop.call_later(delay_s, run)
        self._timers.add(timer)

    def _do(self, progress: _Progress) -> None:
        for name, act in progress.step.does:
            try:
                act(self._hub)
            except (*REFUSALS, NotThereError) as error:
                why = f"line {progress.step.line}: {name}: {error}"
                progress.errors.append(why)
                sys.stderr.write(f"scenario, {why}\n")
        progress.done += 1
        if progress.done < progress.step.times:
            self._later(progress, progress.step.every_s)
        if not self._waiting:
            self._listen_no_more()
        self._hub.venue.later(self._hub.venue.ledger.flush())

    def _listen_no_more(self) -> None:
        listeners = self._hub.venue.exchange.entry_listeners
        if self._heard in listeners:
            listeners.remove(self._heard)
