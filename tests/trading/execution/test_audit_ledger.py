"""The audit of the books: clean when all is well, and each broken promise found as what it is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from signals.models import Signal
from tests.trading.execution.bench import Bench, diary
from trading.auditing import Report, audit_all, audit_desks
from trading.endpoints import client_of
from trading.exchange.runner import exchange_loop
from trading.execution.keys import keys_of
from trading.execution.send import place_request
from trading.models import Decision, Fill, LedgerAudit, Order, OrderAttempt, Position
from trading.sync.reconcile import reconcile_accounts

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


@pytest.fixture
def world(bench: Bench, settings: Any) -> Bench:
    """Two followers with a position each, one of them in long-short mode, and one that left."""
    settings.SIMULATOR_CONTROL_URL = bench.control
    for mode in ("net", "long_short"):
        bench.follower(pos_mode=mode)
    bench.send(bench.open())
    bench.finish()
    bench.send(bench.desk.hear("reduce", "3"))
    bench.finish()
    read(bench)
    return bench


def read(bench: Bench) -> None:
    assert all(run.ok for run in reconcile_accounts(list(bench.opened), cause="test"))


def audit(bench: Bench, **how: Any) -> Report:
    how.setdefault("settle", timedelta(0))
    (report,) = audit_desks(tenant_id=bench.desk.tenant.pk, **how)
    return report


def found(report: Report) -> set[tuple[str, str]]:
    return {(str(each.promise), each.what) for each in report.findings}


def change(model: Any, *, only: int = 1, **columns: Any) -> None:
    """Behind everybody's back."""
    with all_tenants("corrupt a world"):
        ids = list(model.objects.order_by("pk").values_list("pk", flat=True)[:only])
        assert model.objects.filter(pk__in=ids).update(**columns) == only


def test_a_world_in_which_all_went_well_is_clean(world: Bench) -> None:
    report = audit(world)

    assert (report.is_clean, report.findings, report.unread) == (True, [], [])
    assert (report.accounts, report.orders, report.fills, report.signals) == (2, 4, 4, 2)
    assert (report.in_flight_count, report.unseen_count) == (0, 0)


def test_without_the_ledger_it_asks_over_rest_and_finds_the_same(
    world: Bench, settings: Any
) -> None:
    settings.SIMULATOR_CONTROL_URL = ""
    clean = audit(world)
    change(Fill, quantity=Decimal(7))
    broken = audit(world)

    assert (clean.findings, clean.unread, clean.unseen_count) == ([], [], 0)
    assert found(broken) == {("I4", "fill_unknown"), ("I4", "fill_of_nobody"), ("I4", "filled_sum")}


def place_as(world: Bench, name: str = "") -> None:
    """The first order once more, past everything that keeps it from happening."""
    with all_tenants("an order that is sent twice"):
        order = Order.objects.select_related("account").order_by("pk")[0]
        keys = keys_of(order.account)
    request = place_request(order)
    request = request._replace(client_order_id=name or request.client_order_id)
    at = int(timezone.now().timestamp() * 1000) + 5000
    with all_tenants("as if it had been marked for it"):
        OrderAttempt.objects.filter(order=order).update(exp_at_ms=at)
    sent = exchange_loop().run(client_of(order.account).place_order(keys, request, exp_at_ms=at))
    assert sent.exchange_order_id not in ("", order.exchange_order_id)
    read(world)


def swap_a_lane(world: Bench) -> None:
    with all_tenants("corrupt a world"):
        lane = Order.objects.order_by("pk")[0].lane_key
        first, second = Order.objects.filter(lane_key=lane).order_by("lane_at")
        Order.objects.filter(pk=first.pk).update(lane_at=second.lane_at + timedelta(seconds=1))


def close_too_early(world: Bench) -> None:
    with all_tenants("corrupt a world"):
        lane = Order.objects.order_by("pk")[0].lane_key
        first, second = Order.objects.filter(lane_key=lane).order_by("lane_at")
        Order.objects.filter(pk=first.pk).update(leg="close")
        Order.objects.filter(pk=second.pk).update(leg="open", lane_key="another")
        Order.objects.filter(pk=second.pk).update(lane_at=first.lane_at - timedelta(seconds=1))


def halt_before(world: Bench) -> None:
    """The diary says that the desk was halted for an hour, and nothing heeded it."""
    desk = world.desk.tenant
    with tenant_scope(desk):
        AuditEntry.objects.create(
            action="trading_state.changed",
            at=timezone.now() - timedelta(hours=1),
            before={"mode": "active"},
            after={"mode": "halted", "scope": str(desk.pk)},
        )


CORRUPTIONS: list[tuple[str, Callable[[Bench], None], set[tuple[str, str]]]] = [
    (
        "an order that the exchange does not have",
        lambda world: change(Order, exchange_order_id="1"),
        {("I2", "not_at_exchange"), ("I4", "filled_sum")},
    ),
    (
        "an order that ended otherwise",
        lambda world: change(Order, state="canceled", reason="UNDERFILLED"),
        {("I3", "state")},
    ),
    (
        "an order that was given up and was placed after all",
        lambda world: change(Order, state="expired", reason="EXPIRED"),
        {("I3", "placed_after_all")},
    ),
    (
        "a fill with another price",
        lambda world: change(Fill, price=Decimal(1)),
        {("I4", "fill_unknown"), ("I4", "fill_of_nobody")},
    ),
    (
        "a position that we show wrong",
        lambda world: change(Position, quantity=Decimal(9)),
        {("I5", "position")},
    ),
    ("a lane heard in another order", swap_a_lane, {("I6", "out_of_order")}),
    ("a close before its opening", close_too_early, {("I6", "close_before_open")}),
    ("orders after a halt", halt_before, {("I7", "after_halt")}),
    (
        "an order accepted after its deadline",
        lambda world: change(OrderAttempt, exp_at_ms=1),
        {("I7", "after_deadline")},
    ),
    (
        "an id that is not the order's",
        lambda world: change(Order, link_uid=uuid.uuid4()),
        {("I8", "client_order_id")},
    ),
    (
        "a signal that nobody copies",
        lambda world: change(Signal, status="accepted", received_at=_long_ago()),
        {("I9", "not_copied")},
    ),
    (
        "a follower without a decision's order",
        lambda world: change(Order, decision_id=uuid.uuid4()),
        {("I9", "no_order")},
    ),
    (
        "an order that ended without a word",
        lambda world: change(Decision, outcome="skipped", reason=""),
        {("I9", "no_reason")},
    ),
    (
        "an order unknown for two minutes",
        lambda world: change(Order, state="unknown", sent_at=_long_ago()),
        {("I10", "unknown")},
    ),
    (
        "an order whose sender is gone",
        lambda world: change(Order, state="sending", lease_until=None),
        {("I10", "sender_gone")},
    ),
    ("an order for a person", lambda world: change(Order, state="manual"), {("I10", "manual")}),
    # Last: the exchange does not undo it.
    ("an order sent twice", place_as, {("I1", "doubled")}),
]


def _long_ago() -> Any:
    return timezone.now() - timedelta(minutes=2)


class UndoneError(Exception):
    pass


def test_each_broken_promise_is_found_and_no_other(world: Bench) -> None:
    told: dict[str, set[tuple[str, str]]] = {}
    for name, corrupt, _ in CORRUPTIONS:
        with suppress(UndoneError), transaction.atomic():
            corrupt(world)
            told[name] = found(audit(world))
            raise UndoneError

    assert told == {name: broken for name, _, broken in CORRUPTIONS}


def test_what_still_moves_is_told_and_is_no_finding(world: Bench) -> None:
    change(Order, state="live", filled_quantity=Decimal(0))
    change(Position, quantity=Decimal(9))
    change(Signal, status="accepted")

    report = audit(world, settle=timedelta(minutes=1))

    assert report.findings == []
    assert {note.what for note in report.in_flight} == {"order", "position", "signal"}


def test_another_copydesk_on_the_same_key_and_an_id_of_ours_that_nobody_knows(
    world: Bench,
) -> None:
    place_as(world, "oth" + "0" * 26)
    place_as(world, "tst" + "0" * 26)
    place_as(world, "somebody")

    assert found(audit(world)) == {("I2", "foreign_deployment"), ("I2", "unrecorded")}


def test_an_exchange_that_cannot_be_asked_is_no_clean_one(world: Bench, settings: Any) -> None:
    settings.SIMULATOR_CONTROL_URL = "http://127.0.0.1:9"

    report = audit(world)

    assert (report.findings, len(report.unread)) == ([], 2)


def test_an_account_in_a_market_without_addresses_is_unread_and_the_others_are_judged(
    world: Bench, settings: Any
) -> None:
    settings.SIMULATOR_CONTROL_URL = ""
    lost, _ = world.opened
    with all_tenants("an account of a market that is configured no more"):
        ExchangeAccount.objects.filter(pk=lost).update(market="nowhere")

    report = audit(world)

    assert [note.account_id for note in report.unread] == [lost]
    assert (report.accounts, report.findings) == (2, [])


def test_the_command_says_it_by_its_status_and_leaves_a_row(world: Bench) -> None:
    clean = run("--settle=0")
    change(Fill, fee=Decimal(-5))
    broken = run("--settle=0", f"--tenant={world.desk.tenant.slug}")
    with all_tenants("whose desk it is"):
        rows = list(LedgerAudit.objects.order_by("pk"))

    assert (clean["status"], clean["exit"]) == (0, 0)
    assert (broken["status"], broken["exit"]) == (1, 1)
    assert broken["desks"][0]["counts"] == {"I4": 2}
    assert [(row.is_clean, row.counts) for row in rows] == [(True, {}), (False, {"I4": 2})]
    (entry,) = diary("audit.not_clean")
    assert (entry.level, entry.tenant_id) == ("critical", world.desk.tenant.pk)


def test_the_command_says_when_it_could_not_look(world: Bench, settings: Any) -> None:
    settings.SIMULATOR_CONTROL_URL = "http://127.0.0.1:9"

    assert run()["exit"] == 2
    assert [entry.level for entry in diary("audit.not_seen")] == ["warning"]


@pytest.mark.parametrize(
    ("how", "word"),
    [("--tenant=nobody", "--tenant"), ("--account=0", "--account"), ("--since=noon", "--since")],
)
def test_the_command_names_what_it_does_not_understand(db: None, how: str, word: str) -> None:
    with pytest.raises(CommandError, match=word):
        call_command("audit_ledger", how)


def test_every_day_each_desk_is_audited_and_old_audits_are_forgotten(world: Bench) -> None:
    with tenant_scope(world.desk.tenant):
        LedgerAudit.objects.create(is_clean=True, started_at=timezone.now() - timedelta(days=91))

    assert audit_all() == 0

    with all_tenants("every desk's"):
        (row,) = LedgerAudit.objects.all()
    assert (row.tenant_id, row.is_clean, row.accounts) == (world.desk.tenant.pk, True, 2)


def run(*how: str) -> dict[str, Any]:
    out = StringIO()
    try:
        call_command("audit_ledger", "--json", *how, stdout=out)
        status: Any = 0
    except SystemExit as ended:
        status = ended.code
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer | {"exit": status}
