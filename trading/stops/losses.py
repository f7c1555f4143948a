"""Loss limits: measured every few seconds, and what follows when one is reached.

Each account, or each following, that a limit covers has a row that says how it stands. A limit
that is reached opens a breaker, which stops openings when they are decided and again before they
leave. It closes with the period, when the limit is loosened, or by a person: then what was lost
until now no longer counts.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from accounts.bulk_update import update_many
from accounts.models import Tenant
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import AccountStatus
from customers.models import ExchangeAccount
from strategies.enums import SubscriptionStatus
from strategies.models import Subscription
from trading.breakers import NOT_CLOSED
from trading.enums import BreakerCause, LossMeasure, LossScope
from trading.leases import db_now
from trading.models import Breaker, LossLimit, LossState
from trading.stops.measuring import ZERO, Course, course_of_account, course_of_link, lost, used
from trading.stops.payments import Payment, read_payments
from trading.stops.periods import counted_from
from trading.stops.reaching import go_on_closing, reach, release, stopped_by_losses
from trading.stops.standing import (
    Beginning,
    Made,
    Rates,
    beginning_of,
    read_fills,
    read_unrealized,
    read_worths,
)

# What was heard so recently may still be followed by a fill that was stored before it.
SETTLED = timedelta(seconds=30)
ADD_UP_EVERY = timedelta(hours=1)
# What was paid in hides a loss until then.
ASK_PAYMENTS_EVERY = timedelta(minutes=5)
PAYMENTS_AT_ONCE = 20
ONE = Decimal(1)
# Bills are told a moment later than the balance.
BILLS_TAKE = timedelta(minutes=1)
WRITTEN = (
    "since", "base", "base_unrealized", "peak", "known_peak", "paid", "paid_until", "realized",
    "counted_until", "loss", "used", "measured_at", "breached_at",
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a limit measures: an account, or one following of it."""

    limit: LossLimit
    account: ExchangeAccount
    subscription: Subscription | None = None

    @property
    def key(self) -> str:
        link = self.subscription.pk if self.subscription else ""
        return f"{self.limit.pk}|{self.account.pk}|{link}"


def watch_losses() -> int:
    """One round over every desk with a limit, or with somebody stopped by one; how many were
    reached. One desk's trouble is not another's."""
    with all_tenants("loss limits of every desk"):
        limited = LossLimit.objects.filter(is_active=True).values("tenant_id")
        stopped = stopped_by_losses().values("tenant_id")
        desks = list(Tenant.objects.filter(Q(pk__in=limited) | Q(pk__in=stopped)))
    reached = 0
    for desk in desks:
        try:
            with tenant_scope(desk):
                reached += watch_desk(desk)
        except Exception:
            log.exception("the loss limits of desk %s were not looked at", desk.pk)
    return reached


def watch_desk(desk: Tenant, now: datetime | None = None) -> int:
    """Measure, write down, stop and release; in the desk's scope."""
    now = now or db_now()
    targets = list(_targets(LossLimit.objects.filter(is_active=True)))
    look = _Look(desk, now, targets)
    look.ask_payments()
    reached = sum(_reach_safely(state, now) for state in look.take_stock())
    look.write()
    release()
    go_on_closing()
    return reached


def _reach_safely(state: LossState, now: datetime) -> bool:
    """One that cannot be stopped is tried again in the next round, and keeps nobody else going."""
    try:
        return reach(state, now)
    except Exception:
        state.breached_at = None  # nothing of it was written
        log.exception("the loss limit %s was reached, and nobody was stopped", state.key)
        return False


def _targets(limits: Iterable[LossLimit]) -> Iterable[Target]:
    listed = list(limits)
    if not listed:
        return
    accounts = list(
        ExchangeAccount.objects.exclude(status=AccountStatus.ARCHIVED).select_related("customer")
    )
    links = list(
        Subscription.objects.exclude(status=SubscriptionStatus.STOPPED).select_related("account")
    )
    for limit in listed:
        if limit.of_links:
            for link in links:
                if limit.strategy_id == link.strategy_id or limit.subscription_id == link.pk:
                    yield Target(limit, link.account, link)
            continue
        for account in accounts:
            if (
                limit.scope == LossScope.TENANT
                or limit.customer_id == account.customer_id
                or limit.account_id == account.pk
            ):
                yield Target(limit, account)


class _Look:
    """What one round reads of a desk, and what it writes."""

    def __init__(self, desk: Tenant, now: datetime, targets: Sequence[Target]) -> None:
        self._desk, self._now, self._rates = desk, now, Rates()
        accounts = {target.account.pk: target.account for target in targets}
        self._worths = read_worths(accounts.values(), self._rates)
        self._targets = [target for target in targets if target.account.pk in self._worths]
        rows = LossState.objects.filter(limit__in={t.limit.pk for t in targets})
        self._states = {row.key: row for row in rows}
        self._before = {row.key: _columns(row) for row in self._states.values()}
        self._let_go = _closed_at()
        self._unasked: set[str] = set()
        links = {t.subscription.pk: t.account for t in self._targets if t.subscription}
        self._open = read_unrealized(links, self._rates)
        for target in self._targets:
            self._begin(target)
        self._fills = self._read_fills(links)

    def take_stock(self) -> list[LossState]:
        """Measure all; those that reached their limit just now."""
        reached = []
        for target in self._targets:
            state = self._states[target.key]
            self._count(state, target)
            if state.breached_at is None:
                if state.used >= ONE and target.key not in self._unasked:
                    reached.append(state)
            elif _is_eased(state, target.limit):
                state.breached_at = None
        return reached

    def ask_payments(self) -> None:
        """Ask what was paid where somebody seems to have lost too much, and else now and then."""
        asked: dict[ExchangeAccount, datetime] = {}
        waiting: list[tuple[Target, LossState]] = []
        for target, state in self._to_be_asked():
            if target.account in asked or len(asked) < PAYMENTS_AT_ONCE:
                before = asked.get(target.account, state.paid_until)
                asked[target.account] = min(before, state.paid_until)
                waiting.append((target, state))
            else:
                self._unasked.add(target.key)
        told = read_payments(asked) if asked else {}
        for target, state in waiting:
            payments = told.get(target.account.pk)
            if payments is None:
                # Nobody knows what was paid: nothing may be called a loss yet.
                self._unasked.add(target.key)
                continue
            _take(state, [payment for payment in payments if payment.at > state.paid_until])
            state.paid_until = max(state.paid_until, self._now - BILLS_TAKE)

    def _to_be_asked(self) -> Iterable[tuple[Target, LossState]]:
        """Who seems to have lost too much comes first; by lot, so that accounts which do not
        answer keep nobody else from being asked for ever."""
        urgent: list[tuple[Target, LossState]] = []
        others: list[tuple[Target, LossState]] = []
        for target in self._targets:
            state = self._states[target.key]
            by_equity = target.limit.measure != LossMeasure.UNREALIZED
            if target.subscription or state.breached_at or not by_equity:
                continue
            self._count(state, target)
            seems_lost = state.used >= ONE
            if not seems_lost and self._now - state.paid_until <= ASK_PAYMENTS_EVERY:
                continue
            if not target.account.is_verified:
                self._unasked.add(target.key)  # with its key nothing can be read
            else:
                (urgent if seems_lost else others).append((target, state))
        for each in (urgent, others):
            random.shuffle(each)
        return [*urgent, *others]

    def write(self) -> None:
        """Only what changed."""
        moved = [row for row in self._states.values() if _columns(row) != self._before[row.key]]
        if moved:
            rows = [(row.pk, *_columns(row)) for row in moved]
            update_many(LossState, rows, match=("id",), columns=WRITTEN)

    def _begin(self, target: Target) -> None:
        """Make the row of who is new, and begin anew where a period did or a person wants it."""
        since = counted_from(target.limit, self._desk, self._now)
        state = self._states.get(target.key)
        if state is None:
            state = LossState(
                limit=target.limit,
                account=target.account,
                subscription=target.subscription,
                key=target.key,
            )
            self._restart(state, since, self._beginning(target, since))
            state.save(force_insert=True)
            self._states[target.key], self._before[target.key] = state, _columns(state)
        elif since > state.since:
            self._restart(state, since, self._beginning(target, since))
            state.base_unrealized = self._unrealized(target, state)
        elif self._is_let_go(state):
            worth = self._worths[target.account.pk]
            self._restart(state, self._now, Beginning(self._now, worth.equity, worth.unrealized))
            state.base_unrealized = self._unrealized(target, state)

    def _beginning(self, target: Target, since: datetime) -> Beginning:
        return beginning_of(target.account.pk, since, self._worths[target.account.pk], self._now)

    def _restart(self, state: LossState, since: datetime, begun: Beginning) -> None:
        state.since, state.base, state.paid, state.paid_until = since, begun.equity, ZERO, begun.at
        # What a following held when its first period began nobody wrote down: all of it counts.
        of_link = state.subscription_id is not None
        state.base_unrealized = ZERO if of_link else begun.unrealized
        state.realized, state.counted_until = ZERO, since
        state.peak = state.known_peak = state.loss = state.used = ZERO
        state.measured_at, state.breached_at = self._now, None

    def _unrealized(self, target: Target, state: LossState) -> Decimal:
        if target.subscription is None:
            return Decimal(state.base_unrealized)
        return self._open.get(target.subscription.pk, ZERO)

    def _count(self, state: LossState, target: Target) -> None:
        course, limit = self._course(state, target), target.limit
        loss = lost(LossMeasure(limit.measure), course)
        # Who began with nothing is measured by what was paid in.
        base = state.base if state.base > 0 else state.base + state.paid
        share = used(loss, most=limit.max_absolute, part=limit.max_relative, base=base)
        if (loss, share, course.peak) != (state.loss, state.used, state.peak):
            state.loss, state.used, state.peak = loss, share, course.peak
            state.measured_at = self._now

    def _course(self, state: LossState, target: Target) -> Course:
        if target.subscription is None:
            worth = self._worths[target.account.pk]
            return course_of_account(
                equity=worth.equity,
                unrealized=worth.unrealized,
                base=state.base,
                base_unrealized=state.base_unrealized,
                paid=state.paid,
                peak=state.peak,
            )
        return course_of_link(
            realized=self._made(state, target.subscription.pk),
            unrealized=self._open.get(target.subscription.pk, ZERO),
            base_unrealized=state.base_unrealized,
            peak=state.peak,
        )

    def _made(self, state: LossState, link: int) -> Decimal:
        """What its fills made; those heard long enough ago are added up for good."""
        until, recent, settled = self._now - SETTLED, ZERO, ZERO
        for fill in self._fills.get(link, ()):
            if fill.filled_at < state.since or fill.received_at < state.counted_until:
                continue
            if fill.received_at < until:
                settled += fill.amount
            else:
                recent += fill.amount
        if settled or until - state.counted_until > ADD_UP_EVERY:
            state.realized, state.counted_until = state.realized + settled, until
        return Decimal(state.realized) + recent

    def _is_let_go(self, state: LossState) -> bool:
        """A person closed what it had opened."""
        closed = self._let_go.get((state.account_id, state.subscription_id))
        return bool(state.breached_at and closed and closed > state.breached_at)

    def _read_fills(self, links: dict[int, ExchangeAccount]) -> dict[int, list[Made]]:
        states = [self._states[target.key] for target in self._targets if target.subscription]
        if not states:
            return {}
        return read_fills(
            links,
            since=min(state.since for state in states),
            heard_from=min(state.counted_until for state in states),
            rates=self._rates,
        )


def _take(state: LossState, late: Sequence[Payment]) -> None:
    """Count what was paid since it was asked last.

    Until now it looked like a gain, also in the peak. What was told only now of the time before
    the last look may be in the peak that was known then.
    """
    looked_at = state.paid_until + BILLS_TAKE
    came_in = [payment for payment in late if payment.amount > 0]
    overlooked = sum((one.amount for one in came_in if one.at <= looked_at), ZERO)
    known = max(state.known_peak - overlooked, ZERO)
    came = sum((one.amount for one in came_in), ZERO)
    state.peak = state.known_peak = max(known, state.peak - came)
    state.paid += sum((payment.amount for payment in late), ZERO)
    state.paid_until = max([state.paid_until, *(payment.at for payment in late)])


def _is_eased(state: LossState, limit: LossLimit) -> bool:
    """Somebody allowed more since; that less is lost by now releases nobody."""
    breached = state.breached_at
    return breached is not None and state.used < ONE and limit.changed_at > breached


def _closed_at() -> dict[tuple[int | None, int | None], datetime]:
    closed = Breaker.objects.filter(cause=BreakerCause.LOSS_LIMIT).exclude(state__in=NOT_CLOSED)
    rows = closed.values_list("account_id", "subscription_id", "closed_at")
    return {(account, link): at for account, link, at in rows if at is not None}


def _columns(row: LossState) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in WRITTEN)
