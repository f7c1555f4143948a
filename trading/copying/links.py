"""A link: one account following one strategy, or one account traded by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from accounts.questions import Given, Question, columns_of
from accounts.rows import fetch
from customers.models import ExchangeAccount
from signals.models import Signal
from strategies.enums import FlipPolicy, OpenOrders, StrategyStatus, SubscriptionStatus
from strategies.matching import match
from strategies.models import Strategy, Subscription
from strategies.protection import ProtectionTerms, protection_of
from trading.copying.following import COLUMNS, Following, StrategyFollowing, by_hand
from trading.copying.price_terms import AT_MARKET, LadderTerms, PriceTerms
from trading.outgoing import OutgoingAccount, OutgoingCustomer
from trading.sizing import SizingTerms
from trading.switch import Covered

MANUAL_MAX_AGE = timedelta(seconds=60)


_OWN = ("pk", "uid", "max_slippage", "status", "strategy_id")
_PROTECTION = (
    "take_profit_ratio", "stop_loss_ratio", "protection_basis", "mirror_protection",
)  # fmt: skip
_STRATEGY = _OWN.index("strategy_id")
_ACCOUNT = tuple(name for name in OutgoingAccount._fields if name != "customer")
_LIMITS = ("customer__status", "customer__max_leverage", "max_leverage")
_SUBSCRIBED = (
    *_OWN,
    *_PROTECTION,
    *COLUMNS,
    *(f"account__{name}" for name in (*_ACCOUNT, *_LIMITS)),
)
_OF_FOLLOWING = len(_OWN) + len(_PROTECTION)
_OF_ACCOUNT = _OF_FOLLOWING + len(COLUMNS)


class Link(NamedTuple):
    """How one account follows; `subscription_id` is None for what staff trade by hand."""

    uid: UUID
    account: OutgoingAccount
    subscription_id: int | None
    strategy_id: int | None
    following: Following
    prices: PriceTerms
    max_age: timedelta
    refuses_repeats: bool
    strategy_status: StrategyStatus
    subscription_status: SubscriptionStatus
    leverage_caps: tuple[tuple[str, Decimal | None], ...]
    protection: ProtectionTerms

    @property
    def inst_id(self) -> str:
        """What the follower trades."""
        return self.following.inst_id

    @property
    def terms(self) -> SizingTerms:
        return self.following.sizing

    def as_begun(self, inst_id: str, reverse: bool) -> Link:
        """What runs goes on as it was begun, however things are mapped and turned by now."""
        following = self.following
        if (following.inst_id, following.reverse) == (inst_id, reverse):
            return self
        return self._replace(following=following._replace(inst_id=inst_id, reverse=reverse))

    def covered(self) -> Covered:
        return Covered(
            tenant_id=self.account.tenant_id,
            account_id=self.account.pk,
            customer_id=self.account.customer_id,
            inst_id=self.inst_id,
            strategy_id=self.strategy_id,
        )


def followers_of(signal: Signal) -> list[int]:
    """Everyone the signal concerns, by keys that `read_links` takes: subscriptions, in a stable
    order, or the one that the signal is for, or the account that it names.
    """
    if signal.is_by_hand:
        return [signal.account_id]  # type: ignore[list-item] # that is what it means
    if signal.link_uid is not None:
        return list(Subscription.objects.filter(uid=signal.link_uid).values_list("pk", flat=True))
    return list(match(signal).select_related(None).values_list("pk", flat=True))


def read_links(signal: Signal, keys: Sequence[int]) -> list[Link]:
    """These followers as they are now, in the order of their keys. Who is gone is left out."""
    if signal.is_by_hand:
        accounts = ExchangeAccount.objects.filter(pk__in=keys)
        rows = fetch(accounts.values_list("uid", *_ACCOUNT, *_LIMITS))
        return [_manual(row, signal.inst_id) for row in rows]
    rows = _FOLLOWERS.ask(keys=keys)
    strategies = {
        strategy.pk: _Terms(strategy, signal.inst_id)
        for strategy in _STRATEGIES.objects(keys={row[_STRATEGY] for row in rows})
    }
    return [strategies[row[_STRATEGY]].link(row) for row in rows]


_STRATEGIES = Question(
    lambda: (
        Strategy.objects.filter(pk__among=Given("keys"))
        .order_by()
        .values_list(*columns_of(Strategy))
    )
)
_FOLLOWERS = Question(
    lambda: (
        Subscription.objects.filter(pk__among=Given("keys"))
        .order_by("pk")
        .values_list(*_SUBSCRIBED)
    )
)


def _manual(row: Sequence[Any], inst_id: str) -> Link:
    uid, *rest = row
    account, caps = _account(rest)
    return Link(
        uid=uid,
        account=account,
        subscription_id=None,
        strategy_id=None,
        following=by_hand(inst_id),
        prices=AT_MARKET,
        max_age=MANUAL_MAX_AGE,
        refuses_repeats=False,
        strategy_status=StrategyStatus.ACTIVE,
        subscription_status=SubscriptionStatus.ACTIVE,
        leverage_caps=caps,
        protection=ProtectionTerms(),
    )


class _Terms:
    """What the followers of one strategy have in common, worked out once."""

    def __init__(self, strategy: Strategy, inst_id: str) -> None:
        self._strategy = strategy
        self._following = StrategyFollowing(strategy, inst_id)
        self._same = (
            timedelta(seconds=strategy.max_age_seconds),
            strategy.refuse_repeats,
            StrategyStatus(strategy.status),
        )
        self._protections: dict[tuple[Any, ...], ProtectionTerms] = {}
        self._prices: dict[Decimal | None, PriceTerms] = {}
        self._statuses = {status.value: status for status in SubscriptionStatus}

    def link(self, row: Sequence[Any]) -> Link:
        pk, uid, slippage, status, strategy_id = row[: len(_OWN)]
        account, caps = _account(row[_OF_ACCOUNT:])
        prices = self._price_terms(slippage)
        own = tuple(row[_OF_FOLLOWING:_OF_ACCOUNT])
        following = self._following.of(own, prices.max_slippage)
        return Link(
            uid,
            account,
            pk,
            strategy_id,
            following,
            prices,
            *self._same,
            self._statuses[status],
            (*following.leverage_caps, *caps),
            self._protection(tuple(row[len(_OWN) : _OF_FOLLOWING])),
        )

    def _protection(self, own: tuple[Any, ...]) -> ProtectionTerms:
        found = self._protections.get(own)
        if found is None:
            found = self._protections[own] = protection_of(self._strategy, *own)
        return found

    def _price_terms(self, slippage: Decimal | None) -> PriceTerms:
        found = self._prices.get(slippage)
        if found is None:
            strategy = self._strategy
            found = self._prices[slippage] = PriceTerms(
                open_orders=OpenOrders(strategy.open_orders),
                max_slippage=strategy.max_slippage if slippage is None else slippage,
                flip_policy=FlipPolicy(strategy.flip_policy),
                ladder=LadderTerms(
                    discount_min=strategy.discount_min,
                    discount_max=strategy.discount_max,
                    rungs=strategy.rungs,
                    max_orders=strategy.max_orders,
                    post_only=strategy.post_only,
                ),
            )
        return found


def _account(
    row: Sequence[Any],
) -> tuple[OutgoingAccount, tuple[tuple[str, Decimal | None], ...]]:
    """The account, and the leverage that its customer and it allow."""
    status, of_customer, own = row[len(_ACCOUNT) :]
    values: list[Any] = [*row[: len(_ACCOUNT)], OutgoingCustomer(status)]
    return OutgoingAccount(*values), (("customer", of_customer), ("account", own))
