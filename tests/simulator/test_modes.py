"""What the account mode allows, and settings that change nothing."""

from __future__ import annotations

from itertools import count

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator

pytestmark = pytest.mark.simulator

_numbers = count(1)


def mode(simulator: Simulator, level: str) -> Client:
    return simulator.account(f"mode{level}n{next(_numbers)}", acct_lv=level)


def leverage(client: Client, lever: str) -> str:
    body = {"instId": SWAP, "lever": lever, "mgnMode": "cross"}
    return client.post("account/set-leverage", body).code


def test_spot_mode_refuses_everything_about_contracts(still: Simulator) -> None:
    client = mode(still, "1")

    assert client.order().row["sCode"] == "51010"
    assert leverage(client, "5") == "51010"
    closing = {"instId": SWAP, "mgnMode": "cross"}
    assert client.post("trade/close-position", closing).code == "51010"


@pytest.mark.parametrize("level", ["3", "4"])
def test_spot_pairs_trade_with_cross_in_multi_currency_modes(still: Simulator, level: str) -> None:
    client = mode(still, level)

    placed = client.order(instId=SPOT, tdMode="cross", sz="640").row

    assert placed["sCode"] == "0"
    row = client.get("trade/order", {"instId": SPOT, "ordId": placed["ordId"]}).row
    assert (row["state"], row["tdMode"]) == ("filled", "cross")
    assert client.get("account/positions").data == []
    assert client.balance("BTC")["cashBal"] != "0"


def test_spot_pairs_do_not_trade_with_cross_in_futures_mode(client: Client) -> None:
    assert client.order(instId=SPOT, tdMode="cross", sz="640").row["sCode"] == "51000"


def test_the_leverage_in_force_may_be_set_again_beside_open_orders(client: Client) -> None:
    leverage(client, "5")
    client.order(ordType="limit", px="62000")

    assert leverage(client, "5") == "0"
    assert leverage(client, "6") == "59107"


def test_close_position_minds_the_client_id_of_a_pending_order(client: Client) -> None:
    client.order()
    client.order(ordType="limit", px="62000", clOrdId="taken")
    closing = {"instId": SWAP, "mgnMode": "cross", "clOrdId": "taken"}

    assert client.post("trade/close-position", closing).code == "51016"
