"""Positions, leverage, margin and the balance that follows from them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator

pytestmark = pytest.mark.simulator


def position(client: Client, **match: str) -> Any:
    rows = client.get("account/positions").data
    found = [row for row in rows if match.items() <= row.items()]
    return found[0] if found else None


def leverage(client: Client, lever: str, mgn_mode: str = "cross", **more: str) -> Any:
    body = {"instId": SWAP, "lever": lever, "mgnMode": mgn_mode, **more}
    return client.post("account/set-leverage", body)


def test_a_short_is_negative_in_net_mode(client: Client) -> None:
    client.order(side="sell", sz="2")

    row = position(client)

    assert (row["pos"], row["posSide"], row["avgPx"]) == ("-2", "net", "63999.9")
    assert Decimal(row["upl"]) == -Decimal("0.1") * Decimal("0.02")


def test_one_order_turns_a_net_position_around(client: Client) -> None:
    client.order(sz="1")
    client.order(side="sell", sz="3")

    row = position(client)

    assert (row["pos"], row["avgPx"]) == ("-2", "63999.9")
    assert client.get("account/positions-history").row["closeTotalPos"] == "1"


def test_realized_profit_and_average_price_over_a_life(own: Simulator) -> None:
    client = own.account("life")
    client.order(sz="1")
    own.ask("POST", "/prices", {SWAP: "65000"})
    client.order(sz="2")
    row = position(client)
    average = (Decimal("64000.1") + 2 * Decimal("65000.1")) / 3
    assert abs(Decimal(row["avgPx"]) - average) < Decimal("1e-9")
    own.ask("POST", "/prices", {SWAP: "66000"})
    client.order(side="sell", sz="2")
    client.order(side="sell", sz="1")

    cash = Decimal(client.balance()["cashBal"])

    taken = Decimal("0.01") * (Decimal("64000.1") + 2 * Decimal("65000.1"))
    given = Decimal("0.03") * Decimal("65999.9")
    fees = (taken + given) * Decimal("0.0005")
    assert cash == Decimal(100_000) + given - taken - fees
    assert position(client) is None
    closed = client.get("account/positions-history").row
    assert (closed["direction"], closed["openMaxPos"], closed["type"]) == ("long", "3", "2")
    assert Decimal(closed["realizedPnl"]) == given - taken - fees


def test_long_short_positions_are_both_positive(hedged: Client) -> None:
    assert hedged.order(posSide="long", sz="2").row["sCode"] == "0"
    assert hedged.order(posSide="short", side="sell", sz="3").row["sCode"] == "0"

    rows = {row["posSide"]: row["pos"] for row in hedged.get("account/positions").data}

    assert rows == {"long": "2", "short": "3"}


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({}, "51000"),
        ({"posSide": "net"}, "51000"),
        ({"posSide": "long", "side": "sell"}, "51169"),
        ({"posSide": "short", "side": "buy"}, "51169"),
    ],
)
def test_long_short_mode_needs_a_side_and_something_to_close(
    hedged: Client, terms: dict[str, str], code: str
) -> None:
    assert hedged.order(**terms).row["sCode"] == code


def test_available_is_what_resting_closing_orders_leave(client: Client, hedged: Client) -> None:
    client.order(sz="5")
    assert position(client)["availPos"] == ""

    hedged.order(posSide="short", side="sell", sz="5")
    assert position(hedged)["availPos"] == "5"
    hedged.order(posSide="short", side="sell", ordType="limit", px="66000", sz="1")
    hedged.order(posSide="short", side="buy", ordType="limit", px="62000", sz="2")

    assert (position(hedged)["availPos"], position(hedged)["pos"]) == ("3", "5")


def test_closing_more_than_the_position_is_refused(hedged: Client) -> None:
    hedged.order(posSide="long", sz="2")

    assert hedged.order(posSide="long", side="sell", sz="3").row["sCode"] == "51112"
    assert hedged.order(posSide="long", side="sell", sz="2").row["sCode"] == "0"
    assert hedged.get("account/positions").data == []


def test_reduce_only_never_turns_a_position_around(client: Client) -> None:
    client.order(sz="2")

    larger = client.order(side="sell", sz="3", reduceOnly=True).row
    same_way = client.order(side="buy", sz="1", reduceOnly="true").row
    half = client.order(side="sell", sz="1", reduceOnly=True).row

    assert [each["sCode"] for each in (larger, same_way, half)] == ["51112", "51170", "0"]
    assert position(client)["pos"] == "1"


def test_resting_reduce_only_orders_end_with_the_position(client: Client) -> None:
    client.order(sz="2")
    resting = client.order(side="sell", sz="2", reduceOnly=True, ordType="limit", px="66000").row
    more = client.order(side="sell", sz="1", reduceOnly=True, ordType="limit", px="66000").row
    client.order(side="sell", sz="2")

    row = client.get("trade/order", {"instId": SWAP, "ordId": resting["ordId"]}).row
    assert (more["sCode"], row["state"], row["cancelSource"]) == ("51112", "canceled", "17")


def test_close_position_needs_a_position(client: Client, hedged: Client) -> None:
    body = {"instId": SWAP, "mgnMode": "cross"}

    assert client.post("trade/close-position", body).code == "51023"
    assert hedged.post("trade/close-position", body).code == "51000"
    hedged.order(posSide="short", side="sell")
    closed = hedged.post("trade/close-position", {**body, "posSide": "short", "clOrdId": "c1"})
    assert closed.row == {"clOrdId": "c1", "instId": SWAP, "posSide": "short", "tag": ""}
    assert hedged.get("account/positions").data == []


def test_close_position_with_pending_closing_orders(client: Client) -> None:
    body = {"instId": SWAP, "mgnMode": "cross"}
    client.order(sz="2")
    client.order(side="sell", sz="2", reduceOnly=True, ordType="limit", px="66000")

    refused = client.post("trade/close-position", body)
    done = client.post("trade/close-position", {**body, "autoCxl": True})

    assert (refused.status, refused.code) == (429, "51115")
    assert done.code == "0"
    assert client.get("trade/orders-pending").data == []
    assert position(client) is None


def test_position_mode_changes_only_without_orders_and_positions(client: Client) -> None:
    hedge = {"posMode": "long_short_mode"}
    client.order(ordType="limit", px="61000", clOrdId="p1")
    assert client.post("account/set-position-mode", hedge).code == "59000"
    client.post("trade/cancel-order", {"instId": SWAP, "clOrdId": "p1"})
    client.order()
    assert client.post("account/set-position-mode", hedge).code == "59000"
    client.post("trade/close-position", {"instId": SWAP, "mgnMode": "cross"})
    assert client.post("account/set-position-mode", hedge).data == [hedge]
    assert client.get("account/config").row["posMode"] == "long_short_mode"
    wrong = client.post("account/set-position-mode", {"posMode": "both"})
    assert (wrong.status, wrong.code) == (400, "51000")


def test_leverage_is_kept_per_instrument_mode_and_side(client: Client, hedged: Client) -> None:
    assert leverage(client, "20").row["lever"] == "20"
    assert leverage(client, "5", "isolated").row["posSide"] == "net"
    assert leverage(hedged, "4", "isolated", posSide="short").row["posSide"] == "short"

    info = client.get("account/leverage-info", {"instId": SWAP, "mgnMode": "cross"}).data
    both = hedged.get("account/leverage-info", {"instId": SWAP, "mgnMode": "isolated"}).data
    assert [(row["posSide"], row["lever"]) for row in info] == [("net", "20")]
    assert [(row["posSide"], row["lever"]) for row in both] == [("long", "3"), ("short", "4")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lever": "101"}, 200, "59102"),
        ({"lever": "0.5"}, 400, "59105"),
        ({"lever": "x"}, 400, "51000"),
        ({"lever": "1e400"}, 400, "51000"),
        ({"lever": ""}, 400, "50014"),
        ({"mgnMode": "both"}, 400, "51000"),
        ({"instId": "FOO"}, 200, "51001"),
        ({"posSide": "long"}, 400, "51000"),
    ],
)
def test_leverage_refusals(client: Client, body: dict[str, str], status: int, code: str) -> None:
    base = {"instId": SWAP, "lever": "5", "mgnMode": "cross"}

    answer = client.post("account/set-leverage", base | body)

    assert (answer.status, answer.code, answer.data) == (status, code, [])


def test_leverage_waits_for_open_orders(client: Client) -> None:
    client.order(ordType="limit", px="61000")
    client.order(ordType="limit", px="61000", tdMode="isolated")

    assert leverage(client, "5").code == "59107"
    assert leverage(client, "5", "isolated").code == "59101"


def test_leverage_cannot_fall_below_what_the_account_can_pay(client: Client) -> None:
    """With an instrument of its own: so large an order leaves the book thin for a moment."""
    leverage(client, "50", instId="ETH-USDT-SWAP")
    assert client.order(instId="ETH-USDT-SWAP", sz="1800").row["sCode"] == "0"

    assert leverage(client, "5", instId="ETH-USDT-SWAP").code == "59108"


def test_cross_margin_is_notional_over_leverage(client: Client) -> None:
    leverage(client, "10")
    client.order(sz="10")

    row, balance = position(client), client.balance()

    assert (row["imr"], row["margin"], row["lever"], row["notionalUsd"]) == (
        "640",
        "",
        "10",
        "6400",
    )
    equity = Decimal(balance["cashBal"]) + Decimal(balance["upl"])
    assert Decimal(balance["eq"]) == equity
    assert (balance["imr"], balance["frozenBal"]) == ("640", "640")
    assert Decimal(balance["availBal"]) == equity - 640


def test_isolated_margin_leaves_the_balance_and_comes_back(client: Client) -> None:
    leverage(client, "10", "isolated")
    client.order(sz="10", tdMode="isolated")
    row, held = position(client), client.balance()
    leverage(client, "20", "isolated")
    eased = position(client)
    client.order(sz="10", tdMode="isolated", side="sell")

    assert (row["margin"], row["imr"]) == ("640.001", "")
    assert Decimal(held["cashBal"]) == Decimal(100_000) - Decimal("640.001") - Decimal("3.200005")
    assert Decimal(held["isoEq"]) == Decimal("640.001") - Decimal("0.01")
    assert eased["margin"] == "320.0005"
    loss = Decimal("0.1") * Decimal("0.2")
    fees = (Decimal("0.1") * (Decimal("64000.1") + Decimal("63999.9"))) * Decimal("0.0005")
    assert Decimal(client.balance()["cashBal"]) == Decimal(100_000) - loss - fees


def test_resting_orders_freeze_margin_only_for_what_they_open(client: Client) -> None:
    leverage(client, "10")
    client.order(sz="10")
    before = Decimal(client.balance()["ordFrozen"])
    client.order(sz="12", side="sell", ordType="limit", px="66000")

    frozen = Decimal(client.balance()["ordFrozen"])

    assert (before, frozen) == (Decimal(0), 2 * Decimal("0.01") * 66000 / 10)


def test_a_position_id_survives_reopening(client: Client) -> None:
    client.order()
    first = position(client)["posId"]
    client.order(side="sell")
    client.order()

    assert position(client)["posId"] == first


def test_inverse_contracts_settle_in_the_coin(still: Simulator) -> None:
    client = still.account("coin", balances={"BTC": "2"})
    client.order(instId="BTC-USD-SWAP", sz="100")
    client.order(instId="BTC-USD-SWAP", sz="100", side="sell")

    cash = Decimal(client.balance("BTC")["cashBal"])

    bought, sold = Decimal("64010.1"), Decimal("64009.9")
    loss = 10_000 / sold - 10_000 / bought
    fees = (10_000 / sold + 10_000 / bought) * Decimal("0.0005")
    assert abs(cash - (2 - loss - fees)) < Decimal("1e-14")
