"""Reading orders and fills: pages, filters, what is forgotten, what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator, iso, order
from trading.simulator.codes import OkxError
from trading.simulator.requests import Params
from trading.simulator.routing import newest

ETHER = "ETH-USDT-SWAP"
LISTS = (
    ("trade/orders-pending", {}),
    ("trade/orders-history", {"instType": "SWAP"}),
    ("trade/orders-history-archive", {"instType": "SWAP"}),
    ("trade/fills", {}),
    ("trade/fills-history", {"instType": "SWAP"}),
)
NUMBERS = {"trade/fills": "billId", "trade/fills-history": "billId"}


@pytest.fixture
def busy(client: Client) -> Client:
    """Seven swap orders that ended in three ways, two spot orders, five that rest."""
    for terms in (
        {"clOrdId": "first"},
        {"side": "sell"},
        {"ordType": "ioc", "px": "61000"},
        {"instId": ETHER},
        {"instId": ETHER, "tdMode": "isolated"},
        {"ordType": "post_only", "px": "64500"},
        {"ordType": "ioc", "px": "64500"},
        {"instId": SPOT, "sz": "500"},
        {"instId": SPOT, "sz": "600"},
    ):
        assert client.order(**terms).code == "0"
    for number in range(5):
        inst_id = SPOT if number == 2 else SWAP
        terms = {"instId": inst_id, "ordType": "limit", "px": "61000", "sz": "0.01"}
        assert client.order(**terms).code == "0"
    return client


def rows(client: Client, path: str, params: dict[str, str], **more: str) -> Any:
    answer = client.get(path, params | more)
    assert answer.code == "0", answer.body
    return answer.data


@pytest.mark.simulator
@pytest.mark.parametrize(("path", "params"), LISTS)
def test_pages_hold_every_row_once_newest_first(
    busy: Client, path: str, params: dict[str, str]
) -> None:
    number = NUMBERS.get(path, "ordId")
    every = rows(busy, path, params)

    pages = [rows(busy, path, params, limit="2")]
    while len(pages[-1]) == 2:
        pages.append(rows(busy, path, params, limit="2", after=pages[-1][-1][number]))

    ids = [row[number] for row in every]
    assert len(ids) >= 5
    assert ids == sorted(set(ids), key=int, reverse=True)
    assert [row[number] for page in pages for row in page] == ids
    assert [row[number] for row in rows(busy, path, params, before=ids[2])] == ids[:2]
    assert rows(busy, path, params, after=ids[0], before=ids[2]) == [every[1]]


@pytest.mark.simulator
@pytest.mark.parametrize(("path", "params"), LISTS)
def test_begin_and_end_belong_to_the_range(busy: Client, path: str, params: dict[str, str]) -> None:
    moment = "ts" if path in NUMBERS else "cTime"
    every = rows(busy, path, params)
    first, last = every[-1][moment], every[0][moment]

    assert rows(busy, path, params, begin=first, end=last) == every
    assert rows(busy, path, params, end=str(int(first) - 1)) == []
    assert rows(busy, path, params, begin=str(int(last) + 1)) == []
    only = rows(busy, path, params, begin=last, end=last)
    assert only
    assert {row[moment] for row in only} == {last}


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("path", "params", "count"),
    [
        ("trade/orders-history", {"instType": "SWAP"}, 7),
        ("trade/orders-history", {"instType": "SPOT"}, 2),
        ("trade/orders-history", {"instType": "SWAP", "instId": ETHER}, 2),
        ("trade/orders-history", {"instType": "SWAP", "instFamily": "ETH-USDT"}, 2),
        ("trade/orders-history", {"instType": "SWAP", "uly": "BTC-USDT"}, 5),
        ("trade/orders-history", {"instType": "SWAP", "state": "canceled"}, 2),
        ("trade/orders-history", {"instType": "SWAP", "state": "filled"}, 5),
        ("trade/orders-history", {"instType": "SWAP", "ordType": "ioc"}, 2),
        ("trade/orders-history", {"instType": "SWAP", "ordType": "ioc,post_only"}, 3),
        ("trade/orders-history", {"instType": "SWAP", "category": "normal"}, 7),
        ("trade/orders-history", {"instType": "SWAP", "category": "adl"}, 0),
        ("trade/orders-pending", {"instType": "SPOT"}, 1),
        ("trade/orders-pending", {"state": "live"}, 5),
        ("trade/orders-pending", {"state": "partially_filled"}, 0),
        ("trade/orders-pending", {"instId": SWAP, "ordType": "limit"}, 4),
        ("trade/fills", {"instType": "SPOT"}, 2),
        ("trade/fills", {"instId": ETHER}, 2),
        ("trade/fills", {"subType": "2"}, 1),
        ("trade/fills-history", {"instType": "SWAP", "instFamily": "BTC-USDT"}, 3),
    ],
)
def test_filters_narrow_the_list(
    busy: Client, path: str, params: dict[str, str], count: int
) -> None:
    assert len(rows(busy, path, params)) == count


@pytest.mark.simulator
def test_the_fills_of_one_order_are_found_by_its_id(busy: Client) -> None:
    placed = busy.get("trade/order", {"instId": SWAP, "clOrdId": "first"}).row

    [fill] = rows(busy, "trade/fills", {"ordId": placed["ordId"]})

    assert (fill["clOrdId"], fill["tradeId"]) == ("first", placed["tradeId"])


@pytest.mark.simulator
@pytest.mark.parametrize(("path", "params"), LISTS)
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"limit": "101"}, "51000"),
        ({"limit": "0"}, "51000"),
        ({"limit": "-1"}, "51000"),
        ({"after": "x1"}, "51000"),
        ({"before": "1.5"}, "51000"),
        ({"begin": "2026-01-01"}, "51000"),
        ({"end": "soon"}, "51000"),
        ({"instType": "SHARES"}, "51000"),
        ({"instId": "NO-SUCH-SWAP"}, "51001"),
    ],
)
def test_what_cannot_be_read_is_refused(
    still: Simulator, path: str, params: dict[str, str], wrong: dict[str, str], code: str
) -> None:
    reader = still.account("query-reader", perm="read_only")

    answer = reader.get(path, params | wrong)

    assert answer.code == code
    if code == "51000":
        assert answer.body["msg"] == f"Parameter {next(iter(wrong))} error"


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("trade/orders-history", {}, "50014"),
        ("trade/orders-history-archive", {"instType": ""}, "50014"),
        ("trade/fills-history", {}, "50014"),
        ("trade/orders-history", {"instType": "SWAP", "state": "live"}, "51000"),
        ("trade/orders-history", {"instType": "SWAP", "ordType": "limit,whatever"}, "51000"),
        ("trade/orders-history", {"instType": "SWAP", "category": "odd"}, "51000"),
        ("trade/orders-pending", {"state": "filled"}, "51000"),
        ("trade/order", {"instId": SWAP}, "51003"),
        ("trade/order", {"ordId": "1"}, "50014"),
        ("trade/order", {"instId": SWAP, "clOrdId": "none"}, "51603"),
    ],
)
def test_what_is_needed_is_named(
    still: Simulator, path: str, params: dict[str, str], code: str
) -> None:
    reader = still.account("query-reader", perm="read_only")

    assert reader.get(path, params).code == code


@pytest.mark.simulator
def test_a_name_given_twice_is_refused(client: Client) -> None:
    answer = client.call("GET", "/api/v5/trade/fills?instId=a&limit=1&instId=b", b"")

    assert (answer.status, answer.code) == (400, "51000")
    assert answer.body["msg"] == "Parameter instId error"


@pytest.mark.simulator
def test_unfilled_canceled_orders_are_forgotten_after_two_hours(own: Simulator) -> None:
    client = own.account("forgetful")
    ended = client.order(ordType="ioc", px="61000").row["ordId"]
    filled = client.order().row["ordId"]
    listed = {"instType": "SWAP"}
    before = rows(client, "trade/orders-history", listed)
    seen = client.get("trade/order", {"instId": SWAP, "ordId": ended}).row["state"]

    own.ask("POST", "/limits", {"clock_offset_ms": 7_201_000})
    later = {"timestamp": iso(time.time() + 7201)}

    assert [row["ordId"] for row in before] == [filled, ended]
    assert seen == "canceled"
    after = client.get("trade/orders-history", listed, **later).data
    assert [row["ordId"] for row in after] == [filled]
    asked = {"instId": SWAP, "ordId": ended}
    assert client.get("trade/order", asked, **later).code == "51603"


@pytest.mark.simulator
def test_how_long_they_are_kept_can_be_set(own: Simulator) -> None:
    client = own.account("hasty")
    client.order(ordType="ioc", px="61000")
    kept = rows(client, "trade/orders-history", {"instType": "SWAP"})

    own.ask("POST", "/limits", {"purge_canceled_ms": 0})
    time.sleep(0.002)

    assert len(kept) == 1
    assert rows(client, "trade/orders-history", {"instType": "SWAP"}) == []


@pytest.mark.simulator
def test_lists_lag_behind_as_far_as_single_orders_do(own: Simulator) -> None:
    client = own.account("laggard")
    client.order()
    client.order(ordType="limit", px="61000")
    own.ask("POST", "/limits", {"read_lag_ms": 600_000})

    for path, params in (*LISTS, ("account/bills", {"type": "2"})):
        assert rows(client, path, params) == []

    own.ask("POST", "/limits", {"read_lag_ms": 0})
    assert len(rows(client, "trade/orders-pending", {})) == 1


def counted(seen: list[int]) -> Iterator[int]:
    for number in range(10_000, 0, -1):
        seen.append(number)
        yield number


def a_page(seen: list[int], **params: Any) -> list[int]:
    return newest(
        Params(params),
        counted(seen),
        number=lambda each: each,
        time=lambda each: each,
        keep=lambda each: each % 2 == 0,
    )


def test_a_page_looks_at_no_more_than_it_needs() -> None:
    seen: list[int] = []

    page = a_page(seen, limit="3")

    assert page == [10_000, 9_998, 9_996]
    assert len(seen) == 5


def test_a_page_ends_where_before_begins() -> None:
    seen: list[int] = []

    assert a_page(seen, before="9990", after="9997") == [9_996, 9_994, 9_992]
    assert seen[-1] == 9_990


def test_a_page_has_a_hundred_rows_unless_told_otherwise() -> None:
    assert len(a_page([])) == 100
    with pytest.raises(OkxError, match="limit"):
        a_page([], limit="101")


@pytest.mark.simulator
def test_numbers_and_booleans_may_be_json_and_the_unknown_is_ignored(client: Client) -> None:
    body = order(sz=2, reduceOnly=False, ccy="", posSide=None, attachAlgoOrds=None, extra={"a": 1})

    placed = client.post("trade/order", body)

    assert placed.code == "0", placed.body
    assert client.get("account/positions").row["pos"] == "2"


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("account/set-leverage", [{"instId": SWAP, "lever": "5", "mgnMode": "cross"}], "50002"),
        ("account/set-leverage", {"instId": [SWAP], "lever": "5", "mgnMode": "cross"}, "51000"),
        ("account/set-leverage", {"instId": SWAP, "lever": {"x": 1}, "mgnMode": "cross"}, "51000"),
        ("trade/close-position", [], "50002"),
        ("trade/batch-orders", order(), "50002"),
        ("trade/batch-orders", [], "50000"),
        ("trade/order", "text", "50002"),
        ("trade/order", 5, "50002"),
    ],
)
def test_bodies_of_another_form_are_refused(
    client: Client, path: str, body: Any, code: str
) -> None:
    answer = client.post(path, body)

    assert (answer.status, answer.code, answer.data) == (400, code, [])
    assert client.get("account/positions").data == []
