"""Orders that leave in the transaction that decides them: only where nothing else is to be done."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.fields import uuid7
from accounts.tenancy import all_tenants, tenant_scope
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC
from tests.trading.execution.bench import Bench, put, stumble
from trading import tasks
from trading.copying import copy_source, run
from trading.copying.writing import Written
from trading.enums import EventSource, LimitKind, OrderState, Scope, TradingMode
from trading.execution import clock, departing, leverage
from trading.execution import run as sending
from trading.execution.departing import MarkNew
from trading.execution.mark import Seen
from trading.execution.run import Flight
from trading.faults import InjectedFaultError
from trading.guards import Guards, Quote
from trading.models import Decision, Instrument, Order, OrderAttempt, Protection
from trading.outgoing import (
    Alike,
    Outgoing,
    OutgoingAccount,
    OutgoingCustomer,
    OutgoingStrategy,
    OutgoingSubscription,
)
from trading.risk import LimitValue
from trading.switch import Switchboard, set_limit, set_mode
from trading.transition import Change, transition
from trading.usage import Usage

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


def ready(bench: Bench, followers: int = 1, **terms: Any) -> list[Subscription]:
    """Followers who have traded here before: their keys and leverage are known."""
    links = [bench.follower(**terms) for _ in range(followers)]
    for intent in ("open", "close"):
        bench.send(bench.desk.hear(intent, "10"))
        bench.finish()
    return links


def say(bench: Bench, intent: str = "open", quantity: str = "10", **fields: Any) -> list[Order]:
    """A signal copied and sent as an executor does it; its orders as they are afterwards."""
    signal = bench.desk.say(intent, quantity, **fields)
    tasks.copy_signal(str(signal.pk))
    with all_tenants("its orders"):
        return list(Order.objects.filter(signal=signal).order_by("account_id", "leg_number"))


def rest() -> None:
    """As if all was sent long ago: no account is judged by itself for what it has used."""
    with all_tenants("sends of a moment ago"):
        Order.objects.update(sent_at=timezone.now() - timedelta(minutes=1))


def has_departed(bench: Bench, order: Order) -> bool:
    return bench.steps(order)[0] == OrderState.SENDING


def test_an_opening_leaves_with_its_decision_and_is_on_record_as_ever(bench: Bench) -> None:
    ready(bench, 3)

    orders = say(bench)

    assert len(orders) == 3
    for order in orders:
        assert has_departed(bench, order)
        assert bench.accepted(order) == [1]
        assert len(bench.requests(order)) == 1
        (attempt,) = bench.attempts(order)
        assert (attempt.number, attempt.outcome, order.attempt) == (1, "ack", 1)
        assert attempt.exp_at_ms == order.exp_at_ms
        assert attempt.signal_at == order.signal_at
        assert order.sent_at is not None
        assert order.acked_at is not None
        assert (order.version, order.lease_until, order.claim_token) == (1, None, None)


def test_what_was_never_sent_here_before_takes_the_ordinary_way(bench: Bench) -> None:
    """Its key, its leverage and its exchange are looked at first."""
    bench.follower()

    (order,) = say(bench)

    assert bench.steps(order)[:2] == ["ready", "sending"]
    assert bench.accepted(order) == [1]


def test_an_add_to_a_running_cycle_leaves_at_once(bench: Bench) -> None:
    ready(bench)
    (opened,) = say(bench)
    bench.finish()

    (added,) = say(bench, "add")

    assert (has_departed(bench, opened), has_departed(bench, added)) == (True, True)
    assert added.cycle_id == opened.cycle_id


def test_nothing_overtakes_what_is_unfinished_in_its_lane(bench: Bench) -> None:
    (link,) = ready(bench)
    (opened,) = say(bench)
    bench.finish()
    with all_tenants("as if its answer had not come"):
        Order.objects.filter(pk=opened.pk).update(state=OrderState.UNKNOWN, finished_at=None)

    (added,) = say(bench, "add")

    assert added.account_id == link.account_id
    assert bench.steps(added) == ["ready"]
    assert bench.requests(added) == []


def test_reductions_are_sized_anew_and_never_leave_with_their_decision(bench: Bench) -> None:
    ready(bench)
    say(bench)
    bench.finish()

    (closing,) = say(bench, "close")

    assert bench.steps(closing)[:2] == ["ready", "sending"]
    assert bench.accepted(closing) == [1]


def test_a_flip_sends_its_close_first(bench: Bench) -> None:
    ready(bench)
    say(bench)
    bench.finish()

    closing, opening = say(bench, "flip", "10", direction="short")

    assert (closing.leg, opening.leg) == ("close", "open")
    assert not has_departed(bench, closing)
    assert not has_departed(bench, opening)


def test_leverage_that_differs_is_set_first(bench: Bench) -> None:
    ready(bench)
    leverage._known.clear()

    (order,) = say(bench)

    assert bench.steps(order)[:2] == ["ready", "sending"]


@pytest.mark.parametrize("mode", [TradingMode.HALTED, TradingMode.REDUCE_ONLY, TradingMode.FLATTEN])
def test_a_switch_that_was_set_before_lets_nothing_leave(bench: Bench, mode: TradingMode) -> None:
    ready(bench)
    before = len(bench.entries(kind="request", method="POST"))
    set_mode(mode=mode, reason="test", actor=None, tenant=bench.desk.tenant)

    orders = say(bench)

    assert not any(has_departed(bench, order) for order in orders)
    assert len(bench.entries(kind="request", method="POST")) == before


def test_who_was_paused_since_the_last_signal_is_not_traded_for(bench: Bench) -> None:
    paused, free = ready(bench, 2)
    put(paused.account, status="paused")

    orders = say(bench)

    assert [order.account_id for order in orders] == [free.account_id]
    with tenant_scope(bench.desk.tenant):
        assert Decision.objects.filter(reason="ACCOUNT_DISABLED").count() == 1


def test_an_account_at_its_cap_of_sends_waits_while_the_others_leave(bench: Bench) -> None:
    busy, free = ready(bench, 2)
    rest()
    with all_tenants("but for one"):
        sent = Order.objects.filter(account_id=busy.account_id).latest("created_at")
        Order.objects.filter(pk=sent.pk).update(sent_at=timezone.now())
    set_limit(kind=LimitKind.ACCOUNT_SENDS, value=Decimal(1), actor=None, tenant=bench.desk.tenant)

    by_account = {order.account_id: order for order in say(bench)}

    assert not has_departed(bench, by_account[busy.account_id])
    assert has_departed(bench, by_account[free.account_id])


@pytest.mark.parametrize(("accounts", "go"), [((1, 1, 2), [1, 0, 1]), ((1, 2, 3), [1, 1, 1])])
def test_of_two_orders_of_one_account_the_second_meets_what_the_first_has_used(
    accounts: tuple[int, ...], go: list[int]
) -> None:
    once = LimitValue(LimitKind.ACCOUNT_SENDS, Scope.SYSTEM, Decimal(1), "a second")
    orders = [new_order(account, f"BTC-USD{place}-SWAP") for place, account in enumerate(accounts)]
    seen = Seen(
        now=timezone.now(),
        boards={1: Switchboard(limits={"system": [once]})},
        instruments={(o.market, o.inst_id): Instrument(state="live") for o in orders},
        mark_times={(o.market, o.inst_id): timezone.now() for o in orders},
        holdings={},
        close_ended={},
        guards=Guards({(o.market, o.inst_id): Quote(Decimal(100)) for o in orders}),
        lingering=set(),
        usage=Usage(),
    )
    judge = departing._Judge(seen, orders)

    assert [judge.passes(order, "alike") for order in orders] == [bool(goes) for goes in go]


def new_order(account_id: int, inst_id: str) -> Outgoing:
    terms = {
        "tenant_id": 1, "leg": "open", "leg_number": 0, "market": "simulator", "inst_id": inst_id,
        "side": "buy", "position_side": "net", "order_type": "market", "quantity": Decimal(1),
        "notional": Decimal(100), "state": OrderState.READY,
    }  # fmt: skip
    account = OutgoingAccount(
        account_id, 1, account_id, "", "simulator", "", 1, "verified", "net", "active",
        None, None, None, False, OutgoingCustomer("active"),
    )  # fmt: skip
    followed = OutgoingSubscription(1, "active", OutgoingStrategy("active"))
    own = (uuid7(), account_id, 1, uuid7(), f"T1{account_id}", f"{account_id}|{inst_id}", None)
    return Alike(terms).make(own, account, followed, None)


def test_a_cap_on_everybodys_sends_is_counted_order_by_order(bench: Bench) -> None:
    ready(bench, 3)
    rest()
    tasks.pace.forget()
    set_limit(kind=LimitKind.SYSTEM_SENDS, value=Decimal(2), actor=None, tenant=bench.desk.tenant)

    orders = say(bench)

    assert sum(has_departed(bench, order) for order in orders) == 2


def test_a_cap_of_the_desk_on_an_instrument_is_counted_order_by_order(bench: Bench) -> None:
    ready(bench, 3)
    rest()
    with all_tenants("what they held is gone"):
        each = Order.objects.filter(leg="open").latest("created_at").notional
    set_limit(kind=LimitKind.DESK_NOTIONAL, value=2 * each, actor=None, tenant=bench.desk.tenant)

    orders = say(bench)

    assert sum(has_departed(bench, order) for order in orders) == 2


def test_an_opening_waits_until_the_stop_of_an_earlier_cycle_is_gone(bench: Bench) -> None:
    (link,) = ready(bench)
    let_a_stop_linger(link)

    (order,) = say(bench)

    assert not has_departed(bench, order)
    assert bench.accepted(order) == [0]


def test_a_stop_that_lingers_keeps_only_its_own_account_among_others_that_are_alike(
    bench: Bench,
) -> None:
    links = ready(bench, 3)
    rest()
    let_a_stop_linger(links[1])

    orders = say(bench)

    assert [order.account_id for order in orders] == [link.account_id for link in links]
    assert [has_departed(bench, order) for order in orders] == [True, False, True]
    assert bench.accepted(*orders) == [1, 0, 1]


def let_a_stop_linger(link: Subscription) -> None:
    with all_tenants("a stop that lingers"):
        old = Order.objects.filter(leg="open", account_id=link.account_id).latest("created_at")
        Protection.objects.create(
            tenant_id=old.tenant_id,
            account_id=link.account_id,
            inst_id=BTC,
            side="sell",
            position_side="net",
            margin_mode=old.margin_mode,
            link_uid=link.uid,
            cycle_id=old.cycle_id,
            order_id=old.id,
            client_algo_id="x",
            stop_loss=Decimal(1),
            quantity=Decimal(1),
            state="live",
            created_at=timezone.now(),
        )


def test_a_transaction_that_fails_leaves_nothing_behind_and_sends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(bench)
    before = len(bench.entries(kind="request", method="POST"))
    attempts = len(bench.attempts_of_all())
    with monkeypatch.context() as patch:
        stumble(patch, "S5.before_commit=raise")
        signal = bench.desk.say("open", "10")
        with pytest.raises(InjectedFaultError), transaction.atomic():
            tasks.copy_signal(str(signal.pk))
    assert len(bench.entries(kind="request", method="POST")) == before
    assert len(bench.attempts_of_all()) == attempts

    tasks.copy_signal(str(signal.pk))

    with all_tenants("its orders"):
        (order,) = Order.objects.filter(signal=signal)
    assert bench.accepted(order) == [1]
    assert len(bench.requests(order)) == 1


def test_who_dies_after_the_commit_is_followed_by_the_sweep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(bench)
    with monkeypatch.context() as patch:
        stumble(patch, "S5.marked=raise")
        signal = bench.desk.say("open", "10")
        with pytest.raises(InjectedFaultError):
            tasks.copy_signal(str(signal.pk))
    with all_tenants("its orders"):
        (order,) = Order.objects.filter(signal=signal)
    assert (order.state, bench.requests(order)) == ("sending", [])

    bench.finish()

    assert bench.accepted(order) == [1]
    assert bench.now(order).state == "filled"


def test_an_order_that_cannot_be_judged_keeps_nobody_else_here(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, *_ = ready(bench, 3)
    judge = departing.refusal

    def stumbling(order: Any, seen: Any, locked: Any) -> Any:
        if order.account_id == odd.account_id:
            raise ZeroDivisionError
        return judge(order, seen, locked)

    monkeypatch.setattr(departing, "refusal", stumbling)
    monkeypatch.setattr(Usage, "knows", lambda *_: True)

    by_account = {order.account_id: order for order in say(bench)}

    assert [has_departed(bench, by_account[k]) for k in sorted(by_account)] == [False, True, True]
    assert bench.accepted(*by_account.values()) == [1, 1, 1]


def test_of_many_orders_each_executor_lets_its_share_leave(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departing, "INLINE", 1)
    ready(bench, 5)
    bench.desk.say("open", "10")
    written: list[Written] = []

    list(copy_source(bench.desk.source.pk, each=written.append, mark=MarkNew(executors=2)))

    (chunk,) = written
    assert (len(chunk.marked), len(chunk.waiting)) == (3, 2)
    flight = Flight()
    flight.depart(chunk.marked)
    flight.add([order.id for order in chunk.waiting], chunk.waiting)
    assert flight.land() == 5
    assert bench.accepted(*bench.desk.orders(signal=chunk.orders[0].signal_id)) == [1] * 5


def test_every_attempt_belongs_to_the_desk_of_its_order(bench: Bench) -> None:
    ready(bench)
    (order,) = say(bench)

    with tenant_scope(bench.desk.tenant):
        assert OrderAttempt.objects.filter(order=order).count() == 1
    with tenant_scope(make.make_tenant()):
        assert OrderAttempt.objects.count() == 0


def test_what_was_marked_may_not_be_marked_again(bench: Bench) -> None:
    ready(bench)
    (order,) = say(bench)
    seen = bench.now(order)
    with all_tenants("a second marking"), transaction.atomic():
        seen.version -= 1
        seen.state = OrderState.READY
        change = Change(seen, OrderState.SENDING, {"attempt": 2})
        assert transition([change], source=EventSource.ENGINE, at=timezone.now()) == []


def test_a_scope_that_is_halted_keeps_only_its_own(bench: Bench) -> None:
    halted, _free = ready(bench, 2)
    with all_tenants("the account"):
        target = halted.account
    set_mode(
        mode=TradingMode.HALTED,
        reason="test",
        actor=None,
        tenant=bench.desk.tenant,
        scope=Scope.ACCOUNT,
        target=target,
    )

    orders = say(bench)

    assert [has_departed(bench, order) for order in orders] == [True]


def test_when_new_orders_cannot_be_looked_at_they_take_the_ordinary_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(bench, 2)

    def failing(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(departing, "_seen", failing)
        orders = say(bench)

    assert [bench.steps(order)[:2] for order in orders] == [["ready", "sending"]] * 2
    assert bench.accepted(*orders) == [1, 1]


def test_what_happens_while_a_cycle_is_waited_for_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a running cycle waits for whoever settles it; the world goes on meanwhile."""
    (link,) = ready(bench)
    say(bench)
    bench.finish()
    settle = run.settle_links

    def settle_late(*args: Any) -> bool:
        begun = settle(*args)
        put(link.account, status="paused")
        return begun

    monkeypatch.setattr(run, "settle_links", settle_late)

    assert say(bench, "add") == []
    with tenant_scope(bench.desk.tenant):
        assert Decision.objects.filter(reason="ACCOUNT_DISABLED").count() == 1


def test_an_account_of_another_host_waits_until_that_hosts_clock_is_known(bench: Bench) -> None:
    (link,) = ready(bench)
    clock.forget_clocks()

    (order,) = say(bench)

    assert order.account_id == link.account_id
    assert bench.steps(order)[:2] == ["ready", "sending"]


def test_answers_are_recorded_while_more_signals_are_copied(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(bench)
    monkeypatch.setattr(sending, "HEAR_EVERY_S", 0)
    for intent in ("open", "add", "add"):
        bench.desk.say(intent, "10")
    heard: list[int] = []
    record = Flight._record

    def noting(self: Flight, answered: Any) -> None:
        heard.append(len(answered))
        record(self, answered)

    monkeypatch.setattr(Flight, "_record", noting)

    tasks._copy(bench.desk.source.pk)

    assert len(heard) > 3


def test_closes_leave_before_their_source_is_given_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(bench)
    say(bench)
    bench.finish()
    give_back, left = run._release, list[int]()

    def release(*given: Any) -> None:
        with all_tenants("what was sent by then"):
            closes = Order.objects.filter(reduce_only=True, signal__intent="close")
            left.append(closes.filter(state=OrderState.SENDING).count())
        give_back(*given)

    monkeypatch.setattr(run, "_release", release)
    say(bench, "close")
    assert left[0] == 1
