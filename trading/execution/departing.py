"""New orders marked in the transaction that writes them, where nothing has to be done before.

What is not sure to be free to go is left as it is and takes the ordinary way, by `mark`. The
checks are the same; of orders that are alike one is judged for all. Nobody else can put an order
into such a lane meanwhile: the cycle is new, and its place unique, or it is locked.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.departing import Around, Attempt, Made, Marked, MarkFailedError
from trading.endpoints import client_of
from trading.enums import LimitKind, OrderState
from trading.execution import starting
from trading.execution.clock import is_known_right
from trading.execution.keys import is_known
from trading.execution.lanes import unfinished_lanes
from trading.execution.leverage import needs_leverage
from trading.execution.mark import (
    Seen,
    deadline_of,
    lease_of,
    refusal,
)
from trading.execution.poison import NOT_ITS_FAULT
from trading.execution.using import usage_of
from trading.faults import faultpoint
from trading.outgoing import Outgoing, may_be_handed
from trading.protections import lingering

# Fewer are not worth sharing out.
INLINE = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MarkNew:
    """A `trading.departing.Mark` for a process that is one of so many executors.

    Of many orders it lets its share leave. None while closes are among them: those go first.
    """

    executors: int = 1

    def __call__(self, made: Sequence[Made], around: Around, *, at: datetime) -> Sequence[Marked]:
        try:
            return self._mark(made, around, at)
        except NOT_ITS_FAULT:
            raise
        except Exception as error:
            raise MarkFailedError from error

    def _mark(self, made: Sequence[Made], around: Around, at: datetime) -> Sequence[Marked]:
        if not all(one.order.opens for one in made):
            return ()
        share = self.executors if len(made) > INLINE else 1
        free = _free(made[::share], made)
        if not free:
            return ()
        seen = _seen([one.order for one in free], around, at)
        judge = _Judge(seen, [one.order for one in free])
        token = uuid.uuid4()
        terms: dict[tuple[str, str, str], tuple[int, datetime]] = {}
        marked = []
        for order, likeness in free:
            if not judge.passes(order, likeness):
                continue
            account = order.account
            kind = (account.market, account.api_host, order.order_type)
            until = terms.get(kind)
            if until is None:
                until = terms[kind] = (deadline_of(order), lease_of(order, at))
            order.state, order.attempt = OrderState.SENDING, order.attempt + 1
            order.exp_at_ms, order.lease_until = until
            order.claim_token, order.sent_at = token, at
            attempt = Attempt(order.signal_at, order.id, order.attempt, until[0], at)
            marked.append(Marked(order, attempt))
        faultpoint("S5.before_commit")
        return marked


def _free(wanted: Sequence[Made], made: Sequence[Made]) -> list[Made]:
    """Those that nothing has to be asked or done for, and nobody in their lane stands before."""
    in_lane = Counter(one.order.lane_key for one in made)
    ready: dict[tuple[str, str], bool] = {}
    found = []
    for one in wanted:
        order, account = one.order, one.order.account
        place = (account.market, account.api_host)
        if place not in ready:
            ready[place] = starting.is_done(order.market) and is_known_right(client_of(account))
        if (
            ready[place]
            and in_lane[order.lane_key] == 1
            and order.cycle_id is not None
            and may_be_handed(order)
            and is_known(account)
            and not needs_leverage(order)
        ):
            found.append(one)
    if not found:
        return []
    taken = unfinished_lanes({one.order.lane_key for one in found})
    return [one for one in found if one.order.lane_key not in taken] if taken else found


def _seen(orders: Sequence[Outgoing], around: Around, at: datetime) -> Seen:
    boards = {order.tenant_id: around.switchboard for order in orders}
    return Seen(
        now=at,
        boards=boards,
        instruments=around.instruments,
        mark_times=around.mark_times,
        holdings={},
        close_ended={},
        guards=around.guards,
        lingering=lingering(orders),
        usage=usage_of(orders, boards, at),
    )


class _Judge:
    """Looks at one order of each kind, and at each by itself where counting matters."""

    def __init__(self, seen: Seen, orders: Sequence[Outgoing]) -> None:
        self._seen = seen
        self._alone = _counts_together(seen, len(orders))
        # What an order takes only those behind it meet that are of its account, or of its desk.
        self._takes = self._alone or len({order.account_id for order in orders}) < len(orders)
        self._passed: dict[Hashable, bool] = {}

    def passes(self, order: Outgoing, likeness: Hashable) -> bool:
        passed = self._found(order, likeness)
        if passed and self._takes:
            self._seen.usage.take(order)
        return passed

    def _found(self, order: Outgoing, likeness: Hashable) -> bool:
        alone = self._alone or likeness is None or order.id in self._seen.lingering
        if alone or self._seen.usage.knows(order):
            return self._may_go(order)
        passed = self._passed.get(likeness)
        if passed is None:
            passed = self._passed[likeness] = self._may_go(order)
        return passed

    def _may_go(self, order: Outgoing) -> bool:
        """One that cannot be judged is looked at again by itself, and keeps nobody else here."""
        try:
            return refusal(order, self._seen, None) is None
        except Exception:
            log.exception("order %s cannot leave with its decision", order.id)
            return False


def _counts_together(seen: Seen, orders: int) -> bool:
    """Might what these orders add up to meet a limit of their desk or of everybody?"""
    limits = [
        limit for board in seen.boards.values() for own in board.limits.values() for limit in own
    ]
    if any(limit.kind == LimitKind.DESK_NOTIONAL for limit in limits):
        return True
    caps = [limit.value for limit in limits if limit.kind == LimitKind.SYSTEM_SENDS]
    sends = seen.usage.sends_of_all + seen.usage.pace.share(orders)
    return bool(caps) and Decimal(sends + 1) > min(caps)
