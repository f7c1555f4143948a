"""Private REST: every row has exactly the documented members and types, nested ones too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.simulator.client import SPOT, SWAP, Answer, Client, order
from tests.simulator.shapes import Shapes, check_row

pytestmark = pytest.mark.simulator

ETHER: Final = "ETH-USDT-SWAP"
ISOLATED: Final = {"instId": ETHER, "tdMode": "isolated"}
STOP: Final = {"slTriggerPx": "60000", "slOrdPx": "-1"}
READS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("account/account-position-risk", {}),
    ("account/adjust-leverage-info", {"instType": "SWAP", **ISOLATED, "lever": "5"}),
    ("account/balance", {}),
    ("account/bills", {}),
    ("account/bills-archive", {"type": "2"}),
    ("account/collateral-assets", {}),
    ("account/config", {}),
    ("account/greeks", {}),
    ("account/instruments", {"instType": "SWAP"}),
    ("account/interest-limits", {}),
    ("account/interest-rate", {}),
    ("account/leverage-info", {"instId": SWAP}),
    ("account/max-avail-size", {"instId": SPOT, "tdMode": "cash"}),
    ("account/max-loan", {"instId": SPOT}),
    ("account/max-size", {"instId": SWAP, "tdMode": "cross"}),
    ("account/max-withdrawal", {"ccy": "USDT"}),
    ("account/positions", {}),
    ("account/positions-history", {}),
    ("account/risk-state", {}),
    ("account/subtypes", {}),
    ("account/trade-fee", {"instType": "SPOT"}),
    ("account/trade-fee", {"instType": "SWAP"}),
    ("asset/asset-valuation", {}),
    ("asset/balances", {}),
    ("asset/bills", {}),
    ("asset/currencies", {}),
    ("asset/transfer-state", {"clientId": "out1"}),
    ("trade/account-rate-limit", {}),
    ("trade/fills", {}),
    ("trade/fills-history", {"instType": "SPOT"}),
    ("trade/order", {"instId": SWAP, "clOrdId": "rest1"}),
    ("trade/orders-history", {"instType": "SWAP"}),
    ("trade/orders-history-archive", {"instType": "SPOT"}),
    ("trade/orders-pending", {}),
)
EMPTY: Final = (
    "account/interest-accrued",
    "account/spot-borrow-repay-history",
    "asset/deposit-history",
    "asset/withdrawal-history",
)


@dataclass(frozen=True)
class Write:
    """A call that changes something: its path, its body, and what its account does before."""

    path: str
    body: Any
    first: Callable[[Client], Answer] | None = None
    timed: bool = False


def _resting(client: Client) -> Answer:
    return client.order(clOrdId="w1", ordType="limit", px="60900")


def _held(client: Client) -> Answer:
    return client.order()


def _isolated(client: Client) -> Answer:
    return client.order(**ISOLATED)


def _multi_currency(client: Client) -> Answer:
    return client.post("account/set-account-level", {"acctLv": "3"})


NAMED: Final = {"instId": SWAP, "clOrdId": "w1"}
WRITES: Final = (
    Write(
        "account/position/margin-balance",
        {"instId": ETHER, "posSide": "net", "type": "add", "amt": "5"},
        _isolated,
    ),
    Write("account/set-account-level", {"acctLv": "3"}),
    Write("account/set-auto-loan", {"autoLoan": True}, _multi_currency),
    Write("account/set-greeks", {"greeksType": "BS"}),
    Write("account/set-isolated-mode", {"isoMode": "automatic", "type": "CONTRACTS"}),
    Write("account/set-leverage", {"instId": SWAP, "lever": "7", "mgnMode": "cross"}),
    Write("account/set-position-mode", {"posMode": "long_short_mode"}),
    Write("asset/transfer", {"ccy": "USDT", "amt": "5", "from": "18", "to": "6"}),
    Write("trade/order", order(tag="t1"), timed=True),
    Write("trade/batch-orders", [order(tag="t1"), order(clOrdId="w2")], timed=True),
    Write("trade/amend-order", NAMED | {"newSz": "2", "reqId": "r1"}, _resting, timed=True),
    Write("trade/amend-batch-orders", [NAMED | {"newPx": "60800"}], _resting, timed=True),
    Write("trade/cancel-order", NAMED, _resting, timed=True),
    Write("trade/cancel-batch-orders", [NAMED], _resting, timed=True),
    Write("trade/close-position", {"instId": SWAP, "mgnMode": "cross"}, _held),
)
COVERED: Final = {
    *(f"GET {path}" for path, _ in READS),
    *(f"GET {path}" for path in EMPTY),
    *(f"POST {each.path}" for each in WRITES),
}


@pytest.fixture
def traded(client: Client) -> Client:
    """Positions open and closed, coins, a resting order, money in the funding account."""
    for terms in (
        {},
        ISOLATED,
        ISOLATED | {"side": "sell"},
        ISOLATED,
        {"instId": SPOT, "sz": "500"},
        {"ordType": "limit", "px": "61000", "clOrdId": "rest1", "attachAlgoOrds": [STOP]},
        {"instId": SPOT, "ordType": "limit", "px": "61000", "sz": "0.01"},
    ):
        assert client.order(**terms).code == "0"
    closing = {"instId": SWAP, "tdMode": "cross", "side": "sell", "ordType": "conditional"}
    whole = {**closing, **STOP, "closeFraction": "1", "reduceOnly": "true"}
    assert client.post("trade/order-algo", whole).code == "0"
    moved = {"ccy": "USDT", "amt": "5", "from": "18", "to": "6", "clientId": "out1"}
    assert client.post("asset/transfer", moved).code == "0"
    return client


@pytest.mark.parametrize(("path", "params"), READS)
def test_rows_have_the_documented_members(
    traded: Client, rest_rows: Shapes, path: str, params: dict[str, str]
) -> None:
    answer = traded.get(path, {"mgnMode": "cross", **params} if "instId" in params else params)

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert sorted(answer.body) == ["code", "data", "msg"]
    assert answer.data
    for row in answer.data:
        check_row(rest_rows, path, row)


@pytest.mark.parametrize("path", EMPTY)
def test_what_never_happens_here_is_an_empty_list(client: Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status, answer.body) == (200, {"code": "0", "data": [], "msg": ""})


@pytest.mark.parametrize("call", WRITES, ids=lambda each: each.path)
def test_answers_of_writes_have_the_documented_members(
    client: Client, rest_rows: Shapes, call: Write
) -> None:
    if call.first is not None:
        assert call.first(client).code == "0"

    answer = client.post(call.path, call.body)

    assert (answer.status, answer.code, answer.body["msg"]) == (200, "0", "")
    assert answer.data
    for row in answer.data:
        check_row(rest_rows, f"POST {call.path}", row)
    times = ["inTime", "outTime"] if call.timed else []
    assert sorted(answer.body) == sorted(["code", "data", "msg", *times])
    assert all(len(answer.body[name]) == 16 for name in times)


def test_only_a_single_order_is_told_to_be_placed(client: Client) -> None:
    single = client.post("trade/order", order())
    batch = client.post("trade/batch-orders", [order()])

    assert (single.row["sMsg"], batch.row["sMsg"]) == ("Order placed", "")


@pytest.mark.parametrize(
    "call", [each for each in WRITES if each.timed], ids=lambda each: each.path
)
def test_refused_rows_have_the_members_of_accepted_ones(
    client: Client, rest_rows: Shapes, call: Write
) -> None:
    wrong = {"instId": "NO-SUCH-SWAP"}
    body = (
        [each | wrong for each in call.body] if isinstance(call.body, list) else call.body | wrong
    )

    answer = client.post(call.path, body)

    assert (answer.status, answer.code) == (200, "1")
    for row in answer.data:
        assert row["sCode"] == "51001"
        check_row(rest_rows, f"POST {call.path}", row)


def test_nested_rows_are_there_to_be_compared(traded: Client) -> None:
    order_row = traded.get("trade/order", {"instId": SWAP, "clOrdId": "rest1"}).row
    [position] = traded.get("account/positions", {"instId": SWAP}).data
    limits = traded.get("account/interest-limits").row

    assert len(order_row["attachAlgoOrds"]) == len(position["closeOrderAlgo"]) == 1
    assert [row["ccy"] for row in limits["records"]] == ["USDT", "BTC"]


def test_balances_list_what_is_held(traded: Client) -> None:
    row = traded.get("account/balance").row

    assert {each["ccy"] for each in row["details"]} == {"USDT", "BTC"}
