"""What was sent: on record in the order while it is being sent, and then in a row of its own.

The mark says it before the request leaves: state, number, deadline, when, and whose lease. The row
is written with the step that takes the order out of that state: with the answer, or with none when
something else was faster. So an order has a row for each of its attempts, but for the one that it
is being sent by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, connections, router, transaction

from accounts.bulk_rows import Rows, Template
from accounts.bulk_update import update_many
from accounts.fields import new_hex_of
from accounts.prepared import prepare_for
from trading.enums import AttemptOutcome
from trading.models import Order, OrderAttempt

RACES = 3
_ANSWER = ("finished_at", "outcome", "http_status", "code", "message", "excerpt")


class Tried(NamedTuple):
    """An attempt with its answer; without one as long as none is known."""

    order_id: UUID
    exp_at_ms: int
    finished_at: datetime | None
    tenant_id: int
    signal_at: datetime
    number: int
    started_at: datetime
    outcome: str = AttemptOutcome.PENDING
    http_status: int | None = None
    code: str = ""
    message: str = ""
    excerpt: str = ""


# What no two of those that are written together need have in common.
_OWN = Tried._fields[:3]


def write_tried(tried: Iterable[Tried]) -> None:
    """Insert attempts that have no row yet. Their keys tell when they were started: by that, those
    of the last minute are found."""
    rows = Rows(OrderAttempt, ("id", *_OWN))
    alias = router.db_for_write(OrderAttempt)
    moment = prepare_for(OrderAttempt._meta.get_field("finished_at"), connections[alias])
    templates: dict[tuple[object, ...], Template] = {}
    for one in tried:
        alike = one[len(_OWN) :]
        template = templates.get(alike)
        if template is None:
            same = dict(zip(Tried._fields[len(_OWN) :], alike, strict=True))
            template = templates[alike] = rows.template(**same)
        key = new_hex_of(one.started_at)
        template.rows.append((key, one.order_id.hex, one.exp_at_ms, moment(one.finished_at)))
    rows.write()


def keep_tried(tried: Sequence[Tried]) -> None:
    """The same where another process may write the same one: its row stays as it is."""
    for race in range(RACES):
        missing = _missing(tried)
        try:
            with transaction.atomic():
                write_tried(missing)
        except IntegrityError:
            if race == RACES - 1:
                raise
        else:
            return


def answer_late(tried: Sequence[Tried]) -> None:
    """Add what was heard of attempts whose orders went on without it."""
    keep_tried(tried)
    rows = [
        (one.order_id, one.number, one.signal_at, *(getattr(one, name) for name in _ANSWER))
        for one in tried
    ]
    update_many(OrderAttempt, rows, match=("order", "number", "signal_at"), columns=_ANSWER)


def leave_unheard(order_ids: Sequence[UUID]) -> None:
    """Write the attempts that these orders were being sent by, whose answers nobody knows.

    What was never sent by us has none: it has no deadline.
    """
    if not order_ids:
        return
    rows = (
        Order.objects.filter(id__in=order_ids, exp_at_ms__isnull=False, sent_at__isnull=False)
        .order_by("id")
        .values_list("id", "exp_at_ms", "tenant_id", "signal_at", "attempt", "sent_at")
    )
    keep_tried([Tried(key, deadline, None, *rest) for key, deadline, *rest in rows])


def _missing(tried: Sequence[Tried]) -> list[Tried]:
    ids = {one.order_id for one in tried}
    found = OrderAttempt.objects.filter(order_id__in=ids).order_by()
    known = set(found.values_list("order_id", "number"))
    return [one for one in tried if (one.order_id, one.number) not in known]
