"""Many rows written in one statement are what one statement for each row would have made them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.bulk_update import update_many
from accounts.models import AuditEntry
from accounts.scope import ScopeError
from accounts.tenancy import AppendOnlyError, all_tenants, tenant_scope
from tests.factories import make_account, make_instrument
from tests.trading.sync.rows import make_order
from trading.enums import EventSource, OrderState
from trading.models import Order, OrderEvent
from trading.transition import Change, retried, transition

pytestmark = [pytest.mark.django_db, pytest.mark.database]

EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
COLUMNS = {
    "quantity": st.decimals("0.000000000000000001", "9999999999999999999", places=18),
    "price": st.none() | st.decimals("-1000000", "1000000", places=18),
    "exchange_message": st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40
    ),
    "exchange_code": st.sampled_from(["", " 1", "1 ", "null", '"', "\\", "'", "ß", "[]", "1e3"]),
    "cancel_requested": st.booleans(),
    "attempt": st.integers(0, 65_535),
    "exp_at_ms": st.none() | st.integers(0, 2**62),
    "claim_token": st.none() | st.uuids(version=4),
    "acked_at": st.none() | st.timedeltas(timedelta(0), timedelta(36_000)).map(EPOCH.__add__),
    "link_uid": st.uuids(version=4),
}
same_database = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HARD = {
    "quantity": Decimal("12345678901234567890.123456789012345678"),
    "price": Decimal("-0.000000000000000001"),
    "exchange_message": "\u2028 😀 'quoted' \\u0041 \x01 中文",
    "exchange_code": " ",
    "cancel_requested": True,
    "attempt": 0,
    "exp_at_ms": 2**53 + 1,
    "claim_token": uuid.UUID("00000000-0000-4000-8000-000000000001"),
    "acked_at": datetime(2026, 3, 29, 1, 59, 59, 1, tzinfo=UTC),
    "link_uid": uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff"),
}


@pytest.fixture
def orders() -> list[Order]:
    make_instrument()
    account = make_account()
    return [make_order(account, state=OrderState.READY) for _ in range(4)]


def stored(orders: list[Order]) -> list[dict[str, Any]]:
    with all_tenants("a test"):
        found = {row["id"]: row for row in Order.objects.values("id", *COLUMNS)}
    return [found[order.id] for order in orders]


@same_database
@given(rows=st.lists(st.fixed_dictionaries(COLUMNS), min_size=4, max_size=4))
@example(rows=[HARD, HARD | {"price": None}, HARD | {"attempt": 65_535}, HARD])
def test_every_value_is_stored_as_by_an_update_of_its_own(
    orders: list[Order], rows: list[dict[str, Any]]
) -> None:
    with all_tenants("a test"):
        for order, row in zip(orders, rows, strict=True):
            Order.objects.filter(id=order.id).update(**row)
        one_by_one = stored(orders)
        Order.objects.update(quantity=1, exchange_message="", exp_at_ms=None, acked_at=None)

        written = update_many(
            Order,
            [
                (o.id, o.signal_at, *(row[c] for c in COLUMNS))
                for o, row in zip(orders, rows, strict=True)
            ],
            match=("id", "signal_at"),
            columns=list(COLUMNS),
        )

    assert (written, stored(orders)) == (4, one_by_one)
    assert [row | {"id": None} for row in one_by_one] == [row | {"id": None} for row in rows]


@pytest.mark.parametrize(
    ("column", "value"),
    [("attempt", 65_536), ("exchange_code", "x" * 17), ("quantity", Decimal(10) ** 21)],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    orders: list[Order], column: str, value: Any
) -> None:
    if connection.vendor == "sqlite" and column != "quantity":
        pytest.skip("SQLite has no lengths or ranges")
    before = stored(orders)
    rows = [(o.id, getattr(o, column)) for o in orders[1:]] + [(orders[0].id, value)]

    with all_tenants("a test"), pytest.raises((DatabaseError, ValueError)), transaction.atomic():
        update_many(Order, rows, match=("id",), columns=(column,))

    assert stored(orders) == before


def test_another_desk_s_rows_do_not_match(orders: list[Order]) -> None:
    other = make_order(make_account(), state=OrderState.READY)
    rows = [(order.id, 7) for order in (orders[0], other)]

    with tenant_scope(orders[0].tenant_id):
        written = update_many(Order, rows, match=("id",), columns=("attempt",))

    assert written == 1
    assert [row["attempt"] for row in stored([orders[0], other])] == [7, other.attempt]


def test_keys_diaries_and_a_missing_scope_are_refused(orders: list[Order]) -> None:
    with pytest.raises(ScopeError):
        update_many(Order, [(orders[0].id, 7)], match=("id",), columns=("attempt",))
    with all_tenants("a test"):
        with pytest.raises(ScopeError):
            update_many(Order, [(orders[0].id, 7)], match=("id",), columns=("account",))
        with pytest.raises(AppendOnlyError):
            update_many(AuditEntry, [(uuid.uuid4(), "")], match=("id",), columns=("reason",))


def test_a_batch_of_steps_is_one_statement_for_each_set_of_columns(orders: list[Order]) -> None:
    now = timezone.now()
    changes = [Change(o, OrderState.SENDING, {"attempt": n}) for n, o in enumerate(orders[:2], 1)]
    changes += [Change(o, OrderState.DENIED, {"reason": "EXPIRED"}) for o in orders[2:]]

    with all_tenants("a test"), transaction.atomic(), CaptureQueriesContext(connection) as said:
        written = transition(changes, source=EventSource.ENGINE, at=now)

    assert written == changes
    # The first time, MySQL is also asked how it compares the text of that table.
    writes = [q["sql"] for q in said.captured_queries if "information_schema" not in q["sql"]]
    assert ["UPDATE" in sql for sql in writes] == [True, True, False]  # and lines in the diary
    with all_tenants("a test"):
        rows = Order.objects.order_by("lane_at", "id").values_list("state", "attempt", "version")
        assert sorted(rows)[2:] == [("sending", 1, 1), ("sending", 2, 1)]


def test_of_a_batch_only_what_was_still_as_read_is_written_and_named(orders: list[Order]) -> None:
    """Also when somebody else wrote exactly the same."""
    now = timezone.now()
    with all_tenants("a test"), transaction.atomic():
        twins = list(Order.objects.filter(id__in=[order.id for order in orders[:2]]))
        transition(
            [Change(o, OrderState.DENIED, {"reason": "EXPIRED"}) for o in twins],
            source=EventSource.ENGINE,
            at=now,
        )

        written = transition(
            [Change(o, OrderState.DENIED, {"reason": "EXPIRED"}) for o in orders],
            source=EventSource.ENGINE,
            at=now,
        )
        lines = OrderEvent.objects.count()

    assert [change.order.id for change in written] == [order.id for order in orders[2:]]
    assert [order.state for order in orders] == ["ready", "ready", "denied", "denied"]
    assert lines == 4


def test_an_order_that_is_named_twice_takes_its_first_step_only(orders: list[Order]) -> None:
    with all_tenants("a test"), transaction.atomic():
        written = transition(
            [
                Change(orders[0], OrderState.SENDING, {"attempt": 1}),
                Change(orders[0], OrderState.DENIED, {"reason": "EXPIRED"}),
            ],
            source=EventSource.ENGINE,
            at=timezone.now(),
        )

    assert [change.to for change in written] == [OrderState.SENDING]
    assert [row["attempt"] for row in stored(orders[:1])] == [1]


@pytest.mark.django_db(transaction=True)
def test_each_of_many_orders_is_taken_by_exactly_one_of_several_writers() -> None:
    make_instrument()
    account = make_account()
    ids = [make_order(account, state=OrderState.READY).id for _ in range(12)]

    @retried
    @transaction.atomic
    def step(found: list[Order], token: uuid.UUID, to: OrderState, sent_at: datetime) -> set[Any]:
        columns = {"claim_token": token, "sent_at": sent_at}
        changes = [Change(order, to, columns, proved_not_placed=True) for order in found]
        done = transition(changes, source=EventSource.ENGINE, at=timezone.now())
        return {change.order.id for change in done}

    def take(worker: int) -> list[tuple[Any, uuid.UUID]]:
        took: list[tuple[Any, uuid.UUID]] = []
        try:
            with all_tenants("a test"):
                for turn in range(3):
                    found = list(Order.objects.filter(id__in=ids))
                    found.sort(key=lambda order: hash((worker, order.id)))
                    to = OrderState.SENDING if turn != 1 else OrderState.READY
                    ready = [o for o in found if o.state != to]
                    token = uuid.uuid4()
                    done = step(ready, token, to, timezone.now() + timedelta(seconds=turn))
                    took += [(order_id, token) for order_id in done]
        finally:
            connections.close_all()
        return took

    with ThreadPoolExecutor(4) as pool:
        took = [pair for pairs in pool.map(take, range(4)) for pair in pairs]

    with all_tenants("a test"):
        rows = list(Order.objects.filter(id__in=ids).values_list("id", "claim_token", "version"))
        lines = OrderEvent.objects.filter(order_id__in=ids).count()
    assert sum(version for _, _, version in rows) == len(took) == lines >= len(ids)
    assert {(order_id, token) for order_id, token, _ in rows} <= set(took)
