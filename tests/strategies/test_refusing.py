"""Terms that cannot be followed are refused before they are saved, by field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from signals.models import SignalSource
from strategies.instrument_terms import as_lines, from_lines
from strategies.models import Strategy, Subscription
from strategies.refusing import (
    refused_instrument_terms,
    refused_overrides,
    refused_sources,
    refused_terms,
)

D = Decimal
KEPT = {"leverage_mode": "keep", "stop_loss_ratio": D("0.1")}


@pytest.mark.parametrize(
    ("terms", "fields"),
    [
        ({}, []),
        ({"sizing_mode": "FIXED_NOTIONAL"}, ["fixed_notional"]),
        ({"sizing_mode": "FIXED_MARGIN"}, ["fixed_margin"]),
        ({"sizing_mode": "FIXED_QTY"}, ["fixed_quantity"]),
        ({"sizing_mode": "FIXED_RISK"}, ["risk_ratio"]),
        ({"sizing_mode": "PCT_AVAILABLE"}, ["available_ratio"]),
        ({"sizing_mode": "PCT_AVAILABLE", "available_ratio": D("0.1")}, []),
        ({"leverage_mode": "fixed"}, ["leverage"]),
        ({"leverage_mode": "keep"}, []),
        ({"leverage_mode": "keep", "sizing_mode": "MARGIN_PROPORTIONAL"}, ["leverage_mode"]),
        (KEPT | {"protection_basis": "margin"}, ["protection_basis"]),
        (KEPT | {"protection_basis": "price"}, []),
        ({"leverage_mode": "keep", "protection_basis": "margin"}, []),
        ({"reverse": True, "open_orders": "limit"}, ["reverse"]),
        ({"reverse": True, "open_orders": "ioc"}, []),
    ],
)
def test_a_strategy(terms: dict[str, Any], fields: list[str]) -> None:
    assert list(refused_terms(Strategy(**terms))) == fields


def test_a_subscription_is_judged_with_what_it_takes_from_its_strategy() -> None:
    limit = Strategy(open_orders="limit")
    kept = Strategy(leverage_mode="keep")

    assert list(refused_overrides(Subscription(reverse=True), limit)) == ["reverse"]
    assert refused_overrides(Subscription(), limit) == {}
    margin = Subscription(sizing_mode="FIXED_MARGIN", fixed_margin=D(5))
    assert list(refused_overrides(margin, kept)) == ["leverage_mode"]
    stopped = Strategy(protection_basis="margin", stop_loss_ratio=D("0.1"))
    assert list(refused_overrides(Subscription(leverage_mode="keep"), stopped)) == [
        "protection_basis"
    ]
    without = Subscription(leverage_mode="keep", stop_loss_ratio=D(0))
    assert refused_overrides(without, stopped) == {}


@pytest.mark.parametrize("mode", ["EQUITY_PROPORTIONAL", "MARGIN_PROPORTIONAL"])
def test_whoever_sizes_by_the_leaders_equity_must_be_told_it(mode: str) -> None:
    sources = {
        kind: SignalSource(name=kind, kind=kind.partition(":")[0], dialect=kind.partition(":")[2])
        for kind in ("leader:copydesk", "api:copydesk", "webhook:copydesk", "webhook:octobot")
    }

    assert refused_sources(mode, [sources[k] for k in sources if "octobot" not in k]) == {}
    refused = refused_sources(mode, sources.values())
    assert "webhook:octobot" in str(refused["sizing_mode"])
    assert refused_sources("FIXED_RATIO", sources.values()) == {}


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"follow_ratio": "0.2", "max_leverage": "5", "allowed": False}, ""),
        ({"traded_as": "BTC-USDC-SWAP"}, ""),
        ({"traded_as": "ETH-USDT-SWAP"}, "same coin"),
        ({"allowed": "maybe"}, "yes or no"),
        ({"follow_ratio": "0"}, "out of range"),
        ({"follow_ratio": "NaN"}, "out of range"),
        ({"available_ratio": "2"}, "out of range"),
        ({"ratio": "1"}, "none of these"),
    ],
)
def test_terms_by_instrument(terms: dict[str, Any], words: str) -> None:
    refused = refused_instrument_terms({"BTC-USDT-SWAP": terms})

    assert list(refused) == (["instrument_terms"] if words else [])
    assert words in str(refused.get("instrument_terms", ""))


def test_lines_say_what_is_kept_and_come_back() -> None:
    typed = "btc-usdt-swap: traded_as btc-usdc-swap, follow_ratio=0.2\nDOGE-USDT-SWAP: allowed no"
    kept = {
        "BTC-USDT-SWAP": {"traded_as": "BTC-USDC-SWAP", "follow_ratio": "0.2"},
        "DOGE-USDT-SWAP": {"allowed": False},
    }

    assert from_lines(typed) == kept
    assert from_lines(as_lines(kept)) == kept
    for wrong in ("BTC-USDT-SWAP", "BTC-USDT-SWAP: follow_ratio", ": follow_ratio 1"):
        with pytest.raises(ValueError, match=r"BTC|follow"):
            from_lines(wrong)
