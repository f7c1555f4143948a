"""The only place where an order's state is written.

Every write is conditional on the version that was read: of two writers one wins, the
other is told, reads again and decides anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from accounts.bulk_rows import Rows, Template
from accounts.bulk_update import update_many
from accounts.contention import retried
from accounts.fields import new_hex
from trading.attempts import leave_unheard
from trading.enums import FINAL_STATES, EventSource, OrderState
from trading.events import orders_changed, orders_finished
from trading.models import Order, OrderEvent
from trading.orders import may_become

__all__ = ["Change", "IllegalTransitionError", "retried", "transition"]

# `update_many` matches nothing to NULL, and none of these can be.
MATCH = ("id", "signal_at", "version", "state")


class IllegalTransitionError(RuntimeError):
    """The table of states does not allow this step."""


class Change(NamedTuple):
    """A step of one order, with the other columns that change with it."""

    order: Any  # an Order, or as much of it as `trading.outgoing` reads
    to: OrderState
    columns: Mapping[str, Any] = MappingProxyType({})
    note: str = ""
    proved_not_placed: bool = False


def transition(
    changes: Iterable[Change], *, source: EventSource, at: datetime, answered: bool = False
) -> list[Change]:
    """Write the changes whose order still has the version that was read, and say which.

    Must run inside a transaction. One statement for all changes of the same columns. Writes a
    diary line for each change of state, and announces on commit the orders that changed and
    those that became final. What was being sent leaves its attempt behind, unless these are
    `answered`: then the caller writes it. May be repeated: a change that was written already no
    longer matches its version. Of several changes of one order only the first is written.

    Raises IllegalTransitionError when the table of states forbids a step.
    """
    listed = list({change.order.id: change for change in reversed(list(changes))}.values())[::-1]
    for change in listed:
        _assert_allowed(change)
    written = _write(listed, at)
    _write_events([change for change in written if _is_step(change)], source, at)
    if not answered:
        leave_unheard([c.order.id for c in written if _is_step(c) and _is_being_sent(c)])
    _announce(written)
    for change in written:
        _refresh(change)
    return written


def _assert_allowed(change: Change) -> None:
    if not _is_step(change):
        return
    state = OrderState(change.order.state)
    if not may_become(state, change.to, proved_not_placed=change.proved_not_placed):
        raise IllegalTransitionError(f"order {change.order.id}: {state} may not become {change.to}")


def _write(changes: Sequence[Change], at: datetime) -> list[Change]:
    alike: dict[tuple[str, ...], list[tuple[Change, dict[str, Any]]]] = {}
    for change in changes:
        columns = dict(change.columns)
        if change.to in FINAL_STATES and change.order.finished_at is None:
            columns.setdefault("finished_at", at)
        alike.setdefault(tuple(sorted(columns)), []).append((change, columns))
    written: set[UUID] = set()
    for names, members in alike.items():
        written |= _write_alike(names, members)
    return [change for change in changes if change.order.id in written]


def _write_alike(
    names: Sequence[str], members: Sequence[tuple[Change, Mapping[str, Any]]]
) -> set[UUID]:
    """Write changes of the same columns; the ids of the orders that were as they were read."""
    token = secrets.randbits(62)
    rows = []
    for change, columns in members:
        order = change.order
        was = (order.id, order.signal_at, order.version, order.state)
        new = (columns[name] for name in names)
        rows.append((*was, change.to, order.version + 1, token, *new))
    rows.sort(key=lambda row: row[0].int)  # everybody locks in one order
    written = update_many(
        Order, rows, match=MATCH, columns=("state", "version", "write_token", *names)
    )
    ids = {change.order.id for change, _ in members}
    if written == len(ids):
        return ids
    return set(Order.objects.filter(id__in=ids, write_token=token).values_list("id", flat=True))


def _is_step(change: Change) -> bool:
    return bool(change.order.state != change.to)


def _is_being_sent(change: Change) -> bool:
    return bool(change.order.state == OrderState.SENDING)


def _write_events(changes: Sequence[Change], source: EventSource, at: datetime) -> None:
    rows = Rows(OrderEvent, ("id", "order_id", "note"))
    templates: dict[tuple[int, datetime, str, str], Template] = {}
    for change in changes:
        order = change.order
        key = (order.tenant_id, order.signal_at, order.state, change.to)
        template = templates.get(key)
        if template is None:
            template = templates[key] = rows.template(
                tenant_id=order.tenant_id,
                signal_at=order.signal_at,
                at=at,
                source=source,
                from_state=order.state,
                to_state=change.to,
            )
        template.rows.append((new_hex(), order.id.hex, change.note[:300]))
    rows.write()


def _announce(written: Sequence[Change]) -> None:
    if written:
        changed = [change.order.id for change in written]
        transaction.on_commit(partial(orders_changed.send_robust, Order, order_ids=changed))
    finished = [c.order.id for c in written if _is_step(c) and c.to in FINAL_STATES]
    if finished:
        transaction.on_commit(partial(orders_finished.send_robust, Order, order_ids=finished))


def _refresh(change: Change) -> None:
    order = change.order
    for name, value in change.columns.items():
        setattr(order, name, value)
    order.state = change.to
    order.version += 1
