"""Accounts whose key the exchange refuses: paused together, and found again after a crash.

Nobody else waits for them: what is done about them comes after what all were asked and answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import AuditEntry
from customers.enums import AccountStatus
from customers.models import ExchangeAccount
from customers.services import pause_accounts
from trading.enums import AttemptOutcome
from trading.exchange.types import Outcome, SendOutcome
from trading.execution import keys, leverage
from trading.execution.send import Answered
from trading.execution.watching import HOUR, LOOK_EVERY_S, UNHEARD, lately, rounds, watch_answers
from trading.leases import db_now
from trading.transition import retried

TOLD = "key.refused_by_exchange"
# Longer than two looks are apart, and than whoever heard a refusal takes to act on it.
LATELY = timedelta(minutes=2)


class Refusal(NamedTuple):
    """An exchange refused an account's key; `about` names what was asked with it."""

    account_id: int
    code: str
    message: str
    about: Mapping[str, str]

    @classmethod
    def of(cls, account_id: int, said: SendOutcome, **about: str) -> Refusal:
        return cls(account_id, said.reason_code, said.message, about)

    @property
    def words(self) -> str:
        return f"{self.code} {self.message}".strip()


def follow_refusals(answered: Sequence[Answered]) -> None:
    """Pause the accounts whose keys were refused, and judge those whose orders were."""
    pause_refused(
        Refusal.of(one.marked.order.account_id, one.outcome, order=str(one.marked.order.id))
        for one in answered
        if one.outcome.kind == Outcome.AUTH
    )
    watch_answers(answered)


def pause_refused(refusals: Iterable[Refusal]) -> None:
    """A key that the exchange refuses pauses its account, and nobody else's. Safe to repeat."""
    first: dict[int, Refusal] = {}
    for refusal in refusals:
        first.setdefault(refusal.account_id, refusal)
    if not first:
        return
    try:
        _pause(first)
    finally:
        for account_id in first:
            leverage.forget(account_id)
            keys.forget(account_id)


@retried
@transaction.atomic
def _pause(refusals: Mapping[int, Refusal]) -> None:
    """Runs in a scope that holds all of these accounts."""
    rows = ExchangeAccount.objects.select_related("customer").filter(pk__in=refusals)
    accounts = list(rows.order_by("pk"))
    reasons = {pk: f"OKX refused the key: {said.words}"[:300] for pk, said in refusals.items()}
    pause_accounts(accounts=accounts, reasons=reasons, actor=None)
    audit.record_many(
        audit.Note(
            action=TOLD,
            obj=account,
            level=AuditLevel.CRITICAL,
            after={"code": refusals[account.pk].code, **refusals[account.pk].about},
            reason=refusals[account.pk].words,
            tenant=account.tenant_id,
        )
        for account in accounts
    )


def pause_forgotten() -> int:
    """Pause the accounts whose refusal is on record and was not acted on; how many were.

    The first look of a process goes further back: it may follow one that died.
    """
    if not rounds.due("refused keys", LOOK_EVERY_S):
        return 0
    now = db_now()
    back = HOUR if rounds.due("refused keys of long ago", math.inf) else LATELY
    refused = _refused_and_active(now - back, now - UNHEARD)
    told = _told_of(refused)
    forgotten = [
        refusal
        for account_id, (refusal, at) in refused.items()
        if account_id not in told or told[account_id] < at
    ]
    pause_refused(forgotten)
    return len(forgotten)


def _refused_and_active(since: datetime, until: datetime) -> dict[int, tuple[Refusal, datetime]]:
    """Of each account that is traded with the same key still, its last refusal and when it was."""
    rows = (
        lately(since)
        .filter(outcome=AttemptOutcome.AUTH, finished_at__lt=until)
        .filter(order__account__status=AccountStatus.ACTIVE)
        .order_by("finished_at", "id")
        .values_list(
            "order__account_id",
            "order__account__verified_at",
            "order_id",
            "code",
            "message",
            "finished_at",
        )
    )
    found = {}
    for account_id, verified_at, order_id, code, message, at in rows:
        if verified_at is None or verified_at < at:
            refusal = Refusal(account_id, code, message, {"order": str(order_id)})
            found[account_id] = (refusal, at)
    return found


def _told_of(account_ids: Iterable[int]) -> dict[int, datetime]:
    """When people were told last that these accounts' keys are refused."""
    ids = [str(account_id) for account_id in account_ids]
    if not ids:
        return {}
    rows = AuditEntry.objects.filter(
        object_type=ExchangeAccount._meta.label_lower, object_id__in=ids, action=TOLD
    )
    return {int(key): at for key, at in rows.order_by("at").values_list("object_id", "at")}
