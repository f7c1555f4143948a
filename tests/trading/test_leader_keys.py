"""A leader's key is asked about at the exchange: reading is enough, withdrawing too much."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus, Market
from signals.leaders import create_leader_source, set_leader_keys
from signals.models import LeaderAccount
from tests.factories import make_account, make_tenant
from tests.trading.test_verification import Exchange, exchange, program
from trading.leader_keys import verify_leader, verify_pending_leaders

__all__ = ["exchange", "program"]

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


def add(keys: dict[str, str]) -> LeaderAccount:
    with tenant_scope(make_tenant()):
        return create_leader_source(name="Wei", market=Market.SIMULATOR, keys=keys, actor=None)


def checked(leader: LeaderAccount) -> LeaderAccount:
    verify_leader(leader.pk)
    return stored(leader)


def stored(leader: LeaderAccount) -> LeaderAccount:
    with tenant_scope(leader.tenant_id):
        found: LeaderAccount = LeaderAccount.objects.get(pk=leader.pk)
        return found


def test_a_key_that_only_reads_is_verified_without_a_warning(exchange: Exchange) -> None:
    leader = checked(add(exchange.key(perm="read_only", ip="127.0.0.1", posMode="net_mode")))

    assert (leader.key_status, leader.key_reason) == (KeyStatus.VERIFIED, "")
    assert leader.key_permissions == ["read_only"]
    assert leader.key_warnings == []
    assert leader.position_mode == "net"
    assert leader.exchange_uid != ""
    assert leader.verified_at is not None
    with tenant_scope(leader.tenant_id):
        entry = AuditEntry.objects.get(action="leader.keys_verified")
    assert entry.level == "notice"


def test_a_key_that_trades_is_verified_with_a_warning(exchange: Exchange) -> None:
    leader = checked(add(exchange.key(perm="read_only,trade")))

    assert leader.key_status == KeyStatus.VERIFIED
    assert leader.key_warnings[0] == "The key may trade. One that only reads is enough."
    assert "not bound" in leader.key_warnings[1]


def test_a_key_that_may_withdraw_is_refused(exchange: Exchange) -> None:
    leader = checked(add(exchange.key(perm="read_only,withdraw")))

    assert leader.key_status == KeyStatus.REFUSED
    assert leader.key_reason.startswith("The key may withdraw")
    assert leader.exchange_uid == ""


def test_a_wrong_secret_is_refused_and_not_repeated(exchange: Exchange) -> None:
    leader = checked(add(exchange.key() | {"api_secret": "an-0ther-secret"}))

    assert leader.key_status == KeyStatus.REFUSED
    assert "50113" in leader.key_reason
    assert "an-0ther" not in leader.key_reason


def test_a_key_of_another_user_is_another_leaders(exchange: Exchange) -> None:
    leader = checked(add(exchange.key(perm="read_only")))
    with tenant_scope(leader.tenant_id):
        leader = set_leader_keys(leader=leader, keys=exchange.key(), actor=None)

    again = checked(leader)

    assert again.key_status == KeyStatus.REFUSED
    assert "another OKX user" in again.key_reason
    assert again.exchange_uid == leader.exchange_uid


def test_a_leader_whom_we_trade_for_is_pointed_out(exchange: Exchange) -> None:
    leader = add(exchange.key(perm="read_only", ip="127.0.0.1"))
    uid = checked(leader).exchange_uid
    account = make_account()
    with tenant_scope(account.tenant_id):
        type(account).objects.filter(pk=account.pk).update(exchange_uid=uid)
    with tenant_scope(leader.tenant_id):
        LeaderAccount.objects.update(key_status=KeyStatus.PENDING)

    again = checked(leader)

    assert again.key_warnings == ["An exchange account trades for the same OKX user."]


def test_an_exchange_that_does_not_answer_is_asked_again(exchange: Exchange) -> None:
    leader = add(exchange.key(perm="read_only"))
    exchange.tell("/faults", fault="http:502", match={}, times=9)

    verify_leader(leader.pk)
    waiting = stored(leader)

    assert waiting.key_status == KeyStatus.PENDING
    assert waiting.key_reason != ""


def test_the_sweep_finds_what_no_event_told_of(exchange: Exchange) -> None:
    leader = add(exchange.key(perm="read_only"))

    assert verify_pending_leaders() == 1
    assert stored(leader).key_status == KeyStatus.VERIFIED
    assert verify_pending_leaders() == 0


def test_a_key_that_was_replaced_meanwhile_is_not_judged(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trading import key_checks

    leader = add(exchange.key(perm="read_only"))
    ask = key_checks.ask_all

    def replace(questions: Any) -> Any:
        with tenant_scope(leader.tenant_id):
            set_leader_keys(leader=leader, keys=exchange.key(), actor=None)
        return ask(questions)

    monkeypatch.setattr(key_checks, "ask_all", replace)

    assert checked(leader).key_status == KeyStatus.PENDING
