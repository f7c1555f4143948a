"""What is used of the limits that bind the orders at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from accounts.models import Tenant
from trading.enums import LimitKind
from trading.outgoing import Outgoing
from trading.switch import Switchboard, limits_of_account
from trading.usage import ADD_UP, Usage, hold_sums, read_usage


def hold_usage(heads: Sequence[Outgoing], boards: Mapping[int, Switchboard]) -> None:
    """Keep others from adding to what these openings are measured by; nothing if no limit asks."""
    accounts, places = set[int](), set[tuple[str, str]]()
    common = {tenant: board.kinds for tenant, board in boards.items()}
    for order in heads:
        if not order.opens:
            continue
        kinds = common[order.tenant_id]
        if LimitKind.DESK_NOTIONAL in kinds:
            places.add((order.market, order.inst_id))
        if kinds & ADD_UP or any(own.kind in ADD_UP for own in limits_of_account(order.account)):
            accounts.add(order.account_id)
    hold_sums(accounts, places)


def usage_of(heads: Sequence[Outgoing], boards: Mapping[int, Switchboard], now: datetime) -> Usage:
    """What is used of those limits that bind any of these orders."""
    kinds = {kind for board in boards.values() for kind in board.kinds}
    for order in heads:
        kinds.update(limit.kind for limit in limits_of_account(order.account))
    days = {}
    if LimitKind.DAILY_NOTIONAL in kinds:
        days = {desk.pk: desk.day_start(now) for desk in Tenant.objects.filter(pk__in=boards)}
    return read_usage(heads, kinds, days, now)
