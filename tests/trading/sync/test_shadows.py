"""Shadows at the real simulator: opened beside a following, decided alike, counted nowhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.enums import Role
from accounts.models import Installation
from accounts.tenancy import tenant_scope
from customers.enums import Market
from customers.models import ExchangeAccount
from strategies import services
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import Desk, d
from tests.trading.sync.venue import Venue
from trading import paper, tasks
from trading.models import Balance, Decision, Order
from trading.paper.shadows import open_shadow
from trading.performance import holdings
from trading.performance.shadows import compare
from trading.sync.market import load_instruments
from trading.sync.reconcile import reconcile_account

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


@pytest.fixture
def desk(venue: Venue, settings: Any) -> Desk:
    settings.SIMULATOR_CONTROL_URL = venue.control
    Installation.objects.get_or_create(pk=1)
    load_instruments("simulator")
    settings.MARK_STALE_AFTER_S = 600
    make.set_price("BTC-USDT-SWAP", 60_000)
    tenant = make.make_tenant()
    source = make.make_source(tenant)
    return Desk(tenant, source, make.make_strategy(source))


@pytest.fixture
def live(desk: Desk) -> Subscription:
    """A following on an account that counts, here one of the simulator's as well."""
    with tenant_scope(desk.tenant):
        account = paper.open_paper_account(
            customer=make.make_customer(desk.tenant),
            label="live",
            balances={"USDT": Decimal(12_345)},
            actor=None,
        )
    tasks.verify_account(account.pk)
    assert reconcile_account(account.pk, cause="test").ok
    with tenant_scope(desk.tenant):
        account = ExchangeAccount.objects.get(pk=account.pk)
        return services.subscribe(
            strategy=desk.strategy, account=account, actor=None, follow_ratio=d("0.2")
        )


def shadowed(desk: Desk, live: Subscription, **terms: Any) -> Subscription:
    with tenant_scope(desk.tenant):
        shadow = open_shadow(subscription=live, actor=None, **terms)
    tasks.verify_account(shadow.account_id)
    return shadow


def test_a_shadow_begins_as_rich_and_on_the_same_terms(desk: Desk, live: Subscription) -> None:
    shadow = shadowed(desk, live)

    with tenant_scope(desk.tenant):
        account = ExchangeAccount.objects.get(pk=shadow.account_id)
        live_worth = Balance.objects.get(account=live.account, currency="USDT").equity
    assert (account.market, account.is_shadow, account.key_status) == (
        Market.SIMULATOR,
        True,
        "verified",
    )
    assert Decimal(account.paper_balances["USDT"]) == live_worth.quantize(Decimal("0.01"))
    assert (shadow.follow_ratio, shadow.shadow_of_id) == (d("0.2"), live.pk)
    with tenant_scope(desk.tenant), pytest.raises(ValidationError, match="shadow already"):
        open_shadow(subscription=live, actor=None)
    with tenant_scope(desk.tenant), pytest.raises(ValidationError, match="of its own"):
        open_shadow(subscription=shadow, actor=None)


def test_both_decide_the_same_signals_and_are_compared(desk: Desk, live: Subscription) -> None:
    shadow = shadowed(desk, live)
    with tenant_scope(desk.tenant):
        services.change_subscription(subscription=shadow, actor=None, follow_ratio=d("0.1"))

    orders = desk.hear("open", "10")
    tasks.send_orders(order.pk for order in orders)
    desk.hear("open", "10", inst_id="NOT-LISTED-SWAP")
    for link in (live, shadow):
        assert reconcile_account(link.account_id, cause="test").ok

    with tenant_scope(desk.tenant):
        shadow = Subscription.objects.select_related("shadow_of").get(pk=shadow.pk)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            found = compare(shadow)
        before = len(asked)
    unknown, opened = found.rows
    assert (opened.live.outcome, opened.shadow.outcome) == ("copied", "copied")
    assert (opened.live.ordered, opened.shadow.ordered) == (d(2), d(1))
    assert (opened.live.filled, opened.shadow.filled) == (d(2), d(1))
    assert opened.live.price is not None
    assert (unknown.live.reason, unknown.differs) == ("INSTRUMENT_UNKNOWN", False)
    assert (found.live.fills, found.shadow.fills, found.differences) == (1, 1, 0)
    assert found.live.pnl < found.shadow.pnl < 0, "fees"

    desk.hear("add", "10")
    with tenant_scope(desk.tenant), CaptureQueriesContext(connection) as asked:
        compare(shadow)
    assert len(asked) == before == 3


def test_a_shadow_is_part_of_no_total_and_no_customer_sees_it(
    desk: Desk, live: Subscription
) -> None:
    with tenant_scope(desk.tenant):
        before = [each.equity for each in holdings(ExchangeAccount.objects.counted())]
    shadow = shadowed(desk, live)
    assert reconcile_account(shadow.account_id, cause="test").ok
    customer = live.account.customer
    user = make.make_user(Role.CUSTOMER, tenant=desk.tenant)
    with tenant_scope(desk.tenant):
        type(customer).objects.filter(pk=customer.pk).update(portal_user=user)
        desk.hear("open", "10")

        after = [each.equity for each in holdings(ExchangeAccount.objects.counted())]
        own = list(ExchangeAccount.objects.visible_to(user))
        seen = {
            model.__name__: set(model.objects.visible_to(user).values_list("account", flat=True))
            for model in (Order, Decision, Subscription, Balance)
        }
        bound = services.bind_customer(
            strategy=make.make_strategy(make.make_source(desk.tenant)),
            customer=customer,
            actor=None,
        )
    assert after == before
    assert [account.pk for account in own] == [live.account_id]
    assert all(accounts == {live.account_id} for accounts in seen.values()), seen
    assert [link.account_id for link in bound] == [live.account_id]


def test_the_pages_show_both(desk: Desk, live: Subscription) -> None:
    client = Client()
    client.force_login(make.make_user(Role.OWNER, tenant=desk.tenant))

    refused = client.post(reverse("admin:shadows"), {"subscription": live.pk, "balance": "0"})
    opened = client.post(
        reverse("admin:shadows"), {"subscription": live.pk, "balance": "500", "reason": "try"}
    )
    desk.hear("open", "10")

    assert refused.status_code == 200
    page = client.get(opened.url).content.decode()
    assert opened.status_code == 302
    assert "Signal by signal" in page
    assert "BTC-USDT-SWAP" in page
    assert client.get(reverse("admin:shadows")).status_code == 200
    with tenant_scope(desk.tenant):
        shadow = Subscription.objects.select_related("account").get(is_shadow=True)
    assert Decimal(shadow.account.paper_balances["USDT"]) == 500
    absent = reverse("admin:strategies_subscription_shadow", args=(live.pk,))
    assert client.get(absent).status_code == 404
