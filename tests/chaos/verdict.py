"""One round of the whole product, judged by the exchange's ledger: what was promised and broken."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from accounts.tenancy import tenant_scope
from config.demo.report import ledger_after
from customers.models import ExchangeAccount
from signals.enums import SignalStatus
from signals.models import Signal
from trading.endpoints import client_of, keys_of
from trading.exchange.runner import exchange_loop
from trading.models import Cycle, Decision, Fill, Order, Position

SETTLED_S = 40
Found = dict[str, list[Any]]


def busy(demo: Any, signals: Sequence[str]) -> bool:
    """Is anything of these signals still to come?"""
    with tenant_scope(demo.world.tenant):
        if Signal.objects.filter(pk__in=signals).waiting().exists():
            return True
        return bool(Order.objects.filter(signal_id__in=signals).open().exists())


def judge(demo: Any, signals: Sequence[str], since: int) -> tuple[Found, dict[str, Any]]:
    """Every broken promise by its name, and the numbers of the round."""
    entries = _ledger(demo, since)
    with tenant_scope(demo.world.tenant):
        orders = list(
            Order.objects.filter(signal_id__in=signals).order_by(
                "lane_at", "signal_id", "leg_number", "slice_number"
            )
        )
        # What a socket missed while its process was dead is read again within half a minute.
        _eventually(lambda: [each for each in _fills(orders, entries).values() if each])
        broken = {
            **_orders(orders, entries),
            **_fills(orders, entries),
            "positions": _eventually(lambda: _positions(demo)),
            "cycles": _eventually(lambda: _cycles(demo)),
            "signals": [
                (str(s.pk), s.status, s.reason)
                for s in Signal.objects.filter(pk__in=signals)
                if s.status != SignalStatus.COPIED
            ],
            "decisions": _decisions(signals, len(demo.followers)),
        }
    numbers = {
        "orders": len(orders),
        "states": dict(Counter(str(order.state) for order in orders)),
        "reasons": dict(Counter(str(order.reason) for order in orders if order.reason)),
        "attempts": dict(Counter(order.attempt for order in orders)),
        "ends": [_seconds(orders, pk) for pk in signals],
    }
    return {name: rows for name, rows in broken.items() if rows}, numbers


def _orders(orders: Sequence[Order], entries: Sequence[dict[str, Any]]) -> Found:
    accepted = [entry for entry in entries if entry["kind"] == "order"]
    times = Counter(entry["cl_ord_id"] for entry in accepted)
    there = {entry["ord_id"] for entry in accepted}
    ours = {order.client_order_id: order for order in orders}
    deadlines: dict[str, int] = {}
    for entry in entries:
        if entry["kind"] == "request" and entry["method"] == "POST" and entry["exp_time"]:
            deadlines[entry["cl_ord_id"]] = int(entry["exp_time"])
    return {
        "doubled": [name for name, count in times.items() if count > 1],
        "unrecorded": [name for name in times if name not in ours],
        "lost": [
            name
            for name, order in ours.items()
            if (order.exchange_order_id and order.exchange_order_id not in there)
            or (name in times and not order.exchange_order_id)
        ],
        "unfinished": [(name, o.state) for name, o in ours.items() if not o.is_final],
        "late": [e["cl_ord_id"] for e in accepted if e["ts"] > deadlines.get(e["cl_ord_id"], 0)],
        "out of order": _out_of_order(orders, [entry["cl_ord_id"] for entry in accepted]),
    }


def _out_of_order(orders: Sequence[Order], heard: Sequence[str]) -> list[str]:
    """Lanes whose orders the exchange heard in another order than they were meant."""
    place = {name: number for number, name in reversed(list(enumerate(heard)))}
    lanes: dict[str, list[int]] = defaultdict(list)
    for order in orders:
        if order.client_order_id in place:
            lanes[order.lane_key].append(place[order.client_order_id])
    return [lane for lane, places in lanes.items() if places != sorted(places)]


def _fills(orders: Sequence[Order], entries: Sequence[dict[str, Any]]) -> Found:
    theirs = Counter(
        (entry["ord_id"], entry["trade_id"], Decimal(entry["sz"]))
        for entry in entries
        if entry["kind"] == "fill"
    )
    names = {order.id for order in orders}
    known = Counter(
        (fill.exchange_order_id, fill.trade_id, fill.quantity)
        for fill in Fill.objects.filter(order_id__in=names)
    )
    summed: dict[str, Decimal] = defaultdict(Decimal)
    for (ord_id, _, quantity), count in theirs.items():
        summed[ord_id] += quantity * count
    return {
        "fills we do not know": sorted(map(str, (theirs - known).elements())),
        "fills of nobody": sorted(map(str, (known - theirs).elements())),
        "filled quantity": [
            (o.client_order_id, f"{o.filled_quantity:f}", f"{summed[o.exchange_order_id]:f}")
            for o in orders
            if o.filled_quantity != summed[o.exchange_order_id]
        ],
    }


def _positions(demo: Any) -> list[Any]:
    """Accounts whose position at the exchange is not the sum of our fills, or not what we show."""
    wrong = []
    for account in ExchangeAccount.objects.filter(customer__name__in=demo.followers):
        reading = client_of(account).fetch_positions(keys_of(account, purpose="verify"))
        there: dict[str, Decimal] = defaultdict(Decimal)
        for report in exchange_loop().run(reading, 10):
            there[report.inst_id] += report.quantity
        summed: dict[str, Decimal] = defaultdict(Decimal)
        for fill in Fill.objects.filter(account=account):
            summed[fill.inst_id] += fill.quantity if fill.side == "buy" else -fill.quantity
        shown: dict[str, Decimal] = defaultdict(Decimal)
        for row in Position.objects.filter(account=account):
            shown[row.inst_id] += row.quantity
        wrong += [
            (account.pk, inst_id, *(f"{each.get(inst_id, 0):f}" for each in (there, summed, shown)))
            for inst_id in there.keys() | summed.keys() | shown.keys()
            if len({each.get(inst_id, Decimal(0)) for each in (there, summed, shown)}) > 1
        ]
    return wrong


def _cycles(demo: Any) -> list[str]:
    running = Cycle.objects.filter(source=demo.world.source, ended_at__isnull=True)
    return [str(pk) for pk in running.values_list("pk", flat=True)]


def _decisions(signals: Sequence[str], followers: int) -> list[Any]:
    made = Counter(
        str(pk)
        for pk in Decision.objects.filter(signal_id__in=signals).values_list("signal_id", flat=True)
    )
    return [(pk, made[pk]) for pk in map(str, signals) if made[pk] != followers]


def _seconds(orders: Sequence[Order], signal_id: str) -> float:
    """From the signal to the end of its last order."""
    ends = [
        (o.finished_at - o.signal_at).total_seconds()
        for o in orders
        if str(o.signal_id) == signal_id and o.finished_at
    ]
    return round(max(ends, default=0), 1)


def _eventually(look: Any) -> list[Any]:
    end = time.monotonic() + SETTLED_S
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return list(found)


def _ledger(demo: Any, since: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    while more := ledger_after(demo.addresses["control"], entries[-1]["seq"] if entries else since):
        entries += more
    return entries
