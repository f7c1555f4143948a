"""What the cases share: a fresh account for each, and the code of an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from tests.simulator.client import Answer, Client, Simulator
from trading.simulator.codes import http_of

Case = Callable[[Simulator], str | Awaitable[str]]
Ask = Callable[[Client], Answer]

_numbers = count(1)


def trader(simulator: Simulator, **options: Any) -> Client:
    return simulator.account(f"code{next(_numbers)}", **options)


def code_of(answer: Answer) -> str:
    """The verdict of the first refused row, else the envelope's code with its documented status."""
    if answer.code in ("1", "2"):
        assert answer.status == 200
        return str(next(row["sCode"] for row in answer.data if row["sCode"] != "0"))
    assert answer.status == http_of(answer.code)
    return answer.code


def asking(ask: Ask, **options: Any) -> Case:
    """A fresh account asks once; its code is the answer's."""
    return lambda simulator: code_of(ask(trader(simulator, **options)))


def faulty(code: str) -> Case:
    """Codes of states this exchange does not get into by itself: a fault makes the envelope."""

    def case(simulator: Simulator) -> str:
        client = trader(simulator)
        fault = {"match": {"account": client.key}, "fault": f"code:{code}", "times": 1}
        assert simulator.ask("POST", "/faults", fault).status == 200
        return code_of(client.get("account/config"))

    return case


def faulty_row(code: str) -> Case:
    """The same for verdicts about a single order."""

    def case(simulator: Simulator) -> str:
        client = trader(simulator)
        fault = {"match": {"account": client.key}, "fault": f"scode:{code}", "times": 1}
        assert simulator.ask("POST", "/faults", fault).status == 200
        return code_of(client.order())

    return case
