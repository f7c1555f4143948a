"""What the specification of following fixes beside sizes: defaults, times, words and reasons.

A number that is only written in a sentence is changed by mistake; here each one is said again.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import override

from signals import intake
from signals.enums import SignalReason
from strategies.enums import (
    CopyExisting,
    FlipPolicy,
    MarginChoice,
    MinSizePolicy,
    OpenOrders,
    OverMaxPolicy,
    ProtectionBasis,
    SizingMode,
    SubscriptionStatus,
)
from strategies.models import Strategy, Subscription
from trading.copying import means
from trading.enums import DecisionOutcome, OrderState, Reason, TradingMode
from trading.execution import flips
from trading.orders import WORDS, OrderWord
from trading.stops.measuring import used
from trading.sync import proposing, reconcile
from trading.sync.leaders import evidence

D = Decimal

# Decision 15 and the defaults of 3.2 to 3.13


@pytest.mark.parametrize(
    ("term", "default"),
    [
        ("follow_ratio", D("0.1")),
        ("max_leverage", D(1)),
        ("status", "active"),
        ("sizing_mode", SizingMode.FIXED_RATIO),
        ("per_signal", False),
        ("min_size_policy", MinSizePolicy.SKIP),
        ("round_up_floor", D("0.5")),
        ("over_max_policy", OverMaxPolicy.SCALE_DOWN),
        ("margin_mode", MarginChoice.CROSS),
        ("max_age_seconds", 60),
        ("max_slippage", D("0.005")),
        ("open_orders", OpenOrders.IOC),
        ("flip_policy", FlipPolicy.FOLLOW),
        ("discount_min", D("0.01")),
        ("discount_max", D("0.04")),
        ("post_only", False),
        ("ttl_hours", 24),
        ("reverse", False),
        ("protection_basis", ProtectionBasis.PRICE),
        ("mirror_protection", True),
    ],
)
def test_what_a_strategy_is_unless_it_says_otherwise(term: str, default: Any) -> None:
    assert getattr(Strategy(), term) == default


def test_a_following_begins_active_and_takes_nothing_over() -> None:
    link = Subscription()

    assert (link.status, link.copy_existing) == (SubscriptionStatus.ACTIVE, CopyExisting.NO)


@pytest.mark.parametrize(
    ("nearest", "farthest", "wrong"),
    [
        ("0.01", "0.04", set()),
        ("0.02", "0.02", set()),
        ("0.0099", "0.04", {"discount_min"}),
        ("0.01", "0.0401", {"discount_max"}),
        ("0.03", "0.02", {"discount_max"}),
    ],
)
def test_a_discount_is_one_to_four_percent(nearest: str, farthest: str, wrong: set[str]) -> None:
    strategy = Strategy(
        name="Dip", open_orders="limit", discount_min=D(nearest), discount_max=D(farthest)
    )
    found: set[str] = set()
    for check in (lambda: strategy.clean_fields(exclude=["tenant"]), strategy.clean):
        try:
            check()
        except ValidationError as refused:
            found |= set(refused.error_dict)

    assert found == wrong


# 3.7, 3.8, 3.11, 3.16, decisions 19 and 22: times and counts


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (intake.CLOCK_TOLERANCE, timedelta(seconds=5)),
        (settings.WEBHOOK_HEADER_WINDOW_S, 300),
        (settings.WEBHOOK_NONCE_KEEP_S, 600),
        (means.FRESH, timedelta(seconds=60)),  # an equity to size by
        (flips.TIMEOUT, timedelta(seconds=30)),
        (settings.SOURCE_TIMEOUT_S, 60),
        (settings.SOURCE_LOST_CANCEL_S, 300),
        (reconcile.DUE_AFTER, timedelta(seconds=30)),
        (evidence.MISSES, 4),
        (evidence.MISSED_FOR, timedelta(seconds=20)),
        (evidence.HINT_LASTS, timedelta(seconds=120)),
        (settings.ORDER_TTL_MARKET_S, 3),
        (settings.ORDER_TTL_LIMIT_S, 10),
        (settings.LIMITS["legs"], D(4)),
        (settings.LIMITS["system_sends"], D(5000)),
        (settings.REPAIR_MAX_SLIPPAGE, D("0.005")),
        (proposing.MOST_ALONE, 2),
        (proposing.ALONE_WITHIN, timedelta(hours=1)),
        (settings.CELERY_BEAT_SCHEDULE["watch waiting orders"]["schedule"], 10),
    ],
)
def test_how_long_and_how_many(number: Any, value: Any) -> None:
    assert number == value


# 3.13: a limit of the whole copied portfolio


@pytest.mark.parametrize(("left", "stopped"), [("41", False), ("40", True), ("39.99", True)])
def test_sixty_percent_of_a_hundred_end_at_forty(left: str, stopped: bool) -> None:
    share = used(D(100) - D(left), most=None, part=D("0.6"), base=D(100))

    assert (share >= 1) is stopped


# Decision 14: words


def test_the_states_of_orders_decisions_and_trading() -> None:
    assert set(OrderState) == {
        "new", "ready", "sending", "unknown", "live", "partially_filled", "filled", "canceled",
        "rejected", "expired", "denied", "manual",
    }  # fmt: skip
    assert set(DecisionOutcome) == {"copied", "skipped", "denied"}
    assert set(TradingMode) == {"active", "reduce_only", "halted", "flatten"}


def test_people_read_five_words_in_both_languages() -> None:
    words = ["waiting", "partly_filled", "filled", "canceled", "failed"]
    assert [str(word) for word in OrderWord] == words
    with override("zh-hans"):
        chinese = [str(word.label) for word in OrderWord]
    assert chinese == ["待成交", "部分成交", "完全成交", "已取消", "失败"]
    with override("en"):
        english = [str(word.label) for word in OrderWord]
    assert english == ["Waiting", "Partly filled", "Filled", "Canceled", "Failed"]


@pytest.mark.parametrize(
    ("word", "states"),
    [
        (OrderWord.WAITING, {"new", "ready", "sending", "unknown", "live", "manual"}),
        (OrderWord.PARTLY_FILLED, {"partially_filled"}),
        (OrderWord.FILLED, {"filled"}),
        (OrderWord.CANCELED, {"canceled", "expired"}),
        (OrderWord.FAILED, {"rejected", "denied"}),
    ],
)
def test_which_word_a_state_is_read_as(word: OrderWord, states: set[str]) -> None:
    assert {str(state) for state, read_as in WORDS.items() if read_as == word} == states


# 3.19: reasons. A kill switch is our TRADING_HALTED; who waits for approval is `held`, not refused.

SIGNAL_REASONS = ("INVALID", "EXPIRED", "CLOCK_SKEW", "SOURCE_DISABLED", "NO_STRATEGY")
REASONS = (
    "SYMBOL_NOT_ALLOWED", "CUSTOMER_DISABLED", "LINK_PAUSED", "CLOSE_ONLY", "NOT_IN_CYCLE",
    "EQUITY_UNKNOWN", "BELOW_MIN", "ABOVE_MAX", "ALLOCATION_FULL", "DAILY_LIMIT", "LOSS_LIMIT",
    "LEVERAGE_LOCKED", "MGN_MODE_CONFLICT", "POS_MODE_CONFLICT", "SLIPPAGE", "LIMIT_MAX_ORDERS",
    "ALREADY_AT_TARGET", "INSUFFICIENT_MARGIN", "KEY_INVALID", "IP_NOT_ALLOWED", "RATE_LIMITED",
    "UNKNOWN_RESULT", "UNDERFILLED_SLIPPAGE", "ALREADY_FLAT", "EXCHANGE_REJECTED",
    "CLOSED_BELOW_MIN", "FLIP_OPEN_DROPPED", "LATE_FILL_CLOSED", "LIMIT_TTL",
)  # fmt: skip


@pytest.mark.parametrize("code", REASONS)
def test_a_decision_or_an_order_can_say(code: str) -> None:
    assert Reason(code).label


@pytest.mark.parametrize("code", SIGNAL_REASONS)
def test_a_signal_can_say(code: str) -> None:
    assert SignalReason(code).label
