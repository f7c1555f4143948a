"""Faults on request: on the wire of REST, in order operations and in pushes."""

from __future__ import annotations

import json
import time
from http.client import BadStatusLine, HTTPException, IncompleteRead
from itertools import count
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator, order

pytestmark = pytest.mark.simulator

NUMBERS = count(1)
PLACE = {"path": "/api/v5/trade/order"}


@pytest.fixture
def client(own: Simulator) -> Client:
    return own.account(f"faulty{next(NUMBERS)}")


def install(simulator: Simulator, fault: Any, **more: Any) -> str:
    answer = simulator.ask("POST", "/faults", {"match": PLACE, "fault": fault, **more})
    assert answer.status == 200, answer.body
    return str(answer.body["id"])


def placed(client: Client) -> int:
    return len(client.simulator.entries(kind="order", account=client.key))


def lands(client: Client, name: str) -> bool:
    """Whether the order is there and filled within a few seconds."""
    asked = {"instId": SWAP, "clOrdId": name}
    until = time.monotonic() + 5
    while (answer := client.get("trade/order", asked)).code == "51603":
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return bool(answer.row["state"] == "filled")


@pytest.mark.parametrize(
    ("fault", "error", "orders"),
    [
        ("drop_before", (ConnectionError, BadStatusLine), 0),
        ("drop_after_accept", (ConnectionError, BadStatusLine), 1),
        ("rst_after_accept", (ConnectionResetError,), 1),
        ("hang:200", (ConnectionError, BadStatusLine), 1),
        ({"kind": "hang", "ms": 100, "after": False}, (ConnectionError, BadStatusLine), 0),
        ("truncate", (IncompleteRead,), 1),
    ],
)
def test_answers_that_never_arrive(
    client: Client, fault: Any, error: tuple[type[Exception], ...], orders: int
) -> None:
    install(client.simulator, fault)

    with pytest.raises((*error, HTTPException) if fault != "rst_after_accept" else error):
        client.order()

    assert placed(client) == orders


@pytest.mark.parametrize(
    ("fault", "status", "orders"),
    [
        ("http:502", 502, 0),
        ({"kind": "http", "status": 529}, 529, 0),
        ("http:429", 429, 0),
        ({"kind": "html_200", "after": False}, 200, 0),
        ({"kind": "empty_200", "after": False}, 200, 0),
        ({"kind": "http", "status": 504, "after": True}, 504, 1),
        ("html_200", 200, 1),
        ("empty_200", 200, 1),
    ],
)
def test_answers_that_are_not_json(client: Client, fault: Any, status: int, orders: int) -> None:
    install(client.simulator, fault)

    answer = client.order()

    assert answer.status == status
    assert isinstance(answer.body, bytes)
    assert placed(client) == orders


@pytest.mark.parametrize(
    ("fault", "status", "code", "orders"),
    [
        ("code:50026", 500, "50026", 0),
        ("code:50011", 429, "50011", 0),
        ("code:51149", 500, "51149", 0),
        ({"kind": "code", "code": "50004", "after": True}, 400, "50004", 1),
        ("data_empty", 200, "0", 1),
    ],
)
def test_envelopes_that_lie(
    client: Client, fault: Any, status: int, code: str, orders: int
) -> None:
    install(client.simulator, fault)

    answer = client.order()

    assert (answer.status, answer.code, answer.data) == (status, code, [])
    assert placed(client) == orders


def test_row_codes_under_any_outer_code(client: Client) -> None:
    install(client.simulator, {"kind": "scode", "code": "51008", "outer": "0"})

    answer = client.order(clOrdId="lie")

    assert answer.code == "0"
    assert (answer.row["sCode"], answer.row["clOrdId"], answer.row["ordId"]) == ("51008", "lie", "")
    assert placed(client) == 0


@pytest.mark.parametrize(("status", "after"), [(302, False), (307, True)])
def test_a_redirect_points_back(client: Client, status: int, after: bool) -> None:
    install(client.simulator, {"kind": "redirect", "status": status, "after": after})

    answer = client.order()

    assert (answer.status, answer.headers["Location"]) == (status, "/api/v5/trade/order")
    assert placed(client) == after


def test_a_slow_body_arrives_whole(client: Client) -> None:
    install(client.simulator, "slow_body:20")

    began = time.monotonic()

    assert client.order().code == "0"
    assert time.monotonic() - began > 0.15


def test_a_late_order_lands_after_its_answer(client: Client) -> None:
    install(client.simulator, "late_accept:200", times=1)

    answer = client.order(clOrdId="late")

    assert (answer.status, answer.code) == (400, "50004")
    assert placed(client) == 0
    assert lands(client, "late")


def test_a_late_order_still_honors_its_expiry(client: Client) -> None:
    install(client.simulator, "late_accept:300")
    expires = str(int(time.time() * 1000) + 100)

    client.post("trade/order", order(), expTime=expires)
    time.sleep(0.5)

    assert placed(client) == 0


def test_a_late_order_may_come_without_any_answer(client: Client) -> None:
    install(client.simulator, {"kind": "late_accept", "ms": 100, "silent": True}, times=1)

    with pytest.raises((ConnectionError, HTTPException)):
        client.order(clOrdId="mute")

    assert lands(client, "mute")


def test_a_late_order_of_a_deleted_key_never_lands(client: Client) -> None:
    install(client.simulator, "late_accept:200", times=1)
    client.order(clOrdId="toolate")

    client.simulator.ask("DELETE", f"/accounts/{client.key}")
    time.sleep(0.4)

    assert placed(client) == 0


@pytest.mark.parametrize("outer", ["0", "1", "2"])
def test_failed_rows_of_a_cancel_have_the_form_of_a_cancel(client: Client, outer: str) -> None:
    ord_id = client.order(ordType="limit", px="61000").row["ordId"]
    fault = {"kind": "scode", "code": "51400", "outer": outer}
    body = {"match": {"op": "cancel-order", "account": client.key}, "fault": fault}
    client.simulator.ask("POST", "/faults", body)

    answer = client.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})

    assert (answer.code, answer.row["sCode"], answer.row["ordId"]) == (outer, "51400", ord_id)
    assert "tag" not in answer.row
    assert client.get("trade/order", {"instId": SWAP, "ordId": ord_id}).row["state"] == "live"


def test_a_storm_of_request_limits_strikes_by_side_and_time(client: Client) -> None:
    match = {"side": "sell", "account": client.key}
    body = {"match": match, "fault": "code:50011", "prob": 0.8, "for_s": 600}
    fault_id = client.simulator.ask("POST", "/faults", body).body["id"]

    statuses = [client.order(sz="0.01", side="sell").status for _ in range(20)]

    assert 8 <= statuses.count(429) < 20
    assert client.order(sz="0.01").status == 200
    (row,) = client.simulator.ask("GET", "/faults").body["faults"]
    assert (row["id"], row["hits"], row["state"]) == (fault_id, statuses.count(429), "active")


def test_a_fault_is_changed_and_removed_by_its_id(client: Client) -> None:
    simulator = client.simulator
    path = f"/faults/{install(simulator, 'http:502')}"

    changed = simulator.ask("PATCH", path, {"fault": "http:524", "prob": 1})
    assert (changed.status, changed.body["argument"]) == (200, "524")
    assert client.order().status == 524
    refused = simulator.ask("PATCH", path, {"fault": "http:99"})
    assert (refused.status, refused.body["field"]) == (400, "fault")
    assert client.order().status == 524
    assert simulator.ask("DELETE", path).status == 200
    assert client.order().status == 200
    assert [simulator.ask(each, path, {}).status for each in ("PATCH", "DELETE")] == [404, 404]


def test_the_kinds_are_told_with_their_arguments(own: Simulator) -> None:
    answer = own.ask("GET", "/faults/kinds").body

    http = next(each for each in answer["kinds"] if each["kind"] == "http")
    assert (http["argument"], http["default"], http["choosable"]) == ("status", "502", True)
    assert "batch-cancel-orders" in answer["ops"]


def test_partial_fills(client: Client) -> None:
    install(client.simulator, "partial:3")

    ord_id = client.order(sz="1").row["ordId"]

    fills = client.get("trade/fills", {"ordId": ord_id}).data
    assert [fill["fillSz"] for fill in fills] == ["0.34", "0.33", "0.33"]
    assert client.get("trade/order", {"instId": SWAP, "ordId": ord_id}).row["accFillSz"] == "1"


def test_times_nth_account_and_clearing(client: Client) -> None:
    simulator = client.simulator
    other = simulator.account("other")
    install(simulator, "http:503", times=1)
    assert [client.order().status for _ in range(2)] == [503, 200]
    body = {"match": {"account": client.key, "nth": 2}, "fault": "http:504"}
    simulator.ask("POST", "/faults", body)
    assert [client.order().status for _ in range(3)] == [200, 504, 200]
    assert other.order().status == 200
    simulator.ask("POST", "/faults", {"match": {"cl_ord_id": "me"}, "fault": "http:500"})
    assert client.order(clOrdId="me").status == 500
    assert simulator.ask("DELETE", "/faults").status == 200
    assert client.order(clOrdId="me").status == 200


def test_chance_is_seeded(own: Simulator) -> None:
    client = own.account("lucky")
    install(own, "code:50013", prob=0.5)

    hits = [client.order(sz="0.01").status for _ in range(40)]

    assert 8 < hits.count(429) < 32


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fault": "nope"},
        {"fault": 5},
        {"fault": {"kind": "http", "status": "x"}},
        {"fault": "http:99"},
        {"fault": "code:1e9"},
        {"fault": "hang", "prob": 2},
        {"fault": "hang", "prob": "often"},
        {"fault": "hang", "times": 0},
        {"fault": "hang", "times": True},
        {"fault": "hang", "match": []},
        {"fault": "hang", "match": {"color": "red"}},
        {"fault": "hang", "match": {"path": 5}},
        {"fault": "hang", "match": {"nth": -1}},
    ],
)
def test_bad_faults_are_refused(own: Simulator, body: Any) -> None:
    answer = own.ask("POST", "/faults", body)

    assert answer.status == 400
    assert sorted(answer.body) == ["error", "field"]
    assert own.ask("GET", "/faults").body == {"faults": []}


def test_the_ledger_shows_requests_that_were_dropped(client: Client) -> None:
    install(client.simulator, "drop_before")

    with pytest.raises((ConnectionError, HTTPException)):
        client.order(clOrdId="gone")

    (entry,) = client.simulator.entries(kind="request", cl_ord_id="gone")
    assert (entry["method"], entry["path"]) == ("POST", "/api/v5/trade/order")
    assert json.dumps(entry)


def test_a_row_of_a_fault_reads_like_a_real_one(own: Simulator) -> None:
    """Dated, timed, and without gaps where a real refusal names something."""
    client = own.account("readslikereal")
    own.ask("POST", "/faults", {"match": {}, "fault": "scode:51008", "times": 1})

    answer = client.order()

    assert answer.row["sCode"] == "51008"
    assert "{" not in answer.row["sMsg"]
    assert abs(int(answer.row["ts"]) - int(answer.body["outTime"]) // 1000) < 1000
