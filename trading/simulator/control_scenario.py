"""The control API for scenarios: start one, see how far it is, stop it."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator.control_input import Asked, BadInputError, Handlers
from trading.simulator.hub import Hub
from trading.simulator.scenario import Run
from trading.simulator.scenario_file import BadScenarioError, Scenario, read_scenario

Row = dict[str, Any]


def start(hub: Hub, scenario: Scenario) -> Run:
    """Begin now; the one before it is stopped, what it did stays."""
    if isinstance(hub.scenario, Run):
        hub.scenario.stop()
    run = Run(hub, scenario)
    hub.scenario = run
    return run


async def _start(hub: Hub, asked: Asked) -> Row:
    """The body is the file itself."""
    try:
        scenario = read_scenario(asked.text)
    except BadScenarioError as error:
        raise BadInputError(error.field, str(error)) from error
    return start(hub, scenario).row()


async def _show(hub: Hub, _asked: Asked) -> Row:
    run = hub.scenario
    return run.row() if isinstance(run, Run) else {"name": "", "state": "none", "steps": []}


async def _stop(hub: Hub, asked: Asked) -> Row:
    if isinstance(hub.scenario, Run):
        hub.scenario.stop()
    return await _show(hub, asked)


HANDLERS: Final[Handlers] = {
    ("POST", "/scenario"): _start,
    ("GET", "/scenario"): _show,
    ("DELETE", "/scenario"): _stop,
}
