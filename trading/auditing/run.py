"""The audit of one desk or of all: read both sides, check every promise, keep what was found."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings

from accounts.enums import TenantStatus
from accounts.models import Tenant
from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.enums import AccountStatus, Market
from customers.models import ExchangeAccount
from trading.auditing import checks, exchange, promises
from trading.auditing.facts import Books, Finding, Found, Note, Ours, Promise, Theirs
from trading.auditing.ledger import Ledger, read_ledger
from trading.auditing.ours import milliseconds, read_halts, read_ours, read_signals
from trading.endpoints import NoMarket, client_of, keys_of
from trading.exchange.runner import exchange_loop
from trading.leases import db_now
from trading.paper import control

CHUNK: Final = 20
MOST_KEPT: Final = 500  # of each list; the counts are of all
SETTLE: Final = timedelta(seconds=60)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Report:
    """What was found of one desk. `counts` and `looked` are complete, the lists are the first."""

    tenant_id: int
    started_at: datetime
    since: datetime | None
    finished_at: datetime | None = None
    accounts: int = 0
    orders: int = 0
    fills: int = 0
    signals: int = 0
    counts: Counter[Promise] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    in_flight: list[Note] = field(default_factory=list)
    in_flight_count: int = 0
    unseen: list[Note] = field(default_factory=list)
    unseen_count: int = 0
    unread: list[Note] = field(default_factory=list)  # accounts that could not be looked at

    @property
    def is_clean(self) -> bool:
        return not self.counts

    def take(self, found: Found) -> None:
        for finding in found.findings:
            self.counts[finding.promise] += 1
            if len(self.findings) < MOST_KEPT:
                self.findings.append(finding)
        self.in_flight_count += len(found.in_flight)
        self.in_flight += found.in_flight[: MOST_KEPT - len(self.in_flight)]
        self.unseen_count += len(found.unseen)
        self.unseen += found.unseen[: MOST_KEPT - len(self.unseen)]


def audit_desks(
    *,
    tenant_id: int | None = None,
    account_id: int | None = None,
    since: datetime | None = None,
    settle: timedelta = SETTLE,
) -> Iterator[Report]:
    """Audit each active desk, or one; only reads, wherever it looks. A report for each.

    `since` None: as far back as the exchange tells, which for the simulator is everything.
    What changed less than `settle` ago may still be on its way and is no finding. Decrypts
    keys. An account that cannot be read is listed in `unread` and passes no check.
    """
    with all_tenants("audit: every desk is looked at"):
        desks = Tenant.objects.filter(status=TenantStatus.ACTIVE)
        if tenant_id is not None:
            desks = Tenant.objects.filter(pk=tenant_id)
        ids = list(desks.order_by("pk").values_list("pk", flat=True))
    with _ledger_of(ids, account_id) as ledger:
        for pk in ids:
            audit = _Audit(pk, account_id, since, settle, ledger)
            with tenant_scope(pk):
                yield audit.run()


@contextmanager
def _ledger_of(tenant_ids: Sequence[int], account_id: int | None) -> Iterator[Ledger | str]:
    """The simulator's ledger, or why there is none."""
    names: dict[str, int] = {}
    with all_tenants("audit: which of the simulator's accounts are ours"):
        accounts = ExchangeAccount.objects.filter(
            tenant_id__in=tenant_ids, market=Market.SIMULATOR, api_key__isnull=False
        )
        if account_id is not None:
            accounts = accounts.filter(pk=account_id)
        for account in accounts.iterator(chunk_size=500):
            try:
                names[keys_of(account, purpose="audit").api_key] = account.pk
            except NoKey:
                continue
    if not names or not control.is_configured():
        yield ""
        return
    try:
        reading = read_ledger(names)
        ledger = reading.__enter__()
    except control.SimulatorError as error:
        yield error.messages[0]
        return
    try:
        yield ledger
    finally:
        reading.__exit__(None, None, None)


@dataclass(slots=True)
class _Audit:
    tenant_id: int
    account_id: int | None
    since: datetime | None
    settle: timedelta
    ledger: Ledger | str

    def run(self) -> Report:
        now = db_now()
        report = Report(self.tenant_id, now, self.since)
        halts = read_halts(self.tenant_id, self.since)
        for accounts in _chunks(self.account_id):
            self._audit_accounts(accounts, halts, report)
        found = Found()
        signals = read_signals(self.tenant_id, self.since, self.account_id)
        promises.check_complete(_counted(signals, report), quiet=now - self.settle, found=found)
        report.take(found)
        report.finished_at = db_now()
        return report

    def _audit_accounts(
        self,
        accounts: Sequence[ExchangeAccount],
        halts: Sequence[promises.Closed],
        report: Report,
    ) -> None:
        theirs = self._read_theirs(accounts, report)
        since = {account.pk: self._begin(account, theirs.get(account.pk)) for account in accounts}
        names = {o.client_order_id for told in theirs.values() for o in told.orders} - {""}
        ours = read_ours(accounts, since, names)
        for account in accounts:
            found = Found()
            mine, told = ours[account.pk], theirs.get(account.pk)
            _check_ours(mine, found)
            if told is not None:
                self._check_both(account, told, mine, halts, found)
            report.accounts += 1
            report.orders += len(mine.orders)
            report.fills += len(mine.fills)
            report.take(found)

    def _begin(self, account: ExchangeAccount, told: Theirs | None) -> datetime | None:
        """Since when our rows are compared: as far back as both sides can be seen."""
        reach = None if told is None or not told.orders_since_ms else told.orders_since_ms
        moments = [self.since, account.books_since]
        if reach is not None:
            moments.append(datetime.fromtimestamp(reach / 1000, tz=UTC))
        return max((moment for moment in moments if moment is not None), default=None)

    def _read_theirs(
        self, accounts: Sequence[ExchangeAccount], report: Report
    ) -> dict[int, Theirs]:
        told: dict[int, Theirs] = {}
        asked: dict[int, exchange.Question] = {}
        for account in accounts:
            since_ms = milliseconds(self.since) if self.since else 0
            if account.market == Market.SIMULATOR and self.ledger:
                if isinstance(self.ledger, Ledger):
                    told[account.pk] = self.ledger.theirs(account.pk, since_ms=since_ms)
                else:
                    report.unread.append(Note("account", self.ledger, account.pk))
                continue
            try:
                keys = keys_of(account, purpose="audit")
                asked[account.pk] = exchange.Question(client_of(account), keys, since_ms)
            except (NoKey, NoMarket) as error:
                report.unread.append(Note("account", str(error), account.pk))
        told |= _ask(asked, report)
        return told

    def _check_both(
        self,
        account: ExchangeAccount,
        told: Theirs,
        mine: Ours,
        halts: Sequence[promises.Closed],
        found: Found,
    ) -> None:
        books = Books(
            account_id=account.pk,
            theirs=told,
            ours=mine,
            quiet_ms=told.read_ms - round(self.settle / timedelta(milliseconds=1)),
            now=db_now(),
            deployment_code=settings.DEPLOYMENT_CODE,
        )
        for check in checks.EXCHANGE_CHECKS:
            check(books, found)
        promises.check_halts(books, halts, _patience(), found)


def _check_ours(mine: Ours, found: Found) -> None:
    promises.check_identities(
        mine.orders,
        deployment_code=settings.DEPLOYMENT_CODE,
        key=settings.ORDER_ID_KEY.encode(),
        found=found,
    )
    promises.check_reasons(mine.orders, found)
    promises.check_settled(mine.orders, now=db_now(), found=found)


def _ask(asked: Mapping[int, exchange.Question], report: Report) -> dict[int, Theirs]:
    if not asked:
        return {}
    told: dict[int, Theirs] = {}
    answers = exchange_loop().run(exchange.read_all(list(asked.values())))
    for account_id, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Theirs):
            told[account_id] = answer
        else:
            log.warning("account %s could not be audited: %s", account_id, answer)
            why = str(answer) or type(answer).__name__
            report.unread.append(Note("account", why, account_id))
    return told


def _counted(
    signals: Iterator[promises.SignalFacts], report: Report
) -> Iterator[promises.SignalFacts]:
    for signal in signals:
        report.signals += 1
        yield signal


def _chunks(account_id: int | None) -> Iterator[list[ExchangeAccount]]:
    """Every account of the desk that trades or ever has."""
    accounts = ExchangeAccount.objects.exclude(status=AccountStatus.ARCHIVED).exclude(
        key_fingerprint__isnull=True
    )
    if account_id is not None:
        accounts = ExchangeAccount.objects.filter(pk=account_id)
    last = 0
    while chunk := list(accounts.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _patience() -> promises.Patience:
    return promises.Patience(
        market=timedelta(seconds=settings.ORDER_TTL_MARKET_S),
        limit=timedelta(seconds=settings.ORDER_TTL_LIMIT_S),
        margin=timedelta(seconds=settings.SKEW_S + 1),
    )
