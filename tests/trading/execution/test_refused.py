"""Keys that the exchange refuses: whose account is paused, when, and by whom after a crash."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from customers.services import pause_account, resume_account
from tests.trading.execution.bench import Bench, diary, forget_everything, put, stumble
from trading.execution import keys, refused
from trading.execution.refused import Refusal, pause_forgotten, pause_refused
from trading.faults import InjectedFaultError
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]

TOLD = "key.refused_by_exchange"


def status_of(account: ExchangeAccount) -> str:
    with all_tenants("read an account again"):
        return str(ExchangeAccount.objects.get(pk=account.pk).status)


def left_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[Order, ExchangeAccount]:
    """An order whose refusal is on record, of a process that died before it acted on it."""
    monkeypatch.setattr(refused, "UNHEARD", timedelta(0))
    link = bench.follower()
    bench.fault("code:50111", link)
    (order,) = bench.open()
    stumble(monkeypatch, "S7.recorded=raise")
    with pytest.raises(InjectedFaultError):
        bench.send([order])
    stumble(monkeypatch, "")
    forget_everything()
    assert (bench.now(order).state, status_of(link.account)) == ("rejected", "active")
    return order, link.account


def test_all_are_paused_in_no_more_statements_than_one(bench: Bench) -> None:
    accounts = [bench.follower().account for _ in range(6)]
    asked = []
    for some in (accounts[:1], accounts[1:]):
        with all_tenants("keys of several desks"), CaptureQueriesContext(connection) as queries:
            pause_refused(
                Refusal(account.pk, "50111", f"Invalid key {number}", {"order": str(number)})
                for number, account in enumerate(some)
            )
        asked.append([query["sql"].partition(" ")[0] for query in queries.captured_queries])

    # The first also asks how letters are compared, where a database must be asked.
    assert len(asked[1]) <= len(asked[0])
    assert {status_of(account) for account in accounts} == {"paused"}
    paused = [(e.object_id, e.level, e.reason) for e in diary("account.paused")]
    words = [f"OKX refused the key: 50111 Invalid key {n}" for n in (0, 0, 1, 2, 3, 4)]
    keys_of_rows = [str(account.pk) for account in accounts]
    wanted = [(k, "notice", w) for k, w in zip(keys_of_rows, words, strict=True)]
    assert sorted(paused) == sorted(wanted)
    told = {e.object_id: (e.level, e.after) for e in diary(TOLD)}
    assert told == {
        key: ("critical", {"code": "50111", "order": number})
        for key, number in zip(keys_of_rows, "001234", strict=True)
    }


def test_who_is_paused_already_is_told_of_and_keeps_the_reason(bench: Bench) -> None:
    account = bench.follower().account
    with tenant_scope(account.tenant_id):
        pause_account(account=account, reason="on holiday", actor=None)

    with all_tenants("keys of several desks"):
        pause_refused([Refusal(account.pk, "50111", "Invalid key", {})])
        now = ExchangeAccount.objects.get(pk=account.pk)

    assert (now.status, now.paused_reason) == ("paused", "on holiday")
    assert (len(diary("account.paused")), len(diary(TOLD))) == (1, 1)


def test_a_pause_that_a_crash_prevented_is_found_on_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, account = left_behind(bench, monkeypatch)

    bench.sweep_for(0.1)

    assert status_of(account) == "paused"
    (told,) = diary(TOLD)
    assert (told.object_id, told.after["order"]) == (str(account.pk), str(order.id))


@pytest.mark.parametrize("why", ["resumed", "another key", "too fresh", "long ago"])
def test_an_account_is_not_paused_again_for_what_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    order, account = left_behind(bench, monkeypatch)
    if why == "resumed":
        bench.sweep_for(0.1)
        with tenant_scope(account.tenant_id):
            resume_account(account=account, actor=None)
        forget_everything()
    elif why == "another key":
        put(account, verified_at=bench.now(order).finished_at + timedelta(seconds=1))
    elif why == "too fresh":  # whoever heard it is about to act on it
        monkeypatch.setattr(refused, "UNHEARD", timedelta(seconds=10))
    else:
        monkeypatch.setattr(refused, "HOUR", timedelta(0))

    with all_tenants("the sweep of unfinished orders"):
        assert pause_forgotten() == 0

    assert status_of(account) == "active"
    assert len(diary(TOLD)) == (1 if why == "resumed" else 0)


def test_nothing_leaves_with_a_refused_key_before_its_account_is_paused(bench: Bench) -> None:
    bad, good = bench.follower(), bench.follower()
    keys.refuse(bad.account)
    first, second = bench.open()

    assert bench.send([first, second]) == 1

    assert (bench.now(first).state, bench.requests(first)) == ("ready", [])
    assert bench.now(second).state == "live"
    assert good.account_id == second.account_id
    with all_tenants("keys of several desks"):
        pause_refused([Refusal(bad.account_id, "50111", "Invalid key", {})])
    with all_tenants("its time has come"):
        Order.objects.filter(pk=first.pk).update(not_before=None)
    bench.send([first])
    assert (bench.now(first).state, bench.now(first).reason) == ("denied", "ACCOUNT_DISABLED")
    assert bench.requests(first) == []


def test_a_slow_account_does_not_keep_a_refused_one_from_being_paused(bench: Bench) -> None:
    slow, bad = bench.follower(), bench.follower()
    bench.fault("slow_body:1500", slow)
    bench.fault("code:50111", bad)
    first, second = bench.open()

    bench.send([first, second])

    (told,) = diary(TOLD)
    (heard,) = bench.attempts(first)
    assert told.at < heard.finished_at
    assert bench.now(second).reason == "KEY_INVALID"
