"""Contracts, base quantity and notional of one instrument, into each other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from signals.enums import QuantityMode
from trading.sizing.exact import ceil_ratio, product


class PriceUnknownError(ValueError):
    """The conversion needs a price and there is none."""


@dataclass(frozen=True, slots=True)
class InstrumentRules:
    """What the exchange allows for one instrument; sizes in contracts (spot: base units).

    `contract_value` is ctVal x ctMult: base units per contract, USD per contract when
    `inverse`, 1 for spot. A maximum of None is not known.
    """

    inst_id: str
    contract_value: Decimal
    lot_size: Decimal
    min_size: Decimal
    tick_size: Decimal
    max_market_size: Decimal | None = None
    max_limit_size: Decimal | None = None
    max_leverage: Decimal | None = None
    inverse: bool = False
    spot: bool = False

    def max_size(self, *, limit_order: bool) -> Decimal | None:
        """The most contracts one order may have."""
        return self.max_limit_size if limit_order else self.max_market_size


@dataclass(frozen=True, slots=True)
class Traded:
    """What the leader trades, and its price there."""

    rules: InstrumentRules
    price: Decimal | None


def notional_of_one(rules: InstrumentRules, price: Decimal | None) -> Decimal:
    """Quote value of one contract; an inverse one needs no price, else `PriceUnknownError`."""
    if rules.inverse:
        return rules.contract_value
    return product(_contract_value(rules), _known(price))


def notional(rules: InstrumentRules, quantity: Decimal, price: Decimal | None) -> Decimal:
    """Value of `quantity` contracts in quote currency (USD for an inverse instrument)."""
    return product(quantity, notional_of_one(rules, price))


def contracts_from(
    mode: QuantityMode, value: Decimal, rules: InstrumentRules, price: Decimal | None
) -> Decimal:
    """Contracts for a quantity of contracts, base units or notional, not rounded to a lot.

    Raises `PriceUnknownError` where a price is needed, and ValueError for the percent modes,
    which have no meaning without a position or an equity.
    """
    if mode == QuantityMode.CONTRACTS:
        return value
    if mode == QuantityMode.NOTIONAL:
        return ceil_ratio(value, notional_of_one(rules, price))
    if mode != QuantityMode.BASE:
        raise ValueError(f"{mode} is not a quantity of its own")
    if rules.inverse:
        return ceil_ratio(product(value, _known(price)), rules.contract_value)
    return ceil_ratio(value, _contract_value(rules))


def in_own_contracts(
    own: InstrumentRules, own_price: Decimal | None, theirs: Traded | None
) -> tuple[Decimal, Decimal]:
    """(own, theirs): so much of one of theirs is in one of ours, as theirs / own.

    By coins where both are counted in them, since the two prices differ by a little.
    """
    if theirs is None:
        return Decimal(1), Decimal(1)
    if not own.inverse and not theirs.rules.inverse:
        return _contract_value(own), _contract_value(theirs.rules)
    return notional_of_one(own, own_price), notional_of_one(theirs.rules, theirs.price)


def _contract_value(rules: InstrumentRules) -> Decimal:
    return Decimal(1) if rules.spot else rules.contract_value


def _known(price: Decimal | None) -> Decimal:
    if price is None or price <= 0:
        raise PriceUnknownError
    return price
