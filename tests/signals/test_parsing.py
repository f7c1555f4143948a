from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals.enums import Dialect, Direction, Intent, QuantityMode
from signals.parsing import DIALECTS, ParsedSignal, ParseError, Quantity, parse

OPEN: dict[str, Any] = {
    "id": "42",
    "instrument": "BTC-USDT-SWAP",
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": "1.5"},
}
ABSENT = object()


def payload(**changed: object) -> bytes:
    fields = {**OPEN, **changed}
    return json.dumps(
        {name: value for name, value in fields.items() if value is not ABSENT}
    ).encode()


def read(raw: bytes) -> ParsedSignal:
    return parse(Dialect.COPYDESK, raw)


def refusal(raw: bytes) -> tuple[str, str]:
    with pytest.raises(ParseError) as caught:
        read(raw)
    return caught.value.field, caught.value.reason


def test_every_dialect_has_its_parser() -> None:
    assert set(DIALECTS) == set(Dialect)


def test_the_least_a_signal_says() -> None:
    assert read(payload()) == ParsedSignal(
        inst_id="BTC-USDT-SWAP",
        intent=Intent.OPEN,
        direction=Direction.LONG,
        external_id="42",
        quantity=Quantity(QuantityMode.CONTRACTS, Decimal("1.5")),
    )


def test_all_a_signal_may_say() -> None:
    raw = payload(
        time="2026-01-31T08:00:00.123456789+08:00",
        direction="short",
        quantity={"mode": "notional", "value": 1000},
        reference_price="65000.5",
        leverage=5,
        take_profit="60000",
        stop_loss=70000.5,
        ttl_seconds=30,
        secret="hunter2",
    )

    assert read(raw) == ParsedSignal(
        inst_id="BTC-USDT-SWAP",
        intent=Intent.OPEN,
        direction=Direction.SHORT,
        external_id="42",
        signal_at=datetime(2026, 1, 31, 0, 0, 0, 123456, tzinfo=UTC),
        quantity=Quantity(QuantityMode.NOTIONAL, Decimal(1000)),
        reference_price=Decimal("65000.5"),
        leverage=Decimal(5),
        take_profit=Decimal(60000),
        stop_loss=Decimal("70000.5"),
        ttl=timedelta(seconds=30),
    )


@pytest.mark.parametrize("secret", ["hunter2", 7, None, {"deep": "hunter2"}])
def test_the_secret_is_not_kept(secret: object) -> None:
    assert "hunter2" not in repr(read(payload(secret=secret)))


def test_a_byte_order_mark_is_ignored() -> None:
    assert read(b"\xef\xbb\xbf" + payload()) == read(payload())


def test_null_is_the_same_as_absent() -> None:
    assert read(payload(time=None, leverage=None, ttl_seconds=None, reference_price=None)) == read(
        payload()
    )


@pytest.mark.parametrize(
    ("label", "changed", "moment"),
    [
        ("Z", "2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("offset", "2026-01-31T08:00:00+08:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("space", "2026-01-31 00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("no seconds", "2026-01-31T00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("offset without colon", "2026-01-31T08:00:00+0800", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_times(label: str, changed: str, moment: datetime) -> None:
    assert read(payload(id=ABSENT, time=changed)).signal_at == moment, label


@pytest.mark.parametrize(
    ("label", "intent", "quantity", "expected"),
    [
        ("reduce by percent", "reduce", {"mode": "percent", "value": "100"}, ("percent", "100")),
        ("reduce by contracts", "reduce", {"mode": "contracts", "value": 1}, ("contracts", "1")),
        ("flip", "flip", {"mode": "base", "value": "0.1"}, ("base", "0.1")),
        ("target flat", "target", {"mode": "contracts", "value": 0}, ("contracts", "0")),
        ("add", "add", {"mode": "percent_equity", "value": "5"}, ("percent_equity", "5")),
        ("close", "close", ABSENT, None),
        ("close ignores it", "close", {"mode": "nonsense"}, None),
        ("cancel", "cancel", ABSENT, None),
    ],
)
def test_quantities_by_intent(
    label: str, intent: str, quantity: object, expected: tuple[str, str] | None
) -> None:
    signal = read(payload(intent=intent, quantity=quantity))

    wanted = expected and Quantity(QuantityMode(expected[0]), Decimal(expected[1]))
    assert (signal.intent, signal.quantity) == (Intent(intent), wanted), label


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", "1"),
        ('"1.50"', "1.5"),
        ("1e-7", "0.0000001"),
        ("1E+3", "1000"),
        ('"0.000000000000000001"', "0.000000000000000001"),
        ("99999999999999999999", "99999999999999999999"),
        (
            "12345678901234567890.123456789012345678",
            "12345678901234567890.123456789012345678",
        ),
        ("1.00000000000000000000", "1"),
        ("0.1", "0.1"),
    ],
)
def test_decimals_are_exact(written: str, value: str) -> None:
    raw = payload(reference_price="PRICE").replace(b'"PRICE"', written.encode())

    assert read(raw).reference_price == Decimal(value)


@pytest.mark.parametrize(
    ("label", "changed", "field", "reason"),
    [
        ("neither id nor time", {"id": ABSENT}, "id", "id or time is required"),
        ("id is a number", {"id": 42}, "id", "must be a string"),
        ("id is empty", {"id": " "}, "id", "must not be empty"),
        ("id is long", {"id": "x" * 129}, "id", "longer than 128 letters"),
        ("id with a line", {"id": "a\nb"}, "id", "contains control characters"),
        ("id not filled in", {"id": "{{x}}"}, "id", "contains an unresolved placeholder"),
        ("id in halves", {"id": "\ud83d"}, "id", "not valid Unicode"),
        (
            "naive time",
            {"time": "2026-01-31T00:00:00"},
            "time",
            "must have an offset, such as Z or +08:00",
        ),
        (
            "time is a number",
            {"time": 1769817600},
            "time",
            "must be a string",
        ),
        ("no such day", {"time": "2026-02-30T00:00:00Z"}, "time", "no such time"),
        ("before time", {"time": "0001-01-01T00:00:00+08:00"}, "time", "no such time"),
        ("long ago", {"time": "1999-01-01T00:00:00Z"}, "time", "before the year 2000"),
        (
            "week date",
            {"time": "2026-W05-1T00:00:00Z"},
            "time",
            "must be ISO 8601, such as 2026-01-31T08:00:00Z",
        ),
        ("no instrument", {"instrument": ABSENT}, "instrument", "required"),
        (
            "ticker",
            {"instrument": "BTCUSDT"},
            "instrument",
            "must be an OKX instrument id such as BTC-USDT-SWAP",
        ),
        (
            "instrument with a line end",
            {"instrument": "BTC-USDT\n"},
            "instrument",
            "must be an OKX instrument id such as BTC-USDT-SWAP",
        ),
        (
            "long instrument",
            {"instrument": "BTC-" + "X" * 37},
            "instrument",
            "longer than 40 letters",
        ),
        (
            "intent",
            {"intent": "buy"},
            "intent",
            "must be one of open, add, reduce, close, flip, target, cancel",
        ),
        ("no intent", {"intent": ABSENT}, "intent", "required"),
        ("direction", {"direction": ["long"]}, "direction", "must be one of long, short"),
        ("no direction", {"direction": ABSENT}, "direction", "required"),
        ("no quantity", {"quantity": ABSENT}, "quantity", "required"),
        (
            "quantity is a number",
            {"quantity": 1},
            "quantity",
            "must be an object with mode and value",
        ),
        ("no mode", {"quantity": {"value": 1}}, "quantity.mode", "required"),
        (
            "mode",
            {"quantity": {"mode": "lots", "value": 1}},
            "quantity.mode",
            "must be one of contracts, base, notional, percent, percent_equity, pct_available",
        ),
        (
            "open by percent",
            {"quantity": {"mode": "percent", "value": 1}},
            "quantity.mode",
            "percent is valid for reduce only",
        ),
        ("no value", {"quantity": {"mode": "base"}}, "quantity.value", "required"),
        (
            "zero",
            {"quantity": {"mode": "base", "value": "-0"}},
            "quantity.value",
            "must be greater than 0",
        ),
        (
            "negative target",
            {"intent": "target", "quantity": {"mode": "base", "value": -1}},
            "quantity.value",
            "must not be negative",
        ),
        (
            "more than all",
            {"intent": "reduce", "quantity": {"mode": "percent", "value": "100.01"}},
            "quantity.value",
            "must not be above 100",
        ),
        (
            "true is no number",
            {"quantity": {"mode": "base", "value": True}},
            "quantity.value",
            "must be a decimal number",
        ),
        (
            "digits of another script",
            {"quantity": {"mode": "base", "value": "١"}},
            "quantity.value",
            "must be a decimal number",
        ),
        (
            "word of a number",
            {"quantity": {"mode": "base", "value": "NaN"}},
            "quantity.value",
            "must be a decimal number",
        ),
        (
            "21 digits",
            {"quantity": {"mode": "base", "value": "100000000000000000000"}},
            "quantity.value",
            "more than 20 integer digits",
        ),
        (
            "19 decimals",
            {"quantity": {"mode": "base", "value": "0.0000000000000000001"}},
            "quantity.value",
            "more than 18 decimals",
        ),
        (
            "unknown part",
            {"quantity": {"mode": "base", "value": 1, "unit": "BTC"}},
            "quantity.unit",
            "unknown field",
        ),
        ("free price", {"reference_price": 0}, "reference_price", "must be greater than 0"),
        ("no leverage", {"leverage": 0}, "leverage", "must be greater than 0"),
        ("leverage", {"leverage": 1001}, "leverage", "must not be above 1000"),
        ("no time left", {"ttl_seconds": 0}, "ttl_seconds", "must be from 1 to 3600"),
        ("long time", {"ttl_seconds": 3601}, "ttl_seconds", "must be from 1 to 3600"),
        ("half a second", {"ttl_seconds": 1.5}, "ttl_seconds", "must be a whole number"),
        ("ttl in words", {"ttl_seconds": "60"}, "ttl_seconds", "must be a whole number"),
        ("free stop", {"stop_loss": 0}, "stop_loss", "must be greater than 0"),
        ("profit in words", {"take_profit": "soon"}, "take_profit", "must be a decimal number"),
        (
            "stop of a close",
            {"intent": "close", "stop_loss": "60000"},
            "stop_loss",
            "valid for open, add, flip and target only",
        ),
        (
            "profit of a reduction",
            {"intent": "reduce", "take_profit": "60000"},
            "take_profit",
            "valid for open, add, flip and target only",
        ),
        ("typing error", {"quantty": 1}, "quantty", "unknown field"),
        ("other letters", {"ID": "1"}, "ID", "unknown field"),
        ("empty key", {"": 1}, '""', "unknown field"),
        ("long key", {"x" * 100: 1}, "x" * 64, "unknown field"),
        ("key with a line", {"a\nb": 1}, "a b", "unknown field"),
    ],
)
def test_what_is_wrong_is_named(
    label: str, changed: dict[str, Any], field: str, reason: str
) -> None:
    assert refusal(payload(**changed)) == (field, reason), label


@pytest.mark.parametrize(
    ("label", "raw", "field", "reason"),
    [
        ("nothing", b"", "body", "not valid JSON"),
        ("text", b"buy now", "body", "not valid JSON"),
        ("list", b"[]", "body", "must be a JSON object"),
        ("string", b'"open"', "body", "must be a JSON object"),
        ("not UTF-8", b'{"id": "\xff"}', "body", "not UTF-8"),
        ("UTF-16", '{"id": "1"}'.encode("utf-16"), "body", "not UTF-8"),
        ("two objects", b"{} {}", "body", "not valid JSON"),
        ("comment", b'{"id": "1", // one\n}', "body", "not valid JSON"),
        ("line end in a string", b'{"id": "a\nb"}', "body", "not valid JSON"),
        ("duplicate", b'{"id": "1", "id": "1"}', "id", "duplicate key"),
        (
            "duplicate inside",
            b'{"quantity": {"value": 1, "mode": "base", "value": 2}}',
            "quantity.value",
            "duplicate key",
        ),
        ("duplicate in disguise", b'{"id": "1", "\\u0069d": "2"}', "id", "duplicate key"),
        ("NaN", b'{"leverage": NaN}', "leverage", "not a number"),
        ("Infinity", b'{"quantity": {"value": -Infinity}}', "quantity.value", "not a number"),
        ("1e400", b'{"leverage": 1e400}', "leverage", "number out of bounds"),
        ("1e-400", b'{"leverage": 1e-400}', "leverage", "number out of bounds"),
        ("list of bombs", b'{"x": [1, 1e999999999]}', "x[1]", "number out of bounds"),
        (
            "many digits",
            b'{"quantity": {"value": ' + b"9" * 60_000 + b"}}",
            "quantity.value",
            "number out of bounds",
        ),
        (
            "exponent of many digits",
            b'{"x": 1e' + b"9" * 60_000 + b"}",
            "x",
            "number out of bounds",
        ),
        ("too large", b'{"x": ' + b"9" * 100_000 + b"}", "body", "larger than 64 KiB"),
        ("many", b'{"x": [' + b"1," * 30_000 + b"1]}", "body", "of more than 1000 parts"),
        ("many texts", b'{"x": [' + b'"",' * 900 + b"1]}", "body", "of more than 1000 parts"),
        ("deep", b"[" * 60_000, "body", "nested deeper than 8 levels"),
        ("deep object", b'{"a":' * 9 + b"1" + b"}" * 9, "body", "nested deeper than 8 levels"),
        ("open string", b'{"a": "' + b'\\"' * 30_000, "body", "not valid JSON"),
    ],
)
def test_json_is_read_strictly(label: str, raw: bytes, field: str, reason: str) -> None:
    assert refusal(raw) == (field, reason), label


def test_brackets_inside_strings_are_no_depth() -> None:
    assert read(payload(id="[[[[[[[[[[[[")).external_id == "[[[[[[[[[[[["
