"""An order's state is written in one place: by the table, on the version that was read."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.tenancy import all_tenants
from tests.factories import make_account, make_instrument
from tests.trading.sync.rows import make_order
from trading.enums import EventSource, OrderState
from trading.events import orders_finished
from trading.models import Order, OrderEvent
from trading.transition import Change, IllegalTransitionError, retried, transition

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def order() -> Order:
    make_instrument()
    return make_order(make_account(), state=OrderState.READY)


def step(order: Order, to: OrderState, **more: Any) -> list[Change]:
    with all_tenants("a test"), transaction.atomic():
        return transition([Change(order, to, **more)], source=EventSource.ENGINE, at=timezone.now())


def stored(order: Order) -> Order:
    with all_tenants("a test"):
        return Order.objects.get(pk=order.pk)


def events(order: Order) -> list[tuple[str, str]]:
    with all_tenants("a test"):
        rows = OrderEvent.objects.filter(order=order).order_by("at", "id")
        return list(rows.values_list("from_state", "to_state"))


def test_a_step_is_written_with_its_columns_and_a_line_in_the_diary(order: Order) -> None:
    written = step(order, OrderState.SENDING, columns={"attempt": 7}, note="n" * 400)

    assert [change.order for change in written] == [order]
    row = stored(order)
    assert (row.state, row.attempt, row.version) == ("sending", 7, 1)
    assert (order.state, order.attempt, order.version) == ("sending", 7, 1)
    assert events(order) == [("ready", "sending")]


def test_of_two_writers_one_wins_and_the_other_is_told(order: Order) -> None:
    other = stored(order)
    step(order, OrderState.SENDING)

    assert step(other, OrderState.DENIED) == []
    assert stored(order).state == "sending"
    assert events(order) == [("ready", "sending")]


def test_a_step_that_the_table_forbids_changes_nothing(order: Order) -> None:
    with pytest.raises(IllegalTransitionError):
        step(order, OrderState.FILLED)

    assert (stored(order).state, stored(order).version, events(order)) == ("ready", 0, [])


def test_what_was_sent_is_ready_again_only_on_proof(order: Order) -> None:
    step(order, OrderState.SENDING)

    with pytest.raises(IllegalTransitionError):
        step(order, OrderState.READY)
    step(order, OrderState.READY, proved_not_placed=True)

    assert stored(order).state == "ready"


def test_staying_in_a_state_writes_columns_and_no_line(order: Order) -> None:
    step(order, OrderState.READY, columns={"reason": "EXPIRED"})

    assert (stored(order).reason, stored(order).version, events(order)) == ("EXPIRED", 1, [])


def test_an_end_is_announced_after_the_commit_and_only_once(
    order: Order, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[Any] = []

    def listen(order_ids: Any, **_: Any) -> None:
        heard.append(order_ids)

    orders_finished.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            step(order, OrderState.DENIED)
            assert heard == []
        with django_capture_on_commit_callbacks(execute=True):
            step(order, OrderState.DENIED, columns={"reason": "EXPIRED"})
    finally:
        orders_finished.disconnect(listen)

    assert heard == [[order.id]]
    assert stored(order).finished_at is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "error", [(1213, "Deadlock"), (1205, "Lock wait"), ("database is locked",)]
)
def test_a_transaction_that_lost_a_deadlock_runs_again(error: tuple[Any, ...]) -> None:
    runs = []

    @retried
    def work() -> str:
        runs.append(1)
        if len(runs) < 3:
            raise OperationalError(*error)
        return "done"

    assert (work(), len(runs)) == ("done", 3)


@pytest.mark.django_db(transaction=True)
def test_other_errors_and_endless_contention_come_through() -> None:
    runs = []

    @retried
    def gone() -> None:
        runs.append(1)
        raise OperationalError(2006, "server has gone away")

    @retried
    def contended() -> None:
        runs.append(1)
        raise OperationalError(1213, "Deadlock")

    with pytest.raises(OperationalError):
        gone()
    assert len(runs) == 1
    with pytest.raises(OperationalError):
        contended()
    assert len(runs) == 7


def test_inside_another_transaction_it_is_not_for_us_to_run_again() -> None:
    runs = []

    @retried
    def work() -> None:
        runs.append(1)
        raise OperationalError(1213, "Deadlock")

    with pytest.raises(OperationalError):
        work()

    assert len(runs) == 1
