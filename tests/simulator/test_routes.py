"""Every endpoint: its documented limit, its key kind, and whom it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.simulator.client import SPOT, SWAP, Answer, Client, Simulator, order, send
from tests.simulator.conftest import SHAPES
from trading.simulator.admission import BATCH_LIMIT, SINGLE_LIMIT, WINDOW_MS
from trading.simulator.rest import ROUTES
from trading.simulator.routing import Route

LIMITS: Final = json.loads((SHAPES / "limits.json").read_text())
NAMES: Final = {
    f"{method} {path.removeprefix('/api/v5/')}": route for (method, path), route in ROUTES.items()
}
COUNTS_ALGOS: Final = "POST trade/cancel-algos"
PRIVATE: Final = sorted(name for name, route in NAMES.items() if route.private)
PUBLIC: Final = sorted(set(NAMES) - set(PRIVATE))


def described(name: str, route: Route) -> dict[str, Any]:
    """Orders count themselves: one by one 60, in batches 300, by user and instrument.

    What cancels algo orders counts them too: tried below.
    """
    made = {"limit": route.limit, "window_ms": route.window_ms, "key": route.key}
    if route.order:
        limit = BATCH_LIMIT if "batch" in name else SINGLE_LIMIT
        made = {"limit": limit, "window_ms": WINDOW_MS, "key": "uid+inst"}
    if name == COUNTS_ALGOS:
        made = {"limit": 20, "window_ms": 2000, "key": "uid+inst"}
    return made | {"permission": route.permission if route.private else ""}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_limits_and_permissions_are_the_documented_ones(name: str) -> None:
    assert described(name, NAMES[name]) == LIMITS[name]


def ask(client: Client, name: str, **headers: Any) -> Answer:
    method, _, path = name.partition(" ")
    if method == "GET":
        return client.get(path, **headers)
    return client.post(path, [{}] if path.endswith("s") else {}, **headers)


@pytest.mark.simulator
@pytest.mark.parametrize("name", PRIVATE)
def test_private_endpoints_refuse_whom_they_must(still: Simulator, name: str) -> None:
    client = still.account("routes")
    bound = still.account("routes-bound", ip="10.1.2.3")
    demo = still.account("routes-demo", env="demo")
    live = still.account("routes-live", env="live")
    before = client.get("account/config").row

    refused = [
        (ask(client, name, OK_ACCESS_KEY=None), 401, "50103"),
        (ask(client, name, OK_ACCESS_KEY="nobody"), 401, "50111"),
        (ask(client, name, OK_ACCESS_SIGN="wrong"), 401, "50113"),
        (ask(bound, name), 401, "50110"),
        (ask(demo, name), 401, "50101"),
        (ask(live, name, x_simulated_trading="1"), 401, "50101"),
    ]

    for answer, status, code in refused:
        assert (answer.status, answer.code, answer.data) == (status, code, [])
    assert client.get("account/config").row == before


@pytest.mark.simulator
@pytest.mark.parametrize("name", PRIVATE)
def test_a_key_may_do_what_its_permissions_say(still: Simulator, name: str) -> None:
    reader = still.account("routes-reader", perm="read_only")
    trader = still.account("routes-trader", perm="trade")

    read, traded = ask(reader, name), ask(trader, name)

    if NAMES[name].permission == "trade":
        assert (read.status, read.code) == (200, "50120")
        assert traded.code not in ("50120", "50030")
    else:
        assert read.code != "50120"
        assert (traded.status, traded.code) == (200, "50120")


@pytest.mark.simulator
@pytest.mark.parametrize("name", PUBLIC)
def test_public_endpoints_need_no_key(still: Simulator, name: str) -> None:
    method, _, path = name.partition(" ")

    answer = send(still.rest, method, f"/api/v5/{path}", None, {})

    assert answer.code in ("0", "50014")


@pytest.mark.simulator
@pytest.mark.parametrize("name", sorted(NAMES))
def test_another_method_is_refused(still: Simulator, name: str) -> None:
    method, _, path = name.partition(" ")
    other = "POST" if method == "GET" else "GET"
    if f"{other} {path}" in NAMES:
        return

    answer = send(still.rest, other, f"/api/v5/{path}", None, {})

    assert (answer.status, answer.code) == (405, "50115")


Calls = Callable[[Client], Answer]


def reading(path: str, **params: str) -> Calls:
    return lambda client: client.get(path, params)


def public(path: str) -> Calls:
    return lambda client: send(client.simulator.rest, "GET", f"/api/v5/{path}", None, {})


def leverage(client: Client) -> Answer:
    body = {"instId": SWAP, "lever": "5", "mgnMode": "cross"}
    return client.post("account/set-leverage", body)


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("call", "limit", "other"),
    [
        (reading("account/config"), 5, None),
        (reading("account/bills"), 5, None),
        (reading("trade/account-rate-limit"), 1, None),
        (leverage, 20, None),
        (reading("trade/order", instId=SWAP, ordId="1"), 60, reading("trade/order", instId=SPOT)),
        (
            reading("account/instruments", instType="SWAP"),
            20,
            reading("account/instruments", instType="SPOT"),
        ),
        (public("public/time"), 10, None),
        (
            public(f"public/funding-rate?instId={SWAP}"),
            10,
            public("public/funding-rate?instId=ETH-USDT-SWAP"),
        ),
    ],
    ids=["config", "bills", "rate-limit", "leverage", "order", "instruments", "time", "funding"],
)
def test_limits_bite_where_the_key_says(
    own: Simulator, call: Calls, limit: int, other: Calls | None
) -> None:
    """The next call is refused, also for the same user; another key kind's value is free."""
    client = own.account("limited")
    own.ask("POST", "/limits", {"mode": "okx"})

    codes = [call(client).code for _ in range(limit + 1)]

    assert "50011" not in codes[:limit]
    assert codes[limit] == "50011"
    assert other is None or other(client).code != "50011"
    own.ask("POST", "/limits", {"mode": "off"})
    assert call(client).code != "50011"


@pytest.mark.simulator
def test_users_do_not_share_a_limit(own: Simulator) -> None:
    first, second = own.account("limited1"), own.account("limited2")
    own.ask("POST", "/limits", {"mode": "okx"})

    codes = [first.get("account/config").code for _ in range(6)]

    assert codes[5] == "50011"
    assert second.get("account/config").code == "0"


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("trade/order", order(sz="0")),
        ("trade/amend-order", {"instId": SWAP, "ordId": "1", "newSz": "1"}),
        ("trade/cancel-order", {"instId": SWAP, "ordId": "1"}),
    ],
)
def test_single_orders_are_limited_by_user_and_instrument(
    own: Simulator, path: str, item: dict[str, Any]
) -> None:
    client = own.account(f"single-{path.removeprefix('trade/')}")
    own.ask("POST", "/limits", {"mode": "okx"})

    codes = [client.post(path, item).code for _ in range(SINGLE_LIMIT + 1)]

    assert codes == ["1"] * SINGLE_LIMIT + ["50011"]
    assert client.post(path, item | {"instId": "ETH-USDT-SWAP"}).code == "1"


@pytest.mark.simulator
def test_a_batch_of_one_counts_as_a_single_order(own: Simulator) -> None:
    client = own.account("batchofone")
    own.ask("POST", "/limits", {"mode": "okx"})
    item = order(sz="0")

    codes = [client.post("trade/batch-orders", [item]).code for _ in range(SINGLE_LIMIT)]

    assert codes == ["1"] * SINGLE_LIMIT
    assert client.post("trade/order", item).code == "50011"
    assert client.post("trade/batch-orders", [item] * 2).code == "1"


@pytest.mark.simulator
def test_a_batch_counts_its_orders(own: Simulator) -> None:
    client = own.account("batches")
    own.ask("POST", "/limits", {"mode": "okx"})
    items = [order(sz="0")] * 20

    codes = [client.post("trade/batch-orders", items).code for _ in range(16)]

    assert codes == ["1"] * 15 + ["50011"]


@pytest.mark.simulator
def test_canceled_algo_orders_are_counted_by_instrument(own: Simulator) -> None:
    client = own.account("algos")
    own.ask("POST", "/limits", {"mode": "okx"})
    items = [{"instId": SWAP, "algoId": str(number)} for number in range(1, 11)]

    codes = [client.post("trade/cancel-algos", each).code for each in (items, items, items[:1])]

    assert codes == ["1", "1", "50011"]
    assert client.post("trade/cancel-algos", [items[0] | {"instId": SPOT}]).code == "1"
