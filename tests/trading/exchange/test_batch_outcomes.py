"""What an answer to many says of each one, and the codes of amendments and algo orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trading.exchange.wire import (
    ALICE,
    LATER_MS,
    client_of,
    envelope,
    http,
    wire,
)
from trading.exchange.algos import AlgoRequest
from trading.exchange.okx.classify import CANCEL_MANY, Answer, Target, classify_batch
from trading.exchange.okx.parse import parse_system_status
from trading.exchange.protection import Trigger
from trading.exchange.types import AmendRequest, MarginMode, Outcome, Side

OURS = Target("", "a1")
THEIRS = Target("77", "")


def row(code: str, *, client_id: str = "", order_id: str = "") -> dict[str, str]:
    return {"clOrdId": client_id, "ordId": order_id, "sCode": code, "sMsg": ""}


CASES = [
    ("both", envelope("0", row("0", client_id="a1", order_id="5"), row("0", order_id="77")), "AA"),
    ("reversed", envelope("0", row("0", order_id="77"), row("0", client_id="a1")), "AA"),
    (
        "one gone",
        envelope("2", row("51400", client_id="a1"), row("0", order_id="77")),
        "RA",
    ),
    ("one missing", envelope("0", row("0", client_id="a1")), "AU"),
    (
        "one doubled",
        envelope("0", row("0", client_id="a1"), row("51400", client_id="a1")),
        "UU",
    ),
    ("strangers", envelope("0", row("0", client_id="x"), row("0", order_id="1")), "UU"),
    ("no rows, limited", envelope("50011"), "NN"),
    ("no rows, success", envelope("0"), "UU"),
    ("no rows, bad key", envelope("50111"), "PP"),
    ("not JSON", "<html>", "UU"),
]
LETTERS = {
    "A": Outcome.ACK,
    "R": Outcome.REJECTED,
    "N": Outcome.NOT_PLACED,
    "U": Outcome.UNKNOWN,
    "P": Outcome.AUTH,
}


@pytest.mark.parametrize(("label", "body", "kinds"), CASES, ids=[case[0] for case in CASES])
def test_each_of_many_is_judged_by_its_own_row(label: str, body: str, kinds: str) -> None:
    answer = Answer(status=200, body=body)

    outcomes = classify_batch(answer, CANCEL_MANY, [OURS, THEIRS])

    assert [each.kind for each in outcomes] == [LETTERS[letter] for letter in kinds], label


def test_a_failing_server_proves_nothing_of_any() -> None:
    body = envelope("0", row("0", client_id="a1"), row("0", order_id="77"))

    outcomes = classify_batch(Answer(status=502, body=body), CANCEL_MANY, [OURS, THEIRS])

    assert {each.kind for each in outcomes} == {Outcome.UNKNOWN}


AMENDMENTS = [
    ("accepted", "0", Outcome.ACK),
    ("ended", "51503", Outcome.REJECTED),
    ("post only", "51511", Outcome.REJECTED),
    ("no money", "51502", Outcome.REJECTED),
    ("too many under way", "51513", Outcome.NOT_PLACED),
    ("our deadline", "50036", Outcome.NOT_PLACED),
    ("timed out", "50004", Outcome.UNKNOWN),
    ("a duplicate makes no sense", "51016", Outcome.UNKNOWN),
    ("an unlisted code", "59999", Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("label", "code", "kind"), AMENDMENTS, ids=[c[0] for c in AMENDMENTS])
async def test_an_amendment_has_outcomes_too(label: str, code: str, kind: Outcome) -> None:
    request = AmendRequest(inst_id="BTC-USDT-SWAP", client_order_id="a1", quantity=Decimal(2))
    reply = http("200 OK", envelope("0" if code == "0" else "1", row(code, order_id="5")))

    async with wire(reply) as server, client_of(server) as client:
        outcome = await client.amend_order(ALICE, request, exp_at_ms=LATER_MS)

    assert outcome.kind is kind, label
    (post,) = server.posts
    assert post.body == '{"instId":"BTC-USDT-SWAP","clOrdId":"a1","newSz":"2"}'
    assert post.headers["expTime"] == str(LATER_MS)


ALGOS = [
    ("accepted", "0", "9", Outcome.ACK),
    ("accepted without an id", "0", "", Outcome.UNKNOWN),
    ("name taken", "51065", "", Outcome.DUPLICATE),
    ("name taken by what an order carries", "51068", "", Outcome.DUPLICATE),
    ("wrong side of the price", "51280", "", Outcome.REJECTED),
    ("no position", "51058", "", Outcome.REJECTED),
    ("rate limit", "50061", "", Outcome.NOT_PLACED),
    ("system error", "50026", "", Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("label", "code", "algo_id", "kind"), ALGOS, ids=[c[0] for c in ALGOS])
async def test_an_algo_order_has_outcomes_too(
    label: str, code: str, algo_id: str, kind: Outcome
) -> None:
    request = AlgoRequest(
        inst_id="BTC-USDT-SWAP",
        side=Side.SELL,
        position_side=None,
        margin_mode=MarginMode.CROSS,
        client_algo_id="s1",
        stop_loss=Trigger(Decimal(50000)),
    )
    answer = {"algoId": algo_id, "algoClOrdId": "s1", "sCode": code, "sMsg": ""}
    reply = http("200 OK", envelope("0" if code == "0" else "1", answer))

    async with wire(reply) as server, client_of(server) as client:
        outcome = await client.place_algo_order(ALICE, request)

    assert outcome.kind is kind, label
    assert outcome.exchange_order_id == ("9" if kind is Outcome.ACK else "")
    assert len(server.requests) == 1


def test_maintenance_is_read() -> None:
    report = parse_system_status(
        {
            "title": "Spot System Upgrade",
            "state": "scheduled",
            "begin": "1620723600000",
            "end": "1620724200000",
            "preOpenBegin": "",
            "href": "",
            "serviceType": "5",
            "system": "unified",
            "scheDesc": "",
            "maintType": "1",
            "env": "1",
        }
    )

    assert (report.state, report.service_type, report.environment) == ("scheduled", "5", "1")
    assert report.ends_at is not None
    assert (report.ends_at - report.begins_at).total_seconds() == 600
    assert report.pre_opens_at is None
