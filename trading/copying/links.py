"""A link: one account following one strategy, or one account traded by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.rows import fetch
from customers.models import ExchangeAccount
from signals.models import Signal
from strategies.enums import (
    MarginMode,
    MinSizePolicy,
    OverMaxPolicy,
    SizingMode,
    StrategyStatus,
    SubscriptionStatus,
)
from strategies.matching import match
from strategies.models import Strategy
from trading.outgoing import OutgoingAccount, OutgoingCustomer
from trading.sizing import SizingTerms
from trading.switch import Covered

MANUAL_MAX_AGE = timedelta(seconds=60)


_OWN = ("pk", "uid", "follow_ratio", "fixed_notional", "max_leverage", "status", "strategy_id")
_STRATEGY = _OWN.index("strategy_id")
_ACCOUNT = tuple(f.name for f in fields(OutgoingAccount) if f.name != "customer")
_LIMITS = ("customer__status", "customer__max_leverage", "max_leverage", "uid")


@dataclass(frozen=True, slots=True)
class Link:
    """How one account follows; `subscription_id` is None for what staff trade by hand."""

    uid: UUID
    account: OutgoingAccount
    subscription_id: int | None
    strategy_id: int | None
    terms: SizingTerms
    margin_mode: MarginMode
    max_age: timedelta
    allowed: bool
    refuses_repeats: bool
    strategy_status: StrategyStatus
    subscription_status: SubscriptionStatus
    leverage_caps: tuple[tuple[str, Decimal | None], ...]

    def covered(self, inst_id: str) -> Covered:
        return Covered(
            tenant_id=self.account.tenant_id,
            account_id=self.account.pk,
            customer_id=self.account.customer_id,
            inst_id=inst_id,
            strategy_id=self.strategy_id,
        )


def links_of(signal: Signal) -> list[Link]:
    """Everyone the signal concerns: the followers of its source, or the account it names."""
    if signal.account_id is not None:
        accounts = ExchangeAccount.objects.filter(pk=signal.account_id)
        return [_manual(row) for row in fetch(accounts.values_list(*_ACCOUNT, *_LIMITS))]
    followed = match(signal)
    columns = [f"account__{name}" for name in (*_ACCOUNT, *_LIMITS)]
    rows = fetch(followed.select_related(None).values_list(*_OWN, *columns))
    strategies = Strategy.objects.in_bulk({row[_STRATEGY] for row in rows})
    return [_subscribed(row, strategies[row[_STRATEGY]], signal.inst_id) for row in rows]


def _manual(row: Sequence[Any]) -> Link:
    account, caps, uid = _account(row)
    return Link(
        uid=uid,
        account=account,
        subscription_id=None,
        strategy_id=None,
        terms=SizingTerms(mode=SizingMode.FIXED_RATIO, ratio=Decimal(1)),
        margin_mode=MarginMode.CROSS,
        max_age=MANUAL_MAX_AGE,
        allowed=True,
        refuses_repeats=False,
        strategy_status=StrategyStatus.ACTIVE,
        subscription_status=SubscriptionStatus.ACTIVE,
        leverage_caps=caps,
    )


def _subscribed(row: Sequence[Any], strategy: Strategy, inst_id: str) -> Link:
    pk, uid, ratio, amount, max_leverage, status, strategy_id = row[: len(_OWN)]
    account, caps, _ = _account(row[len(_OWN) :])
    return Link(
        uid=uid,
        account=account,
        subscription_id=pk,
        strategy_id=strategy_id,
        terms=SizingTerms(
            mode=SizingMode(strategy.sizing_mode),
            ratio=strategy.follow_ratio if ratio is None else ratio,
            amount=strategy.fixed_notional if amount is None else amount,
            min_policy=MinSizePolicy(strategy.min_size_policy),
            over_max_policy=OverMaxPolicy(strategy.over_max_policy),
        ),
        margin_mode=MarginMode(strategy.margin_mode),
        max_age=timedelta(seconds=strategy.max_age_seconds),
        allowed=strategy.trades(inst_id),
        refuses_repeats=strategy.refuse_repeats,
        strategy_status=StrategyStatus(strategy.status),
        subscription_status=SubscriptionStatus(status),
        leverage_caps=(
            ("strategy", strategy.max_leverage),
            ("subscription", max_leverage),
            *caps,
        ),
    )


def _account(
    row: Sequence[Any],
) -> tuple[OutgoingAccount, tuple[tuple[str, Decimal | None], ...], UUID]:
    """The account, the leverage that its customer and it allow, and its public id."""
    status, of_customer, own, uid = row[len(_ACCOUNT) :]
    values: list[Any] = [*row[: len(_ACCOUNT)], OutgoingCustomer(status)]
    return OutgoingAccount(*values), (("customer", of_customer), ("account", own)), uid
