"""What an account tells about itself: history of positions, risk, capacity, settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator

pytestmark = pytest.mark.simulator

ETHER = "ETH-USDT-SWAP"


@pytest.fixture
def reduced(client: Client) -> Client:
    """Bitcoin closed in two steps, ether reduced by half, both in cross; one isolated closed."""
    client.order(sz="2")
    client.order(side="sell", sz="1")
    client.order(side="sell", sz="1")
    client.order(instId=ETHER, tdMode="isolated")
    client.order(instId=ETHER, tdMode="isolated", side="sell")
    client.order(instId=ETHER, sz="4")
    client.order(instId=ETHER, side="sell", sz="2")
    return client


def history(client: Client, **params: str) -> Any:
    answer = client.get("account/positions-history", params)
    assert answer.code == "0", answer.body
    return answer.data


def test_history_holds_closed_and_partly_closed_positions(reduced: Client) -> None:
    rows = history(reduced)

    told = [(row["instId"], row["mgnMode"], row["type"], row["closeTotalPos"]) for row in rows]
    assert told == [
        (ETHER, "cross", "1", "2"),
        (ETHER, "isolated", "2", "1"),
        (SWAP, "cross", "2", "2"),
    ]
    assert rows[2]["openMaxPos"] == "2"
    assert rows[0]["direction"] == "long"


def test_history_of_positions_is_narrowed_and_paged(reduced: Client) -> None:
    rows = history(reduced)

    assert history(reduced, instId=SWAP) == rows[2:]
    assert history(reduced, mgnMode="isolated") == rows[1:2]
    assert history(reduced, type="1") == rows[:1]
    assert history(reduced, type="3") == []
    assert history(reduced, posId=rows[2]["posId"]) == rows[2:]
    assert history(reduced, instType="SPOT") == []
    assert history(reduced, limit="1") == rows[:1]
    assert history(reduced, after=rows[1]["uTime"])[-1] == rows[2]
    assert rows[2] not in history(reduced, before=rows[2]["uTime"])
    assert rows[0] in history(reduced, before=rows[2]["uTime"])


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("account/positions-history", {"type": "9"}, "51000"),
        ("account/positions-history", {"mgnMode": "both"}, "51000"),
        ("account/positions-history", {"instId": "NONE"}, "51001"),
        ("account/positions-history", {"limit": "500"}, "51000"),
        ("account/positions", {"instId": ",".join([SWAP] * 11)}, "50025"),
        ("account/positions", {"instId": "NONE"}, "51001"),
        ("account/positions", {"posId": ",".join(["1"] * 21)}, "50025"),
        ("account/leverage-info", {"instId": ",".join([SWAP] * 21), "mgnMode": "cross"}, "50025"),
        ("account/max-size", {"instId": SWAP}, "50014"),
        ("account/max-size", {"instId": ",".join([SWAP] * 6), "tdMode": "cross"}, "50025"),
        ("account/max-loan", {"instId": SWAP, "mgnMode": "cross"}, "51000"),
        ("account/trade-fee", {}, "50014"),
        ("account/trade-fee", {"instType": "SPOT", "instId": "NONE"}, "51001"),
        ("account/account-position-risk", {"instType": "SHARES"}, "51000"),
    ],
)
def test_account_queries_name_what_is_wrong(
    still: Simulator, path: str, params: dict[str, str], code: str
) -> None:
    reader = still.account("account-reader", perm="read_only")

    assert reader.get(path, params).code == code


def test_asked_currencies_are_told_even_at_zero(client: Client) -> None:
    details = client.get("account/balance", {"ccy": "BTC,ETH"}).row["details"]

    assert [(row["ccy"], row["eq"], row["cashBal"]) for row in details] == [
        ("BTC", "0", "0"),
        ("ETH", "0", "0"),
    ]


def test_a_closed_position_is_found_by_its_id_only(client: Client) -> None:
    client.order()
    pos_id = client.get("account/positions").row["posId"]
    client.order(side="sell")

    assert client.get("account/positions").data == []
    assert client.get("account/positions", {"posId": pos_id}).row["pos"] == "0"


def test_position_risk_shows_balances_and_positions_of_one_instant(client: Client) -> None:
    client.order(sz="3")
    client.order(instId="BTC-USDT", sz="640")

    row = client.get("account/account-position-risk").row

    [position] = row["posData"]
    assert (position["instId"], position["pos"], position["notionalCcy"]) == (SWAP, "3", "0.03")
    assert {each["ccy"] for each in row["balData"]} == {"USDT", "BTC"}
    spot_only = client.get("account/account-position-risk", {"instType": "SPOT"}).row
    assert spot_only["posData"] == []


def test_another_leverage_is_estimated_before_it_is_set(client: Client) -> None:
    double = {"instId": ETHER, "mgnMode": "isolated", "lever": "2"}
    assert client.post("account/set-leverage", double).code == "0"
    client.order(instId=ETHER, tdMode="isolated", sz="10")
    held = Decimal(client.get("account/positions").row["margin"])
    asked = {"instType": "SWAP", "instId": ETHER, "mgnMode": "isolated", "lever": "4"}

    row = client.get("account/adjust-leverage-info", asked).row

    assert Decimal(row["estMgn"]) == held / 2
    free = Decimal(client.balance()["availBal"])
    assert Decimal(row["estAvailTrans"]) == free + held / 2
    assert row["existOrd"] is False
    assert client.get("account/leverage-info", asked).row["lever"] == "2"
    too_much = client.get("account/adjust-leverage-info", asked | {"lever": "1000"})
    assert too_much.code == "59102"


def test_nothing_is_lent(client: Client) -> None:
    loans = client.get("account/max-loan", {"instId": SPOT, "mgnMode": "cross"}).data

    assert [(row["ccy"], row["side"], row["maxLoan"]) for row in loans] == [
        ("BTC", "sell", "0"),
        ("USDT", "buy", "0"),
    ]
    assert client.get("account/interest-accrued").data == []
    rates = client.get("account/interest-rate", {"ccy": "BTC"}).data
    assert rates == [{"ccy": "BTC", "interestRate": "0"}]


@pytest.mark.parametrize(
    ("path", "body", "name", "shown"),
    [
        ("account/set-greeks", {"greeksType": "BS"}, "greeksType", "BS"),
        ("account/set-account-level", {"acctLv": "3"}, "acctLv", "3"),
        ("account/set-position-mode", {"posMode": "long_short_mode"}, "posMode", "long_short_mode"),
    ],
)
def test_settings_are_kept(
    client: Client, path: str, body: dict[str, str], name: str, shown: str
) -> None:
    before = client.get("account/config").row

    assert client.post(path, body).data == [body]
    assert client.get("account/config").row == before | {name: shown}


def test_borrowing_by_itself_belongs_to_multi_currency_mode(client: Client) -> None:
    refused = client.post("account/set-auto-loan", {"autoLoan": True})
    client.post("account/set-account-level", {"acctLv": "3"})

    assert refused.code == "51010"
    assert client.post("account/set-auto-loan", {"autoLoan": True}).data == [{"autoLoan": True}]
    assert client.get("account/config").row["autoLoan"] is True
    assert client.post("account/set-auto-loan", {"autoLoan": "false"}).data == [{"autoLoan": False}]


def test_the_account_mode_stays_while_anything_is_open(client: Client) -> None:
    client.order()

    assert client.post("account/set-account-level", {"acctLv": "1"}).code == "59000"
    assert client.post("account/set-account-level", {"acctLv": "2"}).code == "0"
    assert client.post("account/set-account-level", {"acctLv": "5"}).code == "51000"
    assert client.get("account/config").row["acctLv"] == "2"


def test_isolated_margin_moves_by_itself_only(client: Client) -> None:
    body = {"isoMode": "automatic", "type": "CONTRACTS"}

    assert client.post("account/set-isolated-mode", body).data == [{"isoMode": "automatic"}]
    assert client.post("account/set-isolated-mode", body | {"isoMode": "autonomy"}).code == "51000"
    assert client.post("account/set-isolated-mode", {"isoMode": "automatic"}).code == "50014"
