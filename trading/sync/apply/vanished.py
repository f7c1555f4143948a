"""Orders that waited at the exchange and are not there any more.

OKX forgets canceled orders without a fill after two hours: who was away for longer never hears
what became of them, and waited for them for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db.models import F

from customers.models import ExchangeAccount
from trading.enums import RESTING_TYPES, EventSource, OrderState
from trading.models import Order
from trading.sync.apply.claim import Applied
from trading.sync.apply.steps import write_steps
from trading.transition import Change

# Readings in a row, half a minute apart: longer than any lag of the exchange.
READINGS: Final = 10
_PLACED = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def write_vanished(account: ExchangeAccount, absent: Collection[str], *, now: datetime) -> Applied:
    """Count in how many readings in a row these client order ids were found nowhere, and end
    what is gone. Needs the claim; the reading's list of open orders was whole.

    What filled nothing was canceled. Of what had filled in part a person must look.
    """
    placed = Order.objects.filter(account=account, state__in=_PLACED, order_type__in=RESTING_TYPES)
    placed.filter(not_found_count__gt=0).exclude(client_order_id__in=absent).update(
        not_found_count=0, last_not_found_at=None
    )
    if not absent:
        return Applied()
    missing = placed.filter(client_order_id__in=absent)
    missing.update(not_found_count=F("not_found_count") + 1, last_not_found_at=now)
    gone = missing.filter(not_found_count__gte=READINGS)
    changes = [_end_of(order) for order in gone.select_related("account")]
    if not changes:
        return Applied()
    applied, _lost = write_steps(changes, source=EventSource.REST, at=now)
    return applied


def _end_of(order: Order) -> Change:
    if order.filled_quantity:
        return Change(order, OrderState.MANUAL, {}, "the exchange does not show it any more")
    return Change(order, OrderState.CANCELED, {}, "gone from the exchange without a fill")
