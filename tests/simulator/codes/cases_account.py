"""Codes about the settings and the money of an account."""

from __future__ import annotations

from typing import Any, Final

from tests.simulator.client import SWAP, Answer, Client
from tests.simulator.codes.asking import Case, asking


def _lever(client: Client, lever: str, mode: str = "cross", **terms: Any) -> Answer:
    body = {"instId": SWAP, "mgnMode": mode, "lever": lever, **terms}
    return client.post("account/set-leverage", body)


def _move(client: Client, **terms: str) -> Answer:
    body = {"ccy": "USDT", "amt": "1", "from": "18", "to": "6", **terms}
    return client.post("asset/transfer", body)


def _mode_with_a_position(client: Client) -> Answer:
    assert client.order().code == "0"
    return client.post("account/set-position-mode", {"posMode": "long_short_mode"})


def _lever_with_an_order(mode: str) -> Case:
    def ask(client: Client) -> Answer:
        assert client.order(ordType="limit", px="61000", tdMode=mode).code == "0"
        return _lever(client, "5", mode)

    return asking(ask)


def _lever_without_money(client: Client) -> Answer:
    """A position of 64,000 USDT at 10 cannot go to 1 with 10,000 USDT."""
    assert _lever(client, "10").code == "0"
    assert client.order(sz="100").code == "0"
    return _lever(client, "1")


def _more_than_the_tier(client: Client) -> Answer:
    """At 50 LTC positions end with 2 million USD."""
    instrument = {"instId": "LTC-USDT-SWAP"}
    assert _lever(client, "50", **instrument).code == "0"
    return client.order(**instrument, ordType="limit", px="84", sz="30000")


def _lever_over_the_tier(client: Client) -> Answer:
    terms = {"ordType": "limit", "px": "600", "sz": "360000"}
    assert client.order(instId="BNB-USDT-SWAP", **terms).code == "0"
    return _lever(client, "50", instId="BNB-USDT-SWAP")


def _portfolio_with_sides(client: Client) -> Answer:
    assert client.post("account/set-account-level", {"acctLv": "4"}).code == "0"
    return client.post("account/set-position-mode", {"posMode": "long_short_mode"})


def _margin(client: Client, kind: str, amount: str) -> Answer:
    body = {"instId": SWAP, "posSide": "net", "type": kind, "amt": amount}
    return client.post("account/position/margin-balance", body)


def _isolated_margin(kind: str, amount: str, *, closing: bool = False) -> Case:
    def ask(client: Client) -> Answer:
        assert client.order(tdMode="isolated").code == "0"
        if closing:
            terms = {"tdMode": "isolated", "side": "sell", "ordType": "limit", "px": "66000"}
            assert client.order(**terms, reduceOnly=True).code == "0"
        return _margin(client, kind, amount)

    return asking(ask)


CASES: Final[dict[str, Case]] = {
    "51004": asking(_more_than_the_tier, balances={"USDT": "1000000"}),
    "51041": asking(_portfolio_with_sides),
    "50015": asking(lambda client: client.get("asset/transfer-state")),
    "58114": asking(lambda client: _move(client, amt="0")),
    "58127": asking(lambda client: _move(client, type="1", subAcct="other")),
    "58350": asking(lambda client: _move(client, amt="1000000")),
    "59000": asking(_mode_with_a_position),
    "59101": _lever_with_an_order("isolated"),
    "59102": asking(lambda client: _lever(client, "1000")),
    "59105": asking(lambda client: _lever(client, "0.5")),
    "59106": asking(_lever_over_the_tier, balances={"USDT": "10000000"}),
    "59107": _lever_with_an_order("cross"),
    "59108": asking(_lever_without_money, balances={"USDT": "10000"}),
    "59200": _isolated_margin("add", "1000000"),
    "59300": asking(lambda client: _margin(client, "add", "1")),
    "59301": _isolated_margin("reduce", "1"),
    "59302": _isolated_margin("reduce", "1", closing=True),
}
