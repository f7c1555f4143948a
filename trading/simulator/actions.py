"""What may be done to the exchange from outside, by a call or by a step of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.simulator.control_input import Asked, BadInputError, Handler
from trading.simulator.faults import BadFaultError
from trading.simulator.hub import Hub
from trading.simulator.opening import BadAccountError
from trading.simulator.requests import Numeral
from trading.simulator.upkeep import BadUpkeepError

Row = dict[str, Any]

REFUSALS: Final = (BadInputError, BadFaultError, BadAccountError, BadUpkeepError)


@dataclass(frozen=True, slots=True)
class Action:
    """`read` checks a body without touching anything and returns what `act` needs.

    What depends on the state of that moment (does the account exist, is the money
    free?) is checked by `act`, before it changes anything. Errors have a `field`.
    """

    read: Callable[[Row], Any]
    act: Callable[[Hub, Any], Row]
    floats: bool = False

    def prepared(self, body: Mapping[str, Any]) -> Callable[[Hub], Row]:
        wanted = self.read(as_floats(dict(body)) if self.floats else dict(body))
        return lambda hub: self.act(hub, wanted)


def performing(action: Action) -> Handler:
    """The call that does it; a name in the path is the body's `key`."""

    async def handler(hub: Hub, asked: Asked) -> Row:
        named = {"key": asked.name} if asked.name else {}
        return action.prepared(asked.body | named)(hub)

    return handler


def as_floats(value: Any) -> Any:
    """Numbers as numbers, where they are chances and times and not money."""
    if isinstance(value, Numeral):
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if isinstance(value, dict):
        return {name: as_floats(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_floats(each) for each in value]
    return value
