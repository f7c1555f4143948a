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
from tests.trading.execution.bench import Bench
from trading import tasks
from trading.copying import run
from trading.departing import Marked
from trading.exchange.types import Outcome, SendOutcome
from trading.execution.mark import mark
from trading.execution.record import record
from trading.execution.send import Answered
from trading.models import Heartbeat, Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]

# The last is asked once by a process, for each table.
FRAME = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "SELECT NOW", "SELECT @@", "SELECT column_name")
MOST = 12
OF_A_CHUNK = 18
RECORDING = 3  # attempts, orders, events


@contextmanager
def counted() -> Iterator[list[str]]:
    """What is asked meanwhile, without what only opens and closes transactions, and without the
    question who is alive, which is asked when some seconds have passed."""
    asked: list[str] = []
    with CaptureQueriesContext(connection) as queries:
        yield asked
    sent = [query["sql"] for query in queries.captured_queries]
    asked += [sql for sql in sent if not sql.startswith(FRAME) and q(Heartbeat) not in sql]


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


def test_marking_and_recording_ask_the_same_for_few_and_for_many(desk: Desk) -> None:
    follow(desk, 60)
    orders = desk.hear("open", "10")

    with all_tenants("an executor"):
        marking, marked = asked(lambda: mark(orders, {}))
        recording, _ = asked(lambda: record(told(marked)))
        states = list(Order.objects.filter(tenant=desk.tenant).values_list("state", flat=True))

    # held switches 2, lanes 1, orders that are not known 1, boards 2, instruments and prices 2,
    # breakers 1, protections 1, sends 1; marks 1, events 1
    assert marking <= 13
    assert recording == RECORDING
    assert (len(states), set(states)) == (60, {"live"})


@pytest.mark.simulator
def test_two_hundred_orders_take_twelve_statements_from_signal_to_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied, marked and recorded for `CHUNK` followers at once, which is twice as many."""
    together = run.CHUNK // 200
    monkeypatch.setattr(run, "CHUNK", 2)
    other = make_desk()
    for desk, followers in ((other, 4), (bench.desk, 8)):
        for _ in range(followers):
            bench.follower(desk)
        for intent in ("open", "close"):
            bench.send(desk.hear(intent, "10"))
            bench.finish()

    two = copying(other)
    four = copying(bench.desk)

    chunk = (four - two) / 2
    # held switches 2, followers 1, strategies 1, prices and instruments 2, boards 2, breakers 1,
    # running cycles 1, places 1, positions 1, lanes 1, protections 1, sends 1; decisions, cycles,
    # orders 3
    assert chunk == OF_A_CHUNK
    assert together * MOST >= OF_A_CHUNK + RECORDING


def copying(desk: Desk) -> int:
    """Statements of a signal whose orders leave with their decision, the answers' left out."""
    signal = desk.say("open", "10")
    with counted() as statements:
        tasks.copy_signal(str(signal.pk))
    with all_tenants("its orders"):
        rows = Order.objects.filter(signal=signal)
        first = [order.diary[0].to_state for order in rows]
    assert set(first) == {"sending"}
    answered = sum(sql.startswith("UPDATE") and f"{q(Order)} AS t" in sql for sql in statements)
    assert answered >= 1
    return len(statements) - RECORDING * answered


def q(model: Any) -> str:
    return connection.ops.quote_name(model._meta.db_table)
