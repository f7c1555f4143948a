"""Whatever arrives, a parser answers a signal or a `ParseError`."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from signals.enums import Dialect, Direction, Intent, QuantityMode
from signals.parsing import ParsedSignal, ParseError, parse

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*Intent.values, *Direction.values, *QuantityMode.values]),
    st.sampled_from(["BTC-USDT-SWAP", "2026-01-31T00:00:00Z", "9999-12-31T23:59:59-23:59", "1e99"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=10,
)
quantities = st.one_of(
    anything,
    st.fixed_dictionaries({"mode": st.sampled_from(QuantityMode.values), "value": scalars}),
)
near_misses = st.fixed_dictionaries(
    {
        "id": st.one_of(st.text(max_size=140), anything),
        "instrument": st.sampled_from(["BTC-USDT-SWAP", "btc", "BTC-USDT-SWAP-\u202e"]),
        "intent": st.sampled_from([*Intent.values, "buy"]),
        "direction": st.sampled_from(Direction.values),
        "quantity": quantities,
    },
    optional=dict.fromkeys(
        [
            "time",
            "reference_price",
            "leverage",
            "ttl_seconds",
            "secret",
            "stop_loss",
            "take_profit",
        ],
        anything,
    ),
)


def parses_or_refuses(raw: bytes) -> None:
    try:
        signal = parse(Dialect.COPYDESK, raw)
    except ParseError as error:
        refused = error
    else:
        assert_complete(signal)
        return
    assert 0 < len(refused.field) <= 80
    assert 0 < len(refused.reason) <= 300


def assert_complete(signal: ParsedSignal) -> None:
    assert signal.external_id or signal.signal_at
    assert (signal.quantity is None) == (signal.intent in (Intent.CLOSE, Intent.CANCEL))


@settings(max_examples=500, deadline=None)
@given(raw=st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    parses_or_refuses(raw)


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet='{}[]":,\\u0019eE+-.naNItrufls \n', max_size=80))
def test_almost_json(text: str) -> None:
    parses_or_refuses(text.encode())


@settings(max_examples=500, deadline=None)
@given(value=st.one_of(anything, near_misses))
def test_any_json(value: object) -> None:
    parses_or_refuses(json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(payload=near_misses, at=st.integers(0, 400), junk=st.binary(max_size=4))
def test_damaged_signals(payload: dict[str, Any], at: int, junk: bytes) -> None:
    raw = json.dumps(payload).encode()

    parses_or_refuses(raw[:at] + junk + raw[at + len(junk) :])
