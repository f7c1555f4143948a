"""Amending: what is refused, what the refusal does to the order, what the channel tells."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Socket, order
from tests.simulator.conftest import OpenSocket

pytestmark = pytest.mark.simulator


def rest(client: Client, **terms: Any) -> str:
    return str(client.order(ordType="limit", px="62000", **terms).row["ordId"])


def amend(client: Client, ord_id: str, **terms: Any) -> Any:
    return client.post("trade/amend-order", {"instId": SWAP, "ordId": ord_id, **terms}).row


def state(client: Client, ord_id: str) -> Any:
    return client.get("trade/order", {"instId": SWAP, "ordId": ord_id}).row


def test_a_new_price_outside_the_band_is_refused(client: Client) -> None:
    ord_id = rest(client)

    row = amend(client, ord_id, newPx="90000")

    assert row["sCode"] == "51006"
    assert (state(client, ord_id)["state"], state(client, ord_id)["px"]) == ("live", "62000")


def test_a_new_price_outside_the_band_is_moved_when_asked(client: Client) -> None:
    ord_id = rest(client)

    assert amend(client, ord_id, newPx="90000", pxAmendType="1")["sCode"] == "0"

    assert (state(client, ord_id)["state"], state(client, ord_id)["px"]) == ("filled", "67200.1")


def test_a_new_size_over_the_largest_order_is_refused(client: Client) -> None:
    assert amend(client, rest(client), newSz="100000001")["sCode"] == "51101"


@pytest.mark.parametrize(("asked", "ends"), [(True, "canceled"), ("false", "live")])
def test_a_failed_amendment_cancels_only_when_asked(client: Client, asked: Any, ends: str) -> None:
    ord_id = rest(client)

    row = amend(client, ord_id, newSz="9000000", cxlOnFail=asked)

    assert (row["sCode"], row["subCode"]) == ("51502", "1031")
    assert state(client, ord_id)["state"] == ends


async def test_the_channel_reports_the_amendment_and_only_it(
    client: Client, connect: OpenSocket
) -> None:
    socket: Socket = await connect(client.simulator.ws["private"])
    await socket.say(client.login())
    arg = {"channel": "orders", "instType": "ANY"}
    await socket.say({"op": "subscribe", "args": [arg]})
    await socket.find(event="channel-conn-count")
    ord_id = rest(client)
    amend(client, ord_id, newSz="2")
    amend(client, ord_id, newSz="3", reqId="second")
    client.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})

    told = [(await socket.find(channel="orders"))["data"][0] for _ in range(4)]

    fields = ("sz", "amendResult", "amendSource", "reqId")
    assert [tuple(row[name] for name in fields) for row in told] == [
        ("1", "", "", ""),
        ("2", "0", "1", ""),
        ("3", "0", "1", "second"),
        ("3", "", "", ""),
    ]


def test_small_json_numbers_mean_their_value(client: Client) -> None:
    """Python writes 0.00001 as 1e-05."""
    body = order(instId=SPOT, ordType="limit", px=62000, sz=0.00001)

    placed = client.post("trade/order", body).row

    assert placed["sCode"] == "0"
    asked = {"instId": SPOT, "ordId": placed["ordId"]}
    assert client.get("trade/order", asked).row["sz"] == "0.00001"


@pytest.mark.parametrize("number", [b"1e999999999", b"1e-400", b"1E+30"])
def test_absurd_json_numbers_are_refused(client: Client, number: bytes) -> None:
    body = (
        b'{"instId":"BTC-USDT-SWAP","tdMode":"cross","side":"buy","ordType":"market","sz":%b}'
        % number
    )

    assert client.call("POST", "/api/v5/trade/order", body).row["sCode"] == "51000"
