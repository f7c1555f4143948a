"""The whole product in its own processes, driven through a disaster. Prints one JSON object.

Run as a program, with DATABASE_URL, REDIS_URL and VAR_DIR naming what is to be used.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from typing import Any

import django

DROPPED = 0.2
LATENCY_MS = 250
KILL_AFTER = 6
FOLLOWERS = 25
PATIENCE_S = 90


def main() -> None:
    os.environ["COPYDESK_ENV"] = "demo"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    sys.stdout.write(json.dumps(kill_the_worker()) + "\n")


def kill_the_worker() -> dict[str, Any]:
    """`kill -9` of the worker while the orders are being sent, with answers dropped."""
    from config.demo.processes import free_port
    from config.demo.run import Demo
    from config.demo.world import NAMES, Follower

    followers = {name: Follower(50_000) for name in NAMES[:FOLLOWERS]}
    demo = Demo(port=free_port(), say=_say, followers=followers)
    try:
        demo.start()
        _control(demo, "/latency", {"ms": LATENCY_MS})
        fault = {
            "match": {"path": "/api/v5/trade/order", "method": "POST"},
            "fault": "drop_after_accept",
            "prob": DROPPED,
        }
        _control(demo, "/faults", fault)
        signal_id = demo.send(
            demo.world, intent="open", quantity={"mode": "base", "value": "1"}, leverage="2"
        )
        accepted = _wait_for_requests(demo, KILL_AFTER)
        worker = next(child for child in demo.household.children if child.name == "worker")
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()
        killed_at = time.monotonic()
        _say(f"worker killed with {accepted} orders accepted")
        time.sleep(1)
        worker.start()
        _wait_until_final(demo, signal_id)
        recovered = time.monotonic() - killed_at
        return {**_compare(demo, signal_id), "accepted_at_kill": accepted, "recovery_s": recovered}
    finally:
        demo.stop()


def _wait_for_requests(demo: Any, count: int) -> int:
    from config.demo.report import ledger_after

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        entries = ledger_after(demo.addresses["control"], 0)
        orders = sum(entry["kind"] == "order" for entry in entries)
        if orders >= count:
            return orders
        time.sleep(0.005)
    raise SystemExit("no order reached the exchange")


def _wait_until_final(demo: Any, signal_id: str) -> None:
    from accounts.tenancy import tenant_scope
    from signals.enums import SignalStatus
    from signals.models import Signal
    from trading.models import Order

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with tenant_scope(demo.world.tenant):
            copied = Signal.objects.get(pk=signal_id).status == SignalStatus.COPIED
            if copied and not Order.objects.filter(signal_id=signal_id).open().exists():
                return
        time.sleep(0.1)
    raise SystemExit("not every order became final")


def _compare(demo: Any, signal_id: str) -> dict[str, Any]:
    """The exchange's ledger beside the database, order by order and fill by fill."""
    from accounts.tenancy import tenant_scope
    from config.demo.report import ledger_after
    from trading.models import Fill, Order

    entries: list[dict[str, Any]] = []
    while more := ledger_after(demo.addresses["control"], entries[-1]["seq"] if entries else 0):
        entries += more
    placed = Counter(e["cl_ord_id"] for e in entries if e["kind"] == "order")
    venue_fills = sorted(
        (e["cl_ord_id"], e["ord_id"], e["sz"]) for e in entries if e["kind"] == "fill"
    )
    with tenant_scope(demo.world.tenant):
        orders = list(Order.objects.filter(signal_id=signal_id))
        ids = {order.id: order.client_order_id for order in orders}
        our_fills = sorted(
            (ids[fill.order_id], fill.exchange_order_id, f"{fill.quantity:f}")
            for fill in Fill.objects.filter(order_id__in=ids)
        )
    return {
        "orders": len(orders),
        "states": dict(Counter(str(order.state) for order in orders)),
        "attempts": dict(Counter(order.attempt for order in orders)),
        "doubled": [key for key, count in placed.items() if count > 1],
        "lost": [o.client_order_id for o in orders if o.client_order_id not in placed],
        "unknown_to_us": [key for key in placed if key not in set(ids.values())],
        "fills_agree": venue_fills == our_fills,
        "fills": len(our_fills),
    }


def _control(demo: Any, path: str, body: dict[str, Any]) -> None:
    from config.demo.http import call

    answer = call("POST", demo.addresses["control"] + path, json.dumps(body).encode())
    assert answer.ok, answer


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
