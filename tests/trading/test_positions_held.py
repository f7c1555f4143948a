"""What a cycle holds is the sum of its orders; what may still fill is counted with its sign."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from trading.enums import Leg, OrderState
from trading.positions_held import Holding, OrderPart, holding_of


def part(
    leg: Leg, state: OrderState, quantity: str, filled: str = "0", fee: str = "0"
) -> OrderPart:
    return OrderPart(
        id=uuid.uuid4(),
        signal_id=uuid.uuid4(),
        leg=leg,
        state=OrderState(state),
        quantity=Decimal(quantity),
        filled=Decimal(filled),
        fee_in_kind=Decimal(fee),
    )


CASES = [
    ("nothing", [], "0", "0", True),
    ("on its way", [part(Leg.OPEN, OrderState.READY, "3")], "0", "3", False),
    ("partly", [part(Leg.OPEN, OrderState.PARTIALLY_FILLED, "3", "1")], "1", "2", False),
    ("canceled keeps its fills", [part(Leg.OPEN, OrderState.CANCELED, "3", "1")], "1", "0", True),
    ("refused", [part(Leg.OPEN, OrderState.REJECTED, "3")], "0", "0", True),
    (
        "a close on its way",
        [part(Leg.OPEN, OrderState.FILLED, "3", "3"), part(Leg.CLOSE, OrderState.SENDING, "3")],
        "3",
        "-3",
        False,
    ),
    (
        "a reduction",
        [
            part(Leg.OPEN, OrderState.FILLED, "3", "3"),
            part(Leg.ADD, OrderState.FILLED, "2", "2"),
            part(Leg.REDUCE, OrderState.FILLED, "1", "1"),
        ],
        "4",
        "0",
        True,
    ),
    ("a fee in kind", [part(Leg.OPEN, OrderState.FILLED, "3", "3", "-0.003")], "2.997", "0", True),
    ("a person's", [part(Leg.OPEN, OrderState.MANUAL, "3")], "0", "3", False),
    (
        "never below nothing",
        [part(Leg.OPEN, OrderState.FILLED, "1", "1"), part(Leg.CLOSE, OrderState.FILLED, "2", "2")],
        "0",
        "0",
        True,
    ),
]


@pytest.mark.parametrize(
    ("parts", "filled", "pending", "quiet"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_a_cycle_holds(parts: list[OrderPart], filled: str, pending: str, quiet: bool) -> None:
    assert holding_of(parts) == Holding(Decimal(filled), Decimal(pending), tuple(parts))
    assert holding_of(parts).is_quiet == quiet


@pytest.mark.parametrize("state", list(OrderState))
def test_only_what_cannot_be_at_the_exchange_may_be_taken_back(state: OrderState) -> None:
    unsent = state in (OrderState.NEW, OrderState.READY)

    assert part(Leg.OPEN, state, "1").is_unsent == unsent
