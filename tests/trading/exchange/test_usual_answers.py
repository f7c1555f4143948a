"""The short ways for what nearly every answer looks like never say more than the long ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.trading.exchange.wire import ALICE, CLIENT_ORDER_ID, envelope, order_row
from trading.exchange.okx import classify
from trading.exchange.okx.reply import BadReply, Reply, ReplyReader
from trading.exchange.types import Outcome

SECRETS = (ALICE.api_key, ALICE.secret, ALICE.passphrase)
ODD = st.sampled_from((None, 0, True, [], {}, "", "x", "1", "0", *SECRETS))
ROW = st.fixed_dictionaries(
    {},
    optional={
        "sCode": st.sampled_from(("0", "51008", "50011")) | ODD,
        "sMsg": st.sampled_from(("Order placed", "", "no")) | ODD,
        "clOrdId": st.sampled_from((CLIENT_ORDER_ID, "another")) | ODD,
        "ordId": st.sampled_from(("312269865356374016", f"1{ALICE.secret}")) | ODD,
    },
)
ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from(("0", "1", "2", "50011")) | ODD,
        "msg": st.sampled_from(("", "no")) | ODD,
        "data": st.lists(ROW, max_size=2) | ROW | ODD,
    },
)
STATUS = st.sampled_from((200, 201, 302, 400, 429, 500))


@given(STATUS, ENVELOPE | ODD, st.just("") | st.text(max_size=5))
def test_what_is_accepted_at_a_glance_is_accepted_by_the_rules(
    status: int, said: Any, before: str
) -> None:
    answer = classify.Answer(status=status, body=before + json.dumps(said))

    quick = classify.placed(answer, ALICE, CLIENT_ORDER_ID)

    clean = classify.without_secrets(answer, ALICE)
    assert quick in (
        None,
        classify.classify_send(clean, classify.PLACE, client_id=CLIENT_ORDER_ID),
    )


def test_the_usual_answer_is_accepted_at_a_glance() -> None:
    answer = classify.Answer(status=200, body=envelope("0", order_row()))

    quick = classify.placed(answer, ALICE, CLIENT_ORDER_ID)

    assert quick is not None
    assert (quick.kind, quick.exchange_order_id) == (Outcome.ACK, "312269865356374016")


FIELDS = st.lists(
    st.sampled_from(
        (
            b"Content-Length: 4",
            b"content-length:4",
            b"Content-Length: 4 ",
            b"Content-Length: 3",
            b"Content-Length: 5",
            b"Content-Length: +4",
            b"Content-Length: 00000000000004",
            b"Connection: keep-alive",
            b"Connection: close",
            b"Connection: Keep-Alive, x",
            b"Keep-Alive: timeout=5",
            b"Transfer-Encoding: chunked",
            b"Content-Encoding: gzip",
            b"Retry-After: 3",
            b"Server: x",
        )
    ),
    max_size=4,
)
LINE = st.sampled_from(
    (b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.0 200 OK", b"HTTP/1.1 429 x", b"HTTP/1.1 204 x")
)


@given(st.sampled_from((b"", b"HTTP/1.1 100 Continue\r\n\r\n")), LINE, FIELDS)
def test_an_answer_in_one_piece_is_what_it_is_in_two(
    before: bytes, line: bytes, fields: list[bytes]
) -> None:
    head = b"\r\n".join((before + line, *fields)) + b"\r\n\r\n"

    assert _read(head + b"body") == _read(head, b"body")


def _read(*pieces: bytes) -> tuple[Reply | None, str]:
    """The answer, or why there is none; and not a word beyond it."""
    reader, reply = ReplyReader(), None
    try:
        for piece in pieces:
            if reply is not None:
                return None, "more than one answer"
            reply = reader.feed(piece)
    except BadReply as failure:
        return None, str(failure)
    return reply, ""
