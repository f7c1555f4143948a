from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from signals.enums import Direction, Intent
from signals.models import Signal
from trading.enums import OrderState, Reason
from trading.explaining import explain, explain_order, instruction
from trading.explaining.words import CAPPED_BY, REASONS
from trading.models import Decision, Order

BTC = "BTC-USDT-SWAP"
KEYS = (
    "used", "order_value", "limit", "wanted", "lots", "quantity", "min_size", "max_size", "price",
    "leverage", "open_positions", "signal_age_seconds", "mark_age_seconds", "expected", "target",
    "slippage", "waiting_orders",
)  # fmt: skip
REFUSED = {
    "DAILY_LIMIT": (
        {"used": "21430.18", "order_value": "5562.03", "limit": "25000"},
        "This order would have taken today's total to 26,992.21 USDT. "
        "Your daily limit is 25,000.00 USDT.",
    ),
    "BELOW_MIN": (
        {"wanted": "0.004", "lots": "0", "quantity": "0", "min_size": "0.01"},
        "Your share was 0.004 contracts. OKX takes at least 0.01.",
    ),
    "EXPIRED": (
        {"signal_age_seconds": "71.004", "limit": "60"},
        "The signal was 71 s old. Opens older than 60 s are not copied.",
    ),
    "PRICE_UNKNOWN": (
        {"mark_age_seconds": "30.25", "limit": "15"},
        "The last price was 30.2 s old. Nothing is opened on a price older than 15 s.",
    ),
    "ORDER_NOTIONAL_ABOVE_LIMIT": (
        {"order_value": "600", "limit": "5.5"},
        "This order was worth 600.00 USDT. Your limit per order is 5.50 USDT.",
    ),
    "OPEN_POSITIONS_ABOVE_LIMIT": (
        {"open_positions": "6", "limit": "5"},
        "With this order you would have 6 open positions. Your limit is 5.",
    ),
    "LEVERAGE_ABOVE_LIMIT": (
        {"leverage": "10", "limit": "3"},
        "This order needed 10× leverage. Your limit is 3×.",
    ),
    "SLIPPAGE": (
        {"slippage": "0.00612", "limit": "0.005"},
        "The price was 0.61 % worse than the leader's. Openings are copied up to 0.5 %.",
    ),
    "LIMIT_MAX_ORDERS": (
        {"waiting_orders": "4", "limit": "4"},
        "4 orders of this source wait already. No more than 4 may.",
    ),
    "SYMBOL_NOT_ALLOWED": ({}, "This strategy does not trade BTC-USDT-SWAP. Nothing was ordered."),
}


def decided(
    reason: str = "", outcome: str = "skipped", inst_id: str = BTC, **numbers: str
) -> Decision:
    return Decision(
        signal=Signal(inst_id=inst_id, intent="open", direction="long"),
        outcome=outcome,
        reason=reason,
        numbers={name.replace("__", "."): value for name, value in numbers.items()},
    )


def order(state: str, reason: str = "", **fields: Any) -> Order:
    values: dict[str, Any] = {"inst_id": BTC, "side": "buy", "quantity": Decimal("6.5")}
    return Order(state=state, reason=reason, **values | fields)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("outcome", ["copied", "skipped", "denied"])
def test_every_reason_is_said_whatever_is_known(reason: Reason, outcome: str) -> None:
    all_known = dict.fromkeys(KEYS, "2")
    for numbers in ({}, all_known, {"limit": "not a number"}):
        said = explain(decided(reason, outcome, **numbers))

        assert said.endswith("."), said
        assert "%(" not in said
        assert "None" not in said


def test_every_reason_but_none_has_its_own_words() -> None:
    assert set(REASONS) == set(Reason) - {Reason.NONE}
    assert all("%(" not in str(texts[-1]) for texts in REASONS.values())


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refusal_says_the_numbers_that_were_used(reason: str) -> None:
    numbers, said = REFUSED[reason]

    assert explain(decided(reason, **numbers)) == said


def test_a_copy_says_its_size() -> None:
    assert explain(decided("", "copied", quantity="1", price="60000")) == (
        "Copied as an order of 1 contract, at a price of about 60,000."
    )
    assert explain(decided("", "copied", "BTC-USDT", quantity="0.050")) == (
        "Copied as an order of 0.05 BTC."
    )


def test_a_smaller_copy_says_which_limit_it_met() -> None:
    numbers = {"quantity": "42", "lots": "58", "limit": "8600", "used": "1"}

    assert (
        explain(decided("CAPPED", "copied", capped_by="ORDER_NOTIONAL_ABOVE_LIMIT", **numbers))
        == "Copied with 42 of 58 contracts: your limit per order is 8,600.00 USDT."
    )
    for limit in CAPPED_BY:
        assert "42 of 58 contracts" in explain(
            decided("CAPPED", "copied", capped_by=limit, max_size="42", **numbers)
        )


def test_a_reversal_that_was_not_opened_says_so() -> None:
    numbers = {"close__quantity": "2", "open__reason": "EXPIRED",
               "open__signal_age_seconds": "61", "open__limit": "60"}  # fmt: skip

    assert explain(decided("EXPIRED", "copied", **numbers)) == (
        "The old position is closed and not reversed. "
        "The signal was 61 s old. Opens older than 60 s are not copied."
    )


def test_a_reversal_says_both_steps() -> None:
    numbers = {"close__quantity": "2", "open__quantity": "3", "open__price": "60000"}

    assert explain(decided("", "copied", **numbers)) == (
        "Copied: closed 2 contracts, then ordered 3 contracts the other way."
    )


def test_a_reduction_that_must_wait_is_not_called_refused() -> None:
    assert explain(decided("TRADING_HALTED", "copied", quantity="1")) == (
        "Trading is halted. The reduction waits and is sent as soon as it may be."
    )


@pytest.mark.parametrize("state", OrderState)
def test_every_state_of_an_order_is_said(state: OrderState) -> None:
    for reason in Reason:
        said = explain_order(order(state, reason))

        assert said.endswith("."), said
        assert "%(" not in said


def test_an_unknown_outcome_is_being_checked() -> None:
    for state in ("unknown", "manual"):
        assert "being checked" in explain_order(order(state, "UNKNOWN_RESULT"))


def test_a_refusal_of_the_exchange_keeps_its_code_and_words() -> None:
    refused = order(
        "rejected", "INSUFFICIENT_MARGIN", exchange_code="51008",
        exchange_message="Insufficient USDT margin in account",
    )  # fmt: skip

    assert explain_order(refused) == (
        "OKX refused: not enough margin (51008). OKX wrote: “Insufficient USDT margin in account”."
    )


def test_what_filled_is_said() -> None:
    filled = {"filled_quantity": Decimal("6.50"), "average_price": Decimal("4388.70")}

    assert explain_order(order("filled", **filled)) == "Bought 6.5 contracts at 4,388.7."
    assert explain_order(order("partially_filled", side="sell", **filled)) == (
        "Sold 6.5 of 6.5 contracts so far, at 4,388.7."
    )
    assert explain_order(order("canceled", "CANCELED_BY_SIGNAL", **filled)) == (
        "The leader canceled, so your waiting order is canceled too. "
        "Bought 6.5 contracts at 4,388.7."
    )


def test_every_instruction_is_a_title() -> None:
    titles = {
        instruction(Signal(inst_id=BTC, intent=intent, direction=direction))
        for intent in Intent
        for direction in Direction
    }

    assert len(titles) == len(Intent) * len(Direction)
    assert "Open long BTC-USDT-SWAP" in titles
    assert instruction(Signal(inst_id="")) == "Unreadable signal"


def test_the_active_language_is_asked_when_it_is_said() -> None:
    with translation.override("zh-hans"):
        assert explain(decided("CLOSE_ONLY"))
    assert explain(decided("CLOSE_ONLY")) == "This subscription only follows closes."


def test_what_a_stop_became_says_so() -> None:
    told = explain_order(
        Order(
            state="filled",
            cause="stop_loss",
            side="sell",
            quantity=Decimal(10),
            filled_quantity=Decimal(10),
            average_price=Decimal("58900"),
            inst_id="BTC-USDT-SWAP",
        )
    )

    assert told == "Stop loss: Sold 10 contracts at 58,900."
