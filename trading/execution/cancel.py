"""Cancels that are wished for, wherever the wish was written, become actions that are made true."""

from __future__ import annotations

from django.db import transaction

from accounts.tenancy import tenant_scope
from trading.actions import ActionRefusedError, ask
from trading.enums import ActionKind
from trading.models import Action, Order
from trading.models.actions import OPEN_ACTIONS
from trading.models.orders import OPEN_STATES

MOST = 1000


def ask_wished() -> int:
    """An open action for every order that is to be canceled and has none.

    Runs in the scope of all tenants. Safe to run twice at once: one action is open at a time.
    """
    wished = Order.objects.filter(cancel_requested=True, state__in=OPEN_STATES).order_by("lane_at")
    orders = list(wished[:MOST])
    asked = set(
        Action.objects.filter(
            order_id__in=[order.id for order in orders],
            kind=ActionKind.CANCEL,
            state__in=OPEN_ACTIONS,
        ).values_list("order_id", flat=True)
    )
    made = 0
    for order in orders:
        if order.id not in asked:
            made += _ask(order)
    return made


def _ask(order: Order) -> int:
    with tenant_scope(order.tenant_id), transaction.atomic():
        try:
            ask(kind=ActionKind.CANCEL, order=order, reason="", actor=None)
        except ActionRefusedError:
            return 0
    return 1
