"""Every error code the simulator knows is really answered by it, with its documented status."""

from __future__ import annotations

from importlib import import_module
from inspect import isawaitable
from pathlib import Path

import pytest

from tests.simulator.client import Simulator
from tests.simulator.codes.asking import Case
from trading.simulator.codes import KNOWN

pytestmark = pytest.mark.simulator

MODULES = [
    import_module(f"{__package__}.{path.stem}") for path in Path(__file__).parent.glob("cases_*.py")
]
CASES: dict[str, Case] = {code: case for module in MODULES for code, case in module.CASES.items()}


@pytest.mark.parametrize("code", sorted(CASES))
async def test_the_code_is_answered(own: Simulator, code: str) -> None:
    answered = CASES[code](own)

    assert (await answered if isawaitable(answered) else answered) == code


def test_every_code_has_a_case() -> None:
    assert KNOWN - set(CASES) == set()


def test_no_code_is_claimed_by_two_modules() -> None:
    assert sum(len(module.CASES) for module in MODULES) == len(CASES)
