"""How many trades there were, in the five words that people read."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.utils import timezone

from trading.enums import OrderState
from trading.models import Order
from trading.orders import OrderWord, word_for
from trading.performance.kinds import Kind, kind_of
from trading.performance.periods import Period, Slot, buckets, place_of, slot_start
from trading.performance.series import Point, Series

if TYPE_CHECKING:
    from accounts.models import Tenant
    from customers.models import ExchangeAccountQuerySet


def count_by_word(
    orders: Any, start: datetime | None = None, end: datetime | None = None
) -> dict[OrderWord, int]:
    """The orders made from `start` to before `end`, by word; every word is there."""
    found: Counter[OrderWord] = Counter()
    for state, n in _within(orders, start, end).values_list("state").annotate(n=Count("pk")):
        found[word_for(OrderState(state))] += n
    return {word: found[word] for word in OrderWord}


def trades_series(
    accounts: ExchangeAccountQuerySet,
    period: Period,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Series]:
    """The orders made in each bucket: a series for each kind of money and each word that occurs."""
    cut = buckets(period, desk, now or timezone.now())
    orders = Order.objects.filter(account__in=accounts.order_by().values("pk"))
    rows = _within(orders, cut[0].start, cut[-1].end).annotate(slot=Slot("created_at"))
    sums: dict[tuple[Kind, OrderWord], Counter[int]] = {}
    groups = rows.values_list("slot", "market", "state").annotate(n=Count("pk"))
    for slot, market, state, n in groups:
        place = place_of(cut, slot_start(int(slot)))
        if place is not None:
            key = (kind_of(market), word_for(OrderState(state)))
            sums.setdefault(key, Counter())[place] += n
    return [
        Series(
            kind,
            word.value,
            tuple(Point(b.start, Decimal(sums[kind, word][n])) for n, b in enumerate(cut)),
        )
        for kind in Kind
        for word in OrderWord
        if (kind, word) in sums
    ]


def _within(orders: Any, start: datetime | None, end: datetime | None) -> Any:
    if start is not None:
        orders = orders.filter(created_at__gte=start)
    if end is not None:
        orders = orders.filter(created_at__lt=end)
    return orders.order_by()
