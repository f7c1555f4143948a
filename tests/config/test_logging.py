"""No secret reaches a log line, in whatever form it is written."""

from __future__ import annotations

import io
import json
import logging
import time

import pytest

from config.logging import JsonFormatter, RedactingFilter, redact, request_id

CANARY = "c4n4ry-S3CRET-9f8e7d"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("header line", f"OK-ACCESS-KEY: {CANARY}"),
        ("sign header", f"OK-ACCESS-SIGN: {CANARY}"),
        ("dict of headers", str({"OK-ACCESS-PASSPHRASE": CANARY, "Accept": "json"})),
        ("pairs of headers", str([("ok-access-key", CANARY)])),
        ("raw headers", str([(b"authorization", f"Token {CANARY}".encode())])),
        ("authorization", f"Authorization: Bearer {CANARY}"),
        ("scheme alone", f"sent Bearer {CANARY} to the server"),
        ("JSON", json.dumps({"passphrase": CANARY})),
        ("JSON with an escaped quote", json.dumps({"api_secret": f'{CANARY}"{CANARY}'})),
        ("JSON in JSON", json.dumps(json.dumps({"secret": CANARY}))),
        ("keyword", f"connect(api_key={CANARY}, timeout=3)"),
        ("repr of keyword", f"connect(apiKey='{CANARY}', timeout=3)"),
        ("query", f"/ws?token={CANARY}&page=2"),
        ("webhook path", f"POST /hooks/t/{CANARY}/ 202"),
        ("webhook address", f"https://desk.example.com/hooks/t/{CANARY}/?a=1"),
        ("database address", f"mysql://desk:{CANARY}@db:3306/copydesk"),
        ("redis address", f"redis://:{CANARY}@cache:6379/0"),
        ("cookie", f"Cookie: sessionid={CANARY}"),
        ("signature", f"X-Copydesk-Signature: v1={CANARY}"),
        ("environment", f"SECRET_KEY={CANARY}"),
    ],
)
def test_a_secret_is_replaced(label: str, text: str) -> None:
    assert CANARY not in redact(text), label
    assert "***" in redact(text), label


@pytest.mark.parametrize(
    "text",
    [
        "order 01JD copied to account 7: 3 contracts at 61250.5",
        "signal refused: quantity.mode",
        "GET /admin/trading/order/?status=live 200 in 12 ms",
        '{"clOrdId": "dAB12", "sCode": "51008", "sMsg": "Insufficient balance"}',
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_line_end_cannot_forge_a_second_line() -> None:
    assert redact("name\r\nINFO all is well") == "name\\r\\nINFO all is well"


@pytest.fixture
def written() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("copydesk.test")  # noqa: LOG001 - not in the tree of loggers on purpose
    logger.addHandler(handler)
    return logger, stream


def test_a_line_is_one_json_object(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    token = request_id.set("r-1")

    logger.warning("order %s is %s", "dAB12", "unknown", extra={"account": 7})
    request_id.reset(token)

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "copydesk.test",
        "message": "order dAB12 is unknown",
        "request_id": "r-1",
        "account": 7,
    }


def test_extra_fields_are_cleaned(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written

    logger.info("sent", extra={"headers": {"OK-ACCESS-KEY": CANARY, "n": 1}, "api_secret": CANARY})

    line = json.loads(stream.getvalue())
    assert line["headers"] == {"OK-ACCESS-KEY": "***", "n": 1}
    assert line["api_secret"] == "***"


def test_a_traceback_is_cleaned(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written

    try:
        raise RuntimeError(f"refused: passphrase={CANARY}")
    except RuntimeError:
        logger.exception("sending failed")

    line = json.loads(stream.getvalue())
    assert CANARY not in stream.getvalue()
    assert line["traceback"].splitlines()[-1] == "RuntimeError: refused: passphrase=***"


def test_a_long_hostile_line_is_cleaned_in_time() -> None:
    started = time.perf_counter()

    redact("a-" * 32_768 + "token" * 1000 + '\\"' * 4096 + "x" * 65_536)

    assert time.perf_counter() - started < 2
