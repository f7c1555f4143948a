"""From the diary to the outbox: who is told of what, and that nothing is told twice or lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import AuditEntry, AuditPending
from accounts.tenancy import all_tenants, tenant_scope
from notifications import fanout
from notifications.enums import DestinationStatus, Kind
from notifications.fanout import fan_out
from notifications.models import Notification, NotificationRule
from notifications.services import set_destination_status
from notifications.words import ACTIONS, KINDS, headline
from tests.notifications.desk import Desk, make_desk

pytestmark = [pytest.mark.django_db, pytest.mark.database]

LEVELS = [
    (AuditLevel.INFO, ["info", "notice", "warning", "critical"]),
    (AuditLevel.WARNING, ["warning", "critical"]),
    (AuditLevel.CRITICAL, ["critical"]),
]
PREFIXES = [
    ("order", "order.late_fill", True),
    ("order", "order", True),
    ("order", "orders.late_fill", False),
    ("account", "account.keys_set", True),
    ("trading_state", "trading_state.changed", True),
    ("key", "keys.read", False),
]


@pytest.mark.parametrize(("minimum", "told"), LEVELS)
def test_a_rule_tells_from_its_level_on(desk: Desk, minimum: AuditLevel, told: list[str]) -> None:
    desk.destination(level=minimum)
    for level in AuditLevel:
        desk.note(level=level)

    assert fan_out() == len(told)

    assert [row.level for row in desk.rows()] == told


@pytest.mark.parametrize(("kind", "action", "told"), PREFIXES)
def test_a_rule_tells_of_what_begins_with_its_kinds(
    desk: Desk, kind: str, action: str, told: bool
) -> None:
    rule = NotificationRule(minimum_level=AuditLevel.INFO, kinds=["signal", kind])

    assert fanout.matches(rule, action, AuditLevel.NOTICE) is told


def test_a_message_keeps_what_the_entry_said_and_leads_back_to_it(desk: Desk) -> None:
    destination = desk.destination()
    entry = desk.note(
        "account.paused",
        before={"status": "active"},
        after={"status": "paused", "api_key": "k3y", "leverage": 3},
        reason="On holiday",
    )

    fan_out()

    (row,) = desk.rows()
    assert (row.destination_id, row.entry_id) == (destination.pk, entry.pk)
    assert (row.kind, row.level, row.state) == ("account.paused", "warning", "pending")
    assert row.params["object"] == "Ana Chen"
    assert row.params["reason"] == "On holiday"
    assert row.params["changes"] == [
        ["status", "active → paused"],
        ["api_key", "••••"],
        ["leverage", "3"],
    ]


def test_two_rules_of_one_destination_tell_once(desk: Desk) -> None:
    destination = desk.destination()
    with tenant_scope(desk.tenant):
        NotificationRule(destination=destination, minimum_level="info").save()
    other = desk.destination(Kind.WECOM)
    desk.note()

    assert fan_out() == 2

    assert {row.destination_id for row in desk.rows()} == {destination.pk, other.pk}


def test_nothing_is_told_twice(desk: Desk) -> None:
    desk.destination()
    desk.note()

    assert [fan_out(), fan_out()] == [1, 0]
    assert AuditPending.objects.count() == 0


def test_other_desks_are_told_nothing(desk: Desk) -> None:
    other = make_desk("South desk")
    other.destination()
    desk.note()

    assert fan_out() == 0
    assert other.rows() == []


def test_entries_of_the_installation_go_to_nobody_and_stay_in_the_diary(desk: Desk) -> None:
    desk.destination()
    with transaction.atomic():
        entry = audit.record(action="keys.read", tenant=None, level=AuditLevel.CRITICAL)

    assert fan_out() == 0

    assert not AuditPending.objects.filter(entry=entry).exists()
    with all_tenants("a test reads the installation's diary"):
        assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_what_happened_before_a_destination_existed_is_not_told(desk: Desk) -> None:
    desk.note()
    desk.destination()

    assert fan_out() == 0
    assert AuditPending.objects.count() == 0


def test_what_happened_before_a_rule_existed_is_not_told_by_it(desk: Desk) -> None:
    destination = desk.destination(kinds=["signal"])
    desk.note()
    with tenant_scope(desk.tenant):
        NotificationRule(destination=destination, minimum_level="info", kinds=["order"]).save()

    assert fan_out() == 0


def test_a_paused_destination_is_told_nothing_of_its_pause(desk: Desk) -> None:
    destination = desk.destination(level=AuditLevel.WARNING)
    with tenant_scope(desk.tenant):
        set_destination_status(destination=destination, status=DestinationStatus.PAUSED, actor=None)
    desk.note(reason="while paused")
    first = fan_out()
    desk.note(reason="while paused, found later")
    with tenant_scope(desk.tenant):
        destination.refresh_from_db()
        set_destination_status(
            destination=destination, status=DestinationStatus.ENABLED, actor=None
        )
    desk.note(reason="afterwards")

    assert (first, fan_out()) == (0, 1)
    assert [row.params["reason"] for row in desk.rows()] == ["afterwards"]


def test_messages_of_a_failing_destination_wait_for_it(desk: Desk) -> None:
    desk.destination(status=DestinationStatus.FAILING)
    desk.note()

    desk.tell()

    assert desk.states() == ["pending"]


def test_an_inactive_rule_tells_nothing(desk: Desk) -> None:
    destination = desk.destination()
    with tenant_scope(desk.tenant):
        NotificationRule.objects.filter(destination=destination).update(is_active=False)
    desk.note()

    assert fan_out() == 0


def test_a_failure_leaves_the_batch_for_the_next_round(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list loses an entry in the transaction that writes its messages, or not at all."""
    desk.destination()
    desk.note()

    def stumble(rows: Any) -> int:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(fanout, "insert_many", stumble)
        with pytest.raises(RuntimeError):
            fan_out()
    assert (desk.rows(), AuditPending.objects.count()) == ([], 1)

    assert fan_out() == 1


def test_a_backlog_is_worked_off_in_batches_of_the_same_cost(desk: Desk) -> None:
    """An installation of years has its whole diary on the list; hardly any of it matches."""
    desk.destination(kinds=["signal"])
    for _ in range(3):
        desk.notes(fanout.BATCH)
    desk.note("signal.quarantined")

    with CaptureQueriesContext(connection) as queries:
        assert fan_out() == 1

    assert AuditPending.objects.count() == 0
    # Per batch: savepoint, list, delete, rules, matches; nothing is read of what does not match.
    assert len(queries) <= 4 * 8 + 6
    assert not any('"before"' in query["sql"] for query in queries[: 3 * 6])


def test_a_round_ends_when_its_time_is_over(desk: Desk) -> None:
    desk.destination()
    desk.note()

    assert fan_out(0) == 0
    assert AuditPending.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_writes_the_message(caught: None) -> None:
    desk = make_desk()
    desk.destination()
    for _ in range(3):
        desk.note()
    ready, told = threading.Barrier(2), []

    def work() -> None:
        try:
            ready.wait(5)
            with all_tenants("two workers at the same list"):
                told.append(fanout._one_batch()[1])
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)

    assert sorted(told) == [0, 3]
    assert len(desk.rows()) == 3


def test_every_action_of_the_product_has_words() -> None:
    from tests.architecture.test_contracts import APPS, sources

    written = set()
    for path in sources(*APPS):
        written |= _actions(path.read_text())

    unnamed = {action for action in written if action not in ACTIONS}
    assert unnamed <= {"keys.read"}, "give them words in notifications/words.py"
    assert {action.partition(".")[0] for action in written} - {"keys", "tenant", "desk"} <= {
        *KINDS,
        "notification",
    }


def test_an_action_without_words_is_told_by_its_own() -> None:
    assert headline("order.frozen_over") == "Orders: frozen over"
    assert headline("something") == "something"


def _actions(text: str) -> set[str]:
    """Actions written as plain words in calls of the diary."""
    import ast

    found = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        if name not in {"record", "Note"}:
            continue
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg == "action" and isinstance(value, ast.Constant) and "." in value.value:
                found.add(value.value)
    return found


def test_listening_begins_now(desk: Desk) -> None:
    destination = desk.destination()

    assert timezone.now() - destination.listens_from < timedelta(seconds=5)
    assert Notification._meta.get_field("dedup_key").unique
