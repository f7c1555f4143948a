"""The control API for one account: what leaves, enters, starts anew or ends is conserved."""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.simulator.client import SWAP, Client, Simulator
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_websocket import listening

pytestmark = pytest.mark.simulator

NUMBERS = count(1)


@pytest.fixture
def kept(own: Simulator) -> Client:
    return own.account(f"kept{next(NUMBERS)}")


def show(client: Client) -> dict[str, Any]:
    answer = client.simulator.ask("GET", f"/accounts/{client.key}")
    assert answer.status == 200
    return dict(answer.body)


def ask(client: Client, method: str, path: str = "", body: Any = None) -> Any:
    return client.simulator.ask(method, f"/accounts/{client.key}{path}", body)


def test_an_account_shows_money_positions_and_orders(kept: Client) -> None:
    kept.order(sz="2")
    ord_id = kept.order(ordType="limit", px="61000", clOrdId="rest1").row["ordId"]

    shown = show(kept)

    assert shown["balances"] == {"USDT": "99999.3599990000000000".rstrip("0")}
    (position,) = shown["positions"]
    assert (position["inst_id"], position["qty"], position["avg_px"]) == (SWAP, "2", "64000.1")
    (order,) = shown["orders"]
    assert (order["ord_id"], order["cl_ord_id"], order["px"]) == (ord_id, "rest1", "61000")
    assert (shown["positions_open"], shown["orders_open"], shown["frozen"]) == (1, 1, False)
    assert shown["funds"]["USDT"]["cash"] == shown["balances"]["USDT"]
    listed = kept.simulator.ask("GET", f"/orders?account={kept.key}").body
    assert (listed["total"], listed["orders"]) == (1, [order])
    assert "secret" not in str(shown)


def test_accounts_are_found_and_paged(own: Simulator) -> None:
    for number in range(3):
        own.account(f"paged{number}", label=f"Desk {number}")

    found = own.ask("GET", "/accounts?search=PAGED&offset=1&limit=1").body

    assert found["total"] == 3
    assert [each["key"] for each in found["accounts"]] == ["paged1"]
    assert own.ask("GET", "/accounts?search=desk%202").body["accounts"][0]["label"] == "Desk 2"
    assert own.ask("GET", "/accounts?limit=1001").body["field"] == "limit"


def test_money_enters_and_leaves_up_to_what_is_free(kept: Client) -> None:
    assert ask(kept, "POST", "/deposit", {"ccy": "USDT", "amount": "5.5"}).body == {
        "ccy": "USDT",
        "balance": "100005.5",
    }
    assert ask(kept, "POST", "/deposit", {"ccy": "BTC", "amount": 0.25}).status == 200
    kept.order(ordType="limit", px="61000", sz="100")
    free = show(kept)["funds"]["USDT"]["free"]
    assert free != "100005.5"
    before = show(kept)

    refused = ask(kept, "POST", "/deposit", {"ccy": "USDT", "amount": "-100000"})

    assert (refused.status, refused.body["field"]) == (400, "amount")
    assert free in refused.body["error"]
    assert show(kept) == before
    assert ask(kept, "POST", "/deposit", {"ccy": "USDT", "amount": f"-{free}"}).status == 200
    assert show(kept)["funds"]["USDT"]["free"] == "0"


def test_a_reset_cancels_closes_and_sets_the_balances(kept: Client) -> None:
    kept.order(sz="2", tdMode="isolated")
    kept.order(ordType="limit", px="61000")
    ask(kept, "POST", "/deposit", {"ccy": "ETH", "amount": "1"})

    answer = ask(kept, "POST", "/reset", {"balances": {"USDT": "2500"}})

    assert answer.status == 200
    shown = show(kept)
    assert shown["balances"] == {"USDT": "2500", "ETH": "0"}
    assert (shown["positions"], shown["orders"], shown["equity_usd"]) == ([], [], "2500")
    assert kept.get("account/positions").data == []
    (canceled,) = kept.simulator.entries(kind="cancel", account=kept.key)
    assert canceled["cancel_source"] == "0"
    kept.order(sz="1")
    assert show(kept)["positions"][0]["qty"] == "1"


def test_a_reset_without_balances_only_gives_back_what_positions_held(kept: Client) -> None:
    kept.order(sz="2", tdMode="isolated")

    ask(kept, "POST", "/reset")

    assert show(kept)["balances"] == {"USDT": "99999.359999"}
    assert show(kept)["positions"] == []


async def test_a_reset_and_a_deposit_are_pushed(connect: OpenSocket, kept: Client) -> None:
    kept.order(sz="2")
    args = [{"channel": "positions", "instType": "ANY"}, {"channel": "balance_and_position"}]
    socket = await listening(connect, kept, *args)

    ask(kept, "POST", "/reset", {"balances": {"USDT": "7"}})

    closed = await socket.find(channel="positions", eventType="event_update")
    assert closed["data"][0]["pos"] == "0"
    both = await socket.find(channel="balance_and_position")
    while both["data"][0]["eventType"] == "snapshot":
        both = await socket.find(channel="balance_and_position")
    assert both["data"][0]["eventType"] == "transferred"
    assert both["data"][0]["balData"][0]["cashBal"] == "7"


def test_settings_change_together_or_not_at_all(kept: Client) -> None:
    assert ask(kept, "PATCH", "", {"perm": "read_only", "label": "x"}).status == 200
    assert kept.order().body["code"] == "50120"
    assert kept.get("account/config").row["label"] == "x"

    refused = ask(kept, "PATCH", "", {"perm": "read_only,trade", "ip": "nowhere"})

    assert (refused.status, refused.body["field"]) == (400, "ip")
    assert show(kept)["perm"] == "read_only"
    ask(kept, "PATCH", "", {"perm": ["read_only", "trade"], "ip": "10.0.0.1"})
    assert kept.get("account/config").code == "50110"


def test_the_account_mode_changes_only_when_nothing_is_open(kept: Client) -> None:
    kept.order(ordType="limit", px="61000")

    assert ask(kept, "PATCH", "", {"acct_lv": "1"}).body["field"] == "acct_lv"
    ask(kept, "POST", "/reset")
    waits = {"instId": SWAP, "tdMode": "cross", "side": "buy", "sz": "1", "orderPx": "-1"}
    kept.post("trade/order-algo", waits | {"ordType": "trigger", "triggerPx": "66000"})
    assert ask(kept, "PATCH", "", {"acct_lv": "1"}).body["field"] == "acct_lv"
    ask(kept, "POST", "/reset")
    assert ask(kept, "PATCH", "", {"acct_lv": "1"}).body["acct_lv"] == "1"
    assert kept.order().row["sCode"] == "51010"


def test_a_frozen_account_may_cancel_but_not_order(kept: Client) -> None:
    kept.order(sz="1")
    kept.order(ordType="limit", px="61000", clOrdId="before")
    ask(kept, "PATCH", "", {"frozen": True})

    assert kept.order().row["sCode"] == "51024"
    amend = {"instId": SWAP, "clOrdId": "before", "newPx": "61001"}
    assert kept.post("trade/amend-order", amend).row["sCode"] == "51024"
    close = {"instId": SWAP, "mgnMode": "cross"}
    assert kept.post("trade/close-position", close).code == "51024"
    assert show(kept)["positions"][0]["qty"] == "1"
    assert show(kept)["orders"][0]["px"] == "61000"
    cancel = kept.post("trade/cancel-order", {"instId": SWAP, "clOrdId": "before"})
    assert cancel.row["sCode"] == "0"
    ask(kept, "PATCH", "", {"frozen": False})
    assert kept.order().row["sCode"] == "0"


async def test_a_removed_key_is_unknown_and_its_sockets_close(
    connect: OpenSocket, kept: Client
) -> None:
    kept.order(ordType="limit", px="61000")
    socket = await listening(connect, kept, {"channel": "account"})

    assert ask(kept, "DELETE").body == {"key": kept.key, "removed": True}

    assert kept.get("account/config").code == "50111"
    assert ask(kept, "GET").status == 404
    message = await socket.socket.receive(timeout=3)
    while message.type == aiohttp.WSMsgType.TEXT:
        message = await socket.socket.receive(timeout=3)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4007)
    again = kept.simulator.account(kept.key)
    assert again.balance()["cashBal"] == "100000"


def test_a_key_with_special_characters_is_quoted_in_the_path(own: Simulator) -> None:
    own.account("a/b c")

    answer = own.ask("GET", f"/accounts/{quote('a/b c', safe='')}")

    assert answer.body["key"] == "a/b c"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/deposit", {}, "ccy"),
        ("POST", "/deposit", {"ccy": "usdt", "amount": "1"}, "ccy"),
        ("POST", "/deposit", {"ccy": "USDT"}, "amount"),
        ("POST", "/deposit", {"ccy": "USDT", "amount": "0"}, "amount"),
        ("POST", "/deposit", {"ccy": "USDT", "amount": "--1"}, "amount"),
        ("POST", "/deposit", {"ccy": "USDT", "amount": "1e400"}, "amount"),
        ("POST", "/deposit", {"ccy": "BTC", "amount": "-1"}, "amount"),
        ("POST", "/deposit", {"ccy": "USDT", "amount": "1", "to": "x"}, "to"),
        ("POST", "/reset", {"balances": {"USDT": "-1"}}, "balances"),
        ("POST", "/reset", {"balance": {}}, "balance"),
        ("PATCH", "", {}, ""),
        ("PATCH", "", {"secret": "x"}, "secret"),
        ("PATCH", "", {"frozen": "yes"}, "frozen"),
        ("PATCH", "", {"label": 5}, "label"),
        ("PATCH", "", {"env": "moon"}, "env"),
        ("PATCH", "", {"acct_lv": "9"}, "acct_lv"),
    ],
)
def test_bad_upkeep_names_the_field_and_changes_nothing(
    kept: Client, method: str, path: str, body: Any, field: str
) -> None:
    before = show(kept), kept.simulator.ask("GET", "/health").body["entries"]

    answer = ask(kept, method, path, body)

    assert (answer.status, answer.body["field"]) == (400, field)
    assert (show(kept), kept.simulator.ask("GET", "/health").body["entries"]) == before


def test_unknown_accounts_are_not_found(own: Simulator) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/reset")):
        body = {"label": "x"} if method == "PATCH" else None
        assert own.ask(method, f"/accounts/nobody{path}", body).status == 404
    assert own.ask("PUT", "/accounts/nobody", {}).status == 405
