"""The wishes of people for stuck orders, carried out where keys may be read."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from customers.credentials import NoKey
from trading.endpoints import client_of
from trading.enums import (
    EventSource,
    FlattenStep,
    OrderState,
    Reason,
    Scope,
    SettlementKind,
    SettlementState,
)
from trading.exchange.runner import exchange_loop
from trading.exchange.types import LookupKind, OrderLookup, OrderReport
from trading.execution.keys import keys_of
from trading.execution.settling import STUCK, end
from trading.leases import db_now
from trading.models import ExternalOrder, Fill, FlattenAccount, Order, Settlement
from trading.sync.apply import apply_orders
from trading.transition import Change, retried, transition

AGAIN = timedelta(seconds=5)
MOST_FAILURES = 12  # a minute: then the person is told
PATIENCE_S = 8
BATCH = 50

log = logging.getLogger(__name__)


def carry_out_settlements() -> int:
    """Every wish that waits; how many were looked at. Runs in the scope of all tenants.

    Safe to run twice at once: a wish ends once, and what it does to its order is conditional.
    """
    now = db_now()
    due = Settlement.objects.filter(state=SettlementState.WAITING).filter(
        Q(not_before__isnull=True) | Q(not_before__lte=now)
    )
    wishes = list(due.order_by("asked_at")[:BATCH])
    for wish in wishes:
        with tenant_scope(wish.tenant_id):
            try:
                _carry_out(wish)
            except Exception:
                log.exception("the settlement %s failed", wish.pk)
                _later(wish, "It failed here; the log says why.")
    return len(wishes)


def _carry_out(wish: Settlement) -> None:
    order = Order.objects.select_related("account__customer").get(pk=wish.order_id)
    if order.state not in STUCK:
        words = f"Settled by the engine meanwhile: {order.get_state_display()}."
        end(wish, SettlementState.REFUSED, words)
    elif wish.kind == SettlementKind.ADOPT:
        _adopt(wish, order)
    else:
        _end_when_flat(wish, order)


def _adopt(wish: Settlement, order: Order) -> None:
    try:
        keys = keys_of(order.account)
    except NoKey as error:
        end(wish, SettlementState.REFUSED, str(error))
        return
    asking = client_of(order.account).fetch_order(
        keys, order.inst_id, exchange_order_id=wish.exchange_order_id
    )
    found: OrderLookup = exchange_loop().run(asking, PATIENCE_S)
    if found.kind == LookupKind.UNKNOWN:
        _later(wish, f"OKX did not answer: {found.code} {found.message}".strip())
        return
    if found.report is None:
        end(wish, SettlementState.REFUSED, "OKX has no such order on this account.")
        return
    refusal = _mismatch(order, found.report)
    if refusal:
        end(wish, SettlementState.REFUSED, refusal)
        return
    if not _note_id(wish, order):
        _later(wish, "The engine is asking about it at this moment.")
        return
    apply_orders(order.account, [found.report], source=EventSource.STAFF)
    end(wish, SettlementState.DONE, f"It is this order: {found.report.state}.")


def _mismatch(order: Order, report: OrderReport) -> str:
    """Why this cannot be the order; empty when it can."""
    name = report.client_order_id
    others = Order.objects.filter(account_id=order.account_id).exclude(pk=order.pk)
    theirs = Q(exchange_order_id=report.exchange_order_id)
    if name and name != order.client_order_id:
        theirs |= Q(client_order_id=name)
    told = (report.inst_id, report.side.value, report.position_side.value)
    if told != (order.inst_id, order.side, order.position_side):
        return f"It is another one: {' '.join(told)}."
    if report.quantity != order.quantity:
        return f"It is another one: {report.quantity:f} instead of {order.quantity:f}."
    if others.filter(theirs).exists():
        return "It belongs to another order of ours."
    return ""


@retried
@transaction.atomic
def _note_id(wish: Settlement, order: Order) -> bool:
    """From here on the order is known by this id; False when it was settled meanwhile."""
    noted: int = Order.objects.filter(
        pk=order.pk, signal_at=order.signal_at, version=order.version, state__in=STUCK
    ).update(exchange_order_id=wish.exchange_order_id, version=order.version + 1)
    if not noted:
        return False
    ExternalOrder.objects.filter(
        account_id=order.account_id, exchange_order_id=wish.exchange_order_id
    ).delete()
    # What it filled was nobody's until now.
    Fill.objects.filter(
        account_id=order.account_id,
        exchange_order_id=wish.exchange_order_id,
        order__isnull=True,
    ).update(order=order)
    audit.record(
        action="order.adopted",
        obj=order,
        after={"exchange_order_id": wish.exchange_order_id},
        level=AuditLevel.WARNING,
        reason=wish.reason,
        actor=wish.asked_by,
    )
    return True


@retried
@transaction.atomic
def _end_when_flat(wish: Settlement, order: Order) -> None:
    """Whatever the order did, it is closed when the account was read to be flat after the wish."""
    # A strategy's flatten says nothing of the account, and an instrument's of that one alone.
    whole = ~Q(run__state__scope__in=(Scope.STRATEGY, Scope.INSTRUMENT))
    reached = whole | Q(run__state__scope=Scope.INSTRUMENT, run__state__inst_id=order.inst_id)
    flat = FlattenAccount.objects.filter(
        reached,
        account_id=order.account_id,
        step=FlattenStep.FLAT,
        read_at__gt=wish.asked_at,
    )
    if not flat.exists():
        Settlement.objects.filter(pk=wish.pk).update(not_before=db_now() + AGAIN)
        return
    free = {"claim_token": None, "lease_until": None, "reason": Reason.CANCELED_BY_STAFF}
    note = "closed by hand: the account was read to be flat"
    change = Change(order, OrderState.CANCELED, free, note)
    if transition([change], source=EventSource.STAFF, at=db_now()):
        end(wish, SettlementState.DONE, "The account is flat, and the order has ended.")
        audit.record(
            action="order.closed_by_hand",
            obj=order,
            level=AuditLevel.WARNING,
            reason=wish.reason,
            actor=wish.asked_by,
        )


def _later(wish: Settlement, why: str) -> None:
    if wish.failures + 1 >= MOST_FAILURES:
        end(wish, SettlementState.REFUSED, why)
        return
    Settlement.objects.filter(pk=wish.pk).update(
        failures=wish.failures + 1, result=why[:300], not_before=db_now() + AGAIN
    )
