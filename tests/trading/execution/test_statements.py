"""How many statements orders cost the database, for 200 at a time: a bound that must not creep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Installation
from accounts.tenancy import all_tenants
from tests.trading.copying.desk import Desk, make_desk
from trading.exchange.types import Outcome, SendOutcome
from trading.execution.mark import Marked, mark
from trading.execution.record import record
from trading.execution.send import Answered
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]

# The last is asked once by a process, for each table.
FRAME = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "SELECT NOW", "SELECT @@", "SELECT column_name")
MOST = 12
TOGETHER = 3  # chunks of 200 that are marked, and whose answers are recorded, at once


@contextmanager
def counted() -> Iterator[list[str]]:
    """What is asked meanwhile, without what only opens and closes transactions."""
    asked: list[str] = []
    with CaptureQueriesContext(connection) as queries:
        yield asked
    asked += [q["sql"] for q in queries.captured_queries if not q["sql"].startswith(FRAME)]


@pytest.fixture
def desk() -> Desk:
    Installation.objects.get_or_create(pk=1)
    return make_desk()


def follow(desk: Desk, more: int) -> None:
    for _ in range(more):
        desk.follower()


def told(marked: list[Marked]) -> list[Answered]:
    accepted = SendOutcome(kind=Outcome.ACK, exchange_order_id="1", code="0", http_status=200)
    return [Answered(one, accepted, timezone.now()) for one in marked]


def asked(job: Callable[[], Any]) -> tuple[int, Any]:
    with counted() as statements:
        done = job()
    return len(statements), done


def test_two_hundred_orders_take_twelve_statements_beside_what_a_signal_asks_once(
    desk: Desk,
) -> None:
    """Copied in chunks of 200, marked and recorded for several chunks at once."""
    other, first = make_desk(), make_desk()
    follow(other, 2)
    follow(first, 1)
    follow(desk, TOGETHER * 200)

    first.hear("open", "10")  # what a process asks but once is asked now
    one_chunk, _ = asked(lambda: other.hear("open", "10"))
    three_chunks, orders = asked(lambda: desk.hear("open", "10"))
    with all_tenants("an executor"):
        marking, marked = asked(lambda: mark(orders, {}))
        recording, _ = asked(lambda: record(told(marked)))
        rows = Order.objects.filter(tenant=desk.tenant)
        states = list(rows.values_list("state", flat=True))

    copying = (three_chunks - one_chunk) / (TOGETHER - 1)
    # settle, taken; decisions, cycles, orders, events
    assert copying == 6
    # held switches 2, lanes 1, orders that are not known 1, boards 2, instruments and prices 2,
    # breakers 1, protections 1, sends 1; marks 1, attempts 1, events 1, and who is alive,
    # every 5 s
    assert marking <= 15
    assert recording == 3  # attempts, orders, events
    assert copying + (marking + recording) / TOGETHER <= MOST
    assert (len(states), set(states)) == (600, {"live"})
