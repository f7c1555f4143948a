"""The exchange's own books against ours: read over REST, written by the same `apply`.

A reading that failed is unknown, never flat. Orders that are not found stay as they are: only
the sender's proof may say that one was never placed. One that had been placed is believed to be
gone when many readings in a row do not find it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.models import ExchangeAccount
from trading.endpoints import NoMarket, client_of, keys_of
from trading.enums import DriftClass, EventSource, OrderState
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import exchange_loop
from trading.leases import db_now, give_back_job, take_job
from trading.models import Order, ReconcileRun
from trading.sync.apply.balance import write_balance
from trading.sync.apply.claim import Applied, Contended, announce, claimed
from trading.sync.apply.fills import write_fill_history
from trading.sync.apply.orders import write_orders
from trading.sync.apply.positions import write_positions
from trading.sync.apply.vanished import write_vanished
from trading.sync.proposing import propose
from trading.sync.reading import MAX_LOOKUPS, Question, Reading, read_accounts
from trading.sync.truth import Compared, compare

logger = logging.getLogger(__name__)

READ_S = 12  # for one account
_DUE_S = 30
DUE_AFTER = timedelta(seconds=_DUE_S)
# What was found once is looked at again before anything is done about it.
CONFIRM_AFTER = timedelta(seconds=8)
# Who could not be read for so long, with a key that was revoked, is asked less often.
SILENT_FOR = timedelta(minutes=10)
SLOWLY = timedelta(minutes=1)
TICK_S = 10  # between two rounds
PER_TICK = 40
AT_ONCE = 8
_JOB = "reconcile"
_LEASE_S = 15  # a little more than a few accounts take when none of them answers
# An order touched a moment ago is still being talked about elsewhere.
QUIET = timedelta(seconds=5)
OVERLAP = timedelta(minutes=2)
REACH = timedelta(days=3)  # of the exchange's fills
KEPT = timedelta(days=7)
_UNFINISHED = (
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
    OrderState.MANUAL,
)
_SOURCE = EventSource.REST


@dataclass(frozen=True, slots=True)
class _Job:
    account: ExchangeAccount
    run: ReconcileRun
    question: Question | None


def reconcile_account(account_id: int, *, cause: str) -> ReconcileRun:
    """Read the account and write down what differs. Leaves a run behind, also when all is well.

    Never raises for what the exchange or the network does: the run says it. May be repeated
    and may run beside another. Not inside a transaction: it talks to the exchange.
    """
    return reconcile_accounts([account_id], cause=cause)[0]


def reconcile_accounts(account_ids: Sequence[int], *, cause: str) -> list[ReconcileRun]:
    """Several accounts, read at the same time; a run for each that exists."""
    with all_tenants("reconcile: find the accounts' desks"):
        accounts = list(ExchangeAccount.objects.filter(pk__in=account_ids))
    return _reconcile([_begin(account, cause) for account in accounts])


def reconcile_due() -> int:
    """Reconcile the accounts whose last good run is too old, the oldest first; how many.

    One process at a time; the others return 0 at once. The claim is renewed for every few
    accounts, so that who dies holds up the others for seconds only.
    """
    owner, done = uuid.uuid4(), 0
    try:
        if not take_job(_JOB, owner, _LEASE_S):
            return 0
        with all_tenants("reconcile: accounts of every desk are due"):
            due = list(_due(db_now())[: _per_tick()])
        for start in range(0, len(due), AT_ONCE):
            if start and not take_job(_JOB, owner, _LEASE_S):
                break
            some = due[start : start + AT_ONCE]
            done += len(_reconcile([_begin(account, "due") for account in some]))
    finally:
        give_back_job(_JOB, owner)
    return done


def _per_tick() -> int:
    """All accounts within the time they are due in, and never less than a few."""
    share = -(-ExchangeAccount.objects.streamed().count() * TICK_S // _DUE_S)
    return max(int(share), PER_TICK)


def forget_old_runs() -> int:
    """Delete runs nobody asks for any more, a few at a time."""
    with all_tenants("reconcile: old runs of every desk"):
        old = ReconcileRun.objects.filter(started_at__lt=db_now() - KEPT).order_by()
        ids = list(old.values_list("id", flat=True)[:5000])
        return int(ReconcileRun.objects.filter(id__in=ids).delete()[0]) if ids else 0


def _due(now: datetime) -> QuerySet[ExchangeAccount]:
    runs = ReconcileRun.objects.filter(account=OuterRef("pk")).order_by("-started_at")
    long_ago = now - SILENT_FOR
    heard = Q(good_at__gte=long_ago) | Q(good_at__isnull=True, verified_at__gte=long_ago)
    accounts: QuerySet[ExchangeAccount] = (
        ExchangeAccount.objects.streamed()
        .annotate(
            good_at=Subquery(runs.filter(ok=True).values("started_at")[:1]),
            tried_at=Subquery(runs.values("started_at")[:1]),
            unconfirmed=Subquery(runs.filter(ok=True).values("unconfirmed")[:1]),
        )
        .filter(
            Q(good_at__isnull=True)
            | Q(good_at__lt=now - DUE_AFTER)
            | Q(unconfirmed__gt=0, good_at__lt=now - CONFIRM_AFTER)
        )
        .filter(Q(tried_at__isnull=True) | Q(tried_at__lt=now - CONFIRM_AFTER))
        .filter(heard | Q(tried_at__isnull=True) | Q(tried_at__lt=now - SLOWLY))
        .order_by("tried_at", "pk")
    )
    return accounts


def _begin(account: ExchangeAccount, cause: str) -> _Job:
    with tenant_scope(account.tenant_id):
        now = db_now()
        last = ReconcileRun.objects.filter(account=account, ok=True).order_by("-started_at").first()
        run = ReconcileRun(account=account, cause=cause[:24], started_at=now)
        run.save(force_insert=True)
        try:
            keys, client = keys_of(account, purpose="reconcile"), client_of(account)
        except (NoKey, NoMarket) as error:
            _fail(run, error)
            return _Job(account, run, None)
        since = _since(last, now)
        question = Question(
            client=client,
            credentials=keys,
            fills_since_ms=int(since.timestamp() * 1000),
            lookups=_lookups(account, now),
        )
    return _Job(account, run, question)


def _since(last: ReconcileRun | None, now: datetime) -> datetime:
    """From when fills are read: all there are where our books are wrong, for some are missing."""
    if last is None or any(row["class"] == DriftClass.LEDGER_DRIFT for row in last.drifts):
        return now - REACH
    return max(last.started_at - OVERLAP, now - REACH)


def _lookups(account: ExchangeAccount, now: datetime) -> tuple[tuple[str, str], ...]:
    quiet = now - QUIET
    orders = Order.objects.filter(account=account, state__in=_UNFINISHED, created_at__lt=quiet)
    waiting = orders.filter(Q(sent_at__isnull=True) | Q(sent_at__lt=quiet)).order_by("created_at")
    return tuple(waiting.values_list("inst_id", "client_order_id")[: MAX_LOOKUPS * 10])


def _reconcile(jobs: list[_Job]) -> list[ReconcileRun]:
    asked = [job for job in jobs if job.question is not None]
    questions = [job.question for job in asked if job.question is not None]
    answers: list[Reading | Exception] = []
    if questions:
        reading = read_accounts(questions, at_once=AT_ONCE, seconds=READ_S)
        answers = exchange_loop().run(reading)
    for job, answer in zip(asked, answers, strict=True):
        _conclude(job, answer)
    return [job.run for job in jobs]


def _conclude(job: _Job, answer: Reading | Exception) -> None:
    with tenant_scope(job.account.tenant_id):
        if isinstance(answer, Exception):
            _fail(job.run, answer)
            return
        try:
            _finish(job, answer)
        except (Contended, DatabaseError) as error:
            _fail(job.run, error)


def _finish(job: _Job, reading: Reading) -> None:
    account, run = job.account, job.run
    with claimed(account) as now:
        applied = write_orders(account, reading.orders, source=_SOURCE, now=now)
        applied += write_fill_history(account, reading.fills, source=_SOURCE, now=now)
        applied += write_positions(
            account,
            reading.positions,
            complete=True,
            source=_SOURCE,
            now=now,
            read_at=run.started_at,
        )
        applied += write_balance(account, reading.balance, source=_SOURCE, complete=True, now=now)
        applied += write_vanished(account, reading.absent, now=now)
        announce(account, applied)
        # Half a reading proves nothing: what it did not say is unknown, never flat.
        whole = reading.unanswered == 0
        compared = compare([account], run.started_at)
        unconfirmed = propose(account, compared, now) if whole else 0
        _save(run, applied, reading, now, compared, unconfirmed)


def _save(
    run: ReconcileRun,
    applied: Applied,
    reading: Reading,
    now: datetime,
    compared: Sequence[Compared],
    unconfirmed: int,
) -> None:
    run.ok = reading.unanswered == 0
    run.error = "" if run.ok else f"{reading.unanswered} orders could not be looked up"
    run.changes = applied.writes
    run.drifts = [one.row for one in compared if one.kind != DriftClass.CLEAN]
    run.unconfirmed = unconfirmed
    run.finished_at = now
    run.save(update_fields=["ok", "error", "changes", "drifts", "unconfirmed", "finished_at"])


def _fail(run: ReconcileRun, error: Exception) -> None:
    expected = isinstance(error, ExchangeError | TimeoutError | NoKey | Contended | DatabaseError)
    logger.warning(
        "Account %s was not read: %s", run.account_id, error, exc_info=None if expected else error
    )
    run.ok = False
    run.error = (str(error) or type(error).__name__)[:300]
    run.finished_at = db_now()
    with transaction.atomic():
        run.save(update_fields=["ok", "error", "finished_at"])
