"""Working off the outbox: each destination in its own order, many destinations at once.

Whoever has claimed a destination sends its messages one after another; what one of them
makes wait holds up nobody else. Only the tries themselves run in threads.
"""

from __future__ import annotations

import logging
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Tenant
from accounts.tenancy import all_tenants, tenant_scope
from notifications.digest import combine
from notifications.enums import OPEN_STATES, DestinationStatus, Outcome, State
from notifications.models import DeliveryAttempt, Destination, Notification
from notifications.sending import LEASE_S, Parcel, prepare, settle
from notifications.transports import Result, transport_of
from trading.leases import db_now, single_flight

AT_ONCE: Final = 8
BUDGET_S: Final = 20.0
STALE_AFTER: Final = timedelta(hours=24)
MINUTE: Final = timedelta(seconds=60)
# How often new work is looked for while tries are on their way.
LOOK_S: Final = 0.5
# The budget, and what the last tries may take.
ROUND_S: Final = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Turn:
    """A destination that is ours for a while, with its desk."""

    destination: Destination
    tenant: Tenant
    token: uuid.UUID


@single_flight("deliver", ROUND_S)
def deliver_due(budget_s: float = BUDGET_S) -> dict[str, int]:
    """Send what is due until nothing is, or the time is over; what became of how many.

    One round at a time, whichever process it is in. Not to be called inside a transaction.
    """
    with all_tenants("messages of every desk that are due"):
        told = {"lost": settle_lost(), "dropped": drop_stale()}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notify") as pool:
        return told | _Round(pool, time.monotonic() + budget_s).run()


class _Round:
    """Several destinations in hand, one try of each on its way."""

    def __init__(self, pool: ThreadPoolExecutor, ends_at: float) -> None:
        self._pool, self._ends_at = pool, ends_at
        self._running: dict[Future[tuple[Result, int]], tuple[_Turn, Parcel]] = {}
        self._counts = {outcome.value: 0 for outcome in Outcome}

    def run(self) -> dict[str, int]:
        while True:
            if time.monotonic() < self._ends_at:
                self._take_more()
            if not self._running:
                return self._counts
            done, _open = wait(self._running, LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                self._finish(future)

    def _take_more(self) -> None:
        room = AT_ONCE - len(self._running)
        for turn in claim_destinations(room) if room else ():
            self._go_on(turn)

    def _go_on(self, turn: _Turn) -> None:
        """Start the next try of this destination, or give it back."""
        parcel = None
        if time.monotonic() < self._ends_at:
            try:
                with tenant_scope(turn.tenant):
                    parcel = next_parcel(turn.destination, turn.tenant)
            except Exception:
                log.exception("destination %s was left out", turn.destination.pk)
        if parcel is None:
            release(turn)
            return
        self._running[self._pool.submit(parcel.send)] = turn, parcel

    def _finish(self, future: Future[tuple[Result, int]]) -> None:
        turn, parcel = self._running.pop(future)
        with tenant_scope(turn.tenant):
            try:
                result, took_ms = future.result()
            except Exception as error:
                log.exception("a try for destination %s stumbled", turn.destination.pk)
                result, took_ms = Result(Outcome.UNKNOWN, "", type(error).__name__), 0
            self._settle(parcel, result, took_ms)
        self._counts[result.outcome.value] += 1
        if result.wait_s or result.blames_destination:
            release(turn)
        else:
            self._go_on(turn)

    def _settle(self, parcel: Parcel, result: Result, took_ms: int) -> None:
        """What cannot be written down ends as an unknown outcome; the others go on."""
        try:
            settle(parcel, result, took_ms)
        except DatabaseError:
            log.exception("the outcome of %s was not written down", parcel.notification.pk)


def claim_destinations(most: int) -> list[_Turn]:
    """Destinations with something due that nobody works on, by a conditional UPDATE each."""
    now = db_now()
    with all_tenants("destinations of every desk with something due"):
        due = Notification.objects.filter(state__in=OPEN_STATES, not_before__lte=now)
        rows = Destination.objects.filter(
            _waits_no_more(now), _free(now), status=DestinationStatus.ENABLED
        ).filter(pk__in=due.order_by().values("destination"))
        found = list(rows.order_by("claim_until", "pk")[:most])
        turns = [turn for row in found if (turn := _claim(row, now)) is not None]
    return turns


def _waits_no_more(now: datetime) -> Q:
    return Q(not_before__isnull=True) | Q(not_before__lte=now)


def _free(now: datetime) -> Q:
    return Q(claim_until__isnull=True) | Q(claim_until__lt=now)


def _claim(destination: Destination, now: datetime) -> _Turn | None:
    token, until = uuid.uuid4(), now + timedelta(seconds=LEASE_S)
    rows = Destination.objects.filter(_free(now), pk=destination.pk)
    if not rows.update(claim_token=token, claim_until=until):
        return None
    destination.claim_token = token
    return _Turn(destination, Tenant.objects.get(pk=destination.tenant_id), token)


def release(turn: _Turn) -> None:
    with tenant_scope(turn.tenant):
        rows = Destination.objects.filter(pk=turn.destination.pk, claim_token=turn.token)
        rows.update(claim_token=None, claim_until=None)


def next_parcel(destination: Destination, tenant: Tenant) -> Parcel | None:
    """The next message of a claimed destination, claimed too; None when it has to wait.

    When more is due than may leave within this minute, the last that may is one message
    for all the rest.
    """
    now = db_now()
    until = now + timedelta(seconds=LEASE_S)
    held = Destination.objects.filter(
        pk=destination.pk, claim_token=destination.claim_token, status=DestinationStatus.ENABLED
    )
    if not held.update(claim_until=until):
        return None
    room = _room(destination, now)
    if room <= 0:
        return None
    due = destination.notifications.filter(state__in=OPEN_STATES, not_before__lte=now)
    if room == 1 and due.count() > 1:
        combine(destination, due, now)
    rows = due.select_related("destination").order_by("-weight", "id")
    while (notification := rows.first()) is not None:
        parcel = prepare(notification, tenant)
        # What could not be prepared is off the list: the next one may leave.
        if parcel is not None or notification.destination.status != DestinationStatus.ENABLED:
            return parcel
    return None


def _room(destination: Destination, now: datetime) -> int:
    """How many more may leave for it now. When none: it waits until one may."""
    most = transport_of(destination.kind).per_minute
    left = DeliveryAttempt.objects.filter(destination=destination, at__gt=now - MINUTE).exclude(
        outcome=Outcome.NOT_SENT
    )
    times = list(left.order_by("-at").values_list("at", flat=True)[:most])
    if len(times) == most:
        Destination.objects.filter(pk=destination.pk).update(not_before=times[-1] + MINUTE)
    return most - len(times)


@transaction.atomic
def settle_lost() -> int:
    """Claims that nobody settled: their messages may have left, so they are not sent again."""
    rows = Notification.objects.filter(state=State.SENDING, lease_until__lt=db_now())
    lost = 0
    for row in rows.select_related("destination")[:500]:
        same = Notification.objects.filter(
            pk=row.pk, state=State.SENDING, claim_token=row.claim_token
        )
        with translation.override(row.destination.language):
            words = _("The process that sent it ended before the answer was written down.")
        settled = {"claim_token": None, "lease_until": None, "last_error": words}
        if same.update(state=State.UNKNOWN, **settled):
            DeliveryAttempt(
                tenant_id=row.tenant_id, notification=row, destination=row.destination,
                at=db_now(), outcome=Outcome.UNKNOWN, code="lost", words=words,
            ).save()  # fmt: skip
            lost += 1
    return lost


def drop_stale() -> int:
    """What waited for a day is no news: a failing destination does not flood when it is back."""
    old = Notification.objects.filter(state__in=OPEN_STATES, not_before__lt=db_now() - STALE_AFTER)
    dropped: int = old.filter(created_at__lt=db_now() - STALE_AFTER).update(state=State.DROPPED)
    return dropped
