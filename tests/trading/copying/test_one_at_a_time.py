"""Signals of one source are copied one after the other, once, whatever happens meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry, Installation
from accounts.tenancy import all_tenants, tenant_scope
from signals.models import Signal, SignalSource
from strategies.models import Strategy
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts, make_desk, sent
from trading import faults, tasks
from trading.copying import copy_source, run
from trading.copying.cycles import settle_cycles
from trading.faults import InjectedFaultError
from trading.leases import db_now
from trading.models import Cycle, Decision, Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def stumble(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    plan = faults.parse(text)
    monkeypatch.setattr(faults, "_plan", lambda: plan)


def reread(signal: Signal) -> Signal:
    with tenant_scope(signal.tenant_id):
        return Signal.objects.get(pk=signal.pk)


def shape(desk: Desk) -> tuple[Any, ...]:
    """Everything that copying wrote, without its keys and times."""
    decisions = [(x.account_id, x.outcome, x.reason) for x in desk.decisions()]
    orders = [(o.account_id, o.state, *facts(o)) for o in desk.orders()]
    return decisions, orders, [(c.account_id, c.direction) for c in desk.cycles()]


def test_the_task_of_a_later_signal_copies_the_earlier_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.follower()
    first, second = desk.say("open", "10"), desk.say("add", "10")
    dispatched: list[list[Any]] = []
    monkeypatch.setattr(tasks, "_dispatch", lambda orders, **_: dispatched.append(orders))

    tasks.copy_signal(str(second.pk))
    tasks.copy_signal(str(first.pk))

    assert [len(ids) for ids in dispatched] == [1, 1]
    opened, added = desk.orders()
    assert (opened.signal_id, added.signal_id) == (first.pk, second.pk)
    assert (facts(opened)[0], facts(added)[0]) == ("open", "add")
    assert opened.lane_at < added.lane_at


def test_signals_received_at_the_same_moment_go_by_their_id(desk: Desk) -> None:
    desk.follower()
    now = timezone.now()
    said = [desk.say("add", "1", received_at=now) for _ in range(4)]
    said += [desk.say("open", "1", received_at=now - timedelta(seconds=1))]

    orders = desk.copy()

    in_order = [said[-1].pk, *sorted(signal.pk for signal in said[:4])]
    by_lane = sorted(orders, key=lambda order: order.lane_at)
    assert [order.signal_id for order in by_lane] == in_order


def test_copying_again_changes_nothing(desk: Desk) -> None:
    desk.follower()
    signal = desk.say("open", "10")
    desk.copy()
    before = shape(desk)

    assert desk.copy() == []
    with tenant_scope(desk.tenant):
        assert run.copy_signal(reread_with_source(signal), lane_at=db_now()) == []
    assert shape(desk) == before
    assert desk.leader() == 10


def reread_with_source(signal: Signal) -> Signal:
    return Signal.objects.select_related("tenant", "source").get(pk=signal.pk)


@pytest.mark.parametrize("point", ["S2.claimed", "S2.mid_chunk", "S2.chunk_committed"])
def test_a_crash_anywhere_leaves_what_the_next_run_completes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    twin = make_desk()
    for each in (desk, twin):
        for ratio in ("0.1", "0.2", "0.3", "0.4", "0.5"):
            each.follower(follow_ratio=d(ratio))
        each.say("open", "10")
    monkeypatch.setattr(run, "CHUNK", 2)
    quantities = [o.quantity for o in twin.copy()]

    stumble(monkeypatch, f"{point}=raise")
    for _ in range(2):
        with pytest.raises(InjectedFaultError):
            desk.copy()
    stumble(monkeypatch, "")
    desk.copy()

    assert [o.quantity for o in desk.orders()] == quantities
    assert len(desk.decisions()) == len(desk.cycles()) == 5
    assert desk.leader() == 10
    assert len({o.client_order_id for o in desk.orders()}) == 5


def test_a_crash_in_the_middle_of_a_chunk_writes_nothing_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.follower()
    signal = desk.say("open", "10")
    stumble(monkeypatch, "S2.mid_chunk=raise")

    with pytest.raises(InjectedFaultError):
        desk.copy()

    assert shape(desk) == ([], [], [])
    assert (reread(signal).status, reread(signal).claims) == ("accepted", 1)
    with tenant_scope(desk.tenant):
        source = SignalSource.objects.get(pk=desk.source.pk)
    assert (source.claim_token, source.claim_until) == (None, None)


def test_what_fails_five_times_is_set_aside_and_the_next_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.follower()
    poison, good = desk.say("open", "10"), desk.say("open", "20")
    stumble(monkeypatch, "S2.mid_chunk=raise")
    for _ in range(5):
        with pytest.raises(InjectedFaultError):
            desk.copy()
    stumble(monkeypatch, "")

    orders = desk.copy()

    assert (reread(poison).status, reread(poison).reason) == ("quarantined", "POISON")
    assert reread(good).status == "copied"
    assert [facts(o)[3] for o in orders] == ["2"]
    assert desk.decisions(poison) == []
    assert desk.leader() == 20
    with all_tenants("read the diary"):
        (entry,) = AuditEntry.objects.filter(action="signal.quarantined")
    assert (entry.level, entry.tenant_id) == ("critical", desk.tenant.pk)


def test_a_follower_that_cannot_be_decided_keeps_nobody_waiting(desk: Desk) -> None:
    broken, whole = desk.follower(), desk.follower()
    other = make.make_strategy(desk.source)
    with tenant_scope(desk.tenant):
        Strategy._base_manager.filter(pk=other.pk).update(sizing_mode="FIXED_NOTIONAL")
        broken.strategy_id = other.pk
        broken.save()

    orders = desk.hear("open", "10")

    assert [o.account_id for o in orders] == [whole.account_id]
    decision = desk.last(broken)
    assert (decision.outcome, decision.reason) == ("denied", "POISON")
    with all_tenants("read the diary"):
        assert AuditEntry.objects.filter(action="decision.failed", level="critical").count() == 1


def test_a_source_that_is_being_copied_is_left_alone_until_the_claim_ends(desk: Desk) -> None:
    desk.follower()
    desk.say("open", "10")
    with tenant_scope(desk.tenant):
        sources = SignalSource.objects.filter(pk=desk.source.pk)
        sources.update(claim_until=db_now() + timedelta(seconds=30))

        assert desk.copy() == []
        assert shape(desk) == ([], [], [])
        sources.update(claim_until=db_now() - timedelta(seconds=1))

    assert len(desk.copy()) == 1


def test_who_slept_longer_than_its_claim_moves_nothing_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes this signal and the next while we stand between two chunks."""
    for _ in range(4):
        desk.follower()
    desk.say("open", "10")
    monkeypatch.setattr(run, "CHUNK", 2)
    slept = []

    def sleep(name: str) -> None:
        if name == "S2.chunk_committed" and not slept:
            slept.append(name)
            with tenant_scope(desk.tenant):
                SignalSource.objects.update(claim_until=db_now() - timedelta(seconds=1))
            desk.hear("add", "10")

    monkeypatch.setattr(run, "faultpoint", sleep)
    desk.copy()

    assert slept
    assert desk.leader() == 20
    assert len(desk.decisions()) == len(desk.orders()) == 8
    assert [facts(o)[3] for o in desk.orders()] == ["1"] * 8


def test_an_opening_that_leaves_while_it_is_taken_back_is_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    desk.say("close")
    read, rounds = run.read_facts, []

    def read_and_be_outrun(*args: Any) -> Any:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            facts_read = read(*args)
            sent(opened)
            return facts_read
        sent(opened)  # what the other process committed; our own roll-back undid it here
        return read(*args)

    monkeypatch.setattr(run, "read_facts", read_and_be_outrun)
    (closing,) = desk.copy()

    assert rounds == [0, 1]
    assert facts(closing) == ("close", "sell", "net", "1", True)
    assert desk.orders(pk=opened.pk)[0].state == "sending"


def test_more_followers_than_one_chunk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CHUNK", 20)
    for _ in range(23):
        desk.follower()
    chunks: list[int] = []
    write = run.write_drafts

    def note(signal: Any, move: Any, drafts: Any, around: Any, **others: Any) -> Any:
        chunks.append(len(drafts))
        return write(signal, move, drafts, around, **others)

    monkeypatch.setattr(run, "write_drafts", note)

    orders = desk.hear("open", "10")

    assert chunks == [20, 3, 0]  # the last ends the signal
    assert len({o.account_id for o in orders}) == len(desk.decisions()) == 23


def test_the_queries_of_a_chunk_do_not_grow_with_its_followers(desk: Desk) -> None:
    def queries(each: Desk, intent: str) -> int:
        each.say(intent, "10")
        with CaptureQueriesContext(connection) as captured:
            list(copy_source(each.source.pk))
        return len(captured)

    few, many = desk, make_desk()
    for each, followers in ((few, 3), (many, 15)):
        for _ in range(followers):
            each.follower()

    opening = [queries(few, "open"), queries(many, "open")]
    for order in (*few.orders(), *many.orders()):
        ended(order)
    adding = [queries(few, "add"), queries(many, "add")]

    assert opening[0] == opening[1] <= 45
    assert adding[0] == adding[1] <= 49  # the time is asked before the claim and when it is held


def test_desks_never_mix(desk: Desk) -> None:
    other = make_desk()
    mine, theirs = desk.follower(), other.follower()
    other.say("open", "30")

    desk.hear("open", "10")

    assert [o.account_id for o in desk.orders()] == [mine.account_id]
    assert other.orders() == []
    other.copy()
    assert [(o.account_id, o.quantity) for o in other.orders()] == [(theirs.account_id, d(3))]
    assert (desk.leader(), other.leader()) == (10, 30)
    with all_tenants("compare owners"):
        for rows in (Order.objects, Decision.objects):
            assert not rows.exclude(tenant_id=F("account__tenant_id")).exists()


def test_the_leader_s_position_is_kept_per_direction_and_instrument(desk: Desk) -> None:
    make.make_instrument("ETH-USDT-SWAP")
    make.set_price("ETH-USDT-SWAP", 3000)
    for intent, quantity, more in [
        ("open", "10", {}),
        ("add", "2.5", {}),
        ("reduce", "50", {"quantity_mode": "percent"}),
        ("open", "4", {"direction": "short"}),
        ("open", "7", {"inst_id": "ETH-USDT-SWAP"}),
        ("cancel", None, {}),
    ]:
        desk.hear(intent, quantity, **more)

    assert (desk.leader("long"), desk.leader("short")) == (d("6.25"), d(4))
    assert desk.leader("long", "ETH-USDT-SWAP") == d(7)
    desk.hear("flip", "3", direction="short")
    assert (desk.leader("long"), desk.leader("short")) == (d(0), d(3))
    desk.hear("close", direction="short")
    assert desk.leader("short") == d(0)


@pytest.fixture
def open_desk(transactional_db: None) -> Desk:
    Installation.objects.get_or_create(pk=1)
    return make_desk()


def at_once(*jobs: Any) -> list[Any]:
    """Run the jobs in threads that start together, each with its own connection."""
    start = threading.Barrier(len(jobs))

    def work(job: Any) -> Any:
        start.wait()
        try:
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as threads:
        return [each.result() for each in [threads.submit(work, job) for job in jobs]]


def test_processes_that_copy_the_same_source_copy_it_once(open_desk: Desk) -> None:
    desk = open_desk
    for _ in range(5):
        desk.follower()
    for intent, quantity in (("open", "10"), ("add", "5"), ("add", "5")):
        desk.say(intent, quantity)

    at_once(*[lambda: list(copy_source(desk.source.pk))] * 4)
    desk.copy()

    assert len(desk.decisions()) == len(desk.orders()) == 15
    assert desk.leader() == 20
    assert len(desk.cycles()) == 5
    lanes: dict[str, list[Any]] = {}
    for order in sorted(desk.orders(), key=lambda o: o.lane_at):
        lanes.setdefault(order.lane_key, []).append(order.signal_id)
    assert all(seen == sorted(seen) for seen in lanes.values())


def test_who_waits_for_a_claim_never_gets_in_front_of_what_it_waited_for(open_desk: Desk) -> None:
    desk = open_desk
    desk.follower()
    desk.say("open", "10")
    claims: list[str] = []

    def hold_up(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not claims and sql.startswith("UPDATE") and "claim_token" in sql:
            claims.append(sql)
            at_once(desk.copy)  # somebody else was faster, and one more signal has come
            desk.say("add", "5")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(hold_up):
        desk.copy()

    opened, added = sorted(desk.orders(), key=lambda order: order.created_at)
    assert (opened.leg, added.leg) == ("open", "add")
    assert opened.lane_at < added.lane_at


def test_two_sources_that_reach_for_one_account_open_one_cycle(open_desk: Desk) -> None:
    desk = open_desk
    sources = [make.make_source(desk.tenant) for _ in range(3)]
    rivals = [Desk(desk.tenant, source, make.make_strategy(source)) for source in sources]
    accounts = [make.make_account(make.make_customer(desk.tenant)) for _ in range(4)]
    for rival in rivals:
        for account in accounts:
            make.subscribe(rival.strategy, account)
        rival.say("open", "10")

    at_once(*[rival.copy for rival in rivals])

    with tenant_scope(desk.tenant):
        running = Cycle.objects.values_list("account_id", "inst_id", "active_key")
        assert sorted(running) == [(a.pk, BTC, f"{a.pk}|{BTC}") for a in accounts]
    outcomes = [(x.outcome, x.reason) for x in desk.decisions()]
    assert outcomes.count(("copied", "")) == 4
    assert outcomes.count(("skipped", "LINK_CONFLICT")) == 8
    assert len(desk.orders()) == 4


def test_a_cycle_never_ends_under_an_order_that_is_being_added(transactional_db: None) -> None:
    for _ in range(10):
        desk = make_desk()
        desk.follower()
        (opened,) = desk.hear("open", "10")
        with tenant_scope(desk.tenant):
            Order.objects.filter(pk=opened.pk).update(state="rejected")
        desk.say("add", "10")
        at_once(desk.copy, partial(settle_cycles, [opened.pk]))

        with tenant_scope(desk.tenant):
            added = Order.objects.filter(leg="add")
            assert not added.filter(cycle__ended_at__isnull=False).exists()


def test_one_account_that_follows_two_strategies_of_a_source_is_traded_for_one(
    desk: Desk,
) -> None:
    other = make.make_strategy(desk.source)
    first, free = desk.follower(), desk.follower()
    second = make.subscribe(other, first.account)

    orders = desk.hear("open", "10")

    assert [order.account_id for order in orders] == sorted([first.account_id, free.account_id])
    reasons = {(d.link_uid, d.outcome, d.reason) for d in desk.decisions()}
    refused = [link for link, outcome, _ in reasons if outcome != "copied"]
    assert len(refused) == 1
    assert refused[0] in (first.uid, second.uid)
    assert {reason for _, outcome, reason in reasons if outcome != "copied"} == {"LINK_CONFLICT"}
