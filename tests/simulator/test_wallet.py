"""The funding account: transfers in both directions, their state and their bills."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.client import Client, Simulator
from tests.simulator.test_conservation import World
from trading.simulator.codes import OkxError
from trading.simulator.requests import Params
from trading.simulator.upkeep import remove
from trading.simulator.wallet import transfer


def move(client: Client, amount: str, source: str = "18", **more: Any) -> Any:
    target = "6" if source == "18" else "18"
    body = {"ccy": "USDT", "amt": amount, "from": source, "to": target, **more}
    return client.post("asset/transfer", body)


def held(client: Client) -> tuple[str, str]:
    funding = client.get("asset/balances", {"ccy": "USDT"}).row
    assert funding["availBal"] == funding["bal"]
    return funding["bal"], client.balance()["cashBal"]


@pytest.mark.simulator
def test_money_goes_to_the_funding_account_and_back(client: Client) -> None:
    out = move(client, "1500.25", clientId="out1")
    between = held(client)
    back = move(client, "500.25", "6")

    assert out.row | {"transId": ""} == {
        "transId": "",
        "ccy": "USDT",
        "clientId": "out1",
        "from": "18",
        "amt": "1500.25",
        "to": "6",
    }
    assert between == ("1500.25", "98499.75")
    assert back.row["from"] == "6"
    assert held(client) == ("1000", "99000")


@pytest.mark.simulator
def test_everything_is_worth_the_same_wherever_it_lies(client: Client) -> None:
    before = client.get("asset/asset-valuation", {"ccy": "USDT"}).row
    move(client, "36000")
    after = client.get("asset/asset-valuation", {"ccy": "USDT"}).row
    coins = client.get("asset/asset-valuation").row

    assert (before["totalBal"], before["details"]["trading"]) == ("100000", "100000")
    assert after["totalBal"] == "100000"
    assert (after["details"]["funding"], after["details"]["trading"]) == ("36000", "64000")
    assert Decimal(coins["totalBal"]) == Decimal(100_000) / 64_000
    assert client.get("asset/asset-valuation", {"ccy": "NOPE"}).code == "51000"


@pytest.mark.simulator
def test_a_transfer_is_a_bill_of_either_account(client: Client) -> None:
    trans_id = move(client, "1500", clientId="out2").row["transId"]
    move(client, "500", "6")

    into, out, _deposit = client.get("account/bills", {"type": "1"}).data
    assert (out["billId"], out["balChg"], out["bal"]) == (trans_id, "-1500", "98500")
    assert (out["subType"], out["from"], out["to"], out["notes"]) == (
        "12",
        "18",
        "6",
        "To Funding Account",
    )
    assert (into["subType"], into["balChg"], into["notes"]) == (
        "11",
        "500",
        "From Funding Account",
    )
    funding = client.get("asset/bills").data
    assert [(row["type"], row["balChg"], row["bal"]) for row in funding] == [
        ("131", "-500", "1000"),
        ("130", "1500", "1500"),
    ]
    assert client.get("asset/bills", {"type": "131"}).data == funding[:1]
    assert client.get("asset/bills", {"ccy": "BTC"}).data == []


@pytest.mark.simulator
def test_the_state_of_a_transfer_is_found_by_either_id(client: Client) -> None:
    trans_id = move(client, "7", clientId="seven").row["transId"]

    by_id = client.get("asset/transfer-state", {"transId": trans_id}).data
    by_name = client.get("asset/transfer-state", {"clientId": "seven"}).data

    assert by_id == by_name
    assert (by_id[0]["state"], by_id[0]["amt"], by_id[0]["type"]) == ("success", "7", "0")
    assert client.get("asset/transfer-state", {"transId": "1"}).data == []
    assert client.get("asset/transfer-state").code == "50015"


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amt": "100001"}, "58350"),
        ({"from": "6", "to": "18"}, "58350"),
        ({"amt": "0"}, "58114"),
        ({"amt": "-5"}, "51000"),
        ({"amt": ""}, "50014"),
        ({"ccy": "NOPE"}, "51000"),
        ({"ccy": None}, "50014"),
        ({"to": "18"}, "51000"),
        ({"from": "1"}, "51000"),
        ({"type": "1", "subAcct": "x"}, "58127"),
        ({"clientId": "not-plain"}, "51000"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(
    client: Client, change: dict[str, Any], code: str
) -> None:
    body = {"ccy": "USDT", "amt": "5", "from": "18", "to": "6"}

    assert client.post("asset/transfer", body | change).code == code
    assert held(client) == ("0", "100000")


@pytest.mark.simulator
def test_what_positions_hold_cannot_leave(client: Client) -> None:
    client.order(sz="100")
    free = client.get("account/max-withdrawal", {"ccy": "USDT"}).row["maxWd"]

    assert Decimal(free) < 90000
    assert move(client, "90000").code == "58350"
    assert move(client, free).code == "0"
    assert client.get("account/max-withdrawal", {"ccy": "USDT"}).row["maxWd"] == "0"


@pytest.mark.simulator
def test_transfers_are_limited_by_user_and_currency(own: Simulator) -> None:
    client = own.account("mover", balances={"USDT": "1000", "BTC": "1"})
    own.ask("POST", "/limits", {"mode": "okx"})

    codes = [move(client, "1").code for _ in range(3)]

    assert codes == ["0", "0", "50011"]
    assert move(client, "0.1", ccy="BTC").code == "0"


def test_the_wallet_counts_to_the_total_and_leaves_with_its_account() -> None:
    world = World()
    account, state = world.account("net"), world.exchange.state
    params = {"ccy": "USDT", "amt": "1000", "from": "18", "to": "6"}

    transfer(world.exchange, account, Params(params))

    assert account.wallet == {"USDT": Decimal(1000)}
    assert state.total("USDT") == state.deposited["USDT"]
    assert World(world.exchange.ledger).exchange.state == state
    with pytest.raises(OkxError, match="58350"):
        transfer(world.exchange, account, Params(params | {"amt": "1001", "from": "6", "to": "18"}))
    remove(world.exchange, account)
    assert state.total("USDT") == state.deposited["USDT"]
