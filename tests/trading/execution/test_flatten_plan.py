"""What flatten would send: never more than is there, never the side that would add to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from trading.exchange import types as said
from trading.execution.flatten.plan import Close, Held, Plan, plan_cycles, plan_positions, plan_spot
from trading.models import Cycle, Instrument

BTC, D = "BTC-USDT-SWAP", Decimal
LOTS = st.integers(1, 10**7).map(lambda lots: D(lots) / 100)
MODES = st.sampled_from(list(said.MarginMode)[:2])


def listed(inst_id: str = BTC, **fields: Any) -> Instrument:
    terms = {"inst_type": "SWAP", "contract_value": D("0.01"), "base_currency": "BTC"}
    sizes = {"lot_size": D("0.01"), "min_size": D("0.01"), "max_market_size": D(1000)}
    return Instrument(inst_id=inst_id, **terms | sizes | fields)


def position(quantity: Any, side: str = "net", **fields: Any) -> said.PositionReport:
    nothing = dict.fromkeys(("average_price", "leverage", "liquidation_price", "margin_ratio"))
    zero = dict.fromkeys(
        ("unrealized_pnl", "realized_pnl", "margin", "initial_margin", "maintenance_margin"), D(0)
    )
    values = {
        "inst_id": BTC, "inst_type": said.InstrumentType.SWAP,
        "position_side": said.PositionSide(side), "margin_mode": said.MarginMode.CROSS,
        "quantity": D(quantity), "mark_price": D(60000), "notional_usd": D(600), "currency": "USDT",
        "position_id": "1", "trade_id": "1", "created_at": None, "updated_at": timezone.now(),
    }  # fmt: skip
    return said.PositionReport(**values | nothing | zero | fields)


SIDES = st.sampled_from(["net", "long", "short"])
POSITIONS = st.builds(
    lambda size, side, sign, mode: position(
        size * sign if side == "net" else size, side, margin_mode=mode
    ),
    LOTS,
    SIDES,
    st.sampled_from([1, -1]),
    MODES,
)


def after(held: said.PositionReport, close: Close) -> Decimal:
    """The position once all of it was filled, signed by where it stood."""
    long = held.quantity > 0 if held.position_side == "net" else held.position_side == "long"
    assert (close.side == "sell") == long
    return abs(held.quantity) - sum(close.slices, D(0))


@given(POSITIONS)
def test_a_position_is_closed_whole_and_not_turned_over(held: said.PositionReport) -> None:
    plan = plan_positions([held], {BTC: listed()})

    (close,) = plan.closes
    assert after(held, close) == 0
    assert close.reduce_only or close.position_side == held.position_side != "net"
    assert all(0 < part <= 1000 for part in close.slices)


@given(st.lists(POSITIONS, max_size=5), LOTS, st.sampled_from(["long", "short"]))
def test_a_cycle_closes_at_most_what_is_there_in_its_direction(
    positions: list[said.PositionReport], quantity: Decimal, direction: str
) -> None:
    held = Held(Cycle(inst_id=BTC, direction=direction), quantity, listed(), "cross")

    plan = plan_cycles([held], positions)

    there = sum(
        (
            abs(p.quantity)
            for p in positions
            if p.position_side == direction
            or (p.position_side == "net" and (p.quantity > 0) == (direction == "long"))
        ),
        D(0),
    )
    assert sum((close.quantity for close in plan.closes), D(0)) == min(quantity, there)
    assert {close.direction for close in plan.closes} <= {direction}


@pytest.mark.parametrize(
    ("label", "instruments", "inst_type"),
    [
        ("not listed here", {}, said.InstrumentType.SWAP),
        ("borrowed coins", {BTC: listed(inst_type="SPOT")}, said.InstrumentType.MARGIN),
        ("an option", {BTC: listed()}, said.InstrumentType.OPTION),
    ],
)
def test_what_we_cannot_close_is_named_and_not_called_flat(
    label: str, instruments: dict[str, Instrument], inst_type: said.InstrumentType
) -> None:
    plan = plan_positions([position(1, inst_type=inst_type)], instruments)

    assert plan == Plan(stuck=(BTC,)), label
    assert not plan.is_flat


@pytest.mark.parametrize(
    ("label", "bought", "free", "sold", "dust"),
    [
        ("all of it", "0.5", "2", "0.5", ()),
        ("what is left of it", "0.5", "0.3", "0.3", ()),
        ("in whole lots", "0.559", "2", "0.55", ()),
        ("too little", "0.009", "2", None, ("BTC-USDT 0.009",)),
        ("already gone", "0.5", "0", None, ("BTC-USDT 0.5",)),
        ("nothing bought", "0", "2", None, ()),
    ],
)
def test_spot_sells_what_cycles_bought_as_far_as_it_is_there(
    label: str, bought: str, free: str, sold: str | None, dust: tuple[str, ...]
) -> None:
    spot = listed("BTC-USDT", inst_type="SPOT")
    held = Held(Cycle(inst_id="BTC-USDT", direction="long"), D(bought), spot, "cross")

    plan = plan_spot([held], {"BTC": D(free)})

    assert [close.quantity for close in plan.closes] == ([] if sold is None else [D(sold)]), label
    assert plan.dust == dust
    assert plan.is_flat == (sold is None)
