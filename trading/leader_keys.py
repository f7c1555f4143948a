"""Checking a leader's key: one that reads is enough, one that may withdraw is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.enums import AccountStatus, KeyStatus
from customers.models import ExchangeAccount
from signals.models import LeaderAccount
from trading.endpoints import NoMarket, endpoint_of, keys_of
from trading.exchange.runner import exchange_loop
from trading.exchange.types import AccountConfigReport
from trading.verification import AT_ONCE, SPOT_LEVEL, Answer, Question, ask_all


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
    questions = _questions(leader_ids)
    if not questions:
        return
    # Outside any transaction: the exchange may take its time.
    answers = exchange_loop().run(ask_all(questions))
    for question, answer in zip(questions, answers, strict=True):
        _write_down(question, answer)


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
        leader = LeaderAccount.objects.select_related("source").get(pk=question.account_id)
    with tenant_scope(leader.tenant_id):
        if answer.config is None:
            status = KeyStatus.REFUSED if answer.refused else KeyStatus.PENDING
            _settle(leader, question, status, answer.reason, {})
            return
        reason = _objection(leader, answer.config)
        values: dict[str, Any] = {"key_permissions": sorted(answer.config.permissions)}
        if not reason:
            values |= {
                "exchange_uid": answer.config.uid[:40],
                "position_mode": answer.config.position_mode.value,
                "key_warnings": _warnings(leader, answer.config),
            }
            if answer.balance is not None:
                values |= {
                    "equity": answer.balance.total_equity_usd,
                    "equity_at": answer.balance.updated_at,
                }
        status = KeyStatus.REFUSED if reason else KeyStatus.VERIFIED
        _settle(leader, question, status, reason, values)


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
    if not config.ip_bound:
        warnings.append("The key is not bound to an IP address.")
    with all_tenants("a leader must not be somebody who is traded for unknowingly"):
        same = ExchangeAccount.objects.filter(
            market=leader.market, exchange_uid=config.uid[:40]
        ).exclude(status=AccountStatus.ARCHIVED)
        if same.exists():
            warnings.append("An exchange account trades for the same OKX user.")
    return warnings


@transaction.atomic
def _settle(
    leader: LeaderAccount,
    question: Question,
    status: KeyStatus,
    reason: str,
    values: dict[str, Any],
) -> None:
    """Write the result, unless another key was stored while the exchange was asked."""
    now = timezone.now()
    values |= {"key_status": status, "key_reason": reason[:300], "updated_at": now}
    if status == KeyStatus.VERIFIED:
        values["verified_at"] = now
    unchanged = LeaderAccount.objects.filter(
        pk=leader.pk, key_version=question.key_version, key_status=KeyStatus.PENDING
    )
    if not unchanged.update(**values) or status == KeyStatus.PENDING:
        return
    verified = status == KeyStatus.VERIFIED
    audit.record(
        action=f"leader.keys_{status.value}",
        obj=leader,
        before={"key_status": KeyStatus.PENDING.value},
        after={"key_status": status.value, "warnings": values.get("key_warnings", [])},
        level=AuditLevel.NOTICE if verified else AuditLevel.WARNING,
        reason=values["key_reason"],
    )
