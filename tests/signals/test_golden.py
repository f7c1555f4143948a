"""Every dialect against its golden files: a message, and the normal form or the error it gives."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from signals.enums import Dialect
from signals.parsing import ParseError, parse, secret_in

GOLDEN = Path(__file__).parent / "golden"
MESSAGES = sorted(GOLDEN.glob("*/*.txt"))


def written(value: Any) -> Any:
    """The normal form as its file has it: what is empty is left out."""
    if isinstance(value, dict):
        kept = {name: written(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, "")}
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value.total_seconds():.0f} s" if isinstance(value, timedelta) else value


def outcome(dialect: Dialect, raw: bytes) -> dict[str, Any]:
    try:
        signal = parse(dialect, raw)
    except ParseError as error:
        return {"error": {"field": error.field, "reason": error.reason}}
    said = written({**asdict(signal), "said": ""})
    if not said["leader"]:
        del said["leader"]
    return {"signal": said}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_message_and_what_it_means(message: Path) -> None:
    expected = json.loads(message.with_suffix(".json").read_text())

    assert outcome(Dialect(message.parent.name), message.read_bytes()) == expected


def test_every_dialect_has_golden_files_of_both_kinds() -> None:
    for dialect in Dialect:
        names = [path.stem for path in MESSAGES if path.parent.name == dialect]
        refused = [name for name in names if name.startswith("refused_")]
        assert len(refused) >= 5 <= len(names) - len(refused), dialect


def test_no_file_is_left_over() -> None:
    assert {path.with_suffix("") for path in MESSAGES} == {
        path.with_suffix("") for path in GOLDEN.glob("*/*.json")
    }


@pytest.mark.parametrize("message", MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_secret_comes_out_of_a_parser(message: Path) -> None:
    raw, dialect = message.read_bytes(), Dialect(message.parent.name)
    try:
        told = repr(parse(dialect, raw))
    except ParseError as error:
        told = str(error)

    assert "hunter2" not in told


@pytest.mark.parametrize("dialect", Dialect)
def test_the_secret_is_found_where_the_dialect_has_it(dialect: Dialect) -> None:
    first = next(
        path for path in MESSAGES if path.parent.name == dialect and b"hunter2" in path.read_bytes()
    )

    assert secret_in(dialect, first.read_bytes()) == "hunter2"
    for nothing in (b"", b"[]", b"hunter2", b'{"secret": 7}', b"\xff"):
        assert secret_in(dialect, nothing) == ""
