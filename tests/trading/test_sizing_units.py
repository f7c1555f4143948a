from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from signals.enums import QuantityMode
from trading.sizing import (
    InstrumentRules,
    PriceUnknownError,
    ceil_lot,
    contracts_from,
    floor_lot,
    notional,
    split,
)

D = Decimal
BTC = InstrumentRules("BTC-USDT-SWAP", D("0.01"), D("0.01"), D("0.01"), D("0.1"))
INVERSE = InstrumentRules("BTC-USD-SWAP", D(100), D(1), D(1), D("0.1"), inverse=True)
SPOT = InstrumentRules("BTC-USDT", D(1), D("0.00000001"), D("0.00001"), D("0.1"), spot=True)


def test_lots() -> None:
    assert floor_lot(D("0.1365"), D("0.01")) == D("0.13")
    assert ceil_lot(D("0.1301"), D("0.01")) == D("0.14")
    assert ceil_lot(D("0.13"), D("0.01")) == D("0.13")
    assert floor_lot(D("12345678901234567890.123456789012345678"), D("1e-18")) == D(
        "12345678901234567890.123456789012345678"
    )


@pytest.mark.parametrize(
    ("label", "rules", "mode", "value", "contracts"),
    [
        ("contracts", BTC, QuantityMode.CONTRACTS, "1.5", "1.5"),
        ("base", BTC, QuantityMode.BASE, "1", "100"),
        ("notional", BTC, QuantityMode.NOTIONAL, "500", "1"),
        ("inverse base", INVERSE, QuantityMode.BASE, "1", "500"),
        ("inverse notional", INVERSE, QuantityMode.NOTIONAL, "500", "5"),
        ("spot base", SPOT, QuantityMode.BASE, "0.5", "0.5"),
        ("spot notional", SPOT, QuantityMode.NOTIONAL, "500", "0.01"),
    ],
)
def test_contracts_and_back(
    label: str, rules: InstrumentRules, mode: QuantityMode, value: str, contracts: str
) -> None:
    price = D(50_000)

    assert contracts_from(mode, D(value), rules, price) == D(contracts), label
    if mode == QuantityMode.NOTIONAL:
        assert notional(rules, D(contracts), price) == D(value)


def test_a_conversion_without_a_price_says_so() -> None:
    with pytest.raises(PriceUnknownError):
        contracts_from(QuantityMode.NOTIONAL, D(1), BTC, None)
    with pytest.raises(PriceUnknownError):
        contracts_from(QuantityMode.NOTIONAL, D(1), BTC, D(0))
    assert contracts_from(QuantityMode.BASE, D(1), BTC, None) == 100


@pytest.mark.parametrize("mode", [QuantityMode.PERCENT, QuantityMode.PERCENT_EQUITY])
def test_percent_is_no_quantity_of_its_own(mode: QuantityMode) -> None:
    with pytest.raises(ValueError, match="of its own"):
        contracts_from(mode, D(1), BTC, D(1))


@pytest.mark.parametrize(
    ("label", "quantity", "slices"),
    [
        ("fits", "10", ("10",)),
        ("two", "12", ("10", "2")),
        ("exact", "20", ("10", "10")),
        ("last one would be below the minimum", "20.5", ("10", "9.5", "1")),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)
def test_slices(label: str, quantity: str, slices: tuple[str, ...]) -> None:
    rules = replace(BTC, lot_size=D("0.5"), min_size=D(1), max_market_size=D(10))

    assert split(D(quantity), rules) == tuple(map(D, slices)), label
