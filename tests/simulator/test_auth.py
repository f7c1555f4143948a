"""Who may call: headers, clock window, signature over the raw bytes, environment, permission."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator, iso, send, signature

pytestmark = pytest.mark.simulator


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"OK_ACCESS_KEY": None}, "50103"),
        ({"OK_ACCESS_PASSPHRASE": None}, "50104"),
        ({"OK_ACCESS_SIGN": None}, "50106"),
        ({"OK_ACCESS_TIMESTAMP": None}, "50107"),
        ({"OK_ACCESS_KEY": "nobody"}, "50111"),
        ({"timestamp": "1597026383085"}, "50112"),
        ({"timestamp": "2020-13-45T00:00:00.000Z"}, "50112"),
        ({"timestamp": -40}, "50102"),
        ({"timestamp": 40}, "50102"),
        ({"OK_ACCESS_PASSPHRASE": "wrong"}, "50105"),
        ({"OK_ACCESS_SIGN": "wrong"}, "50113"),
        ({"OK_ACCESS_SIGN": "ünicode"}, "50113"),
    ],
)
def test_bad_headers_are_refused_with_their_code(
    client: Client, change: dict[str, Any], code: str
) -> None:
    if isinstance(change.get("timestamp"), int):  # seconds from the call, not from the collection
        change = {"timestamp": iso(time.time() + change["timestamp"])}

    answer = client.get("account/balance", **change)

    assert (answer.status, answer.code, answer.data) == (401, code, [])


def test_timestamps_within_thirty_seconds_pass(client: Client) -> None:
    for seconds in (-25, 25):
        answer = client.get("account/config", timestamp=iso(time.time() + seconds))
        assert answer.code == "0"


def test_signature_covers_the_path_and_query_exactly_as_sent(client: Client) -> None:
    for path in (
        "/api/v5/account/balance?ccy=BTC,USDT",
        "/api/v5/account/balance?ccy=BTC%2CUSDT",
    ):
        answer = client.call("GET", path, b"")
        assert [row["ccy"] for row in answer.row["details"]] == ["BTC", "USDT"]


def test_signature_of_another_query_is_refused(client: Client) -> None:
    stamp = iso()
    signed = signature(client.secret, f"{stamp}GET/api/v5/account/balance?ccy=BTC")

    answer = client.get("account/balance", {"ccy": "ETH"}, timestamp=stamp, OK_ACCESS_SIGN=signed)

    assert answer.code == "50113"


def test_signature_covers_the_raw_body(client: Client) -> None:
    body = json.dumps({"posMode": "net_mode"}, indent=3).encode()

    assert client.call("POST", "/api/v5/account/set-position-mode", body).code == "0"
    swapped = client.call(
        "POST",
        "/api/v5/account/set-position-mode",
        body,
        OK_ACCESS_SIGN=signature(client.secret, f"{iso()}POST/api/v5/account/set-position-mode"),
    )
    assert swapped.code == "50113"


@pytest.mark.parametrize(
    ("env", "header", "code"),
    [
        ("any", None, "0"),
        ("any", "1", "0"),
        ("demo", None, "50101"),
        ("demo", "1", "0"),
        ("live", None, "0"),
        ("live", "1", "50101"),
    ],
)
def test_environment_must_match_the_key(
    still: Simulator, env: str, header: str | None, code: str
) -> None:
    client = still.account(f"env{env}{header}", env=env)

    answer = client.get("account/config", x_simulated_trading=header)

    assert answer.code == code
    assert answer.status == (200 if code == "0" else 401)


def test_a_bound_key_is_refused_from_another_address(still: Simulator) -> None:
    bound = still.account("bound1", ip="10.1.2.3,10.1.2.4")
    allowed = still.account("bound2", ip=["127.0.0.1"])

    assert (bound.get("account/config").status, bound.get("account/config").code) == (401, "50110")
    assert allowed.get("account/config").row["ip"] == "127.0.0.1"


def test_a_read_only_key_cannot_trade(still: Simulator) -> None:
    reader = still.account("reader1", perm="read_only")

    assert reader.get("account/config").row["perm"] == "read_only"
    answer = reader.order()
    assert (answer.status, answer.code) == (200, "50120")
    assert still.entries(kind="order", account="reader1") == []


def test_command_line_accounts_are_net_mode_futures_accounts(still: Simulator) -> None:
    client = Client(still, "K", "S", "P")

    row = client.get("account/config").row

    assert (row["acctLv"], row["posMode"], row["perm"]) == ("2", "net_mode", "read_only,trade")
    assert client.get("account/config", x_simulated_trading="1").code == "0"
    assert client.balance()["cashBal"] == "10000"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v5/no/such", 404, "404"),
        ("POST", "/api/v5/public/time", 405, "50115"),
        ("DELETE", "/api/v5/trade/order", 405, "50115"),
        ("GET", "/", 404, "404"),
    ],
)
def test_unknown_paths_and_methods_are_envelopes(
    still: Simulator, method: str, path: str, status: int, code: str
) -> None:
    answer = send(still.rest, method, path, None, {})

    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("public/instruments", 400, "50014"),
        ("public/instruments?instType=", 400, "50014"),
        ("public/instruments?instType=FOO", 400, "51000"),
        ("public/instruments?instType=SWAP&instId=FOO", 200, "51001"),
        ("market/ticker", 400, "50014"),
        ("market/ticker?instId=FOO-BAR", 200, "51001"),
        ("market/candles?instId=BTC-USDT&bar=7x", 400, "51000"),
        ("market/candles?instId=BTC-USDT&limit=1e400", 400, "51000"),
        ("market/books?instId=BTC-USDT&sz=-4", 400, "51000"),
    ],
)
def test_bad_public_parameters(still: Simulator, path: str, status: int, code: str) -> None:
    answer = send(still.rest, "GET", f"/api/v5/{path}", None, {})

    assert (answer.status, answer.code, answer.data) == (status, code, [])


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("trade/order", {}, 400, "50014"),
        ("trade/order", {"instId": SWAP}, 200, "51003"),
        ("trade/order", {"instId": SWAP, "ordId": "5"}, 200, "51603"),
        ("trade/order", {"instId": SWAP, "clOrdId": "none"}, 200, "51603"),
        ("trade/orders-history", {}, 400, "50014"),
        ("trade/orders-pending", {"instType": "FOO"}, 400, "51000"),
        ("account/leverage-info", {"instId": SWAP}, 400, "50014"),
        ("account/positions", {"instId": "FOO"}, 200, "51001"),
    ],
)
def test_bad_private_queries(
    client: Client, path: str, params: dict[str, str], status: int, code: str
) -> None:
    answer = client.get(path, params)

    assert (answer.status, answer.code, answer.data) == (status, code, [])


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, "50000"),
        (b"{", {}, "50002"),
        (b"[]", {}, "50002"),
        (b'"text"', {}, "50002"),
        (b'{"sz": NaN}', {}, "50002"),
        (b"\xff\xfe", {}, "50002"),
        (b"[" * 100_000, {}, "50002"),
        (b"a=1", {"Content_Type": "application/x-www-form-urlencoded"}, "50006"),
    ],
)
def test_bodies_that_are_not_orders(
    client: Client, body: bytes, headers: dict[str, str], code: str
) -> None:
    answer = client.call("POST", "/api/v5/trade/order", body, **headers)

    assert (answer.status, answer.code) == (400, code)
