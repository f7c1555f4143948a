"""Breakers: opened by what the exchange answers, closed by a reading, never by an order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from tests import factories as make
from tests.trading.copying.desk import make_desk
from tests.trading.execution.bench import PLACE, Bench, diary, put
from trading.breakers import Place, open_breaker, reset_breaker
from trading.enums import BreakerCause
from trading.execution import sweep, watching
from trading.leases import db_now
from trading.models import Breaker, ExternalOrder, Order, OrderAttempt

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]

MINUTE = timedelta(minutes=1)
REFUSED = {"kind": "scode", "code": "51000"}


def breakers() -> list[tuple[str, str]]:
    with all_tenants("read breakers"):
        return list(Breaker.objects.order_by("pk").values_list("cause", "state"))


def probe_now() -> None:
    with all_tenants("the wait is over"):
        Breaker.objects.exclude(state="closed").update(probe_at=db_now() - timedelta(seconds=1))
    sweep()


def posts(bench: Bench) -> int:
    return len(bench.entries(kind="request", method="POST", path=PLACE["path"]))


def test_five_refusals_stop_an_account_s_openings_and_a_reading_lets_them_go_on(
    bench: Bench,
) -> None:
    link, other = bench.follower(), bench.follower()
    bench.send(bench.open())
    bench.finish()
    bench.fault(REFUSED, link, times=5)
    for _ in range(5):
        bench.send(bench.desk.hear("add", "10"))
        bench.finish()
    before = posts(bench)

    late = bench.desk.hear("add", "10")  # decided for the other one only
    bench.send(late)
    bench.finish()

    assert breakers() == [("rejects", "open")]
    assert [order.account_id for order in late] == [other.account_id]
    decision = bench.desk.last(link)
    assert (decision.outcome, decision.reason) == ("denied", "ACCOUNT_BREAKER")
    assert posts(bench) == before + 1
    assert [entry.reason for entry in diary("breaker.opened")] == ["5 orders refused in a row"]
    closes = bench.desk.hear("close")
    bench.send(closes)
    bench.finish()
    assert {order.account_id for order in closes} == {link.account_id, other.account_id}
    assert {bench.now(order).state for order in closes} == {"filled"}

    probe_now()

    assert breakers() == [("rejects", "closed")]
    assert len(diary("breaker.closed")) == 1
    again = bench.open()
    bench.send(again)
    bench.finish()
    assert [bench.now(order).state for order in again] == ["filled", "filled"]


def test_a_breaker_that_opens_after_the_decision_bites_at_the_last_look(bench: Bench) -> None:
    link = bench.follower()
    (order,) = bench.open()
    with all_tenants("find it"):
        account = ExchangeAccount.objects.get(pk=link.account_id)
    open_breaker(Place(account.market, account), BreakerCause.REJECTS, "test")

    assert bench.send([order]) == 0

    after = bench.now(order)
    assert (after.state, after.reason, posts(bench)) == ("denied", "ACCOUNT_BREAKER", 0)


def test_a_reading_that_fails_waits_twice_as_long(bench: Bench) -> None:
    link = bench.follower()
    with all_tenants("find it"):
        account = ExchangeAccount.objects.get(pk=link.account_id)
    open_breaker(Place(account.market, account), BreakerCause.REJECTS, "test")
    bench.fault("drop_before", times=50, path="/api/v5/account/balance")

    probe_now()

    with all_tenants("read it"):
        row = Breaker.objects.get()
    assert (row.state, row.failed_probes) == ("open", 1)
    assert row.probe_at - db_now() > timedelta(seconds=110)
    assert len(diary("breaker.opened")) == 1
    assert posts(bench) == 0


def unheard(order: Order, count: int, of: int, *, first: int) -> None:
    """`of` sends of this moment, of which `count` were never answered."""
    now = db_now()
    for index in range(of):
        OrderAttempt.objects.create(
            tenant_id=order.tenant_id,
            order=order,
            signal_at=order.signal_at,
            number=first + index,
            exp_at_ms=1,
            started_at=now,
            finished_at=now,
            outcome="unknown" if index < count else "ack",
        )


def test_thirty_percent_without_an_answer_stop_one_market_and_no_other(bench: Bench) -> None:
    link = bench.follower()
    (order,) = bench.open()
    bench.send([order])
    bench.finish()
    with all_tenants("sends of another market"):
        Order.objects.update(market="demo")
        unheard(order, 5, 19, first=11)
        assert watching.judge_markets(db_now()) == 0
        unheard(order, 2, 3, first=31)
        assert watching.judge_markets(db_now()) == 1
        assert watching.judge_markets(db_now()) == 0

    assert breakers() == [("unknown_sends", "open")]
    (there,) = bench.desk.hear("add", "10")
    bench.send([there])
    bench.finish()
    assert bench.now(there).state == "filled"
    with all_tenants("move the breaker"):
        Breaker.objects.update(market="simulator", key="market|simulator|unknown_sends")
    assert bench.desk.hear("add", "10") == []
    assert bench.desk.last(link).reason == "MARKET_BREAKER"

    probe_now()

    assert breakers() == [("unknown_sends", "closed")]
    with all_tenants("the same answers"):
        Breaker.objects.update(market="demo", key="market|demo|unknown_sends")
        assert watching.judge_markets(db_now()) == 0


def test_three_orders_that_cannot_be_resolved_stop_the_account(bench: Bench) -> None:
    link = bench.follower()
    rows = [*bench.open(), *bench.desk.hear("add", "10"), *bench.desk.hear("add", "10")]
    long_ago = db_now() - timedelta(seconds=30)
    with all_tenants("three of them"):
        Order.objects.update(state="unknown", sent_at=long_ago, not_before=db_now() + MINUTE)
        assert watching.judge_unresolved(db_now()) == 1

    assert breakers() == [("unresolved", "open")]
    assert bench.desk.hear("add", "10") == []
    assert bench.desk.last(link).reason == "ACCOUNT_BREAKER"
    probe_now()
    assert breakers() == [("unresolved", "open")]
    with all_tenants("one was found"):
        Order.objects.filter(pk=rows[0].pk).update(state="canceled")
    probe_now()
    assert breakers() == [("unresolved", "closed")]


def test_doubles_on_three_accounts_stop_the_market(bench: Bench) -> None:
    for _ in range(3):
        bench.follower()
    with all_tenants("write doubles"):
        for number, order in enumerate(bench.open()):
            assert watching.judge_doubles(db_now()) == 0, number
            ExternalOrder.objects.create(
                account_id=order.account_id,
                exchange_order_id=f"x{number}",
                client_order_id=order.client_order_id,
                inst_id=order.inst_id,
                side="buy",
                quantity=1,
                state="filled",
                seen_at=db_now(),
                tenant_id=order.tenant_id,
            )
        assert watching.judge_doubles(db_now()) == 1

    assert breakers() == [("doubles", "open")]


def test_a_person_closes_a_breaker_with_a_reason_only(bench: Bench) -> None:
    bench.follower()
    open_breaker(Place("simulator"), BreakerCause.UNKNOWN_SENDS, "test")
    user = make.make_user()
    with all_tenants("read it"):
        row = Breaker.objects.get()

    with pytest.raises(ValidationError):
        reset_breaker(row, reason=" ", actor=user)
    assert breakers() == [("unknown_sends", "open")]
    assert reset_breaker(row, reason="OKX confirmed it", actor=user)

    assert breakers() == [("unknown_sends", "closed")]
    told: Any = diary("breaker.closed")
    assert {entry.reason for entry in told} == {"OKX confirmed it"}
    # The installation's diary, and that of the desk that trades there.
    assert {entry.tenant_id for entry in told} == {None, bench.desk.tenant.pk}
    assert make_desk().tenant.pk not in {entry.tenant_id for entry in told}


def test_who_lost_a_key_keeps_no_market_closed(bench: Bench) -> None:
    market = account_of(bench).market
    open_breaker(Place(market), BreakerCause.UNKNOWN_SENDS, "test")
    bench.fault("code:50113", times=50, path="/api/v5/account/balance")

    probe_now()

    assert breakers() == [("unknown_sends", "closed")]


def test_an_account_of_no_market_keeps_no_other_breaker_open(bench: Bench) -> None:
    poisoned, account = account_of(bench), account_of(bench)
    open_breaker(Place("nowhere", poisoned), BreakerCause.REJECTS, "test")
    open_breaker(Place(account.market, account), BreakerCause.REJECTS, "test")
    put(poisoned, market="nowhere")

    probe_now()

    assert breakers() == [("rejects", "open"), ("rejects", "closed")]


def account_of(bench: Bench) -> ExchangeAccount:
    link = bench.follower()
    with all_tenants("find it"):
        found: ExchangeAccount = ExchangeAccount.objects.get(pk=link.account_id)
    return found
