"""What the exchange accepted against what we wrote down: the judge of every chaos run."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.tenancy import all_tenants
from tests.trading.execution.bench import Bench
from trading.models import Order
from trading.models.orders import OPEN_STATES
from trading.orders import client_order_id


def violations(bench: Bench) -> dict[str, list[Any]]:
    """Every broken promise, by its name; empty when all is well."""
    with all_tenants("the check of the ledger"):
        orders = list(Order.objects.order_by("lane_at", "signal_id", "leg_number", "slice_number"))
    accepted = bench.entries(kind="order")
    fills: Counter[str] = Counter()
    for entry in bench.entries(kind="fill"):
        fills[entry["ord_id"]] += Decimal(entry["sz"])
    ours = {order.client_order_id: order for order in orders}
    times = Counter(entry["cl_ord_id"] for entry in accepted)
    there = {entry["ord_id"]: entry for entry in accepted}
    found = {
        "doubled": [name for name, count in times.items() if count > 1],
        "unrecorded": [name for name in times if name not in ours],
        "lost": [
            order.client_order_id
            for order in orders
            if (order.exchange_order_id and order.exchange_order_id not in there)
            or (order.client_order_id in times and not order.exchange_order_id)
        ],
        "unfinished": [(o.client_order_id, o.state) for o in orders if o.state in OPEN_STATES],
        "fills": [
            order.client_order_id
            for order in orders
            if order.filled_quantity != fills[order.exchange_order_id]
        ],
        "out of order": _out_of_order(orders, accepted),
        "late": _late(bench, accepted),
        "identity": [o.client_order_id for o in orders if o.client_order_id != _name(o)],
    }
    return {promise: broken for promise, broken in found.items() if broken}


def _out_of_order(orders: list[Order], accepted: list[dict[str, Any]]) -> list[str]:
    """Lanes in which the exchange heard the orders in another order than they were meant."""
    lane_of = {order.client_order_id: order.lane_key for order in orders}
    meant: dict[str, list[str]] = {}
    heard: dict[str, list[str]] = {}
    names = [entry["cl_ord_id"] for entry in accepted]
    for order in orders:
        if order.client_order_id in names:
            meant.setdefault(order.lane_key, []).append(order.client_order_id)
    for name in dict.fromkeys(names):
        if name in lane_of:
            heard.setdefault(lane_of[name], []).append(name)
    return [lane for lane, sequence in meant.items() if heard.get(lane) != sequence]


def _late(bench: Bench, accepted: list[dict[str, Any]]) -> list[str]:
    """Orders that were accepted after the last deadline they were sent with."""
    deadlines: dict[str, int] = {}
    for request in bench.entries(kind="request", method="POST"):
        if request["exp_time"]:
            deadlines[request["cl_ord_id"]] = int(request["exp_time"])
    return [e["cl_ord_id"] for e in accepted if e["ts"] > deadlines.get(e["cl_ord_id"], 0)]


def _name(order: Order) -> str:
    return client_order_id(
        deployment_code=settings.DEPLOYMENT_CODE,
        key=settings.ORDER_ID_KEY.encode(),
        link_uid=order.link_uid,
        signal_id=order.signal_id,
        leg=order.leg_number,
        slice_=order.slice_number,
    )
