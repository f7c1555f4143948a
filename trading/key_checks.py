"""Asking the exchange about keys, and writing down what came of it, whoever they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from customers.enums import AccountStatus, KeyStatus
from customers.models import ExchangeAccount
from signals.models import LeaderAccount
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import AuthFailed, ExchangeError, MalformedReport, ReadFailed
from trading.exchange.runner import exchange_loop
from trading.exchange.types import AccountConfigReport, BalanceReport, Credentials, Endpoint

ANSWER_WITHIN_S: Final = 15
AT_ONCE: Final = 50
SPOT_LEVEL: Final = "1"
CLOCK_SKEWED: Final = "50102"

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

    row_id: int
    key_version: int
    endpoint: Endpoint
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a key is refused, or nothing, and what its row learns from the reports."""

    refused_for: str
    values: dict[str, Any]


Judge = Callable[[AccountConfigReport, BalanceReport | None], Verdict]


def check_all(
    questions: Sequence[Question], write_down: Callable[[Question, Answer], None]
) -> None:
    """Ask about every key at the same time, then write down one answer after the other."""
    if not questions:
        return
    # Outside any transaction: the exchange may take its time.
    answers = exchange_loop().run(ask_all(questions))
    for question, answer in zip(questions, answers, strict=True):
        write_down(question, answer)


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


def conclude(
    row: ExchangeAccount | LeaderAccount,
    question: Question,
    answer: Answer,
    judge: Judge,
    *,
    named: str,
) -> bool:
    """Write down what an answer comes to. Did it settle the key? Runs in the row's desk.

    `named` is how the diary calls the row.
    """
    if answer.config is None:
        status = KeyStatus.REFUSED if answer.refused else KeyStatus.PENDING
        return _settle(row, question, status, answer.reason, {}, named)
    verdict = judge(answer.config, answer.balance)
    status = KeyStatus.REFUSED if verdict.refused_for else KeyStatus.VERIFIED
    return _settle(row, question, status, verdict.refused_for, verdict.values, named)


@transaction.atomic
def _settle(
    row: ExchangeAccount | LeaderAccount,
    question: Question,
    status: KeyStatus,
    reason: str,
    values: dict[str, Any],
    named: str,
) -> bool:
    """Write the result, unless other keys were stored while the exchange was asked."""
    now = timezone.now()
    values = {**values, "key_status": status, "key_reason": reason[:300], "updated_at": now}
    if status == KeyStatus.VERIFIED:
        values["verified_at"] = now
    unchanged = type(row).objects.filter(
        pk=row.pk, key_version=question.key_version, key_status=KeyStatus.PENDING
    )
    if not unchanged.update(**values) or status == KeyStatus.PENDING:
        return False
    verified = status == KeyStatus.VERIFIED
    audit.record(
        action=f"{named}.keys_{status.value}",
        obj=row,
        before={"key_status": KeyStatus.PENDING.value},
        after={"key_status": status.value, "warnings": values.get("key_warnings", [])},
        level=AuditLevel.NOTICE if verified else AuditLevel.WARNING,
        reason=values["key_reason"],
    )
    return True


def warning_of_address(config: AccountConfigReport) -> list[str]:
    return [] if config.ip_bound else ["The key is not bound to an IP address."]


def accounts_of_user(market: str, config: AccountConfigReport) -> QuerySet[ExchangeAccount]:
    """The accounts that trade for the OKX user of this key, of whatever desk is looked at."""
    same: QuerySet[ExchangeAccount] = ExchangeAccount.objects.filter(
        market=market, exchange_uid=config.uid[:40]
    ).exclude(status=AccountStatus.ARCHIVED)
    return same
