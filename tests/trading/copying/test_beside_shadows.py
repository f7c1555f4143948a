"""A shadow takes nothing from the following beside it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Installation
from accounts.tenancy import tenant_scope
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import Desk, d, make_desk
from trading.enums import LimitKind
from trading.switch import set_limit
from trading.usage import read_desks

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def shadowed(desk: Desk) -> tuple[Subscription, Subscription]:
    live = desk.follower()
    with tenant_scope(desk.tenant):
        account = make.make_account(live.account.customer, is_shadow=True)
        return live, make.subscribe(desk.strategy, account, is_shadow=True, shadow_of=live)


def a_desk(**terms: Any) -> Desk:
    Installation.objects.get_or_create(pk=1)
    return make_desk(**terms)


def test_each_may_have_as_many_orders_waiting_as_the_strategy_says(db: None) -> None:
    desk = a_desk(open_orders="limit", rungs=4, max_orders=8)
    live, shadow = shadowed(desk)

    first = desk.hear("open", "40")
    second = desk.hear("add", "40")
    third = desk.hear("add", "40")

    for link in (live, shadow):
        mine = [len([o for o in orders if o.link_uid == link.uid]) for orders in (first, second)]
        assert mine == [4, 4]
        assert desk.last(link).reason == "LIMIT_MAX_ORDERS"
    assert third == []


def test_accounts_of_one_customer_are_still_counted_together(db: None) -> None:
    desk = a_desk(open_orders="limit", rungs=4, max_orders=4)
    live = desk.follower()
    with tenant_scope(desk.tenant):
        other = make.subscribe(desk.strategy, make.make_account(live.account.customer))

    orders = desk.hear("open", "40")

    assert {o.link_uid for o in orders} == {live.uid}
    assert desk.last(other).reason == "LIMIT_MAX_ORDERS"


def test_what_a_desk_may_hold_is_not_used_up_by_a_shadow(db: None) -> None:
    desk = a_desk()
    live, shadow = shadowed(desk)
    with tenant_scope(desk.tenant):
        set_limit(kind=LimitKind.DESK_NOTIONAL, value=d(1000), actor=None, tenant=desk.tenant)

    orders = desk.hear("open", "10")
    (again,) = [o for o in desk.hear("add", "5") if o.link_uid == live.uid]

    assert {o.link_uid for o in orders} == {live.uid, shadow.uid}
    assert d("0.5") == again.quantity
    with tenant_scope(desk.tenant):
        place = (desk.tenant.pk, "simulator", again.inst_id)
        assert read_desks([place], timezone.now(), unsent=True) == {place: d(900)}
