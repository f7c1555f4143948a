"""What each answer to an order proves, over a real socket: and nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest

from tests.trading.exchange.wire import (
    ALICE,
    CLIENT_ORDER_ID,
    FIN,
    HANG,
    LATER_MS,
    RST,
    client_of,
    envelope,
    http,
    market_order,
    order_row,
    refused,
    wire,
)
from trading.exchange.okx.constants import endpoint_for
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import (
    CancelRequest,
    MarginMode,
    OrderType,
    Outcome,
    PositionMode,
    PositionSide,
)

ACCEPTED = envelope("0", order_row())
REDIRECT = "Location: {here}/api/v5/trade/order\r\n"
OK = "200 OK"

UNKNOWN = {
    "accepted then FIN": FIN,
    "accepted then RST": RST,
    "accepted then silence": HANG,
    "accepted, truncated body": http(OK, ACCEPTED[:30], length=400),
    "200 with half a JSON": http(OK, ACCEPTED[:-5]),
    "200 with HTML": http(OK, "<html>hello</html>"),
    "200 empty": http(OK, ""),
    "200 with null": http(OK, "null"),
    "200 with a list": http(OK, "[]"),
    "200 without a row": http(OK, envelope("0")),
    "200 with a row that is no object": http(OK, '{"code":"0","msg":"","data":["x"]}'),
    "accepted without order id": http(OK, envelope("0", order_row(ordId=""))),
    "accepted under another client order id": http(OK, envelope("0", order_row(clOrdId="x"))),
    "accepted without sCode": http(OK, envelope("0", {"ordId": "1", "clOrdId": CLIENT_ORDER_ID})),
    "envelope fails, row succeeds": http(OK, envelope("1", order_row())),
    "two rows, none ours": http(OK, envelope("0", order_row(clOrdId="a"), order_row(clOrdId="b"))),
    "500 with an accepted row": http("500 x", ACCEPTED),
    "400 with an accepted row": http("400 x", ACCEPTED),
    "400 HTML": http("400 Bad Request", "x"),
    "403 HTML": http("403 Forbidden", "x"),
    "429 HTML": http("429 Too Many", "x"),
    "502 HTML": http("502 Bad Gateway", "<html>"),
    "503 HTML": http("503 x", "<html>"),
    "504 HTML": http("504 Gateway Timeout", "x"),
    "520 HTML": http("520 x", "x"),
    "524 HTML": http("524 A Timeout", "x"),
    "529 HTML": http("529 Overloaded", "x"),
    "50001": http("503 x", envelope("50001")),
    "50004": http("400 x", envelope("50004")),
    "50013": http("429 x", envelope("50013")),
    "50026": http("500 x", envelope("50026")),
    "50004 in the row": http(OK, refused("1", "50004")),
    "50026 in the row": http(OK, refused("1", "50026")),
    "51149 order timed out": http(OK, refused("1", "51149")),
    "51054 request timed out": http("500 x", envelope("51054")),
    "an unlisted code": http(OK, refused("1", "59999")),
    "code 1 without rows": http(OK, envelope("1")),
    "51000 about the client order id": http(OK, refused("1", "51000", "Parameter clOrdId error")),
    "51008 about another order": http(
        OK, envelope("1", order_row(clOrdId="x", ordId="", sCode="51008"))
    ),
    "51008 from a failing server": http("502 x", refused("1", "51008")),
    "302": http("302 Found", extra=REDIRECT),
    "303": http("303 See Other", extra=REDIRECT),
    "307": http("307 Temporary Redirect", extra=REDIRECT),
    "308": http("308 Permanent Redirect", extra=REDIRECT),
}
ACK = {
    "accepted": http(OK, ACCEPTED),
    "accepted with an empty message": http(OK, envelope("0", order_row(sMsg=""))),
    "accepted without an echo": http(OK, envelope("0", order_row(clOrdId=""))),
    "accepted in a part of a batch": http(OK, envelope("2", order_row(), order_row(clOrdId="x"))),
}
NOT_PLACED = {
    "50011": http("429 x", envelope("50011")),
    "50011 with 200": http(OK, envelope("50011")),
    "50061": http(OK, envelope("50061")),
    "50061 in the row": http(OK, refused("1", "50061")),
    "50036 our deadline, on arrival": http(OK, envelope("50036")),
    "50037 our deadline, inside": http(OK, refused("1", "50037")),
}
AUTH = {
    code: http("401 x", envelope(code))
    for code in ("50100", "50101", "50103", "50105", "50110", "50111", "50112", "50113", "50114")
} | {
    code: http(OK, envelope(code))
    for code in ("50007", "50009", "50012", "50027", "50030", "50119", "50120")
}
REJECTED = {
    sub_code: http(OK, refused("1", sub_code))
    for sub_code in (
        *("51000", "51001", "51004", "51005", "51006", "51008", "51010", "51020", "51021"),
        *("51022", "51023", "51024", "51028", "51030", "51100", "51101", "51112", "51119"),
        *("51121", "51127", "51131", "51137", "51148", "51155", "51169", "51170", "51174"),
        *("51201", "51202", "51204", "51205", "50014"),
    )
} | {
    "51008 under code 0": http(OK, refused("0", "51008")),
    "51008 under code 2": http(OK, refused("2", "51008")),
    "51000 as an HTTP 400": http("400 x", envelope("51000", msg="Parameter sz error")),
    "50002": http("400 x", envelope("50002")),
    "50015": http("400 x", envelope("50015")),
}
DUPLICATE = {code: http(OK, refused("1", code)) for code in ("51016", "51011")}

CASES = [
    pytest.param(reply, kind, id=f"{kind}: {label}")
    for kind, table in (
        (Outcome.UNKNOWN, UNKNOWN),
        (Outcome.ACK, ACK),
        (Outcome.NOT_PLACED, NOT_PLACED),
        (Outcome.AUTH, AUTH),
        (Outcome.REJECTED, REJECTED),
        (Outcome.DUPLICATE, DUPLICATE),
    )
    for label, reply in table.items()
]


@pytest.mark.parametrize(("reply", "kind"), CASES)
async def test_an_answer_proves_this_and_was_asked_for_once(
    reply: bytes | str, kind: Outcome
) -> None:
    patience_s = 0.4 if reply == HANG else 10  # an answer is not missed because the machine is busy

    async with wire(reply) as server, client_of(server, timeout_s=patience_s) as client:
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    assert outcome.kind is kind
    assert outcome.exchange_order_id == ("312269865356374016" if kind is Outcome.ACK else "")
    assert len(server.requests) == len(server.posts) == 1
    assert not outcome.clock_skewed


async def test_a_reason_is_told_in_full() -> None:
    row = order_row(ordId="", sCode="51008", sMsg="Insufficient margin", subCode="1001")

    async with wire(http(OK, envelope("1", row))) as server, client_of(server) as client:
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    assert (outcome.code, outcome.sub_code, outcome.reason_code) == ("1", "51008", "51008")
    assert outcome.message == "Insufficient margin"
    assert outcome.http_status == 200
    assert "51008" in outcome.excerpt


async def test_an_echoed_secret_is_blotted_out() -> None:
    body = f"bad header: {ALICE.secret} {ALICE.passphrase} {ALICE.api_key}" + "x" * 900

    async with wire(http(OK, body)) as server, client_of(server) as client:
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    assert outcome.excerpt.startswith("bad header: *** *** ***x")
    assert len(outcome.excerpt) == 500


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", Decimal(2)), ("0.5", Decimal("0.5")), ("never", None), ("9999", None), ("NaN", None)],
)
async def test_a_wait_is_taken_from_the_header(value: str, seconds: Decimal | None) -> None:
    reply = http("429 x", envelope("50011"), extra=f"Retry-After: {value}\r\n")

    async with wire(reply) as server, client_of(server) as client:
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    assert outcome.kind is Outcome.NOT_PLACED
    assert outcome.retry_after_s == seconds


async def test_a_skewed_clock_is_measured_anew() -> None:
    ahead_ms = int(time.time() * 1000) + 40_000
    times = http(OK, envelope("0", {"ts": str(ahead_ms)}))
    refusal = http("401 x", envelope("50102"))

    async with wire(refusal, times) as server, client_of(server) as client:
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
        offset_ms = client.clock.offset_ms

    assert outcome.kind is Outcome.NOT_PLACED
    assert outcome.clock_skewed
    assert 38_000 < offset_ms <= 40_000
    assert len(server.posts) == 1


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9", "http://no-such-host.invalid"], ids=["refused", "no name"]
)
async def test_what_never_connected_was_not_placed(address: str) -> None:
    client = OkxClient(endpoint_for("simulator", simulator_rest=address), timeout_s=3)

    outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
    await client.aclose()

    assert outcome.kind is Outcome.NOT_PLACED


async def test_a_reset_during_the_tls_handshake_was_not_placed() -> None:
    async with wire(RST) as server:
        address = server.endpoint.rest.replace("http:", "https:")
        client = OkxClient(endpoint_for("simulator", simulator_rest=address), timeout_s=1)
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
        await client.aclose()

    assert outcome.kind in (Outcome.NOT_PLACED, Outcome.UNKNOWN)
    assert server.requests == []


async def test_nothing_is_sent_after_its_deadline() -> None:
    async with wire(http(OK, ACCEPTED)) as server, client_of(server) as client:
        almost = client.clock.now_ms() + 200
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=almost)

    assert outcome.kind is Outcome.NOT_PLACED
    assert server.requests == []


async def test_nothing_is_sent_by_a_closed_client() -> None:
    async with wire(http(OK, ACCEPTED)) as server, client_of(server) as client:
        await client.aclose()
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    assert outcome.kind is Outcome.NOT_PLACED
    assert server.requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"client_order_id": ""},
        {"client_order_id": "with-dash"},
        {"client_order_id": "x" * 33},
        {"tag": "x" * 17},
        {"quantity": Decimal(0)},
        {"quantity": Decimal("NaN")},
        {"price": Decimal(1)},
        {"order_type": OrderType.LIMIT},
        {"order_type": OrderType.LIMIT, "price": Decimal(0)},
        {"order_type": OrderType.OTHER},
    ],
)
async def test_an_impossible_order_is_refused_here(changes: dict[str, object]) -> None:
    async with wire(http(OK, ACCEPTED)) as server, client_of(server) as client:
        outcome = await client.place_order(ALICE, market_order(**changes), exp_at_ms=LATER_MS)

    assert (outcome.kind, outcome.code) == (Outcome.REJECTED, "LOCAL")
    assert server.requests == []


async def test_cancelling_a_caller_leaves_the_client_usable() -> None:
    async with wire(HANG, http(OK, ACCEPTED)) as server, client_of(server) as client:
        task = asyncio.create_task(client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS))
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        outcome = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)

    assert outcome.kind is Outcome.ACK


CANCELS = [
    ("accepted", envelope("0", order_row(sMsg="")), Outcome.ACK),
    ("gone already", refused("1", "51400"), Outcome.REJECTED),
    ("canceling already", refused("1", "51410"), Outcome.REJECTED),
    ("timed out", refused("1", "51412"), Outcome.UNKNOWN),
    ("no verdict in the row", envelope("0", {"ordId": "1"}), Outcome.UNKNOWN),
    ("a duplicate makes no sense", refused("1", "51016"), Outcome.UNKNOWN),
    ("rate limit", envelope("50011"), Outcome.NOT_PLACED),
]


@pytest.mark.parametrize(("label", "body", "kind"), CANCELS, ids=[case[0] for case in CANCELS])
async def test_a_cancel_has_outcomes_too(label: str, body: str, kind: Outcome) -> None:
    request = CancelRequest(inst_id="BTC-USDT-SWAP", client_order_id=CLIENT_ORDER_ID)

    async with wire(http(OK, body)) as server, client_of(server) as client:
        outcome = await client.cancel_order(ALICE, request)

    assert outcome.kind is kind, label
    assert len(server.posts) == 1


async def test_a_cancel_by_exchange_order_id_accepts_any_client_order_id() -> None:
    request = CancelRequest(inst_id="BTC-USDT-SWAP", exchange_order_id="1")
    reply = http(OK, envelope("0", order_row(clOrdId="theirs", ordId="1")))

    async with wire(reply) as server, client_of(server) as client:
        outcome = await client.cancel_order(ALICE, request)

    assert outcome.kind is Outcome.ACK
    assert server.posts[0].body == '{"instId":"BTC-USDT-SWAP","ordId":"1"}'


SETTINGS = [
    ("done", http(OK, envelope("0", {"lever": "5"})), Outcome.ACK),
    ("open orders", http(OK, envelope("59107")), Outcome.REJECTED),
    ("positions", http(OK, envelope("59000")), Outcome.REJECTED),
    ("too high", http(OK, envelope("59102")), Outcome.REJECTED),
    ("no row", http(OK, envelope("0")), Outcome.UNKNOWN),
    ("busy", http("429 x", envelope("50013")), Outcome.UNKNOWN),
    ("bad key", http("401 x", envelope("50111")), Outcome.AUTH),
]


@pytest.mark.parametrize(("label", "reply", "kind"), SETTINGS, ids=[case[0] for case in SETTINGS])
async def test_a_setting_has_outcomes_too(label: str, reply: bytes, kind: Outcome) -> None:
    async with wire(reply) as server, client_of(server) as client:
        leverage = await client.set_leverage(
            ALICE, "BTC-USDT-SWAP", Decimal(5), MarginMode.ISOLATED, PositionSide.LONG
        )
        mode = await client.set_position_mode(ALICE, PositionMode.LONG_SHORT)

    assert (leverage.kind, mode.kind) == (kind, kind), label
    assert [post.body for post in server.posts] == [
        '{"instId":"BTC-USDT-SWAP","lever":"5","mgnMode":"isolated","posSide":"long"}',
        '{"posMode":"long_short_mode"}',
    ]


CLOSES = [
    ("done", envelope("0", {"instId": "BTC-USDT-SWAP", "posSide": "long"}), Outcome.ACK),
    ("no position", envelope("51023"), Outcome.REJECTED),
    ("too frequent", envelope("51113"), Outcome.NOT_PLACED),
    ("pending closes", envelope("51115"), Outcome.REJECTED),
]


@pytest.mark.parametrize(("label", "body", "kind"), CLOSES, ids=[case[0] for case in CLOSES])
async def test_a_close_has_outcomes_too(label: str, body: str, kind: Outcome) -> None:
    async with wire(http(OK, body)) as server, client_of(server) as client:
        outcome = await client.close_position(
            ALICE, "BTC-USDT-SWAP", MarginMode.CROSS, PositionSide.LONG, auto_cancel=True
        )

    assert outcome.kind is kind, label
    assert len(server.posts) == 1
