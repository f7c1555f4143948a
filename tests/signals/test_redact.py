from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.enums import Dialect
from signals.parsing import ParseError, parse, redacted_raw
from signals.parsing.redact import looks_secret


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "SECRET",
        "webhook_secret",
        "passphrase",
        "password",
        "token",
        "signalToken",
        "key",
        "apikey",
        "api-key",
        "API_KEY",
        "OK-ACCESS-KEY",
        "OK-ACCESS-SIGN",
        "Authorization",
    ],
)
def test_secret_names(key: str) -> None:
    assert looks_secret(key)


@pytest.mark.parametrize("key", ["id", "instrument", "intent", "direction", "value", "time", ""])
def test_ordinary_names(key: str) -> None:
    assert not looks_secret(key)


@pytest.mark.parametrize(
    ("label", "raw", "shown"),
    [
        ("nothing secret", b'{"id": "1", "n": 2}', '{"id": "1", "n": 2}'),
        ("string", b'{"secret": "hunter2", "id": "1"}', '{"secret": "***", "id": "1"}'),
        ("quotes inside", b'{"secret": "hun\\"ter2"}', '{"secret": "***"}'),
        ("number", b'{"token": 12.5, "n": 1}', '{"token": "***", "n": 1}'),
        ("inside", b'{"a": [{"apiKey": "x"}]}', '{"a": [{"apiKey": "***"}]}'),
        (
            "object",
            b'{"key": {"a": ["x", 1]}, "b": 2}',
            '{"key": {"***": ["***", "***"]}, "b": 2}',
        ),
        ("disguised", b'{"s\\u0065cret": "x"}', '{"s\\u0065cret": "***"}'),
        ("duplicate", b'{"secret":"x","secret":"y"}', '{"secret":"***","secret":"***"}'),
        ("cut off", b'{"secret": "hunter2', '{"secret": "***"'),
        ("not UTF-8", b'\xff{"secret": "hunter2"}', '\\xff{"secret": "***"}'),
        ("lines", b"SYMBOL=BTC\nTOKEN=hunter2\n", "SYMBOL=BTC\nTOKEN=***\n"),
        ("form", b"secret=hunter2&id=1", "secret=***&id=1"),
        ("secret as a value", b'{"id": "secret"}', '{"id": "secret"}'),
        ("nothing", b"", ""),
    ],
)
def test_secrets_are_blanked(label: str, raw: bytes, shown: str) -> None:
    assert redacted_raw(raw) == shown, label


@pytest.mark.parametrize(
    "raw", [b"a", b" ", b'"', b'\\"', b"a=", b"key:", b"[", b"a ", b"'", b"a' "], ids=repr
)
def test_no_payload_takes_long(raw: bytes) -> None:
    payload = (raw * 65_536)[:65_536]
    began = time.process_time()

    redacted_raw(payload)
    with suppress(ParseError):
        parse(Dialect.COPYDESK, payload)

    assert time.process_time() - began < 1


def test_a_large_payload_is_cut() -> None:
    assert len(redacted_raw(b"\xff" * 200_000).encode()) <= 64 * 1024


keys = st.sampled_from(["secret", "apiKey", "signalToken", "passphrase"])
values: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(before=values, key=keys, hidden=values, ascii_only=st.booleans())
def test_no_part_of_a_secret_is_left(
    before: object, key: str, hidden: object, *, ascii_only: bool
) -> None:
    planted = {"before": before, key: ["CANARY", hidden, {"CANARY": "CANARY"}], "after": 1}

    shown = redacted_raw(json.dumps(planted, ensure_ascii=ascii_only).encode("utf-8", "replace"))

    assert "CANARY" not in shown
    assert '"after": 1' in shown
    json.loads(shown)


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=200))
def test_any_bytes_can_be_shown(raw: bytes) -> None:
    assert redacted_raw(raw).encode() is not None


@pytest.mark.parametrize("word", [b'"a":1,', b"a ", b"{}", b"[1,"])
def test_of_more_than_anybody_reads_the_beginning_is_kept(word: bytes) -> None:
    raw = word * (65_536 // len(word))
    shown = redacted_raw(raw)

    assert shown.endswith("…")
    assert raw.startswith(shown.removesuffix("…").encode())
    assert redacted_raw(word * 1000) == (word * 1000).decode()
