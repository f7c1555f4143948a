"""Where positions are not what our fills add up to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from tests.factories import make_instrument
from tests.trading.sync.rows import BTC, fill, life_of, make_order, position, report
from trading.enums import EventSource, OrderState
from trading.exchange.types import PositionSide, Side
from trading.sync.apply import apply_fills, apply_orders, apply_positions
from trading.sync.truth import find_drifts

SOURCE = EventSource.REST


def drifts(account: ExchangeAccount) -> list[dict[str, str]]:
    with tenant_scope(account.tenant_id):
        return find_drifts(account)


@pytest.mark.database
def test_what_our_fills_explain_is_no_drift(account: ExchangeAccount) -> None:
    apply_orders(account, life_of(make_order(account)), source=SOURCE)
    apply_positions(account, [position()], complete=True, source=SOURCE)
    explained = [{**each, "class": "orphan"} == each for each in drifts(account)]

    apply_positions(account, [], complete=True, source=SOURCE)

    assert explained == [True]  # nothing of ours wants it any more, but nobody else held it
    assert drifts(account) == [
        {
            "inst_id": BTC,
            "position_side": "net",
            "exchange": "0",
            "ours": "3",
            "target": "0",
            "class": "ledger_drift",
        }
    ]


@pytest.mark.database
def test_an_order_under_way_may_explain_it(account: ExchangeAccount) -> None:
    make_order(account, state=OrderState.UNKNOWN)

    apply_positions(account, [position()], complete=True, source=SOURCE)

    assert [each["class"] for each in drifts(account)] == ["in_flight"]


@pytest.mark.database
def test_a_short_side_grows_by_selling(account: ExchangeAccount) -> None:
    order = make_order(account, side="sell", position_side="short")
    sold = fill(order, side=Side.SELL, position_side=PositionSide.SHORT, quantity=Decimal(3))
    apply_fills(account, [sold], source=SOURCE)

    short = position(position_side=PositionSide.SHORT)
    apply_positions(account, [short], complete=True, source=SOURCE)

    assert [
        (each["position_side"], each["exchange"], each["ours"]) for each in drifts(account)
    ] == [("short", "3", "3")]


@pytest.mark.database
def test_spot_has_no_positions_to_drift(account: ExchangeAccount) -> None:
    make_instrument("BTC-USDT")
    order = make_order(account, inst_id="BTC-USDT")

    apply_orders(account, [report(order, inst_id="BTC-USDT")], source=SOURCE)
    apply_fills(account, [fill(order, inst_id="BTC-USDT")], source=SOURCE)

    assert drifts(account) == []
