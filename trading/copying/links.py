"""A link: one account following one strategy, or one account traded by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

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
from strategies.models import Subscription
from trading.sizing import SizingTerms
from trading.switch import Covered

MANUAL_MAX_AGE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Link:
    """How one account follows; `subscription` is None for what staff trade by hand."""

    uid: UUID
    account: ExchangeAccount
    subscription: Subscription | None
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
            strategy_id=self.subscription.strategy_id if self.subscription else None,
        )


def links_of(signal: Signal) -> list[Link]:
    """Everyone the signal concerns: the followers of its source, or the account it names."""
    if signal.account_id is not None:
        account = ExchangeAccount.objects.select_related("customer").get(pk=signal.account_id)
        return [manual_link(account)]
    return [_subscribed(subscription, signal.inst_id) for subscription in match(signal)]


def manual_link(account: ExchangeAccount) -> Link:
    return Link(
        uid=account.uid,
        account=account,
        subscription=None,
        terms=SizingTerms(mode=SizingMode.FIXED_RATIO, ratio=Decimal(1)),
        margin_mode=MarginMode.CROSS,
        max_age=MANUAL_MAX_AGE,
        allowed=True,
        refuses_repeats=False,
        strategy_status=StrategyStatus.ACTIVE,
        subscription_status=SubscriptionStatus.ACTIVE,
        leverage_caps=_personal_caps(account),
    )


def _subscribed(subscription: Subscription, inst_id: str) -> Link:
    strategy, account = subscription.strategy, subscription.account
    ratio = subscription.follow_ratio
    amount = subscription.fixed_notional
    terms = SizingTerms(
        mode=SizingMode(strategy.sizing_mode),
        ratio=strategy.follow_ratio if ratio is None else ratio,
        amount=strategy.fixed_notional if amount is None else amount,
        min_policy=MinSizePolicy(strategy.min_size_policy),
        over_max_policy=OverMaxPolicy(strategy.over_max_policy),
    )
    return Link(
        uid=subscription.uid,
        account=account,
        subscription=subscription,
        terms=terms,
        margin_mode=MarginMode(strategy.margin_mode),
        max_age=timedelta(seconds=strategy.max_age_seconds),
        allowed=strategy.trades(inst_id),
        refuses_repeats=strategy.refuse_repeats,
        strategy_status=StrategyStatus(strategy.status),
        subscription_status=SubscriptionStatus(subscription.status),
        leverage_caps=(
            ("strategy", strategy.max_leverage),
            ("subscription", subscription.max_leverage),
            *_personal_caps(account),
        ),
    )


def _personal_caps(account: ExchangeAccount) -> tuple[tuple[str, Decimal | None], ...]:
    return (("customer", account.customer.max_leverage), ("account", account.max_leverage))
