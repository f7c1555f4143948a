"""Resting orders that are to be canceled. The truth comes from the order itself, not the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q

from customers.credentials import NoKey
from trading.endpoints import client_of
from trading.enums import OrderState
from trading.exchange.runner import exchange_loop
from trading.exchange.types import CancelRequest, Credentials, SendOutcome
from trading.execution.keys import keys_of
from trading.leases import db_now
from trading.models import Order

AGAIN = timedelta(seconds=5)
RESTING = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def cancel_requested() -> int:
    """Ask for every cancel that is wanted and due; asked again until the order is final.

    Repeating a cancel does no harm, and an order that filled meanwhile stays filled.
    Runs in the scope of all tenants.
    """
    now = db_now()
    due = list(
        Order.objects.filter(cancel_requested=True, state__in=RESTING)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .select_related("account__customer")[:200]
    )
    pairs = []
    for order in due:
        try:
            pairs.append((order, keys_of(order.account)))
        except NoKey:
            continue
    if not pairs:
        return 0
    Order.objects.filter(id__in=[order.id for order, _ in pairs]).update(not_before=now + AGAIN)
    exchange_loop().run(_cancel_all(pairs))
    return len(pairs)


async def _cancel_all(pairs: Sequence[tuple[Order, Credentials]]) -> list[SendOutcome]:
    return await asyncio.gather(
        *(
            client_of(order.account).cancel_order(
                keys,
                CancelRequest(inst_id=order.inst_id, client_order_id=order.client_order_id),
            )
            for order, keys in pairs
        )
    )
