"""Checking a leader's key: one that reads is enough, one that may withdraw is refused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.enums import KeyStatus
from signals.models import LeaderAccount
from trading.endpoints import NoMarket, endpoint_of, keys_of
from trading.exchange.types import AccountConfigReport, BalanceReport
from trading.key_checks import (
    AT_ONCE,
    SPOT_LEVEL,
    Answer,
    Question,
    Verdict,
    accounts_of_user,
    check_all,
    conclude,
    warning_of_address,
)


def verify_leader(leader_id: int) -> None:
    """Check one leader's key now. Does nothing unless it is pending; may be repeated."""
    _verify((leader_id,))


def verify_pending_leaders() -> int:
    """Check every pending key of a leader, those not looked at for longest first; how many."""
    with all_tenants("keys of leaders of every desk wait for their check"):
        waiting = LeaderAccount.objects.filter(key_status=KeyStatus.PENDING)
        ids = list(waiting.order_by("updated_at").values_list("pk", flat=True)[:AT_ONCE])
    _verify(ids)
    return len(ids)


def _verify(leader_ids: Sequence[int]) -> None:
    check_all(_questions(leader_ids), _write_down)


def _questions(leader_ids: Sequence[int]) -> list[Question]:
    questions = []
    with all_tenants("a key check is told only the leader"):
        found = LeaderAccount.objects.filter(pk__in=leader_ids, key_status=KeyStatus.PENDING)
        for leader in found.select_related("source"):
            try:
                keys, endpoint = keys_of(leader, purpose="verify"), endpoint_of(leader)
            except (NoKey, NoMarket):
                continue
            questions.append(Question(leader.pk, leader.key_version, endpoint, keys))
    return questions


def _write_down(question: Question, answer: Answer) -> None:
    with all_tenants("a key check is told only the leader"):
        leader = LeaderAccount.objects.select_related("source").get(pk=question.row_id)
    with tenant_scope(leader.tenant_id):
        conclude(leader, question, answer, partial(_judge, leader), named="leader")


def _judge(
    leader: LeaderAccount, config: AccountConfigReport, balance: BalanceReport | None
) -> Verdict:
    reason = _objection(leader, config)
    values: dict[str, Any] = {"key_permissions": sorted(config.permissions)}
    if not reason:
        values |= {
            "exchange_uid": config.uid[:40],
            "position_mode": config.position_mode.value,
            "key_warnings": _warnings(leader, config),
        }
        if balance is not None:
            values |= {"equity": balance.total_equity_usd, "equity_at": balance.updated_at}
    return Verdict(reason, values)


def _objection(leader: LeaderAccount, config: AccountConfigReport) -> str:
    """Why this key may not be watched with, or nothing."""
    if "withdraw" in config.permissions:
        return "The key may withdraw. Make one that may only read"
    if config.account_level == SPOT_LEVEL:
        return "The account is in spot mode: it has no positions that could be followed"
    if leader.exchange_uid not in ("", config.uid):
        return "The key is of another OKX user than this leader. Add another leader account"
    return ""


def _warnings(leader: LeaderAccount, config: AccountConfigReport) -> list[str]:
    warnings = []
    if "trade" in config.permissions:
        warnings.append("The key may trade. One that only reads is enough.")
    warnings += warning_of_address(config)
    with all_tenants("a leader must not be somebody who is traded for unknowingly"):
        if accounts_of_user(leader.market, config).exists():
            warnings.append("An exchange account trades for the same OKX user.")
    return warnings
