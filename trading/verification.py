"""Checking a key against the exchange: pending becomes verified or refused, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.enums import AccountStatus, KeyStatus
from customers.models import ExchangeAccount
from trading.endpoints import endpoint_of, keys_of
from trading.events import account_verified
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
from trading.models import Fill, Order


def verify_account(account_id: int) -> None:
    """Check one account's key now. Does nothing unless it is pending; may be repeated."""
    _verify((account_id,))


def verify_pending_accounts() -> int:
    """Check every pending key, those not looked at for longest first; how many were asked about."""
    with all_tenants("keys of every desk wait for their check"):
        waiting = ExchangeAccount.objects.filter(key_status=KeyStatus.PENDING).exclude(
            status=AccountStatus.ARCHIVED
        )
        ids = list(waiting.order_by("updated_at").values_list("pk", flat=True)[:AT_ONCE])
    _verify(ids)
    return len(ids)


def _verify(account_ids: Sequence[int]) -> None:
    check_all(_questions(account_ids), _write_down)


def _questions(account_ids: Sequence[int]) -> list[Question]:
    questions = []
    with all_tenants("a key check is told only the account"):
        found = ExchangeAccount.objects.filter(pk__in=account_ids, key_status=KeyStatus.PENDING)
        for account in found:
            try:
                keys = keys_of(account, purpose="verify")
            except NoKey:
                continue
            questions.append(
                Question(
                    account.pk,
                    account.key_version,
                    endpoint_of(account),
                    keys,
                )
            )
    return questions


def _write_down(question: Question, answer: Answer) -> None:
    with all_tenants("a key check is told only the account"):
        account = ExchangeAccount.objects.select_related("customer").get(pk=question.row_id)
    with tenant_scope(account.tenant_id):
        judge = partial(_judge, account)
        if conclude(account, question, answer, judge, named="account"):
            transaction.on_commit(
                partial(account_verified.send_robust, ExchangeAccount, account_id=account.pk)
            )


def _judge(
    account: ExchangeAccount, config: AccountConfigReport, balance: BalanceReport | None
) -> Verdict:
    reason = _objection(account, config)
    values = _learned(account, config, balance)
    if reason:
        # Whose key it was is not written over whose account this is.
        values.pop("exchange_uid")
        values.pop("initial_balance", None)
    return Verdict(reason, values)


def _objection(account: ExchangeAccount, config: AccountConfigReport) -> str:
    """Why this key may not be traded with, or nothing."""
    if "withdraw" in config.permissions:
        return "The key may withdraw. Make one that may only read and trade"
    if "trade" not in config.permissions:
        return "The key may not trade. Make one with the trade permission"
    if config.account_level == SPOT_LEVEL:
        return "The account is in spot mode. Futures mode or higher is needed"
    other_user = account.exchange_uid not in ("", config.uid)
    if other_user and _has_traded(account):
        return "The key is of another OKX user than the one traded for so far. Add an account"
    return ""


def _has_traded(account: ExchangeAccount) -> bool:
    """Also what was sent and never answered: only its own user's key can find it again."""
    sent = Order.objects.filter(account=account, attempt__gt=0)
    return bool(sent.exists() or Fill.objects.filter(account=account).exists())


def _learned(
    account: ExchangeAccount, config: AccountConfigReport, balance: BalanceReport | None
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "exchange_uid": config.uid[:40],
        "account_level": config.account_level[:4],
        "position_mode": config.position_mode.value,
        "key_permissions": sorted(config.permissions),
        "key_warnings": _warnings(account, config),
    }
    if account.initial_balance is None and balance is not None:
        values["initial_balance"] = balance.total_equity_usd
    return values


def _warnings(account: ExchangeAccount, config: AccountConfigReport) -> list[str]:
    warnings = warning_of_address(config)
    with all_tenants("two accounts must not trade for one OKX user unknowingly"):
        if accounts_of_user(account.market, config).exclude(pk=account.pk).exists():
            warnings.append("Another exchange account trades for the same OKX user.")
    return warnings
