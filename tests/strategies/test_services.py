"""Strategies and subscriptions: terms are checked, states follow their table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import AuditEntry, Tenant
from accounts.tenancy import ScopeError, tenant_scope
from strategies import services
from strategies.enums import (
    SUBSCRIPTION_NEXT,
    SizingMode,
    StrategyStatus,
    SubscriptionStatus,
)
from strategies.models import Strategy, Subscription
from tests import factories
from tests.factories import make_account, make_customer, make_source, make_strategy, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def desk() -> Tenant:
    return make_tenant()


def diary(desk: Tenant) -> list[str]:
    with tenant_scope(desk):
        return list(AuditEntry.objects.order_by("at", "id").values_list("action", flat=True))


def test_a_strategy_follows_its_sources_with_the_defaults(desk: Tenant) -> None:
    sources = [make_source(desk), make_source(desk)]

    with tenant_scope(desk):
        strategy = services.create_strategy(name=" Trend ", sources=sources, actor=None)

        assert set(strategy.sources.all()) == set(sources)
    assert (strategy.name, strategy.status) == ("Trend", "active")
    assert (strategy.follow_ratio, strategy.max_leverage) == (Decimal("0.1"), Decimal(1))
    assert diary(desk) == ["strategy.created"]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"follow_ratio": Decimal(0)}, "follow_ratio"),
        ({"follow_ratio": Decimal(101)}, "follow_ratio"),
        ({"max_leverage": Decimal("0.5")}, "max_leverage"),
        ({"sizing_mode": SizingMode.FIXED_NOTIONAL}, "fixed_notional"),
        ({"instruments": "BTC-USDT-SWAP"}, "instruments"),
        ({"instruments": [""]}, "instruments"),
        ({"max_age_seconds": 0}, "max_age_seconds"),
        ({"sizing_mode": "GUESS"}, "sizing_mode"),
    ],
)
def test_terms_that_cannot_be_followed_are_refused(
    desk: Tenant, terms: dict[str, Any], field: str
) -> None:
    with tenant_scope(desk), pytest.raises(ValidationError) as refusal:
        services.create_strategy(name="Trend", sources=[], actor=None, **terms)

    assert field in refusal.value.message_dict
    assert diary(desk) == []


def test_a_strategy_cannot_follow_another_desk(desk: Tenant) -> None:
    with tenant_scope(desk), pytest.raises(ScopeError):
        services.create_strategy(name="Trend", sources=[make_source()], actor=None)
    assert diary(desk) == []


def test_changed_terms_are_in_the_diary(desk: Tenant) -> None:
    strategy = make_strategy(make_source(desk))

    with tenant_scope(desk):
        services.change_strategy(strategy=strategy, actor=None, follow_ratio=Decimal("0.5"))
        entry = AuditEntry.objects.get()

        assert Strategy.objects.get().follow_ratio == Decimal("0.5")
    assert (entry.before, entry.after) == ({"follow_ratio": "0.1"}, {"follow_ratio": "0.5"})


def test_a_strategy_is_paused_archived_and_brought_back_paused(desk: Tenant) -> None:
    strategy = make_strategy(make_source(desk))
    with tenant_scope(desk):
        for status in (
            StrategyStatus.PAUSED,
            StrategyStatus.PAUSED,
            StrategyStatus.ARCHIVED,
            StrategyStatus.PAUSED,
            StrategyStatus.ACTIVE,
            StrategyStatus.ARCHIVED,
        ):
            services.set_strategy_status(strategy=strategy, status=status, actor=None)
        with pytest.raises(ValidationError):
            services.set_strategy_status(
                strategy=strategy, status=StrategyStatus.ACTIVE, actor=None
            )

    assert diary(desk) == [
        f"strategy.{status}" for status in ("paused", "archived", "paused", "active", "archived")
    ]


def test_an_account_subscribes_once(desk: Tenant) -> None:
    strategy, account = make_strategy(make_source(desk)), make_account(make_customer(desk))
    with tenant_scope(desk):
        link = services.subscribe(
            strategy=strategy, account=account, actor=None, follow_ratio=Decimal(2)
        )
        with pytest.raises(ValidationError) as refusal:
            services.subscribe(strategy=strategy, account=account, actor=None)

    assert (link.status, link.follow_ratio) == ("active", Decimal(2))
    assert list(refusal.value.message_dict) == ["account"]
    assert diary(desk) == ["subscription.active"]


def test_who_stopped_may_follow_again_on_new_terms(desk: Tenant) -> None:
    link = factories.subscribe(make_strategy(make_source(desk)), follow_ratio=Decimal(2))
    with tenant_scope(desk):
        services.stop_subscription(subscription=link, actor=None, reason="enough")
        with pytest.raises(ValidationError):
            services.resume_subscription(subscription=link, actor=None)
        again = services.subscribe(strategy=link.strategy, account=link.account, actor=None)

        assert Subscription.objects.count() == 1
    assert (again.uid, again.status, again.follow_ratio) == (link.uid, "active", None)


@pytest.mark.parametrize("archived", ["account", "strategy"])
def test_nothing_archived_is_followed(desk: Tenant, archived: str) -> None:
    account = make_account(
        make_customer(desk), status="archived" if archived == "account" else "active"
    )
    strategy = make_strategy(
        make_source(desk), status="archived" if archived == "strategy" else "active"
    )

    with tenant_scope(desk), pytest.raises(ValidationError) as refusal:
        services.subscribe(strategy=strategy, account=account, actor=None)

    assert list(refusal.value.message_dict) == [archived]


@pytest.mark.parametrize("before", list(SubscriptionStatus))
@pytest.mark.parametrize("after", list(SubscriptionStatus))
def test_a_subscription_moves_only_along_its_table(
    desk: Tenant, before: SubscriptionStatus, after: SubscriptionStatus
) -> None:
    link = factories.subscribe(make_strategy(make_source(desk)), status=before)
    allowed = after == before or after in SUBSCRIPTION_NEXT[before]

    with tenant_scope(desk):
        if allowed:
            services.set_subscription_status(subscription=link, status=after, actor=None)
        else:
            with pytest.raises(ValidationError):
                services.set_subscription_status(subscription=link, status=after, actor=None)

        assert Subscription.objects.get().status == (after if allowed else before)


def test_the_named_moves(desk: Tenant) -> None:
    link = factories.subscribe(make_strategy(make_source(desk)))
    with tenant_scope(desk):
        for move in (
            services.pause_subscription,
            services.resume_subscription,
            services.close_only_subscription,
            services.stop_subscription,
        ):
            move(subscription=link, actor=None)

    assert diary(desk) == [
        f"subscription.{status}" for status in ("paused", "active", "close_only", "stopped")
    ]
