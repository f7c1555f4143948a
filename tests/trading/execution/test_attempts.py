"""Every attempt is on record before its request leaves, and has one row when it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Installation
from accounts.tenancy import all_tenants
from tests.trading.copying.desk import Desk, make_desk
from tests.trading.execution.bench import Bench, stumble
from trading.admin.orders import order_story
from trading.auditing.ours import read_ours
from trading.departing import Marked
from trading.enums import EventSource, OrderState
from trading.exchange.types import Outcome, SendOutcome
from trading.execution import watching
from trading.execution.mark import mark
from trading.execution.record import record
from trading.execution.send import Answered
from trading.faults import InjectedFaultError
from trading.leases import db_now
from trading.models import Order, OrderAttempt
from trading.transition import Change, transition

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def desk() -> Desk:
    Installation.objects.get_or_create(pk=1)
    desk = make_desk()
    for _ in range(3):
        desk.follower()
    return desk


def answer(marked: Marked, kind: Outcome = Outcome.ACK, **said: Any) -> Answered:
    placed = {"exchange_order_id": "1", "code": "0", "http_status": 200} | said
    return Answered(marked, SendOutcome(kind=kind, **placed), timezone.now())


def rows(order_id: Any) -> list[tuple[int, str, bool]]:
    found = OrderAttempt.objects.filter(order_id=order_id).order_by("number")
    return [(row.number, str(row.outcome), row.finished_at is not None) for row in found]


def moved(order_id: Any, to: OrderState, **more: Any) -> None:
    """Another process heard of the order."""
    change = Change(Order.objects.get(pk=order_id), to, **more)
    assert transition([change], source=EventSource.REST, at=db_now())


def marked_of(desk: Desk) -> list[Marked]:
    return mark(desk.hear("open", "10"), {})


def test_what_is_being_sent_is_an_attempt_that_its_order_knows(desk: Desk) -> None:
    orders = desk.hear("open", "10")
    with all_tenants("an executor"):
        marked = mark(orders, {})
        assert len(marked) == 3
        for one in marked:
            order = Order.objects.get(pk=one.order.id)
            assert (order.state, order.exp_at_ms, order.sent_at) == (
                "sending",
                one.attempt.exp_at_ms,
                one.attempt.started_at,
            )
            assert rows(order.pk) == []
            (sent,) = order.sends
            assert (sent.number, sent.outcome, sent.exp_at_ms, sent.started_at) == (
                1,
                "pending",
                one.attempt.exp_at_ms,
                one.attempt.started_at,
            )
            assert [a.number for a, _ in order_story(order)["attempts"]] == [1]
        record([answer(one) for one in marked])
        for one in marked:
            order = Order.objects.get(pk=one.order.id)
            (sent,) = order.sends
            assert rows(order.pk) == [(1, "ack", True)]
            assert (sent.exp_at_ms, sent.started_at) == one.attempt[-2:]
            assert (sent.http_status, sent.tenant_id, sent.signal_at) == (
                200,
                order.tenant_id,
                order.signal_at,
            )


@pytest.mark.simulator
def test_what_a_dead_process_left_becomes_a_row_and_the_next_attempt_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follower()
    (order,) = bench.open()
    stumble(monkeypatch, "S5.marked=raise")
    with pytest.raises(InjectedFaultError):
        bench.send([order])
    with all_tenants("look for rows"):
        assert rows(order.pk) == []
    marked = bench.now(order)
    stumble(monkeypatch, "")
    bench.finish()

    first, second = sorted(bench.attempts(order), key=lambda row: row.number)
    assert (first.number, first.outcome, first.finished_at) == (1, "pending", None)
    assert (first.exp_at_ms, first.started_at) == (marked.exp_at_ms, marked.sent_at)
    assert (second.number, second.outcome) == (2, "ack")
    assert bench.accepted(order) == [1]


def test_an_answer_that_comes_behind_other_news_is_added_to_the_row(desk: Desk) -> None:
    with all_tenants("an executor"):
        one, *_ = marked_of(desk)
        moved(one.order.id, OrderState.LIVE)
        assert rows(one.order.id) == [(1, "pending", False)]
        record([answer(one)])
        assert rows(one.order.id) == [(1, "ack", True)]


def test_an_answer_is_kept_while_somebody_else_asks_about_the_order(desk: Desk) -> None:
    with all_tenants("an executor"):
        one, *_ = marked_of(desk)
        claimed = Order.objects.get(pk=one.order.id)
        Order.objects.filter(pk=claimed.pk).update(version=claimed.version + 1)
        record([answer(one, Outcome.REJECTED, code="51008")])
        assert rows(one.order.id) == [(1, "rejected", True)]
        moved(one.order.id, OrderState.UNKNOWN)
        assert rows(one.order.id) == [(1, "rejected", True)]


def test_answers_to_two_attempts_may_come_together(desk: Desk) -> None:
    with all_tenants("an executor"):
        first, *_ = marked_of(desk)
        free = {"lease_until": None, "claim_token": None}
        moved(first.order.id, OrderState.READY, columns=free, proved_not_placed=True)
        (second,) = mark([Order.objects.get(pk=first.order.id)], {})
        assert (first.attempt.number, second.attempt.number) == (1, 2)
        record([answer(second), answer(first, Outcome.NOT_PLACED, code="50011")])
        assert rows(first.order.id) == [(1, "not_placed", True), (2, "ack", True)]
        assert Order.objects.get(pk=first.order.id).state == "live"


def test_sends_that_nobody_heard_of_stop_a_market_before_they_have_rows(desk: Desk) -> None:
    for _ in range(22):
        desk.follower()
    with all_tenants("an executor"):
        marked = marked_of(desk)
        assert len(marked) == 25
        record([answer(one) for one in marked[:18]])
        assert watching.judge_markets(db_now()) == 0
        long_ago = db_now() - watching.UNHEARD - timedelta(seconds=1)
        ids = [one.order.id for one in marked[18:]]
        Order.objects.filter(pk__in=ids[1:]).update(sent_at=long_ago)
        assert watching.judge_markets(db_now()) == 0
        Order.objects.filter(pk__in=ids).update(sent_at=long_ago)
        # 7 of 25 are less than thirty percent: two that were answered fall out of the minute.
        assert watching.judge_markets(db_now()) == 0
        heard = OrderAttempt.objects.filter(order_id__in=[one.order.id for one in marked[:2]])
        heard.update(started_at=db_now() - timedelta(minutes=2))
        assert watching.judge_markets(db_now()) == 1


def test_the_audit_knows_the_deadline_of_what_is_being_sent(desk: Desk) -> None:
    with all_tenants("the audit"):
        one, *_ = marked_of(desk)
        account = Order.objects.get(pk=one.order.id).account
        (order,) = read_ours([account], {}, [])[account.pk].orders
        assert order.exp_at_ms == one.attempt.exp_at_ms
