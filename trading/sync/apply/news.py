"""What one private socket told, several events at a time, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from customers.models import ExchangeAccount
from trading.enums import EventSource
from trading.exchange.streams import (
    BalanceEvent,
    Malformed,
    OrderEvent,
    PositionsEvent,
    StreamEvent,
)
from trading.sync.apply.balance import write_balance
from trading.sync.apply.claim import Applied, announce, claimed
from trading.sync.apply.orders import write_orders
from trading.sync.apply.positions import write_positions
from trading.sync.apply.quarantine import set_aside

_SOURCE = EventSource.STREAM


def apply_events(
    account: ExchangeAccount, events: Sequence[StreamEvent], *, waited_s: float = 0
) -> Applied:
    """Write down a private socket's events, in their order. May be repeated as a whole.

    `waited_s`: how long ago the first of them came in. A snapshot does not know what was
    written meanwhile.
    """
    with claimed(account) as now:
        heard_at = now - timedelta(seconds=waited_s)
        orders = [event.report for event in events if isinstance(event, OrderEvent)]
        applied = write_orders(account, orders, source=_SOURCE, now=now) if orders else Applied()
        for event in events:
            applied += _write(account, event, now, heard_at)
        return announce(account, applied)


def _write(
    account: ExchangeAccount, event: StreamEvent, now: datetime, heard_at: datetime
) -> Applied:
    if isinstance(event, PositionsEvent):
        return write_positions(
            account,
            event.reports,
            complete=event.snapshot,
            source=_SOURCE,
            now=now,
            read_at=heard_at,
        )
    if isinstance(event, BalanceEvent):
        return write_balance(
            account, event.report, source=_SOURCE, complete=event.snapshot, now=now
        )
    if isinstance(event, Malformed):
        reason = f"cannot read {event.error.field}"
        set_aside(account, event.channel or "push", reason, event.excerpt, now=now)
        return Applied(quarantined=1)
    return Applied()
