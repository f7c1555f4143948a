"""Every question asked of the tables that a signal fills has an index, and no index repeats one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from signals.models import LeaderPosition
from tests.api.calls import Programs, make_programs
from tests.trading.sync.rows import report
from tests.world import World
from trading.admin.orders import order_story
from trading.auditing.ours import read_ours, read_signals
from trading.copying.cycles import settle_cycles, settle_left_over
from trading.enums import Scope
from trading.execution.flatten.reach import Reach
from trading.execution.lanes import lane_heads, successors
from trading.execution.sweep import due_orders, expire_overdue
from trading.execution.watching import judge_accounts, judge_markets, still_unresolved
from trading.models import Cycle, Decision, Fill, Order, OrderAttempt, OrderEvent
from trading.positions_held import read_holdings
from trading.sync.apply.find import find_orders

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]

Columns = tuple[str, ...]
TABLES = {
    model._meta.db_table: model
    for model in (Order, OrderAttempt, OrderEvent, Decision, Cycle, Fill)
}
ORDERS, ATTEMPTS, EVENTS, DECISIONS, CYCLES, FILLS = (
    model._meta.db_table for model in (Order, OrderAttempt, OrderEvent, Decision, Cycle, Fill)
)


# How many rows of a big installation have the same value in the first column of an index.
MANY = 10_000_000
ALIKE = {"tenant_id": 1_000_000, "state": 2_000_000, "outcome": 2_000_000, "account_id": 10_000}


@dataclass(frozen=True)
class Place:
    """A desk on a working day, people who look at it, and rows to ask for."""

    programs: Programs
    order: Order
    cycle: Cycle

    @property
    def world(self) -> World:
        return self.programs.world

    def seen_by(self, who: str, address: str) -> None:
        users = {"staff": self.world.owner, "customer": self.programs.customer_user}
        client = Client()
        client.force_login(users[who])
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)

    def told(self, address: str) -> None:
        self.programs.reader.data(address)


@pytest.fixture(scope="module")
def _everything(django_db_setup: None, django_db_blocker: Any) -> Iterator[Place]:
    with django_db_blocker.unblock(), transaction.atomic():
        programs = make_programs()
        with tenant_scope(programs.world.tenant):
            cycle = Cycle.objects.filter(ended_at__isnull=True).first()
            LeaderPosition.objects.filter(source=cycle.source).update(quantity=0)
            account = programs.world.customers[0].accounts.first()
            order = Order.objects.filter(account=account, subscription__isnull=False).first()
            Order.objects.filter(pk=order.pk).update(cycle=cycle)
            whole = ("account", "decision", "signal", "subscription__strategy")
            order = Order.objects.select_related(*whole).get(pk=order.pk)
        if connection.vendor == "sqlite":
            _pretend_to_be_big()
        yield Place(programs, order, cycle)
        transaction.set_rollback(True)


def _pretend_to_be_big() -> None:
    """SQLite plans by these figures; without any it cannot tell a desk from a signal."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("DELETE FROM sqlite_stat1")
        for table in TABLES:
            for name, columns in indexes_of(table):
                alike = [ALIKE.get(columns[0], 100), *[1] * (len(columns) - 1)]
                told = " ".join(map(str, [MANY, *alike]))
                cursor.execute("INSERT INTO sqlite_stat1 VALUES (%s, %s, %s)", [table, name, told])
        cursor.execute("ANALYZE sqlite_master")


@pytest.fixture
def place(_everything: Place, db: None, settings: Any) -> Place:
    settings.API_RATE_PER_TOKEN = settings.API_RATE_PER_TENANT = 1_000_000
    return _everything


def of_machines(place: Place) -> dict[str, tuple[Callable[[], object], dict[str, Columns]]]:
    """What the processes ask, and what each table is to be looked up by."""
    order, account, now = place.order, place.order.account, timezone.now()
    signal, link, strategy = order.signal_id, order.link_uid, order.subscription.strategy_id
    told, reach = report(order), Reach(Scope.STRATEGY, order.tenant_id, strategy)
    return {
        "lanes": (lambda: lane_heads([order.lane_key]), {ORDERS: ("lane_key",)}),
        "successors": (lambda: successors([order.pk]), {ORDERS: ("state",)}),
        "due": (due_orders, {ORDERS: ("state",)}),
        "overdue": (expire_overdue, {ORDERS: ("state",)}),
        "unresolved": (lambda: still_unresolved(account.pk), {ORDERS: ("account_id",)}),
        "reports": (
            lambda: find_orders(account, [told], now=now),
            {ORDERS: ("account_id", "client_order_id")},
        ),
        "holdings": (lambda: read_holdings([place.cycle.pk]), {ORDERS: ("cycle_id",)}),
        "cycles of orders": (lambda: settle_cycles([order.pk]), {CYCLES: ("id",)}),
        "cycles left over": (settle_left_over, {CYCLES: ("source_id", "leader_inst_id")}),
        "places taken": (
            lambda: list(Cycle.objects.filter(account_id__in=[account.pk], active_key__gt="")),
            {CYCLES: ("account_id",)},
        ),
        "links' cycles": (
            lambda: list(Cycle.objects.filter(link_uid__in=[link], ended_at__isnull=True)),
            {CYCLES: ("link_uid",)},
        ),
        "decided already": (
            lambda: list(Decision.objects.filter(signal_id=signal, link_uid__in=[link])),
            {DECISIONS: ("signal_id", "link_uid")},
        ),
        "today's use": (
            lambda: list(Order.objects.filter(account_id__in=[account.pk], created_at__gt=now)),
            {ORDERS: ("account_id", "created_at")},
        ),
        "refusals": (
            lambda: judge_accounts([account.pk], now),
            {ORDERS: ("account_id",), ATTEMPTS: ("order_id",)},
        ),
        "silence": (lambda: judge_markets(now), {ATTEMPTS: ("id",)}),
        "new events": (
            lambda: list(OrderEvent.objects.filter(pk__gte=order.pk).order_by("-pk")[:9]),
            {EVENTS: ("id",)},
        ),
        "a strategy to flatten": (
            lambda: list(Cycle.objects.filter(reach.rows(), ended_at__isnull=True)),
            {CYCLES: ("subscription_id",)},
        ),
        "an order's story": (
            lambda: order_story(order),
            {
                ORDERS: ("lane_key",),
                EVENTS: ("order_id",),
                ATTEMPTS: ("order_id",),
                FILLS: ("order_id",),
            },
        ),
        "the audit's accounts": (
            lambda: read_ours([account], {account.pk: now - timedelta(days=1)}, ["x"]),
            {ORDERS: ("account_id",), ATTEMPTS: ("order_id",), FILLS: ("account_id",)},
        ),
        "the audit's signals": (
            lambda: list(read_signals(place.world.tenant.pk, None, None)),
            {DECISIONS: ("signal_id",), ORDERS: ("signal_id",)},
        ),
        "a decision's orders": (
            lambda: list(order.decision.made_orders),
            {ORDERS: ("signal_id", "link_uid")},
        ),
        "a signal's orders": (
            lambda: list(Order.objects.filter(signal_id=signal)),
            {ORDERS: ("signal_id",)},
        ),
    }


def of_people(place: Place) -> dict[str, tuple[Callable[[], object], dict[str, Columns]]]:
    """What pages and the API ask. A list is read by desk and time, or by what narrows it."""
    world, order = place.world, place.order
    account, strategy = order.account, order.subscription.strategy
    found: dict[str, tuple[Callable[[], object], dict[str, Columns]]] = {}

    def add(show: Callable[[str], None], address: str, **tables: Columns) -> None:
        found[address] = (lambda: show(address), {f"trading_{k}": v for k, v in tables.items()})

    for name, column in (("order", "created_at"), ("decision", "decided_at")):
        desks = {name: ("tenant_id",)}
        plural = "trades" if name == "order" else "decisions"
        add(lambda a: place.seen_by("staff", a), f"/admin/trading/{name}/", **desks)
        add(
            lambda a: place.seen_by("staff", a),
            f"/admin/trading/{name}/?signal={order.signal_id}",
            **{name: ("signal_id",)},
        )
        add(
            lambda a: place.seen_by("staff", a),
            f"/admin/trading/{name}/?account={account.pk}",
            **{name: ("account_id",)},
        )
        add(place.told, plural, **desks)
        since = f"{plural}?start_date=2026-01-01"
        add(place.told, since, **{name: ("tenant_id", column)})
        add(place.told, f"{plural}?signal_id={order.signal_id}", **{name: ("signal_id",)})
        for narrowed in (
            f"account_id={account.uid}",
            f"customer_id={world.customers[0].uid}",
            f"strategy_id={strategy.uid}",
        ):
            add(place.told, f"{plural}?{narrowed}", **{name: ("account_id",)})
    add(place.told, "trades?status=filled", order=("tenant_id",))
    add(place.told, f"trades/{order.pk}", order=("id",), orderevent=("order_id",))
    add(place.told, "dashboard/stats", order=("tenant_id", "created_at"))
    add(lambda a: place.seen_by("staff", a), "/admin/trading/cycle/", cycle=("tenant_id",))
    add(lambda a: place.seen_by("staff", a), "/admin/trading/fill/", fill=("tenant_id",))
    add(
        lambda a: place.seen_by("staff", a), "/admin/trading/order/?word=open", order=("tenant_id",)
    )
    add(lambda a: place.seen_by("staff", a), "/admin/")
    add(
        lambda a: place.seen_by("staff", a),
        f"/admin/trading/decision/{order.decision_id}/change/",
        order=("signal_id", "link_uid"),
    )
    add(lambda a: place.seen_by("customer", a), "/portal/orders/", order=("account_id",))
    add(lambda a: place.seen_by("customer", a), "/portal/why/", decision=("account_id",))
    add(
        lambda a: place.seen_by("customer", a),
        f"/portal/why/{order.decision_id}/",
        order=("signal_id", "link_uid"),
    )
    return found


@dataclass(frozen=True)
class Step:
    """How a statement comes by the rows of a table: by these columns, of one index or another."""

    table: str
    ways: tuple[Columns, ...]

    def goes_by(self, columns: Columns) -> bool:
        return any(way[: len(columns)] == columns for way in self.ways)


def steps_of(sql: str) -> list[Step]:
    named = re.findall(r"[\"`](trading_\w+)[\"`] (?:AS )?[\"`]?(\w+)", sql)
    tables = {alias: table for table, alias in named} | {t: t for t in TABLES}
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%", "%%"), ())
            lines = [_step_of_sqlite(str(row[3])) for row in cursor.fetchall()]
        else:
            cursor.execute(f"EXPLAIN {sql}".replace("%", "%%"), ())
            names = [column[0] for column in cursor.description]
            lines = [
                _step_of_mysql(dict(zip(names, row, strict=True)), tables)
                for row in cursor.fetchall()
            ]
    found = [Step(tables.get(line.table, ""), line.ways) for line in lines if line is not None]
    return [step for step in found if step.table in TABLES]


def _step_of_sqlite(line: str) -> Step | None:
    told = re.match(r"(SEARCH|SCAN) (\S+)(?: USING (?:COVERING )?INDEX \S+ \((.*)\))?", line)
    if told is None:
        return None
    by = tuple(re.findall(r"(\w+)[=<>]", told[3] or ""))
    return Step(told[2], (by,) if by else ())


def _step_of_mysql(row: dict[str, Any], tables: dict[str, str]) -> Step | None:
    """Small tables are read whole whatever indexes they have: what it could use is what counts."""
    table = tables.get(row["table"] or "", "")
    if table not in TABLES:
        return None
    keys = str(row["possible_keys"] or "").split(",")
    return Step(row["table"], tuple(by for name, by in indexes_of(table) if name in keys))


def indexes_of(table: str) -> list[tuple[str, Columns]]:
    with connection.cursor() as cursor:
        told = connection.introspection.get_constraints(cursor, table)
    return [(name, tuple(key["columns"])) for name, key in told.items() if key["index"]]


def steps_asked(ask: Callable[[], object]) -> list[tuple[Step, str]]:
    """Of every statement that was sent for it."""
    with CaptureQueriesContext(connection) as caught, transaction.atomic():
        ask()
        transaction.set_rollback(True)
    sent = [str(query["sql"]) for query in caught.captured_queries]
    asked = [sql for sql in sent if re.match(r"(SELECT|UPDATE|DELETE)\b", sql)]
    return [(step, sql) for sql in asked for step in steps_of(sql)]


def without_index(
    ask: Callable[[], object], expected: dict[str, Columns]
) -> list[tuple[str, Columns, Any]]:
    """Tables read from one end to the other, and those never looked up as they should be."""
    steps = steps_asked(ask)
    whole: list[tuple[str, Columns, Any]] = [
        (step.table, (), sql) for step, sql in steps if not step.ways
    ]
    return whole + [
        (table, columns, [step.ways for step, _sql in steps if step.table == table])
        for table, columns in expected.items()
        if not any(step.table == table and step.goes_by(columns) for step, _sql in steps)
    ]


def test_what_processes_ask_has_an_index(place: Place) -> None:
    found = {}
    for name, (ask, expected) in of_machines(place).items():
        with all_tenants("the questions of processes"):
            found[name] = without_index(ask, expected)

    assert {name: bad for name, bad in found.items() if bad} == {}


def test_what_people_ask_has_an_index(place: Place) -> None:
    found = {name: without_index(*asked) for name, asked in of_people(place).items()}

    assert {name: bad for name, bad in found.items() if bad} == {}


def test_a_question_without_an_index_is_noticed(place: Place) -> None:
    with all_tenants("a question that nobody asks"):
        unindexed = without_index(lambda: list(Order.objects.filter(exchange_code="x")), {})
        by_another = without_index(
            lambda: list(Order.objects.filter(decision_id=place.order.decision_id, state="new")),
            {ORDERS: ("decision_id",)},
        )

    assert [table for table, _columns, _sql in unindexed] == [ORDERS]
    assert [(table, columns) for table, columns, _ways in by_another] == [
        (ORDERS, ("decision_id",))
    ]


@pytest.mark.parametrize("table", TABLES)
def test_no_index_is_the_beginning_of_another(table: str) -> None:
    repeated = [
        (name, other)
        for (name, columns), (other, others) in permutations(indexes_of(table), 2)
        if others[: len(columns)] == columns
    ]

    assert repeated == []
