"""What the exchange does not show: gone for good, or only late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from strategies.models import Subscription
from tests.trading.execution.bench import Bench, diary
from tests.trading.execution.resting import BTC, held_there, resting, there
from tests.trading.execution.test_protections import (
    BOTH,
    algos_there,
    assert_true,
    follow,
    opened,
    price,
    protections,
    quick,
)
from trading.endpoints import client_of, keys_of
from trading.enums import OrderState, ProtectionState
from trading.exchange.runner import exchange_loop
from trading.exchange.types import CancelRequest
from trading.execution import sweep
from trading.execution.protecting import keep_protections
from trading.leases import db_now
from trading.models import Order, Protection, ReconcileRun
from trading.sync import reconcile, truth
from trading.sync.apply import vanished
from trading.sync.reconcile import reconcile_account

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
__all__ = ["quick"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Iterator[None]:
    monkeypatch.setattr(reconcile, "QUIET", timedelta(0))
    yield
    bench.ask("POST", "/limits", purge_canceled_ms=7_200_000)


def cancel_there(order: Order) -> None:
    """The customer, or OKX, takes it back while nobody here listens."""
    with tenant_scope(order.tenant_id):
        account = ExchangeAccount.objects.get(pk=order.account_id)
        keys = keys_of(account, purpose="test")
    request = CancelRequest(inst_id=BTC, exchange_order_id=order.exchange_order_id)
    exchange_loop().run(client_of(account).cancel_orders(keys, [request]))


def read(order: Order) -> None:
    assert reconcile_account(order.account_id, cause="test").ok


def test_an_order_that_was_forgotten_by_the_exchange_does_not_wait_for_ever(bench: Bench) -> None:
    link = bench.follower()
    order = resting(bench, link)
    read(order)
    assert bench.now(order).state == OrderState.LIVE
    bench.ask("POST", "/limits", purge_canceled_ms=0)
    cancel_there(order)

    for _ in range(vanished.READINGS - 1):
        read(order)
    assert bench.now(order).state == OrderState.LIVE
    read(order)

    after = bench.now(order)
    assert (after.state, after.filled_quantity) == (OrderState.CANCELED, 0)
    assert after.finished_at is not None


def test_one_reading_that_finds_it_begins_the_count_anew(bench: Bench) -> None:
    link = bench.follower()
    order = resting(bench, link)
    with all_tenants("readings before"):
        Order.objects.filter(pk=order.pk).update(not_found_count=vanished.READINGS)

    read(order)

    after = bench.now(order)
    assert (after.state, after.not_found_count) == (OrderState.LIVE, 0)
    assert there(order).filled_quantity == 0


def test_a_stop_that_was_heard_of_a_moment_ago_is_not_given_up_because_a_read_lags(
    bench: Bench,
) -> None:
    link = bench.follower()
    opened(bench, **BOTH)
    (kept,) = protections()
    assert kept.state == ProtectionState.LIVE
    bench.fault("data_empty", times=5, path="/api/v5/trade/orders-algo-pending")
    bench.fault("code:51603", times=5, path="/api/v5/trade/order-algo")

    with all_tenants("a look at once, as after a push"):
        keep_protections([kept.cycle_id])

    bench.ask("DELETE", "/faults")
    assert [row.state for row in protections()] == [ProtectionState.LIVE]
    follow(bench, "close")
    assert_true(bench, link.account)
    assert algos_there(link.account) == ()


@pytest.mark.parametrize("state", [ProtectionState.CANCELED, ProtectionState.FAILED])
def test_a_stop_that_was_given_up_and_is_there_after_all_ends_with_its_position(
    bench: Bench, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = bench.follower()
    opened(bench, **BOTH)
    follow(bench, "add", "10", **BOTH)
    sweep()
    first, _later = protections()
    given_up: dict[str, Any] = {"reason": "The exchange did not arm it", "finished_at": db_now()}
    with all_tenants("given up"):
        Protection.objects.filter(pk=first.pk).update(state=state, **given_up)
    assert len(algos_there(link.account)) == 2

    sweep()

    assert [row.state for row in protections()] == ["live", "live"]
    follow(bench, "close")
    assert_true(bench, link.account)
    assert algos_there(link.account) == ()
    assert Decimal(0) == sum(row.is_active for row in protections())


def test_a_stop_that_is_triggered_before_anybody_heard_of_it_is_nobody_s_hand(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fill is read before the order that the stop became."""
    monkeypatch.setattr(truth, "SETTLED", timedelta(0))
    link = bench.follower()
    opened(bench, **BOTH)
    price(bench, 58_900)
    assert held_there(link.account) == {}

    first = reconcile_account(link.account_id, cause="test")
    assert first.unconfirmed == 1
    sweep()
    with all_tenants("a while ago"):
        ReconcileRun.objects.update(started_at=db_now() - timedelta(seconds=10))
    reconcile_account(link.account_id, cause="test")

    assert diary("repair.foreign") == []
    with tenant_scope(link.tenant_id):
        assert Subscription.objects.get(pk=link.pk).status == "active"
        assert Order.objects.latest("created_at").cause == "stop_loss"
