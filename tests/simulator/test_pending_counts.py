"""How many orders may rest at once: 500 of an instrument, 4,000 of an account."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.test_conservation import World
from trading.simulator.checks import MAX_PENDING, MAX_PENDING_PER_INSTRUMENT
from trading.simulator.codes import OkxError
from trading.simulator.requests import Params, read_order
from trading.simulator.state import Account


def place(world: World, account: Account, inst_id: str, price: str) -> Any:
    terms = {
        "instId": inst_id,
        "tdMode": "cross",
        "side": "buy",
        "ordType": "limit",
        "px": price,
        "sz": "0.01",
    }
    return world.exchange.place(account, read_order(Params(terms)))


@pytest.mark.parametrize(
    ("resting", "inst_id", "price", "code"),
    [
        (MAX_PENDING_PER_INSTRUMENT - 1, "BTC-USDT-SWAP", "61000", None),
        (MAX_PENDING_PER_INSTRUMENT, "BTC-USDT-SWAP", "61000", "51102"),
        (MAX_PENDING_PER_INSTRUMENT, "ETH-USDT-SWAP", "3300", None),
        (MAX_PENDING, "ETH-USDT-SWAP", "3300", "51174"),
    ],
)
def test_one_more_is_refused(resting: int, inst_id: str, price: str, code: str | None) -> None:
    """The many are one small order under many ids: only their number matters here."""
    world = World()
    account = world.account("net")
    order = place(world, account, "BTC-USDT-SWAP", "61000")
    account.pending.update({f"copy{number}": order for number in range(resting - 1)})

    if code is None:
        assert place(world, account, inst_id, price).is_open
        return
    with pytest.raises(OkxError, match=code):
        place(world, account, inst_id, price)
    assert len(account.pending) == resting
