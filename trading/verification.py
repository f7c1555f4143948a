"""Checking a key against the exchange: pending becomes verified or refused, with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.enums import AccountStatus, KeyStatus
from customers.models import ExchangeAccount
from trading.endpoints import endpoint_of, keys_of
from trading.events import account_verified
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import AuthFailed, ExchangeError, MalformedReport, ReadFailed
from trading.exchange.runner import exchange_loop
from trading.exchange.types import AccountConfigReport, BalanceReport, Credentials, Endpoint
from trading.models import Fill, Order

ANSWER_WITHIN_S: Final = 15
AT_ONCE: Final = 50
SPOT_LEVEL: Final = "1"
CLOCK_SKEWED: Final = "50102"
# A key goes nowhere but to OKX, whatever host somebody typed.

WORDS: Final = {
    "50101": "The key is of another environment (demo or live) than this account's market",
    "50105": "The passphrase is wrong",
    "50110": "The key is bound to other addresses than ours",
    "50111": "The exchange does not know this API key",
    "50113": "The API secret is wrong",
    "50119": "The exchange does not know this API key",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the exchange said about a key; without a report, why there is none."""

    config: AccountConfigReport | None = None
    balance: BalanceReport | None = None
    refused: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One key to be asked about, as it was when it was read."""

    account_id: int
    key_version: int
    endpoint: Endpoint
    credentials: Credentials


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
    questions = _questions(account_ids)
    if not questions:
        return
    # Outside any transaction: the exchange may take its time.
    answers = exchange_loop().run(ask_all(questions))
    for question, answer in zip(questions, answers, strict=True):
        _write_down(question, answer)


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


async def ask_all(questions: Sequence[Question]) -> list[Answer]:
    """What the exchange says of each key, asked at the same time. Raises nothing of its own."""
    loop = exchange_loop()
    clients = await asyncio.to_thread(
        lambda: [loop.client_for(question.endpoint) for question in questions]
    )
    return list(await asyncio.gather(*map(_ask, clients, questions)))


async def _ask(client: ExchangeClient, question: Question) -> Answer:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            try:
                config = await client.fetch_account_config(question.credentials)
            except ReadFailed as error:
                if error.code != CLOCK_SKEWED:
                    raise
                # The client has measured the exchange's clock by now.
                config = await client.fetch_account_config(question.credentials)
            return Answer(config, await client.fetch_balance(question.credentials))
    except AuthFailed as error:
        return Answer(refused=True, reason=_in_words(error, question.credentials))
    except MalformedReport as error:
        return Answer(reason=f"The answer of the exchange could not be read: {error}")
    except TimeoutError:
        return Answer(reason="The exchange did not answer in time")
    except ExchangeError as error:
        return Answer(reason=f"The exchange could not be asked: {error}")


def _in_words(error: AuthFailed, credentials: Credentials) -> str:
    said = f"OKX {error.code}: {error.message}"
    for secret in (credentials.api_key, credentials.secret, credentials.passphrase):
        said = said.replace(secret, "***")
    words = WORDS.get(error.code)
    return f"{words} ({said})" if words else said


def _write_down(question: Question, answer: Answer) -> None:
    with all_tenants("a key check is told only the account"):
        account = ExchangeAccount.objects.select_related("customer").get(pk=question.account_id)
    with tenant_scope(account.tenant_id):
        if answer.config is None:
            status = KeyStatus.REFUSED if answer.refused else KeyStatus.PENDING
            _settle(account, question, status, answer.reason, {})
            return
        reason = _objection(account, answer.config)
        status = KeyStatus.REFUSED if reason else KeyStatus.VERIFIED
        values = _learned(account, answer.config, answer.balance)
        if status == KeyStatus.REFUSED:
            # Whose key it was is not written over whose account this is.
            values.pop("exchange_uid")
            values.pop("initial_balance", None)
        _settle(account, question, status, reason, values)


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
    warnings = []
    if not config.ip_bound:
        warnings.append("The key is not bound to an IP address.")
    with all_tenants("two accounts must not trade for one OKX user unknowingly"):
        same = ExchangeAccount.objects.filter(market=account.market, exchange_uid=config.uid[:40])
        if same.exclude(pk=account.pk).exclude(status=AccountStatus.ARCHIVED).exists():
            warnings.append("Another exchange account trades for the same OKX user.")
    return warnings


@transaction.atomic
def _settle(
    account: ExchangeAccount,
    question: Question,
    status: KeyStatus,
    reason: str,
    values: dict[str, Any],
) -> None:
    """Write the result, unless other keys were stored while the exchange was asked."""
    now = timezone.now()
    values |= {"key_status": status, "key_reason": reason[:300], "updated_at": now}
    if status == KeyStatus.VERIFIED:
        values["verified_at"] = now
    unchanged = ExchangeAccount.objects.filter(
        pk=account.pk, key_version=question.key_version, key_status=KeyStatus.PENDING
    )
    if not unchanged.update(**values) or status == KeyStatus.PENDING:
        return
    verified = status == KeyStatus.VERIFIED
    audit.record(
        action=f"account.keys_{status.value}",
        obj=account,
        before={"key_status": KeyStatus.PENDING.value},
        after={"key_status": status.value, "warnings": values.get("key_warnings", [])},
        level=AuditLevel.NOTICE if verified else AuditLevel.WARNING,
        reason=values["key_reason"],
    )
    transaction.on_commit(
        partial(account_verified.send_robust, ExchangeAccount, account_id=account.pk)
    )
