"""Scenario files: YAML (or JSON) read strictly, with the line of everything that is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from trading.simulator import actions_account, actions_forced, actions_market, control_faults
from trading.simulator.actions import REFUSALS, Action
from trading.simulator.hub import Hub
from trading.simulator.requests import Numeral

ACTIONS: Final[Mapping[str, Action]] = {
    **actions_account.ACTIONS,
    **actions_forced.ACTIONS,
    **actions_market.ACTIONS,
    **control_faults.ACTIONS,
}
EVENTS: Final = ("order", "fill", "cancel", "amend", "request", "deposit", "price", "account")
_MATCHED: Final = {
    "account": "account",
    "inst": "inst_id",
    "side": "side",
    "cl_ord_id": "cl_ord_id",
    "path": "path",
}
_WHEN: Final = ("at", "on", "after", "every", "times")
_MOST_STEPS: Final = 10_000
_LONGEST_S: Final = 10**7
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_TEXT: Final = "tag:yaml.org,2002:str"


class BadScenarioError(ValueError):
    """The file cannot be run; `field` is the place, `line` counts from 1 (0: the whole)."""

    def __init__(self, field: str, line: int, why: str) -> None:
        self.field = field
        self.line = line
        place = f"line {line}: " if line else ""
        super().__init__(f"{place}{field}: {why}" if field else f"{place}{why}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """The nth ledger entry of this kind whose members have these values."""

    event: str
    nth: int
    match: dict[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """`delay_s` counts from the start, or from the trigger; repeated `times` times, `every_s`."""

    line: int
    delay_s: float
    trigger: Trigger | None
    every_s: float
    times: int
    does: tuple[tuple[str, Callable[[Hub], Any]], ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file a value stands."""

    field: str
    lines: Mapping[str, int]

    def at(self, *names: object) -> _Place:
        made = ".".join(str(each) for each in (self.field, *names) if each != "")
        return _Place(made, self.lines)

    def error(self, why: str) -> BadScenarioError:
        """The line of the nearest place that has one."""
        field = self.field
        while field not in self.lines and "." in field:
            field = field.rpartition(".")[0]
        return BadScenarioError(self.field, self.lines.get(field, 0), why)


def read_scenario(text: str) -> Scenario:
    """Everything is checked before anything is done; raises BadScenarioError."""
    document, lines = _load(text)
    root = _Place("", lines)
    if not isinstance(document, dict):
        raise root.error("name and steps are expected")
    _only(root, document, ("name", "steps"))
    name, steps = document.get("name", ""), document.get("steps")
    if not isinstance(name, str):
        raise root.at("name").error("text is expected")
    if not isinstance(steps, list) or not 0 < len(steps) <= _MOST_STEPS:
        raise root.at("steps").error(f"a list of 1 to {_MOST_STEPS} steps is expected")
    made = [_step(root.at("steps", number), each) for number, each in enumerate(steps, 1)]
    return Scenario(str(name), tuple(made))


def _step(place: _Place, value: Any) -> Step:
    if not isinstance(value, dict):
        raise place.error("a step is an object")
    _only(place, value, (*_WHEN, *ACTIONS))
    trigger = _trigger(place.at("on"), value["on"]) if "on" in value else None
    if ("at" in value) == (trigger is not None):
        raise place.error("either at (seconds) or on (an event) is expected")
    if trigger is None and "after" in value:
        raise place.at("after").error("needs on")
    if ("every" in value) != ("times" in value):
        raise place.error("every and times belong together")
    names = [name for name in value if name in ACTIONS]
    if not names:
        raise place.error(f"one of {', '.join(sorted(ACTIONS))} is expected")
    return Step(
        line=place.lines.get(place.field, 0),
        delay_s=_seconds(place, value, "at" if trigger is None else "after"),
        trigger=trigger,
        every_s=_seconds(place, value, "every"),
        times=_count(place.at("times"), value.get("times", Numeral("1"))),
        does=tuple(each for name in names for each in _does(place.at(name), name, value[name])),
    )


def _does(place: _Place, name: str, value: Any) -> list[tuple[str, Callable[[Hub], Any]]]:
    """One body, a list of bodies, or nothing for actions that need none."""
    listed = isinstance(value, list)
    made = []
    for number, body in enumerate(value if listed else [{} if value is None else value], 1):
        here = place.at(number) if listed else place
        if not isinstance(body, dict):
            raise here.error("an object is expected")
        try:
            made.append((name, ACTIONS[name].prepared(body)))
        except REFUSALS as error:
            raise here.at(error.field).error(str(error)) from error
    return made


def _trigger(place: _Place, value: Any) -> Trigger:
    if not isinstance(value, dict):
        raise place.error("an object with event is expected")
    _only(place, value, ("event", "nth", *_MATCHED))
    if value.get("event") not in EVENTS:
        raise place.at("event").error(f"one of {', '.join(EVENTS)} is expected")
    match = {}
    for name, member in _MATCHED.items():
        if name in value:
            if not isinstance(value[name], str):
                raise place.at(name).error("text is expected")
            match[member] = str(value[name])
    return Trigger(value["event"], _count(place.at("nth"), value.get("nth", Numeral("1"))), match)


def _only(place: _Place, value: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for name in value:
        if name not in allowed:
            raise place.at(name).error("unknown name")


def _seconds(place: _Place, value: dict[str, Any], name: str) -> float:
    given = value.get(name, Numeral("0"))
    number = float(given) if isinstance(given, Numeral) else math.nan
    if not 0 <= number <= _LONGEST_S:
        raise place.at(name).error("a number of seconds is expected")
    return number


def _count(place: _Place, given: Any) -> int:
    if not isinstance(given, Numeral) or not given.isdigit() or not 0 < int(given) <= _LONGEST_S:
        raise place.error("a whole number of at least 1 is expected")
    return int(given)


def _load(text: str) -> tuple[Any, dict[str, int]]:
    """The document and the line of each place in it. Numbers keep their text."""
    import yaml  # takes a while to load, and few need it

    lines: dict[str, int] = {}
    try:
        node = yaml.compose(text, _loader())
        document = None if node is None else _value(node, "", lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or "not YAML"
        raise BadScenarioError("", mark.line + 1 if mark else 0, why) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadScenarioError("", 0, "not YAML") from error
    return document, lines


@cache
def _loader() -> Any:
    """Plain words such as on, off and yes stay words; one value is never used twice."""
    import re

    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}

        def compose_node(self, parent: Any, index: Any) -> Any:
            parser: Any = self
            if parser.check_event(yaml.AliasEvent):
                mark = parser.peek_event().start_mark
                raise yaml.MarkedYAMLError(problem="aliases cannot be used", problem_mark=mark)
            return super().compose_node(parent, index)

    number = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?\Z", re.ASCII)
    Loader.add_implicit_resolver(_NULL, re.compile(r"(null|~|)\Z"), ["n", "~", ""])
    Loader.add_implicit_resolver(_BOOL, re.compile(r"(true|false)\Z"), ["t", "f"])
    Loader.add_implicit_resolver(_NUMBERS[1], number, list("-0123456789"))
    return Loader


def _value(node: Any, place: str, lines: dict[str, int]) -> Any:
    lines[place] = node.start_mark.line + 1
    below = f"{place}." if place else ""
    if node.id == "mapping":
        made: dict[str, Any] = {}
        for key, each in node.value:
            if key.id != "scalar" or key.value in made:
                line = key.start_mark.line + 1
                raise BadScenarioError(place, line, "names are texts, and stand there once")
            made[key.value] = _value(each, f"{below}{key.value}", lines)
            lines[f"{below}{key.value}"] = key.start_mark.line + 1
        return made
    if node.id == "sequence":
        return [
            _value(each, f"{below}{number}", lines) for number, each in enumerate(node.value, 1)
        ]
    return _scalar(node, place)


def _scalar(node: Any, place: str) -> Any:
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return node.value == "true"
    if node.tag in _NUMBERS:
        return Numeral(node.value)
    if node.tag == _TEXT:
        return str(node.value)
    raise BadScenarioError(place, node.start_mark.line + 1, f"the tag {node.tag} is not known")
