"""What a quantity means in contracts, at the moment the signal comes in. Pure."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal

from signals.enums import QuantityMode, Unit
from signals.parsing import ParseError, Quantity
from signals.ports import InstrumentFacts

# Enough for any two columns to be multiplied and divided before the one rounding at the end.
_EXACT = Context(prec=80)
_PLACES = Decimal(1).scaleb(-18)
# Far beyond any position, and so far below what a column holds that adds never overflow it:
# a signal that can be stored must be one that can be copied.
_MAX = Decimal(10) ** 16


def needs_price(quantity: Quantity | None, instrument: InstrumentFacts) -> bool:
    """Whether contracts cannot be had without a price: coins of an inverse contract, money of
    any other."""
    if quantity is None or quantity.value == 0:
        return False
    priced = QuantityMode.BASE if instrument.inverse else QuantityMode.NOTIONAL
    return quantity.mode == priced


def in_unit(
    quantity: Quantity, instrument: InstrumentFacts, price: Decimal | None
) -> tuple[Decimal, Unit | None]:
    """The quantity as it is stored, and its unit: None where it takes that of the position.

    Raises ParseError for what is too small or too large to be a number of contracts.
    """
    if quantity.mode == QuantityMode.PERCENT_EQUITY:
        return quantity.value, Unit.PERCENT_EQUITY
    if quantity.mode == QuantityMode.PERCENT_AVAILABLE:
        return quantity.value, Unit.PERCENT_AVAILABLE
    if quantity.mode == QuantityMode.PERCENT:
        return quantity.value, None
    contracts = _contracts(quantity, instrument, price)
    if contracts >= _MAX:
        raise ParseError("quantity.value", "too large")
    rounded = contracts.quantize(_PLACES, rounding=ROUND_DOWN, context=_EXACT)
    if rounded == 0 and quantity.value != 0:
        raise ParseError("quantity.value", "too small to be counted in contracts")
    return rounded, Unit.CONTRACTS


def _contracts(quantity: Quantity, instrument: InstrumentFacts, price: Decimal | None) -> Decimal:
    if quantity.mode == QuantityMode.CONTRACTS:
        return quantity.value
    value = quantity.value
    if needs_price(quantity, instrument):
        if price is None:
            raise ParseError("reference_price", "required: no fresh mark price is known")
        operation = _EXACT.multiply if instrument.inverse else _EXACT.divide
        value = operation(value, price)
    return _EXACT.divide(value, instrument.contract_value)
