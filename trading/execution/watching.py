"""What the answers of the last minutes say about an account and a market: when a breaker opens.

Looked at right after a batch that held a refusal or no answer, and again by the sweep, so that
a crash between the two forgets nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q

from accounts.fields import first_uuid7
from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from trading.breakers import Place, open_breaker
from trading.enums import AttemptOutcome, BreakerCause, BreakerState, OrderState
from trading.exchange.types import Outcome
from trading.execution.send import Answered
from trading.leases import db_now
from trading.models import Breaker, ExternalOrder, Order, OrderAttempt

UNKNOWN_SHARE = (3, 10)
MINUTE = timedelta(seconds=60)
HOUR = timedelta(hours=1)
# Longer than any request is waited for: whoever sent it is gone, and its answer with it.
UNHEARD = timedelta(seconds=10)
# What is asked about meets the deadline and three looks within this; more is unusual.
SETTLED_BY = timedelta(seconds=10)
# Closing what is closed already says nothing about the account.
HARMLESS = frozenset({"51023", "51169"})
LOOK_EVERY_S = 5.0
DOUBLES_EVERY_S = 60.0


def watch_answers(answered: Sequence[Answered]) -> None:
    """Judge the accounts and markets of a batch that held a refusal or no answer."""
    refused = {
        one.marked.order.account_id
        for one in answered
        if one.outcome.kind == Outcome.REJECTED and one.outcome.reason_code not in HARMLESS
    }
    silent = {one.marked.order.market for one in answered if one.outcome.kind == Outcome.UNKNOWN}
    if not refused and not silent:
        return
    with all_tenants("answers of several desks are judged"):
        now = db_now()
        if refused:
            judge_accounts(refused, now)
        if silent:
            judge_markets(now)


class _Rounds:
    """The sweep comes every second or two; these looks need not."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def due(self, name: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._at.get(name, -seconds) < seconds:
            return False
        self._at[name] = now
        return True

    def forget(self) -> None:
        self._at.clear()


rounds = _Rounds()


def watch_lately() -> int:
    """The same of everything that was recorded lately; how many breakers opened."""
    if not rounds.due("lately", LOOK_EVERY_S):
        return 0
    now = db_now()
    refused = (
        lately(now - MINUTE)
        .filter(outcome=AttemptOutcome.REJECTED)
        .exclude(code__in=HARMLESS)
        .values_list("order__account_id", flat=True)
    )
    opened = judge_accounts(set(refused), now) + judge_unresolved(now) + judge_markets(now)
    if rounds.due("doubles", DOUBLES_EVERY_S):
        opened += judge_doubles(now)
    return opened


def judge_accounts(account_ids: Iterable[int], now: datetime) -> int:
    """Open the breaker of each account with five refusals in a row, or ten within a minute."""
    ids = set(account_ids)
    if not ids:
        return 0
    since = _closed_at(BreakerCause.REJECTS, account_id__in=ids)
    heard: dict[int, list[_Answer]] = {}
    rows = (
        _attempts(now - HOUR)
        .filter(order__account_id__in=ids, order__created_at__gte=now - 2 * HOUR)
        .exclude(finished_at__isnull=True)
        .order_by("-finished_at", "-id")
        .values_list("order__account_id", "outcome", "code", "finished_at")
    )
    for account_id, outcome, code, at in rows:
        if at > since.get(account_id, now - HOUR) and code not in HARMLESS:
            heard.setdefault(account_id, []).append(_Answer(outcome, at))
    opened = 0
    for account_id, answers in heard.items():
        reason = why_refused_too_often(answers, now)
        if reason:
            opened += _open_account(account_id, BreakerCause.REJECTS, reason)
    return opened


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: str
    at: datetime


def why_refused_too_often(answers: Sequence[Any], now: datetime) -> str:
    """What is wrong with these answers, the newest first; "" when nothing is. Pure."""
    row = 0
    for answer in answers:
        if answer.outcome != AttemptOutcome.REJECTED:
            break
        row += 1
    if row >= settings.BREAKER_REJECTS_IN_A_ROW:
        return f"{row} orders refused in a row"
    minute = sum(a.outcome == AttemptOutcome.REJECTED and a.at > now - MINUTE for a in answers)
    return (
        f"{minute} orders refused within a minute"
        if minute >= settings.BREAKER_REJECTS_A_MINUTE
        else ""
    )


def judge_unresolved(now: datetime) -> int:
    """Stop an account of which several outcomes cannot be found out."""
    rows = (
        Order.objects.filter(state=OrderState.UNKNOWN, sent_at__lt=now - SETTLED_BY)
        .order_by()
        .values_list("account_id")
        .annotate(count=Count("id"))
        .filter(count__gte=settings.BREAKER_UNRESOLVED)
    )
    return sum(
        _open_account(account_id, BreakerCause.UNRESOLVED, f"{count} orders with unknown outcome")
        for account_id, count in rows
    )


def judge_markets(now: datetime) -> int:
    """Stop openings in a market where too many of the last minute's sends have no answer."""
    silent = Q(outcome=AttemptOutcome.UNKNOWN) | Q(
        outcome=AttemptOutcome.PENDING, started_at__lt=now - UNHEARD
    )
    recent = lately(now - MINUTE)
    unknown = list(recent.filter(silent).values_list("order__market", "started_at"))
    lost_on_the_way = _being_sent(now - MINUTE).filter(sent_at__lt=now - UNHEARD)
    unknown += lost_on_the_way.values_list("market", "sent_at")
    part, whole = UNKNOWN_SHARE
    if len(unknown) * whole < settings.BREAKER_FEWEST_SENDS * part:
        return 0
    since = _closed_at(BreakerCause.UNKNOWN_SENDS, account__isnull=True)
    lost = Counter(market for market, at in unknown if at > since.get(market, now - MINUTE))
    opened = 0
    for market, count in lost.items():
        after = max(since.get(market, now - MINUTE), now - MINUTE)
        sends = lately(after).filter(order__market=market).count()
        sends += _being_sent(after).filter(market=market).count()
        if is_too_silent(count, sends):
            reason = f"{count} of {sends} sends within a minute have no answer"
            opened += open_breaker(Place(market), BreakerCause.UNKNOWN_SENDS, reason)
    return opened


def is_too_silent(unknown: int, sends: int) -> bool:
    """At least 30 % of at least 20."""
    part, whole = UNKNOWN_SHARE
    return sends >= settings.BREAKER_FEWEST_SENDS and unknown * whole >= sends * part


def judge_doubles(now: datetime) -> int:
    """Stop openings in a market where several accounts hold an order twice."""
    twin = Order.objects.filter(
        account=OuterRef("account"), client_order_id=OuterRef("client_order_id")
    )
    rows = (
        ExternalOrder.objects.filter(seen_at__gte=now - HOUR)
        .exclude(client_order_id="")
        .filter(Exists(twin))
        .values_list("account__market", "account_id", "seen_at")
    )
    since = _closed_at(BreakerCause.DOUBLES, account__isnull=True)
    found: dict[str, set[int]] = {}
    for market, account_id, at in rows:
        if at > since.get(market, now - HOUR):
            found.setdefault(market, set()).add(account_id)
    return sum(
        open_breaker(
            Place(market), BreakerCause.DOUBLES, f"{len(ids)} accounts hold an order twice"
        )
        for market, ids in found.items()
        if len(ids) >= settings.BREAKER_DOUBLES
    )


def still_unresolved(account_id: int) -> int:
    """How many orders of the account nobody knows the outcome of."""
    rows = Order.objects.filter(state=OrderState.UNKNOWN, account_id=account_id)
    return int(rows.count())


def _attempts(since: datetime) -> Any:
    return OrderAttempt.objects.filter(started_at__gte=since).order_by()


def lately(since: datetime) -> Any:
    """Those of everybody. Their keys begin with the time at which they were started."""
    return _attempts(since).filter(pk__gte=first_uuid7(since))


def _being_sent(since: datetime) -> Any:
    """What was marked since then and not heard of: its attempt has no row yet."""
    return Order.objects.filter(
        state=OrderState.SENDING, exp_at_ms__isnull=False, sent_at__gte=since
    ).order_by()


def _closed_at(cause: BreakerCause, **match: Any) -> dict[Any, datetime]:
    """What happened before a breaker closed must not open it again."""
    rows = Breaker.objects.filter(cause=cause, closed_at__isnull=False, **match)
    return {row.account_id or row.market: row.closed_at for row in rows}


def _open_account(account_id: int, cause: BreakerCause, reason: str) -> bool:
    open_there = Breaker.objects.filter(account_id=account_id, cause=cause).exclude(
        state=BreakerState.CLOSED
    )
    if open_there.exists():
        return False
    account = ExchangeAccount.objects.select_related("customer").get(pk=account_id)
    return open_breaker(Place(account.market, account), cause, reason)
