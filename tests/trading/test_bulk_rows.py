"""Rows told as a JSON table are what rows inserted one by one would have been."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.bulk import insert_many
from accounts.bulk_rows import WORTH_A_TABLE, Rows
from accounts.fields import new_hex
from accounts.scope import ScopeError, all_tenants, tenant_scope
from customers.models import ExchangeAccount
from tests.factories import make_account, make_instrument
from tests.trading.sync.rows import make_order
from trading.enums import OrderState
from trading.models import Decision, Order, OrderEvent

pytestmark = [pytest.mark.django_db, pytest.mark.database]

OWN = ("id", "client_order_id", "lane_key", "exchange_message", "exp_at_ms", "waits_for")
HARD = {
    "quantity": Decimal("12345678901234567890.123456789012345678"),
    "price": Decimal("-0.000000000000000001"),
    "notional": None,
    "lane_at": datetime(2026, 3, 29, 1, 59, 59, 1, tzinfo=UTC),
    "expires_at": datetime(2026, 3, 29, 2, tzinfo=UTC),
    "lease_until": None,
    "state": OrderState.SENDING,
    "exchange_code": "null",
    "reduce_only": True,
    "attempt": 65_535,
    "claim_token": uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff"),
}
# On MariaDB some texts can stand in a list of values, some only in one of JSON, others in neither.
LISTED = ["", " ", "null", "中文 😀", "%s %(a)s %(rows)s", "(1, 2);", "-- x", "/* x", "0x41", "ß"]
PLAIN = [*LISTED, "],[", "[["]
TEXTS = ["", " ", "null", "\u2028 😀 'quoted' \\u0041 \x01 中文", '"]', "%s %(a)s", "\\", "ß"]


@pytest.fixture
def account() -> ExchangeAccount:
    make_instrument()
    return make_account()


def columns(order: Order) -> dict[str, Any]:
    """Of an order that exists: what a new one must say besides `OWN`."""
    return {
        field.attname: getattr(order, field.attname)
        for field in Order._meta.local_concrete_fields
        if field.attname not in (*OWN, "id")
    }


def own_of(number: int, texts: list[str]) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "client_order_id": f"own{number}",
        "lane_key": f"lane|{number}",
        "exchange_message": texts[number % len(texts)],
        "exp_at_ms": None if number % 2 else 2**53 + number,
        "waits_for": uuid.uuid4() if number % 3 else None,
    }


@pytest.mark.parametrize("texts", [LISTED, PLAIN, TEXTS], ids=["listed", "plain", "any"])
@pytest.mark.parametrize("many", [WORTH_A_TABLE - 1, WORTH_A_TABLE, 3 * WORTH_A_TABLE])
def test_every_value_is_stored_as_by_an_insert_of_its_own(
    account: ExchangeAccount, many: int, texts: list[str]
) -> None:
    first = make_order(account, state=OrderState.READY)
    same = columns(first) | HARD
    each = [own_of(number, texts) for number in range(many)]
    with tenant_scope(account.tenant_id):
        insert_many(
            [
                Order(**same | own | {"link_uid": uuid.uuid4(), "leg_number": n})
                for n, own in enumerate(each)
            ]
        )
        expected = {row.pop("id"): row for row in Order.objects.exclude(pk=first.pk).values()}
        Order.objects.exclude(pk=first.pk).delete()

        rows = Rows(Order, (*OWN, "link_uid", "leg_number"))
        template = rows.template(**same)
        for n, own in enumerate(each):
            told = [v.hex if isinstance(v, uuid.UUID) else v for v in own.values()]
            link = expected[own["id"]]["link_uid"].hex
            template.rows.append((*told, link, n))
        assert len(rows) == many
        assert rows.write() == many
        assert len(rows) == 0

        found = {row.pop("id"): row for row in Order.objects.exclude(pk=first.pk).values()}
    assert found == expected


def test_several_templates_are_written_together(account: ExchangeAccount) -> None:
    order = make_order(account, state=OrderState.READY)
    now = timezone.now()
    with tenant_scope(account.tenant_id):
        rows = Rows(OrderEvent, ("id", "order_id"))
        for state, many in (("ready", 20), ("sending", 2), ("live", 0), ("filled", 9)):
            template = rows.template(
                tenant_id=account.tenant_id,
                signal_at=order.signal_at,
                at=now,
                source="engine",
                to_state=state,
            )
            template.rows.extend((new_hex(), order.id.hex) for _ in range(many))
        rows.write()
        states = list(OrderEvent.objects.filter(at=now).values_list("to_state", flat=True))
    assert {s: states.count(s) for s in set(states)} == {"ready": 20, "sending": 2, "filled": 9}


def test_a_duplicate_is_an_integrity_error_and_nothing_is_written(
    account: ExchangeAccount,
) -> None:
    order = make_order(account, state=OrderState.READY)
    with tenant_scope(account.tenant_id):
        decision = Decision.objects.get(pk=order.decision_id)
        rows = Rows(Decision, ("id", "link_uid"))
        template = rows.template(
            tenant_id=account.tenant_id,
            signal_id=decision.signal_id,
            account_id=account.pk,
            outcome="copied",
            numbers={"a": "1"},
            decided_at=timezone.now(),
        )
        template.rows.extend((new_hex(), uuid.uuid4().hex) for _ in range(10))
        template.rows.append((new_hex(), decision.link_uid.hex))
        before = Decision.objects.count()
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.write()
        assert Decision.objects.count() == before


def test_what_does_not_fit_is_refused(account: ExchangeAccount) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no lengths")
    order = make_order(account, state=OrderState.READY)
    with tenant_scope(account.tenant_id):
        rows = Rows(OrderEvent, ("id", "order_id", "note"))
        template = rows.template(
            tenant_id=account.tenant_id,
            signal_at=order.signal_at,
            at=timezone.now(),
            source="engine",
            to_state="live",
        )
        template.rows.extend((new_hex(), order.id.hex, "x" * 301) for _ in range(10))
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.write()


def test_another_desk_no_desk_no_scope_and_missing_keys_are_refused(
    account: ExchangeAccount,
) -> None:
    other = make_account()
    with tenant_scope(account.tenant_id):
        rows = Rows(OrderEvent, ("id", "order_id"))
        with pytest.raises(ScopeError):
            rows.template(tenant_id=other.tenant_id)
        with pytest.raises(ScopeError):
            rows.template()
        with pytest.raises(ValueError, match="id"):
            Rows(OrderEvent, ("order_id",)).template(tenant_id=account.tenant_id)
    with pytest.raises(ScopeError):
        rows.template(tenant_id=account.tenant_id)
    with all_tenants("a test"):
        assert rows.template(tenant_id=other.tenant_id).rows == []


def test_columns_that_make_their_own_values_are_refused() -> None:
    with pytest.raises(ValueError, match="make their own values"):
        Rows(ExchangeAccount, ("id",))
