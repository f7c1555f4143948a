"""What an order's end means for its cycle counts for the next signal, event or no event."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.tenancy import all_tenants, tenant_scope
from tests.trading.copying.desk import Desk
from trading.copying import run
from trading.leases import db_now
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def end(order: Order, filled: str, state: str = "canceled") -> None:
    with all_tenants("the exchange ended it, and nobody heard the event"):
        Order.objects.filter(pk=order.pk).update(state=state, filled_quantity=Decimal(filled))


def test_an_underfilled_opening_is_not_made_up_for_by_the_next_add(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    end(opened, "0.4")

    (added,) = desk.hear("add", "5")

    assert (opened.quantity, added.quantity) == (Decimal(1), Decimal("0.2"))


def test_an_opening_that_came_to_nothing_is_not_added_to(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    end(opened, "0", "rejected")

    assert desk.hear("add", "5") == []
    (cycle,) = desk.cycles()
    assert cycle.ended_at is not None


def test_whoever_lost_the_claim_goes_no_further(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        desk.follower()
    signal = desk.say("open", "10")
    monkeypatch.setattr(run, "CHUNK", 2)

    with tenant_scope(desk.tenant):
        orders = run.copy_signal(signal, lane_at=db_now(), keep_claim=lambda: False)

    assert len(orders) == len(desk.orders()) == 2
    assert len(desk.copy()) == 2
    assert len(desk.decisions()) == 4
