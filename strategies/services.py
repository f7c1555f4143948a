"""What is done to strategies and subscriptions. Raises ValidationError by field."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import require_scope
from customers.enums import AccountStatus, CustomerStatus
from customers.ports import copied_positions
from strategies.enums import (
    CopyExisting,
    FlipPolicy,
    LeverageMode,
    MarginChoice,
    MinSizePolicy,
    OpenOrders,
    OverMaxPolicy,
    ProtectionBasis,
    SizingMode,
    StrategyStatus,
    SubscriptionStatus,
)
from strategies.existing import copy_existing
from strategies.lifecycle import (
    close_only_subscription,
    pause_subscription,
    resume_subscription,
    set_strategy_status,
    set_subscription_status,
    stop_subscription,
)
from strategies.models import Strategy, StrategySource, Subscription
from strategies.refusing import refused_sources

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import Customer, ExchangeAccount
    from signals.models import SignalSource


__all__ = [
    "bind_customer",
    "change_strategy",
    "change_subscription",
    "close_only_subscription",
    "create_strategy",
    "follow",
    "pause_subscription",
    "resume_subscription",
    "set_strategy_status",
    "set_subscription_status",
    "stop_subscription",
    "subscribe",
]


class StrategyTerms(TypedDict, total=False):
    """How a strategy follows; what is left out keeps its default or its present value."""

    instruments: list[str]
    denied_instruments: list[str]
    instrument_terms: dict[str, dict[str, Any]]
    reverse: bool
    sizing_mode: SizingMode
    follow_ratio: Decimal
    equity_multiplier: Decimal
    fixed_notional: Decimal | None
    fixed_margin: Decimal | None
    fixed_quantity: Decimal | None
    available_ratio: Decimal | None
    risk_ratio: Decimal | None
    per_signal: bool
    allocated_capital: Decimal | None
    max_account_leverage: Decimal | None
    min_size_policy: MinSizePolicy
    round_up_floor: Decimal
    over_max_policy: OverMaxPolicy
    margin_mode: MarginChoice
    leverage_mode: LeverageMode
    leverage: Decimal | None
    max_leverage: Decimal
    max_age_seconds: int
    refuse_repeats: bool
    open_orders: OpenOrders
    max_slippage: Decimal
    flip_policy: FlipPolicy
    discount_min: Decimal
    discount_max: Decimal
    rungs: int
    max_orders: int
    post_only: bool
    ttl_hours: int
    take_profit_ratio: Decimal | None
    stop_loss_ratio: Decimal | None
    protection_basis: ProtectionBasis
    mirror_protection: bool


class SubscriptionTerms(TypedDict, total=False):
    """What one account does differently; None or "" takes the strategy's."""

    denied_instruments: list[str]
    instrument_terms: dict[str, dict[str, Any]]
    reverse: bool | None
    sizing_mode: str
    follow_ratio: Decimal | None
    equity_multiplier: Decimal | None
    fixed_notional: Decimal | None
    fixed_margin: Decimal | None
    fixed_quantity: Decimal | None
    available_ratio: Decimal | None
    risk_ratio: Decimal | None
    allocated_capital: Decimal | None
    max_account_leverage: Decimal | None
    min_size_policy: str
    over_max_policy: str
    margin_mode: str
    leverage_mode: str
    leverage: Decimal | None
    max_leverage: Decimal | None
    max_slippage: Decimal | None
    take_profit_ratio: Decimal | None
    stop_loss_ratio: Decimal | None
    protection_basis: ProtectionBasis | str
    mirror_protection: bool | None
    copy_existing: CopyExisting


@transaction.atomic
def create_strategy(
    *,
    name: str,
    sources: Sequence[SignalSource],
    actor: User | None,
    **terms: Unpack[StrategyTerms],
) -> Strategy:
    """Add a strategy listening to these sources to the desk whose scope is open."""
    tenant_id = require_scope("create_strategy").tenant_id
    strategy = Strategy(tenant_id=tenant_id, name=name.strip(), **terms)  # type: ignore[misc]
    strategy.full_clean()
    strategy.save()
    refused = refused_sources(strategy.sizing_mode, sources)
    if refused:
        raise ValidationError(refused)
    for source in sources:
        StrategySource.objects.create(tenant_id=tenant_id, strategy=strategy, source=source)
    audit.record(
        action="strategy.created",
        obj=strategy,
        after={"name": strategy.name, "sources": [str(each) for each in sources], **terms},
        actor=actor,
    )
    return strategy


@transaction.atomic
def change_strategy(
    *, strategy: Strategy, actor: User | None, **terms: Unpack[StrategyTerms]
) -> Strategy:
    """Change how it follows from the next signal on. What already runs keeps its ratio."""
    strategy = Strategy.objects.select_for_update().get(pk=strategy.pk)
    before = {name: getattr(strategy, name) for name in terms}
    for name, value in terms.items():
        setattr(strategy, name, value)
    strategy.full_clean()
    strategy.save()
    audit.record(
        action="strategy.changed",
        obj=strategy,
        before=before,
        after=terms,
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return strategy


@transaction.atomic
def subscribe(
    *,
    strategy: Strategy,
    account: ExchangeAccount,
    actor: User | None,
    **terms: Unpack[SubscriptionTerms],
) -> Subscription:
    """Let an account follow a strategy from the next opening on.

    What the leader holds already is copied where `copy_existing` says so, once. An account that
    stopped may follow again; it keeps its link and gets these terms.
    """
    if account.status == AccountStatus.ARCHIVED:
        raise ValidationError({"account": _("The account is archived.")})
    if strategy.status == StrategyStatus.ARCHIVED:
        raise ValidationError({"strategy": _("The strategy is archived.")})
    link = _stopped_or_new(strategy, account)
    for name in SubscriptionTerms.__annotations__:
        field: Any = Subscription._meta.get_field(name)
        setattr(link, name, terms.get(name, field.get_default()))
    link.status = SubscriptionStatus.ACTIVE
    link.ending, link.ending_at, link.started_at = "", None, timezone.now()
    link.full_clean()
    _save_link(link)
    audit.record(
        action="subscription.active",
        obj=link,
        after={"strategy": strategy.name, "account": str(account), **terms},
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    copy_existing(link, actor=actor)
    return link


@transaction.atomic
def follow(*, subscription: Subscription, actor: User | None, reason: str = "") -> Subscription:
    """Resume a following; one that was stopped begins again, on the terms that it had."""
    link = Subscription.objects.select_related("strategy", "account").get(pk=subscription.pk)
    if link.status != SubscriptionStatus.STOPPED:
        return resume_subscription(subscription=link, actor=actor, reason=reason)
    terms: Any = {name: getattr(link, name) for name in SubscriptionTerms.__annotations__}
    return subscribe(strategy=link.strategy, account=link.account, actor=actor, **terms)


@transaction.atomic
def bind_customer(
    *,
    strategy: Strategy,
    customer: Customer,
    actor: User | None,
    **terms: Unpack[SubscriptionTerms],
) -> list[Subscription]:
    """Let every open account of a customer follow a strategy: all of them, or on a refusal none."""
    if customer.status == CustomerStatus.ARCHIVED:
        raise ValidationError({"customer": _("The customer is archived.")})
    accounts = (
        customer.accounts.filter(is_shadow=False)
        .exclude(status=AccountStatus.ARCHIVED)
        .order_by("pk")
    )
    links = [
        subscribe(strategy=strategy, account=account, actor=actor, **terms)
        for account in accounts.select_related("customer")
    ]
    if not links:
        raise ValidationError({"customer": _("The customer has no open account.")})
    return links


@transaction.atomic
def change_subscription(
    *, subscription: Subscription, actor: User | None, **terms: Unpack[SubscriptionTerms]
) -> Subscription:
    """Change an account's own terms from the next opening on."""
    subscription = Subscription.objects.select_for_update().get(pk=subscription.pk)
    before = {name: getattr(subscription, name) for name in terms}
    for name, value in terms.items():
        setattr(subscription, name, value)
    subscription.full_clean()
    subscription.save()
    audit.record(
        action="subscription.changed",
        obj=subscription,
        before=before,
        after=terms,
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return subscription


def _save_link(link: Subscription) -> None:
    try:
        with transaction.atomic():
            link.save()
    except IntegrityError as error:  # somebody else was faster
        raise ValidationError(
            {"account": _("This account follows the strategy already.")}
        ) from error


def _stopped_or_new(strategy: Strategy, account: ExchangeAccount) -> Subscription:
    link: Subscription | None = (
        Subscription.objects.select_for_update().filter(strategy=strategy, account=account).first()
    )
    if link is None:
        return Subscription(tenant_id=strategy.tenant_id, strategy=strategy, account=account)
    if link.status != SubscriptionStatus.STOPPED:
        raise ValidationError({"account": _("This account follows the strategy already.")})
    if copied_positions().of_links([link.uid]):
        raise ValidationError({"account": _("It still holds what was left to a person.")})
    return link
