"""Followings that are being stopped: what they hold is ended, and then they are.

Safe to run twice, late, or after a crash at any line: what was asked for is known by its name.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.fields import hash_identity
from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import SignalPurpose, SignalStatus
from signals.making import ForOneLink, make_signal
from signals.models import LeaderPosition, Signal
from strategies.enums import CloseType, SubscriptionStatus
from strategies.lifecycle import finish_stopping, go_on_stopping, leave_to_a_person
from strategies.models import Subscription
from trading.actions import UNSENT, ActionRefusedError, cancel_order
from trading.enums import OrderType
from trading.leases import db_now
from trading.models import Cycle, Instrument, Order
from trading.models.orders import OPEN_STATES
from trading.positions_held import INCREASES, NOTHING, Holding, read_holdings
from trading.transition import retried

MOST: Final = 200
# A close that did not close is asked for again so often, and not sooner than this.
MAX_CLOSES: Final = 5
AGAIN_AFTER: Final = timedelta(seconds=30)
CANCELED = "its following was stopped"

log = logging.getLogger(__name__)


def end_followings(ids: Iterable[int] | None = None) -> int:
    """Go on with every following that is being stopped; returns how many are stopped by it."""
    with all_tenants("followings that are being stopped"):
        rows = Subscription.objects.exclude(ending="").filter(_goes_on())
        if ids is not None:
            rows = rows.filter(pk__in=list(ids))
        due = list(rows.order_by().distinct().values_list("pk", "tenant_id"))
    if len(due) > MOST:
        # Many may wait for their leader or a person for long: by lot, each has its turn.
        due = random.sample(due, MOST)
    stopped = 0
    for pk, tenant_id in due:
        try:
            with tenant_scope(tenant_id):
                stopped += _go_on(pk)
        except Exception:
            log.exception("the following %s is stopped later", pk)
    return stopped


def _goes_on() -> Q:
    held = Q(cycles__isnull=False, cycles__ended_at__isnull=True)
    return Q(status=SubscriptionStatus.CLOSE_ONLY) | (Q(status=SubscriptionStatus.STOPPED) & held)


@retried
@transaction.atomic
def _go_on(pk: int) -> bool:
    link = Subscription.objects.select_for_update().get(pk=pk)
    if not link.ending or link.status not in (
        SubscriptionStatus.CLOSE_ONLY,
        SubscriptionStatus.STOPPED,
    ):
        return False
    _cancel_openings(link)
    running = Cycle.objects.select_for_update().filter(link_uid=link.uid, ended_at__isnull=True)
    cycles = list(running.select_related("source", "account").order_by("pk"))
    held = _end_flat(cycles)
    by_hand = link.ending == CloseType.MANUAL_CLOSE
    if by_hand:
        _take_back_closes(link)
    if by_hand or (link.status == SubscriptionStatus.STOPPED and not held):
        return False
    if not held:
        finish_stopping(link)
        return True
    if link.status == SubscriptionStatus.STOPPED:
        go_on_stopping(link)
    for cycle, holding in held.values():
        if link.ending == CloseType.MARKET_CLOSE or _was_missed(cycle, holding):
            _close(link, cycle, holding)
    return False


@retried
@transaction.atomic
def close_held(pk: int) -> int:
    """Close at market what a following holds, without ending it; how many positions there are.

    To be asked again until there are none: a close that is under way is not asked for twice.
    """
    link = Subscription.objects.select_for_update().get(pk=pk)
    _cancel_openings(link)
    running = Cycle.objects.select_for_update().filter(link_uid=link.uid, ended_at__isnull=True)
    held = _end_flat(list(running.select_related("source", "account").order_by("pk")))
    for cycle, holding in held.values():
        _close(link, cycle, holding)
    return len(held)


def _cancel_openings(link: Subscription) -> None:
    """What would still open something: taken back where it did not leave, else canceled."""
    waiting = Order.objects.filter(
        account_id=link.account_id,
        link_uid=link.uid,
        leg__in=INCREASES,
        state__in=OPEN_STATES,
        cancel_requested=False,
    ).filter(Q(state__in=UNSENT) | ~Q(order_type=OrderType.MARKET))
    for order in waiting.order_by("lane_at", "id"):
        with suppress(ActionRefusedError):  # it ended, or is being canceled
            cancel_order(order=order, reason=CANCELED, actor=None)


def _take_back_closes(link: Subscription) -> None:
    """What was not sent of what it would close: a person does that now, and must not wait in the
    lane behind orders that never leave, for their following has stopped."""
    unsent = Order.objects.filter(
        account_id=link.account_id, link_uid=link.uid, state__in=UNSENT, cancel_requested=False
    ).exclude(leg__in=INCREASES)
    for order in unsent.order_by("lane_at", "id"):
        with suppress(ActionRefusedError):
            cancel_order(order=order, reason=CANCELED, actor=None)


def _end_flat(cycles: Sequence[Cycle]) -> Mapping[UUID, tuple[Cycle, Holding]]:
    """End those that hold nothing and to which nothing is on its way; return the others."""
    spot = _spot(cycles)
    bases = {inst_id: i.base_currency for (_, inst_id), i in spot.items()}
    holdings = read_holdings([cycle.pk for cycle in cycles], bases)
    over, held = [], {}
    for cycle in cycles:
        holding = holdings.get(cycle.pk, NOTHING)
        rules = spot.get((cycle.account.market, cycle.inst_id))
        dust = rules.min_size if rules else Decimal(0)
        if holding.is_quiet and (holding.filled <= 0 or holding.filled < dust):
            over.append(cycle.pk)
        else:
            held[cycle.pk] = (cycle, holding)
    if over:
        Cycle.objects.filter(pk__in=over).update(ended_at=db_now(), active_key=None)
    return held


def _spot(cycles: Sequence[Cycle]) -> dict[tuple[str, str], Instrument]:
    rows: Any = Instrument.objects.filter(inst_id__in={cycle.inst_id for cycle in cycles})
    return {(row.market, row.inst_id): row for row in rows if row.is_spot}


def _was_missed(cycle: Cycle, holding: Holding) -> bool:
    """The leader is flat, and nobody will say so again."""
    if not holding.is_quiet:
        return False
    waits = Signal.objects.filter(source_id=cycle.source_id).waiting().exists()
    leads = LeaderPosition.objects.filter(
        source_id=cycle.source_id,
        scope_key="",
        inst_id=cycle.inst_id,
        direction=cycle.leader_direction,
    )
    quantities = list(leads.values_list("quantity", flat=True))
    return not waits and bool(quantities) and all(quantity == 0 for quantity in quantities)


def _close(link: Subscription, cycle: Cycle, holding: Holding) -> None:
    """Ask for a close, in the line of the source, unless one is under way or just was."""
    names = [f"leave-{link.uid.hex}-{cycle.pk.hex}-{n}" for n in range(MAX_CLOSES)]
    hashes = [hash_identity(f"id:{name}") for name in names]
    asked = list(
        Signal.objects.filter(source_id=cycle.source_id, dedupe_hash__in=hashes).order_by("id")
    )
    if asked and not _may_ask_again(asked[-1], holding):
        return
    if len(asked) >= MAX_CLOSES:
        leave_to_a_person(link, f"{cycle.inst_id} was not closed by {MAX_CLOSES} orders")
        return
    make_signal(
        ForOneLink(
            source=cycle.source,
            link_uid=link.uid,
            account_id=link.account_id,
            purpose=SignalPurpose.LEAVE,
            known_as=names[len(asked)],
            inst_id=cycle.leader_inst_id,
            direction=cycle.leader_direction,
        ),
        actor=None,
        reason=CANCELED,
    )


def _may_ask_again(last: Signal, holding: Holding) -> bool:
    is_over = last.status in (SignalStatus.COPIED, SignalStatus.QUARANTINED)
    return is_over and holding.is_quiet and last.received_at < db_now() - AGAIN_AFTER
