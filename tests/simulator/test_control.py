"""The control API: accounts, prices, settings, limits; bad input changes nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator, iso, order, send, start

pytestmark = pytest.mark.simulator

ACCOUNT = {"key": "again", "secret": "s", "passphrase": "p", "balances": {"USDT": "5"}}


def test_opening_an_account_twice_is_the_same_account(own: Simulator) -> None:
    first, second = (own.ask("POST", "/accounts", ACCOUNT) for _ in range(2))

    assert (first.status, second.status) == (200, 200)
    assert first.body["uid"] == second.body["uid"]
    assert (first.body["created"], second.body["created"]) == (True, False)
    assert Client(own, "again", "s", "p").balance()["cashBal"] == "5"
    assert own.ask("POST", "/accounts", ACCOUNT | {"secret": "x"}).body["field"] == "key"


def test_accounts_take_their_options(own: Simulator) -> None:
    options = {"acct_lv": 1, "pos_mode": "long_short_mode", "balances": {"BTC": 1.5}}
    client = own.account("options", **options)

    config = client.get("account/config").row

    assert (config["acctLv"], config["posMode"]) == ("1", "long_short_mode")
    assert client.balance("BTC")["cashBal"] == "1.5"
    assert client.order(posSide="long").row["sCode"] == "51010"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/accounts", []),
        ("/accounts", {}),
        ("/accounts", {**ACCOUNT, "key": 5.5e3 * 0 + 1}),
        ("/accounts", {**ACCOUNT, "key": ["k"]}),
        ("/accounts", {**ACCOUNT, "key": "n1", "balances": []}),
        ("/accounts", {**ACCOUNT, "key": "n1", "balances": {"USDT": "-5"}}),
        ("/accounts", {**ACCOUNT, "key": "n1", "balances": {"USDT": "1e400"}}),
        ("/accounts", {**ACCOUNT, "key": "n1", "balances": {"usd t": "5"}}),
        ("/accounts", {**ACCOUNT, "key": "n1", "acct_lv": "9"}),
        ("/accounts", {**ACCOUNT, "key": "n1", "acct_lv": []}),
        ("/accounts", {**ACCOUNT, "key": "n1", "pos_mode": "both"}),
        ("/accounts", {**ACCOUNT, "key": "n1", "perm": "admin"}),
        ("/accounts", {**ACCOUNT, "key": "n1", "perm": [[]]}),
        ("/accounts", {**ACCOUNT, "key": "n1", "ip": 5.0}),
        ("/accounts", {**ACCOUNT, "key": "n1", "env": "moon"}),
        ("/prices", {"FOO": "1"}),
        ("/prices", {SWAP: "0"}),
        ("/prices", {SWAP: "-1"}),
        ("/prices", {SWAP: [1]}),
        ("/prices", {SWAP: "65000", "FOO": "1"}),
        ("/latency", {}),
        ("/latency", {"ms": -1}),
        ("/latency", {"ms": "soon"}),
        ("/latency", {"ms": 1.5}),
        ("/latency", {"ms": True}),
        ("/limits", {"mode": "none"}),
        ("/limits", {"read_lag_ms": []}),
        ("/limits", {"unheard": 1}),
        ("/limits", {"mode": "okx", "clock_drift_ppm": -1_000_000}),
        ("/limits", {"dup_clordid": []}),
        ("/limits", {"mode": "off", "purge_canceled_ms": -1}),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    own: Simulator, path: str, body: Any
) -> None:
    before = own.ask("GET", "/health").body["accounts"]

    answer = own.ask("POST", path, body)

    assert answer.status == 400
    assert sorted(answer.body) == ["error", "field"]
    assert own.ask("GET", "/health").body["accounts"] == before
    ticker = send(own.rest, "GET", f"/api/v5/market/ticker?instId={SWAP}", None, {})
    assert ticker.row["last"] == "64000"


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[" * 100_000, b"\xff"])
def test_control_bodies_that_are_not_json(own: Simulator, body: bytes) -> None:
    for path in ("/accounts", "/prices", "/latency", "/limits", "/faults"):
        answer = send(own.control, "POST", path, body, {})
        assert (answer.status, answer.body["field"]) == (400, "")


def test_unknown_control_paths(own: Simulator) -> None:
    assert own.ask("GET", "/nothing").status == 404
    assert own.ask("DELETE", "/accounts").status == 405
    assert own.ask("GET", "/ledger?after=x").status == 400
    assert own.ask("GET", "/health").body["status"] == "ok"


def test_a_pinned_price_is_mark_and_last_with_a_tick_on_each_side(own: Simulator) -> None:
    own.ask("POST", "/prices", {SWAP: "63000"})

    ticker = send(own.rest, "GET", f"/api/v5/market/ticker?instId={SWAP}", None, {}).row
    mark = send(own.rest, "GET", f"/api/v5/public/mark-price?instId={SWAP}", None, {}).row

    assert (ticker["last"], mark["markPx"]) == ("63000", "63000")
    assert (ticker["bidPx"], ticker["askPx"]) == ("62999.9", "63000.1")


def test_latency_delays_every_answer(own: Simulator) -> None:
    own.ask("POST", "/latency", {"ms": 150})

    began = time.monotonic()
    send(own.rest, "GET", "/api/v5/public/time", None, {})

    assert time.monotonic() - began >= 0.15


def test_the_clock_can_be_skewed(own: Simulator) -> None:
    client = own.account("skewed")
    own.ask("POST", "/limits", {"clock_offset_ms": 60_000})

    assert client.get("account/config").code == "50102"
    assert client.get("account/config", timestamp=iso(time.time() + 60)).code == "0"


def test_canceled_orders_are_forgotten_as_soon_as_asked(own: Simulator) -> None:
    client = own.account("forgetful")
    ord_id = client.order(ordType="limit", px="61000").row["ordId"]
    asked = {"instId": SWAP, "ordId": ord_id}
    client.post("trade/cancel-order", asked)
    assert client.get("trade/order", asked).row["state"] == "canceled"

    own.ask("POST", "/limits", {"purge_canceled_ms": 50})
    time.sleep(0.06)

    assert client.get("trade/order", asked).code == "51603"


def test_a_clock_that_runs_too_fast(own: Simulator) -> None:
    client = own.account("drifting")
    own.ask("POST", "/limits", {"clock_drift_ppm": 1_000_000})

    time.sleep(0.3)

    assert own.ask("GET", "/limits").body["clock_offset_ms"] >= 300
    assert client.get("account/config").code == "0"


@pytest.mark.parametrize(("policy", "codes"), [("ever", ["0", "51016"]), ("never", ["0", "0"])])
def test_the_client_id_policy_can_be_turned(own: Simulator, policy: str, codes: list[str]) -> None:
    client = own.account(f"policy{policy}")
    own.ask("POST", "/limits", {"dup_clordid": policy})

    rows = [client.order(clOrdId="twice").row["sCode"] for _ in range(2)]

    assert rows == codes


def test_request_limits_are_per_user_and_instrument(own: Simulator) -> None:
    client, other = own.account("busy"), own.account("calm")
    own.ask("POST", "/limits", {"mode": "okx"})

    answers = [client.order(sz="0.01") for _ in range(61)]

    assert [each.status for each in answers] == [200] * 60 + [429]
    assert (answers[-1].code, answers[-1].data) == ("50011", [])
    assert client.order(instId="ETH-USDT-SWAP", sz="0.01").code == "0"
    assert other.order(sz="0.01").code == "0"
    batch = [order(sz="0.01") for _ in range(5)]
    assert client.post("trade/batch-orders", batch).code == "0"


def test_connections_are_limited_per_second(own: Simulator) -> None:
    own.ask("POST", "/limits", {"mode": "okx"})
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    time.sleep(1.1)

    statuses = [send(own.rest, "GET", "/ws/v5/public", None, headers).status for _ in range(4)]

    assert statuses[-1] == 429
    assert 429 not in statuses[:3]


def test_the_ledger_is_in_order_and_keeps_no_secrets(own: Simulator) -> None:
    client = own.account("written")
    ord_id = client.order(clOrdId="led1").row["ordId"]
    client.order(ordType="limit", px="61000", clOrdId="led2")
    client.post("trade/cancel-order", {"instId": SWAP, "clOrdId": "led2"})

    entries = own.ask("GET", "/ledger").body["entries"]

    assert [each["seq"] for each in entries] == list(range(1, len(entries) + 1))
    mine = [each for each in entries if each.get("account") == "written"]
    kinds = [each["kind"] for each in mine]
    assert kinds[:6] == ["account", "deposit", "request", "order", "fill", "answer"]
    assert kinds[6:] == ["request", "order", "answer", "request", "cancel", "answer"]
    fill = mine[4]
    assert (fill["ord_id"], fill["cl_ord_id"], fill["inst_id"]) == (ord_id, "led1", SWAP)
    assert (fill["side"], fill["pos_side"], fill["sz"], fill["px"]) == (
        "buy",
        "net",
        "1",
        "64000.1",
    )
    assert "written-secret" not in str(entries)
    assert "written-pass" not in str(entries)
    part = own.ask("GET", f"/ledger?after={fill['seq']}&limit=2").body["entries"]
    assert [each["seq"] for each in part] == [fill["seq"] + 1, fill["seq"] + 2]


@pytest.mark.long
def test_wrong_flags_end_the_program_with_an_explanation() -> None:
    import subprocess
    import sys

    run = subprocess.run(
        [sys.executable, "-m", "trading.simulator", "--account", "only:two"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert run.returncode == 2
    assert "KEY:SECRET:PASSPHRASE:USDT" in run.stderr


@pytest.mark.long
def test_the_management_command_is_the_same_program() -> None:
    flags = ("--no-market", "--account", "M:S:P:77")
    simulator = start(*flags, program=("manage.py", "run_simulator"))

    assert Client(simulator, "M", "S", "P").balance()["cashBal"] == "77"
    assert simulator.stop() == 0


def test_the_market_moves_and_the_seed_decides_where() -> None:
    first, second = start("--seed", "11"), start("--seed", "11")
    path = f"/api/v5/market/ticker?instId={SWAP}"

    time.sleep(1.2)
    prices = [send(each.rest, "GET", path, None, {}).row for each in (first, second)]

    assert prices[0]["last"] != "64000"
    assert [each.stop() for each in (first, second)] == [0, 0]
