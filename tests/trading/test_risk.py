from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from strategies.enums import StrategyStatus, SubscriptionStatus
from trading import risk
from trading.enums import DecisionOutcome, Leg, LimitKind, Reason, Scope, TradingMode
from trading.risk import (
    CHECKS,
    PASSED,
    Check,
    LimitValue,
    Obstacles,
    OrderNumbers,
    PriceNumbers,
    RiskContext,
    check,
    effective_leverage,
    effective_limits,
    remaining_daily_notional,
    strictest_mode,
)

D = Decimal
ALL = frozenset(Leg)
INCREASES = frozenset({Leg.OPEN, Leg.ADD})
OPEN = frozenset({Leg.OPEN})
DENIED, SKIPPED = DecisionOutcome.DENIED, DecisionOutcome.SKIPPED
ORDER = OrderNumbers(D(10), D(1000), D(3000))


def limit(kind: LimitKind, value: int | str) -> dict[LimitKind, LimitValue]:
    return {kind: LimitValue(kind, Scope.TENANT, D(value), "Desk")}


def asked(price: str, **terms: Any) -> dict[str, Any]:
    """A limit order at this price while the mark is 100."""
    return {"mark": D(100), "asked": PriceNumbers(price=D(price), **terms)}


REFUSALS: list[tuple[Check, dict[str, Any], DecisionOutcome, Reason, frozenset[Leg]]] = [
    (
        risk.trading_is_halted,
        {"modes": (TradingMode.HALTED,)},
        DENIED,
        Reason.TRADING_HALTED,
        ALL,
    ),
    (risk.account_is_paused, {"account_enabled": False}, DENIED, Reason.ACCOUNT_DISABLED, ALL),
    (risk.key_is_not_verified, {"key_verified": False}, DENIED, Reason.KEY_NOT_VERIFIED, ALL),
    (
        risk.subscription_is_stopped,
        {"subscription_status": SubscriptionStatus.STOPPED},
        SKIPPED,
        Reason.LINK_PAUSED,
        ALL,
    ),
    (
        risk.only_reductions_are_allowed,
        {"modes": (TradingMode.ACTIVE, TradingMode.REDUCE_ONLY)},
        DENIED,
        Reason.REDUCE_ONLY,
        INCREASES,
    ),
    (
        risk.everything_is_flattened,
        {"modes": (TradingMode.ACTIVE, TradingMode.FLATTEN)},
        DENIED,
        Reason.FLATTENING,
        ALL,
    ),
    (
        risk.customer_is_not_active,
        {"customer_active": False},
        DENIED,
        Reason.CUSTOMER_DISABLED,
        INCREASES,
    ),
    (
        risk.strategy_is_paused,
        {"strategy_status": StrategyStatus.PAUSED},
        SKIPPED,
        Reason.STRATEGY_PAUSED,
        INCREASES,
    ),
    (
        risk.strategy_is_paused,
        {"strategy_status": StrategyStatus.ARCHIVED},
        SKIPPED,
        Reason.STRATEGY_PAUSED,
        INCREASES,
    ),
    (
        risk.subscription_is_paused,
        {"subscription_status": SubscriptionStatus.PAUSED},
        SKIPPED,
        Reason.LINK_PAUSED,
        INCREASES,
    ),
    (
        risk.subscription_is_close_only,
        {"subscription_status": SubscriptionStatus.CLOSE_ONLY},
        SKIPPED,
        Reason.CLOSE_ONLY,
        INCREASES,
    ),
    (
        risk.instrument_is_not_allowed,
        {"instrument_allowed": False},
        SKIPPED,
        Reason.SYMBOL_NOT_ALLOWED,
        INCREASES,
    ),
    (
        risk.instrument_is_unknown,
        {"instrument_known": False},
        SKIPPED,
        Reason.INSTRUMENT_UNKNOWN,
        ALL,
    ),
    (
        risk.instrument_is_suspended,
        {"instrument_trading": False},
        SKIPPED,
        Reason.INSTRUMENT_SUSPENDED,
        INCREASES,
    ),
    (
        risk.signal_is_too_old,
        {"signal_age": timedelta(seconds=60, milliseconds=1)},
        SKIPPED,
        Reason.EXPIRED,
        INCREASES,
    ),
    (risk.price_is_stale, {"mark_age": None}, DENIED, Reason.PRICE_UNKNOWN, INCREASES),
    (
        risk.price_is_stale,
        {"mark_age": timedelta(seconds=5, milliseconds=1)},
        DENIED,
        Reason.PRICE_UNKNOWN,
        INCREASES,
    ),
    (
        risk.position_mode_conflicts,
        {"position_mode_conflict": True},
        SKIPPED,
        Reason.POS_MODE_CONFLICT,
        INCREASES,
    ),
    (risk.link_conflicts, {"link_conflict": True}, SKIPPED, Reason.LINK_CONFLICT, INCREASES),
    (
        risk.leverage_is_above_limit,
        {"leverage": D(6), "limits": limit(LimitKind.LEVERAGE, 5)},
        DENIED,
        Reason.LEVERAGE_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.too_many_positions_are_open,
        {"open_positions": 3, "limits": limit(LimitKind.OPEN_POSITIONS, 3)},
        DENIED,
        Reason.OPEN_POSITIONS_ABOVE_LIMIT,
        OPEN,
    ),
    (
        risk.day_is_used_up,
        {"used_daily_notional": D(500), "limits": limit(LimitKind.DAILY_NOTIONAL, 500)},
        DENIED,
        Reason.DAILY_LIMIT,
        INCREASES,
    ),
    (
        risk.day_is_used_up,
        {
            "used_daily_notional": D(1),
            "order": ORDER,
            "limits": limit(LimitKind.DAILY_NOTIONAL, 1000),
        },
        DENIED,
        Reason.DAILY_LIMIT,
        INCREASES,
    ),
    (
        risk.order_notional_is_above_limit,
        {"order": ORDER, "limits": limit(LimitKind.ORDER_NOTIONAL, 999)},
        DENIED,
        Reason.ORDER_NOTIONAL_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.position_notional_is_above_limit,
        {"order": ORDER, "limits": limit(LimitKind.POSITION_NOTIONAL, 2999)},
        DENIED,
        Reason.POSITION_NOTIONAL_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.order_quantity_is_above_limit,
        {"order": ORDER, "limits": limit(LimitKind.ORDER_QUANTITY, 9)},
        DENIED,
        Reason.ORDER_QUANTITY_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.account_is_stopped,
        {"obstacles": Obstacles(account_stopped=True)},
        DENIED,
        Reason.ACCOUNT_BREAKER,
        ALL,
    ),
    (
        risk.account_breaker_is_open,
        {"obstacles": Obstacles(account_breaker=True)},
        DENIED,
        Reason.ACCOUNT_BREAKER,
        INCREASES,
    ),
    (
        risk.market_breaker_is_open,
        {"obstacles": Obstacles(market_breaker=True)},
        DENIED,
        Reason.MARKET_BREAKER,
        INCREASES,
    ),
    (
        risk.exchange_is_in_maintenance,
        {"obstacles": Obstacles(maintenance=True)},
        DENIED,
        Reason.EXCHANGE_MAINTENANCE,
        INCREASES,
    ),
    (
        risk.loss_limit_is_reached,
        {"obstacles": Obstacles(loss_limit=True)},
        DENIED,
        Reason.LOSS_LIMIT,
        INCREASES,
    ),
    (
        risk.margin_is_low,
        {"obstacles": Obstacles(margin_low=True)},
        DENIED,
        Reason.MARGIN_LOW,
        INCREASES,
    ),
    (
        risk.margin_mode_conflicts,
        {"margin_mode_conflict": True},
        SKIPPED,
        Reason.MGN_MODE_CONFLICT,
        INCREASES,
    ),
    (risk.equity_is_unknown, {"equity_unknown": True}, SKIPPED, Reason.EQUITY_UNKNOWN, INCREASES),
    (
        risk.price_has_slipped,
        {"mark": D("100.51"), "asked": PriceNumbers(reference=D(100), max_slippage=D("0.005"))},
        SKIPPED,
        Reason.SLIPPAGE,
        INCREASES,
    ),
    (
        risk.spread_is_too_wide,
        {"spread": D("0.0101"), "limits": limit(LimitKind.SPREAD, "0.01")},
        DENIED,
        Reason.SPREAD_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.price_is_outside_collar,
        {**asked("102.01"), "limits": limit(LimitKind.PRICE_COLLAR, "0.02")},
        DENIED,
        Reason.PRICE_OUTSIDE_COLLAR,
        INCREASES,
    ),
    (
        risk.price_is_outside_collar,
        {**asked("97.99"), "limits": limit(LimitKind.PRICE_COLLAR, "0.02")},
        DENIED,
        Reason.PRICE_OUTSIDE_COLLAR,
        INCREASES,
    ),
    (
        risk.price_is_outside_collar,
        {**asked("105.01", is_stop=True), "limits": limit(LimitKind.STOP_COLLAR, "0.05")},
        DENIED,
        Reason.PRICE_OUTSIDE_COLLAR,
        INCREASES,
    ),
    (
        risk.price_is_outside_collar,
        {**asked("95.99", discount=D("0.03")), "limits": limit(LimitKind.PRICE_COLLAR, "0.02")},
        DENIED,
        Reason.PRICE_OUTSIDE_COLLAR,
        INCREASES,
    ),
    (
        risk.desk_notional_is_above_limit,
        {
            "order": ORDER,
            "desk_notional": D(4001),
            "limits": limit(LimitKind.DESK_NOTIONAL, 5000),
        },
        DENIED,
        Reason.DESK_NOTIONAL_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.size_is_out_of_proportion,
        {
            "order": replace(ORDER, proportional=D("4.99")),
            "limits": limit(LimitKind.LEADER_MULTIPLE, 2),
        },
        DENIED,
        Reason.SIZE_OUT_OF_PROPORTION,
        INCREASES,
    ),
    (
        risk.too_many_legs,
        {"leg_number": 4, "limits": limit(LimitKind.LEGS, 4)},
        DENIED,
        Reason.LEGS_ABOVE_LIMIT,
        INCREASES,
    ),
    (risk.order_is_repeated, {"is_repeated": True}, DENIED, Reason.DUPLICATE_SUSPECTED, INCREASES),
    (
        risk.account_sends_too_fast,
        {"account_sends": 10, "limits": limit(LimitKind.ACCOUNT_SENDS, 10)},
        DENIED,
        Reason.SENDS_ABOVE_LIMIT,
        INCREASES,
    ),
    (
        risk.system_sends_too_fast,
        {"system_sends": 5000, "limits": limit(LimitKind.SYSTEM_SENDS, 5000)},
        DENIED,
        Reason.SENDS_ABOVE_LIMIT,
        INCREASES,
    ),
]


@pytest.mark.parametrize(
    ("refuses", "known", "outcome", "reason", "legs"),
    REFUSALS,
    ids=[f"{case[0].__name__}-{index}" for index, case in enumerate(REFUSALS)],
)
def test_one_fault_is_refused_by_one_check_and_only_for_its_legs(
    refuses: Check,
    known: dict[str, Any],
    outcome: DecisionOutcome,
    reason: Reason,
    legs: frozenset[Leg],
) -> None:
    ctx = replace(RiskContext(), **known)

    for leg in Leg:
        verdict = check(leg, ctx)
        others = [other for other in CHECKS if other is not refuses]

        assert all(other(leg, ctx) is None for other in others)
        if leg in legs:
            assert (verdict.outcome, verdict.reason) == (outcome, reason)
            assert verdict == refuses(leg, ctx)
        else:
            assert verdict is PASSED


def test_every_check_has_its_case() -> None:
    assert {case[0] for case in REFUSALS} == set(CHECKS)
    assert len(set(CHECKS)) == len(CHECKS)


@pytest.mark.parametrize("leg", Leg)
def test_nothing_is_wrong_with_the_ordinary_case(leg: Leg) -> None:
    assert check(leg, RiskContext()).passed


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("signal of exactly the allowed age", {"signal_age": timedelta(seconds=60)}),
        ("mark of exactly the allowed age", {"mark_age": timedelta(seconds=5)}),
        ("leverage", {"leverage": D(5), "limits": limit(LimitKind.LEVERAGE, 5)}),
        ("leverage not known", {"limits": limit(LimitKind.LEVERAGE, 5)}),
        ("positions", {"open_positions": 2, "limits": limit(LimitKind.OPEN_POSITIONS, 3)}),
        ("order", {"order": ORDER, "limits": limit(LimitKind.ORDER_NOTIONAL, 1000)}),
        ("position", {"order": ORDER, "limits": limit(LimitKind.POSITION_NOTIONAL, 3000)}),
        ("contracts", {"order": ORDER, "limits": limit(LimitKind.ORDER_QUANTITY, 10)}),
        ("day", {"order": ORDER, "limits": limit(LimitKind.DAILY_NOTIONAL, 1000)}),
        ("spread", {"spread": D("0.01"), "limits": limit(LimitKind.SPREAD, "0.01")}),
        (
            "spread of a limit order",
            {"spread": D(1), **asked("100"), "limits": limit(LimitKind.SPREAD, "0.01")},
        ),
        ("limit price", {**asked("102"), "limits": limit(LimitKind.PRICE_COLLAR, "0.02")}),
        ("limit price below", {**asked("98"), "limits": limit(LimitKind.PRICE_COLLAR, "0.02")}),
        (
            "stop price",
            {**asked("105", is_stop=True), "limits": limit(LimitKind.STOP_COLLAR, "0.05")},
        ),
        (
            "discount and a hundredth",
            {**asked("96", discount=D("0.03")), "limits": limit(LimitKind.PRICE_COLLAR, "0.02")},
        ),
        (
            "desk",
            {
                "order": ORDER,
                "desk_notional": D(4000),
                "limits": limit(LimitKind.DESK_NOTIONAL, 5000),
            },
        ),
        (
            "twice the leader's share",
            {
                "order": replace(ORDER, proportional=D(5)),
                "limits": limit(LimitKind.LEADER_MULTIPLE, 2),
            },
        ),
        ("fourth leg", {"leg_number": 3, "limits": limit(LimitKind.LEGS, 4)}),
        ("tenth send", {"account_sends": 9, "limits": limit(LimitKind.ACCOUNT_SENDS, 10)}),
        ("last send", {"system_sends": 4999, "limits": limit(LimitKind.SYSTEM_SENDS, 5000)}),
    ],
)
def test_at_the_limit_is_not_above_it(label: str, known: dict[str, Any]) -> None:
    assert check(Leg.OPEN, replace(RiskContext(), **known)) is PASSED, label


def test_the_first_refusal_names_the_reason() -> None:
    ctx = RiskContext(modes=(TradingMode.HALTED,), key_verified=False, mark_age=None)

    assert check(Leg.OPEN, ctx).reason == Reason.TRADING_HALTED


@pytest.mark.parametrize(
    ("label", "known", "reason"),
    [
        ("flattening", {"modes": (TradingMode.FLATTEN,)}, Reason.NONE),
        ("over", {"modes": ()}, Reason.FLATTEN_OVER),
        ("the installation is halted", {"modes": (TradingMode.HALTED,)}, Reason.TRADING_HALTED),
        (
            "somebody else's key",
            {"modes": (TradingMode.FLATTEN,), "key_verified": False},
            Reason.KEY_NOT_VERIFIED,
        ),
        (
            "a paused account of a customer who left",
            {
                "modes": (TradingMode.FLATTEN,),
                "account_enabled": False,
                "customer_active": False,
                "subscription_status": SubscriptionStatus.STOPPED,
            },
            Reason.NONE,
        ),
    ],
)
def test_flatten_closes_whatever_else_is_switched_off(
    label: str, known: dict[str, Any], reason: Reason
) -> None:
    verdict = check(Leg.CLOSE, replace(RiskContext(), flattens=True, **known))

    assert verdict.reason == reason, label


def test_a_refusal_says_by_how_much() -> None:
    ctx = RiskContext(order=ORDER, limits=limit(LimitKind.ORDER_NOTIONAL, 999))
    assert check(Leg.OPEN, ctx).numbers == (("order_notional", D(1000)), ("limit", D(999)))

    old = RiskContext(signal_age=timedelta(seconds=61, milliseconds=5))
    assert check(Leg.OPEN, old).numbers == (
        ("signal_age_seconds", D("61.005")),
        ("limit", D("60.000")),
    )


@pytest.mark.parametrize(
    ("modes", "strictest"),
    [
        ((), TradingMode.ACTIVE),
        ((TradingMode.ACTIVE, TradingMode.REDUCE_ONLY), TradingMode.REDUCE_ONLY),
        ((TradingMode.HALTED, TradingMode.REDUCE_ONLY), TradingMode.HALTED),
        ((TradingMode.HALTED, TradingMode.FLATTEN), TradingMode.FLATTEN),
    ],
)
def test_the_strictest_switch_wins(modes: tuple[TradingMode, ...], strictest: TradingMode) -> None:
    assert strictest_mode(modes) == strictest


def test_the_smallest_limit_of_each_kind_binds() -> None:
    desk = LimitValue(LimitKind.LEVERAGE, Scope.TENANT, D(5), "Desk")
    alice = LimitValue(LimitKind.LEVERAGE, Scope.CUSTOMER, D(3), "Alice")
    system = LimitValue(LimitKind.LEVERAGE, Scope.SYSTEM, D(3), "System")
    order = LimitValue(LimitKind.ORDER_NOTIONAL, Scope.SYSTEM, D(9), "System")

    assert effective_limits([desk, alice, order, system]) == {
        LimitKind.LEVERAGE: alice,
        LimitKind.ORDER_NOTIONAL: order,
    }
    assert effective_limits([]) == {}


@pytest.mark.parametrize(
    ("label", "caps", "expected"),
    [
        ("none", [], (D(10), "")),
        ("not known", [("BTC-USDT-SWAP", None)], (D(10), "")),
        ("higher", [("Desk", D(20))], (D(10), "")),
        ("lower", [("Desk", D(5)), ("Alice", D(3)), ("System", D(4))], (D(3), "Alice")),
    ],
)
def test_leverage_is_the_smallest_of_all(
    label: str, caps: list[tuple[str, Decimal | None]], expected: tuple[Decimal, str]
) -> None:
    assert effective_leverage(D(10), caps) == expected, label


def test_what_the_day_still_allows() -> None:
    limits = limit(LimitKind.DAILY_NOTIONAL, 500)

    assert remaining_daily_notional(RiskContext()) is None
    assert remaining_daily_notional(RiskContext(limits=limits)) == 500
    assert remaining_daily_notional(RiskContext(limits=limits, used_daily_notional=D(600))) == 0
