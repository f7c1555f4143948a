"""What comes second in a lane leaves when the first has ended, and no lane waits for another."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.tenancy import all_tenants
from tests import factories as make
from tests.trading.copying.desk import Desk, d, make_desk
from tests.trading.execution.bench import LOOKUP, Bench, diary
from trading import tasks
from trading.copying.cycles import settle_cycles
from trading.execution import flips, sweep
from trading.execution import mark as marking
from trading.execution.keys import keys_of
from trading.execution.lanes import successors
from trading.execution.record import record
from trading.execution.resolve import resolve_due
from trading.execution.send import send
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


def test_the_second_order_of_a_lane_waits_for_the_first(bench: Bench) -> None:
    bench.follower()
    (first,) = bench.open()
    (second,) = bench.desk.hear("add", "10")

    together = bench.send([second, first])
    waiting = (bench.now(first).state, bench.now(second).state)
    alone = bench.send([second])
    bench.finish()

    assert (together, waiting, alone) == (1, ("live", "ready"), 0)
    order_of_arrival = [e["cl_ord_id"] for e in bench.entries(kind="order")]
    assert order_of_arrival == [first.client_order_id, second.client_order_id]
    assert bench.now(second).filled_quantity == d(1)


def test_one_lane_waits_and_the_others_go_on(bench: Bench) -> None:
    stuck, free = bench.follower(), bench.follower()
    bench.fault("drop_after_accept", stuck)
    bench.fault("code:50026", stuck, times=1000, **LOOKUP)
    bench.send(bench.open())
    later = bench.desk.hear("add", "10")

    bench.sweep_for(0.5)
    bench.send(later)
    bench.sweep_for(0.5)

    states = {o.account_id: str(bench.now(o).state) for o in later}
    assert states == {stuck.account_id: "ready", free.account_id: "filled"}
    bench.ask("DELETE", "/faults")
    bench.finish()
    assert bench.accepted(*later) == [1, 1]


def test_an_opening_behind_a_blocked_lane_expires_there(bench: Bench) -> None:
    """It would count as pending, and be shown as waiting, for as long as the head is unknown."""
    stuck = bench.follower()
    bench.fault("drop_after_accept", stuck)
    bench.fault("code:50026", stuck, times=1000, **LOOKUP)
    bench.send(bench.open())
    (behind,) = bench.desk.hear("add", "10")
    with all_tenants("its time is over"):
        Order.objects.filter(pk=behind.pk).update(expires_at=timezone.now())

    assert sweep()["expired"] == 1

    assert (bench.now(behind).state, bench.now(behind).reason) == ("expired", "EXPIRED")
    assert bench.requests(behind) == []


def test_a_finished_order_lets_its_lane_go_on(bench: Bench) -> None:
    bench.follower()
    (first,) = bench.open()
    (second,) = bench.desk.hear("add", "10")
    bench.send([first])
    while bench.now(first).state != "filled":
        with all_tenants("look"):
            resolve_due()

    with all_tenants("look"):
        assert successors([first.id]) == [second.id]
    tasks.follow_up([str(first.id)])

    assert bench.now(second).state == "live"


@pytest.mark.parametrize("mode", ["net", "long_short"])
def test_a_reversal_opens_only_after_its_close_has_filled(bench: Bench, mode: str) -> None:
    link = bench.follower(pos_mode=mode)
    bench.send(bench.open())
    bench.finish()
    bench.fault("drop_after_accept", link)
    bench.fault("code:50026", link, times=1000, **LOOKUP)

    close, turn = bench.desk.hear("flip", "20", direction="short")
    bench.send([turn, close])
    bench.sweep_for(0.5)
    waiting = (bench.now(close).state, bench.now(turn).state)
    bench.ask("DELETE", "/faults")
    bench.finish()

    assert waiting == ("unknown", "ready")
    arrived = [e["cl_ord_id"] for e in bench.entries(kind="order")]
    assert arrived[-2:] == [close.client_order_id, turn.client_order_id]
    assert (bench.now(close).state, bench.now(turn).state) == ("filled", "filled")


def test_a_reversal_whose_close_leaves_a_position_is_dropped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flips, "TIMEOUT", timedelta(milliseconds=300))
    link = bench.follower(pos_mode="long_short")
    bench.send(bench.open())
    bench.finish()
    bench.fault("scode:51121", link)

    close, turn = bench.desk.hear("flip", "20", direction="short")
    bench.send([close, turn])
    bench.finish()

    assert bench.now(close).state == "rejected"
    assert (bench.now(turn).state, bench.now(turn).reason) == ("denied", "FLIP_OPEN_DROPPED")
    assert bench.accepted(close, turn) == [0, 0]
    assert [entry.object_id for entry in diary("order.flip_open_dropped")] == [str(turn.id)]


def test_slices_leave_one_after_the_other_and_close_everything(bench: Bench) -> None:
    make.make_instrument(max_market_size=d("0.4"))
    bench.follower()
    for quantity in ("4", "4", "2"):
        bench.send(bench.desk.hear("open", quantity))
        bench.finish()

    closing = bench.desk.hear("close")
    bench.send(closing)
    bench.finish()

    assert sorted(o.quantity for o in closing) == [d("0.2"), d("0.4"), d("0.4")]
    assert sum(bench.now(o).filled_quantity for o in closing) == d(1)
    assert bench.accepted(*closing) == [1, 1, 1]


def test_a_marked_order_is_not_marked_by_another_process(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    with all_tenants("two processes"):
        (held,) = marking.mark([order], {})
        again = marking.mark([order], {})

    assert (held.order.state, again) == ("sending", [])
    assert bench.send([order]) == 0
    assert len(bench.attempts(order)) == 1
    assert bench.requests(order) == []


def test_a_process_that_wakes_after_its_lease_sends_nothing(bench: Bench) -> None:
    """Marked, then asleep past the deadline: it does not send; another process finishes."""
    bench.follower()
    (order,) = bench.open()
    with all_tenants("a process"):
        (marked,) = marking.mark([order], {})
        time.sleep(0.9)
        sweep()
        for answered in send([(marked, keys_of(marked.order.account))]):
            assert answered[0].outcome.kind == "not_placed"
            record(answered)
    bench.finish()

    assert bench.accepted(order) == [1]
    assert bench.now(order).state == "filled"


def test_reductions_are_sized_anew_from_what_was_really_filled(bench: Bench) -> None:
    bench.follower()
    (opened,) = bench.open()
    bench.send([opened])
    (reduced,) = bench.desk.hear("reduce", "4")
    bench.finish()
    with all_tenants("the exchange filled less than it was told"):
        Order.objects.filter(pk=opened.pk).update(filled_quantity=d("0.8"))
    (closing,) = bench.desk.hear("close")

    bench.send([closing])

    assert bench.now(reduced).filled_quantity == d("0.4")
    assert (closing.quantity, bench.now(closing).quantity) == (d("0.4"), d("0.4"))
    with all_tenants("settle"):
        settle_cycles([opened.pk])


def test_a_close_of_what_never_opened_is_not_sent(bench: Bench) -> None:
    link = bench.follower()
    bench.fault("scode:51008", link)
    (opened,) = bench.open()
    with all_tenants("on its way"):
        marking.mark([opened], {})
    (closing,) = bench.desk.hear("close")
    bench.finish()
    # The opening was proved absent, and the leader had left.

    assert (bench.now(opened).state, bench.now(closing).state) == ("expired", "denied")
    assert bench.now(closing).reason == "ALREADY_FLAT"
    assert bench.requests(closing) == []


def test_desks_are_sent_together_and_stay_apart(bench: Bench) -> None:
    other: Desk = make_desk()
    mine, theirs = bench.follower(), bench.follower(other)
    orders = [*bench.open(), *other.hear("open", "20")]

    assert bench.send(orders) == 2
    bench.finish()

    with all_tenants("compare owners"):
        rows = Order.objects.order_by("account_id")
        assert [(o.tenant_id, o.account_id, o.filled_quantity) for o in rows] == [
            (bench.desk.tenant.pk, mine.account_id, d(1)),
            (other.tenant.pk, theirs.account_id, d(2)),
        ]
        assert {e.tenant_id for o in rows for e in o.events.all()} == {
            bench.desk.tenant.pk,
            other.tenant.pk,
        }


def test_a_reversal_is_dropped_in_time_though_nobody_knows_what_became_of_its_close(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = bench.follower()
    bench.send(bench.open())
    bench.finish()
    bench.fault("drop_after_accept", link)
    bench.fault("code:50026", link, times=1000, **LOOKUP)
    close, turn = bench.desk.hear("flip", "20", direction="short")
    bench.send([close, turn])
    bench.sweep_for(0.2)
    assert (bench.now(close).state, bench.now(turn).state) == ("unknown", "ready")

    monkeypatch.setattr(flips, "TIMEOUT", timedelta(milliseconds=100))
    bench.sweep_until(lambda: bench.now(turn).state == "denied")

    assert (bench.now(close).state, bench.now(turn).reason) == ("unknown", "FLIP_OPEN_DROPPED")
    assert len(diary("order.flip_open_dropped")) == 1
    bench.ask("DELETE", "/faults")
    bench.finish()
    assert bench.accepted(close, turn) == [1, 0]
