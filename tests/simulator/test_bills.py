"""Bills: every change of a balance has its line, and the lines add up."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from tests.simulator.client import SPOT, SWAP, Client
from tests.simulator.test_conservation import World, steps

pytestmark = pytest.mark.simulator

ISOLATED = "ETH-USDT-SWAP"


@settings(max_examples=30, deadline=None)
@given(steps)
def test_the_bills_of_a_currency_add_up_to_its_balance(taken: list[Any]) -> None:
    world = World()
    for step in taken:
        world.take(step)

    for account in world.exchange.state.accounts.values():
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for bill in account.bills:
            totals[bill.ccy] += bill.bal_chg
            assert bill.bal == totals[bill.ccy]
        assert totals == account.balances
        numbers = [int(bill.bill_id) for bill in account.bills]
        assert numbers == sorted(set(numbers))


def rows(client: Client, **params: str) -> Any:
    answer = client.get("account/bills", params)
    assert answer.code == "0", answer.body
    return answer.data


def test_a_deposit_is_a_transfer_into_the_trading_account(client: Client) -> None:
    [row] = rows(client)

    given = (row["type"], row["subType"], row["from"], row["to"])
    assert given == ("1", "11", "6", "18")
    assert (row["ccy"], row["balChg"], row["bal"]) == ("USDT", "100000", "100000")
    assert (row["instType"], row["instId"], row["ordId"]) == ("", "", "")


def test_a_spot_trade_has_a_bill_for_each_currency(client: Client) -> None:
    client.order(instId=SPOT, sz="500", clOrdId="spot1", tag="t1")
    fill = client.get("trade/fills").row

    quote, base = rows(client, type="2")

    size, price, fee = (Decimal(fill[name]) for name in ("fillSz", "fillPx", "fee"))
    assert base["billId"] == fill["billId"]
    assert int(quote["billId"]) == int(base["billId"]) + 1
    assert (base["ccy"], quote["ccy"]) == ("BTC", "USDT")
    assert (base["subType"], quote["subType"]) == ("1", "1")
    assert Decimal(base["balChg"]) == size + fee
    assert Decimal(quote["balChg"]) == -size * price
    assert (base["fee"], quote["fee"]) == (fill["fee"], "0")
    assert (Decimal(base["sz"]), Decimal(quote["sz"])) == (size, size * price)
    assert Decimal(quote["bal"]) == 100000 - size * price
    for row in (base, quote):
        assert (row["ordId"], row["clOrdId"], row["tag"]) == (fill["ordId"], "spot1", "t1")
        assert (row["execType"], row["tradeId"]) == ("T", fill["tradeId"])


def test_an_isolated_position_takes_its_margin_out_of_the_balance(client: Client) -> None:
    client.order(instId=ISOLATED, tdMode="isolated")
    fill = client.get("trade/fills").row
    margin = client.get("account/positions").row["margin"]

    [row] = rows(client, mgnMode="isolated")

    assert (row["type"], row["subType"], row["instType"]) == ("2", "1", "SWAP")
    assert (row["posBal"], row["posBalChg"]) == (margin, margin)
    assert Decimal(row["balChg"]) == Decimal(fill["fee"]) - Decimal(margin)


def test_another_leverage_moves_margin_between_balance_and_position(client: Client) -> None:
    client.order(instId=ISOLATED, tdMode="isolated")
    before = Decimal(client.get("account/positions").row["margin"])
    lever = {"instId": ISOLATED, "mgnMode": "isolated", "lever": "6"}

    client.post("account/set-leverage", lever)

    after = Decimal(client.get("account/positions").row["margin"])
    [row] = rows(client, type="6")
    assert (row["subType"], row["instId"], row["mgnMode"]) == ("161", ISOLATED, "isolated")
    assert Decimal(row["balChg"]) == before - after > 0
    assert (Decimal(row["posBalChg"]), Decimal(row["posBal"])) == (after - before, after)


def test_closing_in_long_short_mode_is_told_from_opening(hedged: Client) -> None:
    hedged.order(posSide="short", side="sell")
    hedged.order(posSide="short", side="buy")

    kinds = [row["subType"] for row in rows(hedged, type="2")]

    assert kinds == ["6", "4"]


def test_filters_narrow_the_bills(client: Client) -> None:
    inverse = "BTC-USD-SWAP"
    client.order()
    client.order(instId=SPOT, sz="500")
    client.order(instId=inverse, tdMode="isolated")

    assert len(rows(client)) == 5
    assert [row["instId"] for row in rows(client, instType="SWAP")] == [inverse, SWAP]
    assert [row["instId"] for row in rows(client, ccy="BTC")] == [inverse, SPOT]
    assert [row["ccy"] for row in rows(client, instId=SPOT)] == ["USDT", "BTC"]
    assert [row["instId"] for row in rows(client, ctType="linear")] == [SWAP]
    assert [row["instId"] for row in rows(client, ctType="inverse")] == [inverse]
    assert [row["instId"] for row in rows(client, mgnMode="isolated")] == [inverse]
    assert [row["type"] for row in rows(client, subType="11")] == ["1"]
    assert rows(client, mgnMode="isolated", type="8") == []


def test_pages_follow_one_another_by_bill_id(client: Client) -> None:
    for _ in range(4):
        client.order(sz="0.01")
    every = rows(client)

    pages = [rows(client, limit="2")]
    while len(pages[-1]) == 2:
        pages.append(rows(client, limit="2", after=pages[-1][-1]["billId"]))

    assert [row for page in pages for row in page] == every
    assert rows(client, before=every[2]["billId"]) == every[:2]
    inside = rows(client, begin=every[0]["ts"], end=every[0]["ts"])
    assert inside
    assert {row["ts"] for row in inside} == {every[0]["ts"]}
    assert rows(client, end=str(int(every[-1]["ts"]) - 1)) == []


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "101"},
        {"limit": "0"},
        {"limit": "x"},
        {"after": "x"},
        {"begin": "yesterday"},
        {"instType": "SHARES"},
        {"ctType": "square"},
        {"mgnMode": "shared"},
    ],
)
@pytest.mark.parametrize("path", ["account/bills", "account/bills-archive"])
def test_what_cannot_be_read_is_named(client: Client, path: str, params: dict[str, str]) -> None:
    answer = client.get(path, params)

    assert (answer.status, answer.code) == (400, "51000")
    assert next(iter(params)) in answer.body["msg"]


def test_bill_types_can_be_narrowed(client: Client) -> None:
    every = client.get("account/subtypes").data

    assert [row["type"] for row in every] == ["1", "2", "5", "6", "8", "9"]
    assert client.get("account/subtypes", {"type": "8"}).data == [
        {
            "type": "8",
            "typeDesc": "Funding fee",
            "subTypeDetails": [
                {"subType": "173", "subTypeDesc": "Funding fee expense"},
                {"subType": "174", "subTypeDesc": "Funding fee income"},
            ],
        }
    ]
    assert client.get("account/subtypes", {"type": "77"}).code == "51000"
