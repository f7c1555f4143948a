"""From committed changes to numbered events of the right audiences."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel, Role
from accounts.models import AuditEntry, Membership
from accounts.services import remove_member
from accounts.tenancy import tenant_scope
from notifications.enums import Stream
from notifications.live.audiences import STAFF, customer_audience, streams_of
from notifications.live.collector import Collector
from notifications.live.finding import Source
from notifications.live.relay import relay
from notifications.models import LiveEvent, LiveStream
from tests import factories as make
from tests.live_rows import make_orders
from tests.notifications.live.conftest import Desk

pytestmark = [pytest.mark.database]


def listen(desk: Desk, *audiences: str, ago: timedelta = timedelta(0)) -> None:
    with tenant_scope(desk.tenant):
        for audience in audiences:
            for stream in streams_of(audience):
                LiveStream(audience=audience, stream=stream, heard_at=timezone.now() - ago).save()


def told(desk: Desk, audience: str) -> list[tuple[str, int, str, str]]:
    with tenant_scope(desk.tenant):
        rows = LiveEvent.objects.filter(audience=audience).order_by("stream", "seq")
        return list(rows.values_list("stream", "seq", "kind", "object_id"))


def test_an_order_is_told_to_staff_and_its_customer_only(desk: Desk) -> None:
    mine, others = customer_audience(desk.customer.pk), customer_audience(desk.other.pk)
    listen(desk, STAFF, mine, others)
    [order] = make_orders(desk.account, 1)

    posted = relay({Source.ORDERS: [order.pk]})

    event = [("orders", 1, "order", str(order.pk))]
    assert (told(desk, STAFF), told(desk, mine), told(desk, others)) == (event, event, [])
    frame = {"stream": "orders", "first": 1, "seq": 1,
             "items": [{"kind": "order", "id": str(order.pk)}]}  # fmt: skip
    assert posted == [
        (f"t.{desk.tenant.pk}.{audience}", {"type": "live.frame", **frame})
        for audience in (STAFF, mine)
    ]


def test_a_signal_is_told_to_staff_and_to_customers_it_was_decided_for(desk: Desk) -> None:
    mine, others = customer_audience(desk.customer.pk), customer_audience(desk.other.pk)
    listen(desk, STAFF, mine, others)
    [order] = make_orders(desk.account, 1)

    relay({Source.SIGNALS: [str(order.signal_id)]})

    event = [("signals", 1, "signal", str(order.signal_id))]
    assert (told(desk, STAFF), told(desk, mine), told(desk, others)) == (event, event, [])


def test_a_person_of_two_customers_hears_of_both_as_the_first(desk: Desk) -> None:
    second = make.make_customer(desk.tenant, portal_user=desk.person)
    mine = customer_audience(desk.customer.pk)
    listen(desk, mine, customer_audience(second.pk))
    orders = [make_orders(a, 1)[0] for a in (desk.account, make.make_account(second))]

    relay({Source.ORDERS: [order.pk for order in orders]})

    assert {key for _, _, _, key in told(desk, mine)} == {str(order.pk) for order in orders}
    assert told(desk, customer_audience(second.pk)) == []


def test_an_account_is_told_in_positions_and_equity(desk: Desk) -> None:
    mine = customer_audience(desk.customer.pk)
    listen(desk, STAFF, mine)

    relay({Source.ACCOUNTS: [desk.account.pk]})

    event = [(s, 1, "account", str(desk.account.pk)) for s in ("equity", "positions")]
    assert told(desk, STAFF) == told(desk, mine) == event


def test_only_loud_diary_entries_want_attention_and_only_of_staff(desk: Desk) -> None:
    mine = customer_audience(desk.customer.pk)
    listen(desk, STAFF, mine)
    with tenant_scope(desk.tenant), transaction.atomic():
        entries = [audit.record(action="x", level=level) for level in AuditLevel]

    relay({Source.ENTRIES: [str(entry.pk) for entry in entries]})

    assert told(desk, STAFF) == [
        ("attention", 1, "alert", str(entries[2].pk)),
        ("attention", 2, "alert", str(entries[3].pk)),
    ]
    assert told(desk, mine) == []


def test_a_change_of_rights_is_asked_about_at_the_sockets(desk: Desk) -> None:
    listen(desk, STAFF)
    remove_member(membership=Membership.objects.get(user=desk.staff))
    entry = AuditEntry.objects.model._base_manager

    with tenant_scope(desk.tenant):
        ids = list(entry.filter(action="membership.revoked").values_list("pk", flat=True))

    assert relay({Source.ENTRIES: ids}) == [
        (f"t.{desk.tenant.pk}.user.{desk.staff.pk}", {"type": "live.check"})
    ]


def test_nobody_listening_costs_one_question(desk: Desk, django_assert_num_queries: Any) -> None:
    listen(desk, STAFF, ago=timedelta(hours=25))
    [order] = make_orders(desk.account, 1)

    with django_assert_num_queries(1 if connection.vendor == "sqlite" else 2):  # and the time
        assert relay({Source.ORDERS: [order.pk]}) == []
    assert told(desk, STAFF) == []


def test_ids_that_are_gone_tell_nobody_anything(desk: Desk) -> None:
    listen(desk, STAFF)

    assert relay({Source.ORDERS: [desk.tenant.uid], Source.ACCOUNTS: [987_654]}) == []


def test_statements_do_not_grow_with_the_batch(desk: Desk) -> None:
    listen(desk, STAFF, customer_audience(desk.customer.pk))
    for number in range(30):
        user = make.make_user(Role.CUSTOMER, tenant=desk.tenant)
        customer = make.make_customer(desk.tenant, portal_user=user)
        listen(desk, customer_audience(customer.pk))
        make_orders(make.make_account(customer), 1) if number < 3 else None
    orders = make_orders(desk.account, 60)
    counts = []
    for some in (orders[:1], orders):
        with CaptureQueriesContext(connection) as queries:
            relay({Source.ORDERS: [order.pk for order in some]})
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 12


def test_more_than_a_hundred_objects_are_one_event(desk: Desk) -> None:
    listen(desk, STAFF)
    orders = make_orders(desk.account, 101)

    relay({Source.ORDERS: [order.pk for order in orders]})

    assert told(desk, STAFF) == [("orders", 1, "many", "")]


def test_relays_at_once_give_every_number_once(desk: Desk) -> None:
    listen(desk, STAFF)
    orders = make_orders(desk.account, 40)
    frames: list[Any] = []

    def run(some: list[Any]) -> None:
        for order in some:
            frames.extend(message for _, message in relay({Source.ORDERS: [order.pk]}))
        connection.close()

    threads = [Thread(target=run, args=(orders[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(frame["seq"] for frame in frames) == list(range(1, 41))
    with tenant_scope(desk.tenant):
        assert LiveStream.objects.get(audience=STAFF, stream=Stream.ORDERS).last_seq == 40
        assert len(told(desk, STAFF)) == 40


def test_what_comes_together_is_relayed_together(desk: Desk) -> None:
    listen(desk, STAFF)
    orders = make_orders(desk.account, 3)
    collector = Collector()
    collector._thread = Thread()  # nobody but this test relays
    collector._thread.is_alive = lambda: True  # type: ignore[method-assign]
    for order in (*orders, orders[0]):
        collector.note(Source.ORDERS, [order.pk])

    [(_, frame)] = collector.relay_waiting()

    assert (frame["first"], frame["seq"]) == (1, 3)
    assert collector.relay_waiting() == []


def test_money_is_never_in_a_frame(desk: Desk) -> None:
    """A frame says what to look at; only a page that is allowed to shows figures."""
    listen(desk, STAFF)
    [order] = make_orders(desk.account, 1, quantity=Decimal("123.456"))

    [(_, frame)] = relay({Source.ORDERS: [order.pk]})

    assert set(frame) == {"type", "stream", "first", "seq", "items"}
    assert "123.456" not in repr(frame)
