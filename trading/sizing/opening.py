"""How many contracts an opening is, by each mode: unrounded, before any limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from signals.enums import Unit
from strategies.enums import SizingMode
from trading.enums import Reason
from trading.sizing.exact import EXACT, ZERO, ceil_ratio, product
from trading.sizing.terms import SizingRequest
from trading.sizing.units import PriceUnknownError, Traded, in_own_contracts, notional_of_one

ONE = Decimal(1)
PERCENT = Decimal(100)
# What a market order may cost beyond its margin is left free: fees, and the last tick.
KEPT_FREE = Decimal("0.98")


class CannotSizeError(ValueError):
    """Something that the mode counts by is not known; `reason` says what."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def opening_quantity(request: SizingRequest) -> Decimal:
    """F_base of a cycle that opens: contracts for the leader's whole `leader_after`.

    Raises `PriceUnknownError`, and `CannotSizeError` for whatever else is not known.
    """
    return _MODES[request.terms.mode](request)


def affordable_share(slippage: Decimal, leverage: Decimal) -> tuple[Decimal, Decimal]:
    """c as (numerator, denominator): so much of the available balance may become margin when
    the price may turn out worse by `slippage`."""
    left = EXACT.subtract(ONE, slippage)
    return product(left, KEPT_FREE), EXACT.add(left, product(leverage, slippage))


def equity_of(request: SizingRequest) -> Decimal:
    """The follower's equity, no more of it than was allocated."""
    if request.equity is None:
        raise CannotSizeError(Reason.EQUITY_UNKNOWN)
    equity, allocated = max(request.equity, ZERO), request.terms.allocated_capital
    return equity if allocated is None else min(equity, allocated)


def _by_ratio(request: SizingRequest) -> Decimal:
    return _share_of_leader(request, request.terms.ratio, ONE)


def _by_equity(request: SizingRequest) -> Decimal:
    if request.unit != Unit.CONTRACTS:
        return _share_of_leader(request, request.terms.multiplier, ONE)
    multiplier = product(request.terms.multiplier, equity_of(request))
    return _share_of_leader(request, multiplier, _leader_equity(request))


def _share_of_leader(request: SizingRequest, numerator: Decimal, denominator: Decimal) -> Decimal:
    """That share of what the leader holds, or of the percentage that it names."""
    if request.unit == Unit.CONTRACTS:
        own, theirs = in_own_contracts(request.rules, request.price, request.leader.traded)
        share = product(numerator, request.leader_after, theirs)
        return ceil_ratio(share, product(denominator, own))
    share = product(numerator, request.leader_after)
    if request.unit == Unit.PERCENT_AVAILABLE:
        amount = product(share, _available(request), _leverage(request))
    else:
        amount = product(share, equity_of(request))
    return ceil_ratio(amount, product(denominator, _one(request), PERCENT))


def _by_margin(request: SizingRequest) -> Decimal:
    """The leader's share of margin, but no more than what is available can carry."""
    leverage, leader = _leverage(request), request.leader
    if leader.leverage is None:
        raise CannotSizeError(Reason.LEADER_EQUITY_UNKNOWN)
    traded = leader.traded or Traded(request.rules, leader.price or request.price)
    one = _one(request)
    top = product(equity_of(request), leverage, request.leader_after)
    if request.unit == Unit.CONTRACTS:
        value = notional_of_one(traded.rules, traded.price)
        share = product(top, value)
        wanted = ceil_ratio(share, product(leader.leverage, _leader_equity(request), one))
    else:
        wanted = ceil_ratio(top, product(leader.leverage, PERCENT, one))
    most, least = affordable_share(request.terms.slippage, leverage)
    carried = ceil_ratio(product(most, _available(request), leverage), product(least, one))
    return min(wanted, carried)


def _by_notional(request: SizingRequest) -> Decimal:
    return ceil_ratio(_amount(request), _one(request))


def _by_fixed_margin(request: SizingRequest) -> Decimal:
    return ceil_ratio(product(_amount(request), _leverage(request)), _one(request))


def _by_quantity(request: SizingRequest) -> Decimal:
    return _amount(request)


def _by_available(request: SizingRequest) -> Decimal:
    margin = product(_amount(request), _available(request))
    return ceil_ratio(product(margin, _leverage(request)), _one(request))


def _by_risk(request: SizingRequest) -> Decimal:
    """As many contracts as lose the risked share of equity between the price and the stop."""
    stop, price, rules = request.stop_loss, request.price, request.rules
    if stop is None or stop <= 0:
        raise CannotSizeError(Reason.STOP_LOSS_MISSING)
    if price is None or price <= 0:
        raise PriceUnknownError
    away = abs(EXACT.subtract(price, stop))
    if away == 0:
        raise CannotSizeError(Reason.STOP_LOSS_MISSING)
    risked = product(_amount(request), equity_of(request))
    if rules.inverse:  # what a contract loses in coins is worth less at a higher price
        return ceil_ratio(product(risked, stop), product(rules.contract_value, away))
    value = ONE if rules.spot else rules.contract_value
    return ceil_ratio(risked, product(value, away))


_MODES: Final[Mapping[SizingMode, Callable[[SizingRequest], Decimal]]] = {
    SizingMode.FIXED_RATIO: _by_ratio,
    SizingMode.EQUITY_PROPORTIONAL: _by_equity,
    SizingMode.MARGIN_PROPORTIONAL: _by_margin,
    SizingMode.FIXED_NOTIONAL: _by_notional,
    SizingMode.FIXED_MARGIN: _by_fixed_margin,
    SizingMode.FIXED_QTY: _by_quantity,
    SizingMode.PCT_AVAILABLE: _by_available,
    SizingMode.FIXED_RISK: _by_risk,
}


def _amount(request: SizingRequest) -> Decimal:
    if request.terms.amount is None:
        raise ValueError(f"{request.terms.mode} needs an amount")
    return request.terms.amount


def _one(request: SizingRequest) -> Decimal:
    return notional_of_one(request.rules, request.price)


def _leverage(request: SizingRequest) -> Decimal:
    """What the margin is multiplied by; spot is paid in full."""
    return ONE if request.leverage is None else request.leverage


def _available(request: SizingRequest) -> Decimal:
    if request.available is None:
        raise CannotSizeError(Reason.EQUITY_UNKNOWN)
    return max(request.available, ZERO)


def _leader_equity(request: SizingRequest) -> Decimal:
    equity = request.leader.equity
    if equity is None or equity <= 0:
        raise CannotSizeError(Reason.LEADER_EQUITY_UNKNOWN)
    return equity
