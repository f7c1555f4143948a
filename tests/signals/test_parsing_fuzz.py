"""Whatever arrives, a parser answers a signal or a `ParseError`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.enums import Dialect, Direction, Intent, QuantityMode, Stance
from signals.parsing import (
    ParsedSignal,
    ParseError,
    octobot,
    okx_strategy,
    okx_universal,
    openalgo,
    parse,
    secret_in,
)

GOLDEN = Path(__file__).parent / "golden"

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*Intent.values, *Direction.values, *QuantityMode.values, *Stance.values]),
    st.sampled_from(["buy", "sell", "ENTER_LONG", "exit_short", "base", "contract", "-0.5", "60"]),
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


KEYS = {
    Dialect.OKX_STRATEGY: okx_strategy.FIELDS | {okx_strategy.SECRET},
    Dialect.OKX_UNIVERSAL: okx_universal.FIELDS | {okx_universal.SECRET},
    Dialect.THREE_COMMAS: {
        "secret", "max_lag", "timestamp", "trigger_price", "tv_exchange", "tv_instrument",
        "action", "bot_uuid", "strategy_info", "order", "stop_loss",
    },
    Dialect.OPENALGO: openalgo.FIELDS | {openalgo.SECRET},
}  # fmt: skip
INNER = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "market_position", "market_position_size", "prev_market_position", "amount",
            "prev_market_position_size", "currency_type", "order_type",
        ),
        scalars,
    ),
)  # fmt: skip


def messages_of(dialect: Dialect) -> st.SearchStrategy[Any]:
    """Objects with the keys of a dialect, and whatever as their values."""
    values = st.one_of(scalars, anything, INNER)
    return st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(KEYS[dialect]), values))


def parses_or_refuses(raw: bytes, dialect: Dialect = Dialect.COPYDESK) -> None:
    assert isinstance(secret_in(dialect, raw), str)
    try:
        signal = parse(dialect, raw)
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
@given(raw=st.binary(max_size=300), dialect=st.sampled_from(Dialect))
def test_any_bytes(raw: bytes, dialect: Dialect) -> None:
    parses_or_refuses(raw, dialect)


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(alphabet='{}[]":,\\u0019eE+-.naNItrufls \n=;', max_size=80),
    dialect=st.sampled_from(Dialect),
)
def test_almost_json(text: str, dialect: Dialect) -> None:
    parses_or_refuses(text.encode(), dialect)


@settings(max_examples=500, deadline=None)
@given(value=st.one_of(anything, near_misses), dialect=st.sampled_from(Dialect))
def test_any_json(value: object, dialect: Dialect) -> None:
    parses_or_refuses(json.dumps(value).encode(), dialect)


@settings(max_examples=300, deadline=None)
@given(payload=near_misses, at=st.integers(0, 400), junk=st.binary(max_size=4))
def test_damaged_signals(payload: dict[str, Any], at: int, junk: bytes) -> None:
    raw = json.dumps(payload).encode()

    parses_or_refuses(raw[:at] + junk + raw[at + len(junk) :])


@pytest.mark.parametrize("dialect", sorted(KEYS))
def test_any_value_under_any_key_of_a_dialect(dialect: Dialect) -> None:
    @settings(max_examples=300, deadline=None)
    @given(payload=messages_of(dialect))
    def holds(payload: object) -> None:
        parses_or_refuses(json.dumps(payload).encode(), dialect)

    holds()


@settings(max_examples=300, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from([*sorted(octobot.KEYS), "TOKEN", "TAKE_PROFIT_PRICE_1", "nonsense"]),
            st.one_of(
                st.text(max_size=12),
                st.sampled_from(["BUY", "SELL", "CANCEL", "BTCUSDT.P", "BTC/USDT", "MARKET"]),
                st.sampled_from(["true", "5", "2%", "12a%", "25p%", "10q", "2026-01-31T08:00:00Z"]),
            ),
        ),
        max_size=12,
    ),
    mark=st.sampled_from(["\n", "\r\n", ";"]),
)
def test_any_pairs(pairs: list[tuple[str, str]], mark: str) -> None:
    raw = mark.join(f"{key}={value}" for key, value in pairs).encode()

    parses_or_refuses(raw, Dialect.OCTOBOT)


@pytest.mark.parametrize("message", sorted(GOLDEN.glob("*/*.txt")), ids=lambda path: path.stem)
def test_every_golden_message_cut_short(message: Path) -> None:
    raw, dialect = message.read_bytes(), Dialect(message.parent.name)

    for end in range(len(raw)):
        parses_or_refuses(raw[:end], dialect)
