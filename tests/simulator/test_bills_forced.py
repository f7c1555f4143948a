"""Bills of what nobody ordered: liquidation, deleveraging, cover, margin moved by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulator.client import Client
from tests.simulator.core import SWAP, Core
from tests.simulator.test_liquidation import leveraged
from trading.simulator import liquidation
from trading.simulator.decimals import ZERO
from trading.simulator.rows_account import closed_row
from trading.simulator.state import Account, Bill

ETHER = "ETH-USDT-SWAP"


def kinds(bills: list[Bill]) -> list[tuple[str, str]]:
    return [(bill.kind, bill.sub_type) for bill in bills]


def held(core: Core, pos_side: str, side: str) -> Account:
    """100 contracts, about 64,000 USDT at leverage 3."""
    mode = "net_mode" if pos_side == "net" else "long_short_mode"
    account = core.open("holder", mode=mode)
    core.order(account, side=side, posSide=pos_side, sz="100")
    return account


@pytest.mark.parametrize(
    ("pos_side", "side", "sub_type"),
    [
        ("long", "buy", "125"),
        ("short", "sell", "126"),
        ("net", "sell", "127"),
        ("net", "buy", "128"),
    ],
)
def test_deleveraging_has_sub_types_of_its_own(pos_side: str, side: str, sub_type: str) -> None:
    core = Core()
    account = held(core, pos_side, side)
    position = account.positions[(SWAP, "cross", pos_side)]

    liquidation.deleverage(core.exchange, account, position, Decimal(40))
    partly = closed_row(account, position)["type"]
    liquidation.deleverage(core.exchange, account, position, Decimal(60))

    assert kinds(list(account.bills)[-2:]) == [("9", sub_type)] * 2
    assert partly == "5"
    assert closed_row(account, account.closed[-1])["type"] == "6"


@pytest.mark.parametrize(
    ("side", "price", "sub_type"), [("buy", "62200", "107"), ("sell", "65700", "106")]
)
def test_a_full_liquidation_is_told_by_its_side(side: str, price: str, sub_type: str) -> None:
    core = Core()
    account = leveraged(core, side=side)
    opened = len(account.bills)

    core.pin(price)

    forced = list(account.bills)[opened:]
    assert forced
    assert set(kinds(forced)) == {("5", sub_type)}
    assert sum((bill.bal_chg for bill in account.bills), ZERO) == account.balances["USDT"]
    assert closed_row(account, account.closed[-1])["type"] == "3"


def test_the_insurance_fund_pays_a_debt_as_a_transfer_in() -> None:
    core = Core()
    account = leveraged(core)
    core.market.pin(SWAP, Decimal(50000), core.clock.ms())
    core.order(account, side="sell", sz="50")
    owed = account.balances["USDT"]

    core.exchange.follow([])

    bill = account.bills[-1]
    assert (bill.kind, bill.sub_type) == ("5", "110")
    assert (bill.bal_chg, bill.bal) == (-owed, ZERO)


@pytest.mark.simulator
def test_margin_moved_by_hand_is_a_bill_in_either_direction(client: Client) -> None:
    client.order(instId=ETHER, tdMode="isolated")
    body = {"instId": ETHER, "posSide": "net", "type": "add", "amt": "50"}

    added = client.post("account/position/margin-balance", body)
    taken = client.post("account/position/margin-balance", body | {"type": "reduce", "amt": "20"})

    assert (added.code, taken.code) == ("0", "0")
    out, into = client.get("account/bills", {"type": "6"}).data
    assert (into["subType"], into["balChg"], into["posBalChg"]) == ("160", "-50", "50")
    assert (out["subType"], out["balChg"], out["posBalChg"]) == ("161", "20", "-20")
    assert Decimal(out["posBal"]) == Decimal(into["posBal"]) - 20
    assert client.get("account/positions").row["margin"] == out["posBal"]
