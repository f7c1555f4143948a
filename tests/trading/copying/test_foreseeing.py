"""What would happen is what does happen, and leaves no trace when it is only asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from accounts.enums import Role
from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from signals.enums import Direction, Intent
from signals.models import LeaderPosition, Signal
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, make_desk
from trading.copying.foreseeing import foresee
from trading.copying.imagined import Typed, as_if_now, typed_signal
from trading.models import Cycle, Decision, Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ROWS = (Signal, Subscription, Decision, Cycle, Order, LeaderPosition, AuditEntry)


@pytest.fixture
def desk() -> Desk:
    return make_desk(open_orders="market")


def counted(desk: Desk) -> list[int]:
    with tenant_scope(desk.tenant):
        return [model.objects.count() for model in ROWS]


def typed(desk: Desk, intent: Intent, quantity: str | None = None, **more: Any) -> Signal:
    value = None if quantity is None else Decimal(quantity)
    return typed_signal(desk.source, Typed(BTC, intent, Direction.LONG, value, **more))


def test_it_is_what_happens(desk: Desk) -> None:
    link, other = desk.follower(reverse=True), desk.follower(account={"max_order_notional": d(60)})
    stranger = make.make_account(make.make_customer(desk.tenant))
    before = counted(desk)

    with tenant_scope(desk.tenant):
        accounts = [link.account, other.account, stranger]
        foreseen = foresee(typed(desk, Intent.OPEN, "10"), desk.strategy, accounts)

    assert counted(desk) == before
    assert [one.follows for one in foreseen] == [True, True, False]
    assert [one.decision.reason for one in foreseen] == ["", "CAPPED", ""]
    desk.hear("open", "10")
    for one, sub in zip(foreseen, (link, other), strict=False):
        really = desk.last(sub)
        assert (one.decision.outcome, one.decision.reason) == (really.outcome, really.reason)
        assert one.decision.numbers == really.numbers
    sides = [(o.account_id, o.side, o.quantity) for o in desk.orders()]
    assert sides == [(link.account_id, "sell", d(1)), (other.account_id, "buy", d("0.1"))]


def test_it_starts_from_where_the_leader_and_the_follower_are(desk: Desk) -> None:
    link = desk.follower()
    signal = desk.say("open", "10")
    ended(desk.copy()[0])
    before = counted(desk)

    with tenant_scope(desk.tenant):
        again = as_if_now(Signal.objects.select_related("source", "tenant").get(pk=signal.pk))
        (more,) = foresee(again, desk.strategy, [link.account])
        (less,) = foresee(typed(desk, Intent.REDUCE, "5"), desk.strategy, [link.account])

    assert (more.move.before, more.move.after) == (d(10), d(20))
    assert [(o.leg, o.quantities) for o in more.draft.orders] == [("add", (d(1),))]
    assert [(o.leg, o.quantities) for o in less.draft.orders] == [("reduce", (d("0.5"),))]
    assert counted(desk) == before


def test_the_page_shows_every_step(desk: Desk, client: Any) -> None:
    link = desk.follower()
    client.force_login(make.make_user(Role.AUDITOR, tenant=desk.tenant))
    before = counted(desk)
    asked = {
        "strategy": desk.strategy.pk, "account": link.account_id, "instrument": BTC,
        "intent": "open", "direction": "long", "quantity": "10", "mode": "contracts",
    }  # fmt: skip

    response = client.post(reverse("admin:preview"), asked)

    shown = response.content.decode()
    assert response.status_code == 200
    for words in ("Open long BTC-USDT-SWAP", "Exact share", "Copied as an order of 1 contract"):
        assert words in shown
    after = counted(desk)
    assert after[:-1] == before[:-1]  # somebody logged in
    assert not connection.needs_rollback


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"quantity": ""}, "quantity"),
        ({"instrument": ""}, "instrument"),
        ({"signal": "0198c0de-0000-7000-8000-000000000000"}, "signal"),
        ({"strategy": ""}, "strategy"),
    ],
)
def test_what_is_missing_is_named(desk: Desk, client: Any, wrong: Any, field: str) -> None:
    client.force_login(make.make_user(Role.OWNER, tenant=desk.tenant))
    asked = {
        "strategy": desk.strategy.pk, "instrument": BTC, "intent": "open", "direction": "long",
        "quantity": "10", "mode": "contracts",
    }  # fmt: skip

    response = client.post(reverse("admin:preview"), asked | wrong)

    assert list(response.context["form"].errors) == [field]
