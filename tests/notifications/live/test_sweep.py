"""What a process died over is told within seconds; what is old is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from notifications.live import sweep
from notifications.live.audiences import STAFF
from notifications.live.finding import Source
from notifications.live.relay import relay
from notifications.models import LiveEvent, LiveStream
from tests.live_rows import make_orders, step
from tests.notifications.live.conftest import Desk
from tests.notifications.live.test_relay import listen, told
from trading.enums import OrderState
from trading.models import Balance

pytestmark = pytest.mark.database
AGO = timedelta(seconds=3)


@pytest.fixture
def now_is_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep comes three seconds after what these tests do."""
    now = sweep.db_now
    monkeypatch.setattr(sweep, "db_now", lambda: now() + AGO)


def test_untold_changes_of_every_kind_are_told(desk: Desk, now_is_later: None) -> None:
    listen(desk, STAFF)
    [order] = make_orders(desk.account, 1)
    step([order], OrderState.SENDING)
    with tenant_scope(desk.tenant), transaction.atomic():
        entry = audit.record(action="x", level=AuditLevel.CRITICAL)
        Balance(account=desk.account, currency="USDT", updated_at=timezone.now()).save()

    sweep.sweep_missed()

    assert told(desk, STAFF) == [
        ("attention", 1, "alert", str(entry.pk)),
        ("equity", 1, "account", str(desk.account.pk)),
        ("orders", 1, "order", str(order.pk)),
        ("positions", 1, "account", str(desk.account.pk)),
        ("signals", 1, "signal", str(order.signal_id)),
    ]
    assert sweep.sweep_missed() == []


def test_a_new_order_is_told_of_before_anything_happened_to_it(
    desk: Desk, now_is_later: None
) -> None:
    listen(desk, STAFF)
    [order] = make_orders(desk.account, 1)

    sweep.sweep_missed()

    assert ("orders", 1, "order", str(order.pk)) in told(desk, STAFF)


def test_what_was_told_is_not_told_again(desk: Desk, now_is_later: None) -> None:
    listen(desk, STAFF)
    [order] = make_orders(desk.account, 1)
    step([order], OrderState.SENDING)
    relay({Source.ORDERS: [order.pk], Source.SIGNALS: [order.signal_id]})

    assert sweep.sweep_missed() == []


def test_a_change_after_the_last_telling_is_told(desk: Desk, now_is_later: None) -> None:
    listen(desk, STAFF)
    [order] = make_orders(desk.account, 1)
    step([order], OrderState.SENDING)
    relay({Source.ORDERS: [order.pk], Source.SIGNALS: [order.signal_id]})
    step([order], OrderState.LIVE)

    sweep.sweep_missed()

    assert [seq for stream, seq, _, _ in told(desk, STAFF) if stream == "orders"] == [1, 2]


def test_look_at_everything_covers_each(desk: Desk, now_is_later: None) -> None:
    listen(desk, STAFF)
    orders = make_orders(desk.account, 101)
    step(orders, OrderState.SENDING)
    relay({Source.ORDERS: [o.pk for o in orders], Source.SIGNALS: [orders[0].signal_id]})

    assert sweep.sweep_missed() == []


def test_with_nobody_listening_it_asks_one_question(
    desk: Desk, django_assert_num_queries: Any
) -> None:
    make_orders(desk.account, 1)

    with django_assert_num_queries(1 if connection.vendor == "sqlite" else 3):  # and the time
        assert sweep.sweep_missed() == []


def test_events_are_kept_a_day_and_ten_thousand_of_a_desk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "KEPT_PER_DESK", 5)
    listen(desk, STAFF)
    with tenant_scope(desk.tenant):
        for seq in range(1, 9):
            at = timezone.now() - timedelta(hours=25 if seq == 1 else 0, seconds=10 - seq)
            LiveEvent(
                audience=STAFF, stream="orders", seq=seq, kind="order", object_id=str(seq), at=at
            ).save()

    assert sweep.forget_old() == 3

    assert [seq for _, seq, _, _ in told(desk, STAFF)] == [4, 5, 6, 7, 8]
    with tenant_scope(desk.tenant):
        assert LiveStream.objects.count() == 5
