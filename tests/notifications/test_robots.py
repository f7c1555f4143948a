"""DingTalk and WeCom: what is sent, how it is signed, and what their answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from notifications.enums import Kind, Outcome
from notifications.models import Destination
from notifications.outgoing import Answer
from notifications.transports import Result, Text, transport_of
from notifications.transports.dingtalk.codes import CODES as DINGTALK_CODES
from notifications.transports.dingtalk.transport import Route, address
from notifications.transports.robots import pasted, read
from notifications.transports.wecom.codes import CODES as WECOM_CODES
from tests.notifications.capture import Robot
from tests.notifications.desk import KEY, SECRET, TOKEN

TEXT = Text("Subject", "### Body", "ident")


def destination(kind: Kind, **secrets: str) -> Destination:
    return Destination(kind=kind, **secrets)


def sent(kind: Kind, **secrets: str) -> Result:
    transport = transport_of(kind)
    return transport.send(transport.route(destination(kind, **secrets), []), TEXT)


def independent_signature(timestamp: str, secret: str) -> str:
    """As DingTalk's documents describe it, by HMAC's definition and without our code."""
    key = secret.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + f"{timestamp}\n{secret}".encode())
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner.digest())
    return base64.b64encode(outer.digest()).decode()


def test_a_dingtalk_request_is_signed_as_its_receiver_computes_it(dingtalk: Robot) -> None:
    result = sent(Kind.DINGTALK, robot_token=TOKEN, signing_secret=SECRET)

    (request,) = dingtalk.requests
    query = dict(parse_qsl(urlsplit(request.path).query, strict_parsing=True))
    assert result == Result(Outcome.SENT, "0")
    assert urlsplit(request.path).path == "/robot/send"
    assert query["access_token"] == TOKEN
    assert query["sign"] == independent_signature(query["timestamp"], SECRET)
    assert abs(int(query["timestamp"]) / 1000 - time.time()) < 10
    assert request.json == {
        "msgtype": "markdown",
        "markdown": {"title": "Subject", "text": "### Body"},
    }


def test_a_signature_is_percent_encoded_once() -> None:
    """Decoded once it must be base64; `%252F` would be the mark of a second encoding."""
    for at_ms in range(1_700_000_000_000, 1_700_000_000_200):
        query = address(Route("t", SECRET), at_ms).partition("?")[2]
        sign = dict(part.partition("=")[::2] for part in query.split("&"))["sign"]
        assert "%25" not in sign
        assert not set(sign) & set("+/=")
        digest = hmac.new(SECRET.encode(), f"{at_ms}\n{SECRET}".encode(), "sha256").digest()
        assert dict(parse_qsl(query))["sign"] == base64.b64encode(digest).decode()


def test_a_robot_without_a_signing_secret_is_called_unsigned(dingtalk: Robot) -> None:
    sent(Kind.DINGTALK, robot_token="plain")

    assert dingtalk.requests[0].path == "/robot/send?access_token=plain"


def test_a_wecom_request_names_its_key(wecom: Robot) -> None:
    assert sent(Kind.WECOM, robot_token=KEY) == Result(Outcome.SENT, "0")

    (request,) = wecom.requests
    assert request.path == f"/cgi-bin/webhook/send?key={KEY}"
    assert request.json == {"msgtype": "markdown", "markdown": {"content": "### Body"}}


@pytest.mark.parametrize(
    ("kind", "text", "token"),
    [
        (Kind.DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=abc1", "abc1"),
        (Kind.WECOM, " https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a-b\n", "a-b"),
        (Kind.WECOM, "a-b", "a-b"),
        (Kind.DINGTALK, "https://oapi.dingtalk.com/robot/send", ""),
    ],
)
def test_a_pasted_address_gives_its_token(kind: Kind, text: str, token: str) -> None:
    parameter, host = {
        Kind.DINGTALK: ("access_token", "oapi.dingtalk.com"),
        Kind.WECOM: ("key", "qyapi.weixin.qq.com"),
    }[kind]

    assert pasted(text, parameter, {host}) == token


def answer(errcode: Any) -> Answer:
    return Answer(200, b'{"errcode":%d,"errmsg":"<b>their words</b>"}' % errcode)


# errcode, outcome, whether the destination is at fault, seconds it is left alone, tries
DINGTALK_TABLE = [
    (0, Outcome.SENT, False, 0, 6),
    (-1, Outcome.REFUSED_NOW, False, 10, 6),
    (130101, Outcome.REFUSED_NOW, False, 600, 6),
    (410100, Outcome.REFUSED_NOW, False, 600, 6),
    (310000, Outcome.REFUSED, True, 0, 6),
    (300001, Outcome.REFUSED, True, 0, 6),
    (400101, Outcome.REFUSED, True, 0, 6),
    (400102, Outcome.REFUSED, True, 0, 6),
    (40035, Outcome.REFUSED, False, 0, 6),
    (430104, Outcome.REFUSED, False, 0, 6),
    (777, Outcome.REFUSED_NOW, False, 0, 3),
]
WECOM_TABLE = [
    (0, Outcome.SENT, False, 0, 6),
    (-1, Outcome.REFUSED_NOW, False, 10, 6),
    (45009, Outcome.REFUSED_NOW, False, 60, 6),
    (93000, Outcome.REFUSED, True, 0, 6),
    (40008, Outcome.REFUSED, False, 0, 6),
    (40058, Outcome.REFUSED, False, 0, 6),
    (99999, Outcome.REFUSED_NOW, False, 0, 3),
]


@pytest.mark.parametrize(
    ("codes", "errcode", "outcome", "blamed", "wait_s", "tries"),
    [(DINGTALK_CODES, *row) for row in DINGTALK_TABLE]
    + [(WECOM_CODES, *row) for row in WECOM_TABLE],
)
def test_an_errcode_means_what_the_table_says(
    codes: Any, errcode: int, outcome: Outcome, blamed: bool, wait_s: int, tries: int
) -> None:
    result = read(answer(errcode), codes)

    assert result.outcome == outcome
    assert result.code == str(errcode)
    assert (result.blames_destination, result.wait_s, result.tries) == (blamed, wait_s, tries)
    assert "their words" not in result.words


@pytest.mark.parametrize(
    ("label", "given", "outcome"),
    [
        ("not JSON", Answer(200, b"<html>ok</html>"), Outcome.UNKNOWN),
        ("no errcode", Answer(200, b'{"errmsg":"ok"}'), Outcome.UNKNOWN),
        ("not an object", Answer(200, b"[0]"), Outcome.UNKNOWN),
        ("empty", Answer(200, b""), Outcome.UNKNOWN),
        ("cut at 64 KiB", Answer(200, b'{"errcode":0,"errmsg":"' + b"x" * 65_000), Outcome.UNKNOWN),
        ("redirect", Answer(302, b""), Outcome.REFUSED),
        ("forbidden", Answer(403, b""), Outcome.REFUSED),
        ("not found", Answer(404, b""), Outcome.REFUSED),
        ("too many", Answer(429, b""), Outcome.REFUSED_NOW),
        ("unavailable", Answer(503, b""), Outcome.REFUSED_NOW),
        ("broken", Answer(500, b""), Outcome.UNKNOWN),
        ("bad gateway", Answer(502, b""), Outcome.UNKNOWN),
        ("gateway timeout", Answer(504, b'{"errcode":0}'), Outcome.UNKNOWN),
    ],
)
def test_only_errcode_nought_says_that_a_message_was_taken(
    label: str, given: Answer, outcome: Outcome
) -> None:
    assert read(given, DINGTALK_CODES).outcome == outcome, label
