"""The whole product in its own processes, and a customer who closes a copied position by hand.

Run as a program, with DATABASE_URL, REDIS_URL and VAR_DIR naming what is to be used. Prints one
JSON object: what was there after each step.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import django

PATIENCE_S = 90


def main() -> None:
    os.environ["COPYDESK_ENV"] = "demo"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    sys.stdout.write(json.dumps(close_by_hand()) + "\n")


def close_by_hand() -> dict[str, Any]:
    from config.demo.processes import free_port
    from config.demo.run import Demo
    from config.demo.world import NAMES, Follower

    demo = Demo(port=free_port(), say=_say, followers={n: Follower(50_000) for n in NAMES[:3]})
    try:
        demo.start()
        return _Journey(demo).run()
    finally:
        demo.stop()


class _Journey:
    """Three followers; the first one's customer takes the position into their own hands."""

    def __init__(self, demo: Any) -> None:
        from accounts.tenancy import tenant_scope
        from strategies.models import Subscription

        self.demo = demo
        self.scope = lambda: tenant_scope(demo.world.tenant)
        with self.scope():
            rows = Subscription.objects.select_related("account").order_by("pk")
            self.links = list(rows)
        self.first = self.links[0]
        self.steps: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        self._signal(intent="open", quantity={"mode": "base", "value": "0.5"}, leverage="2")
        self._until("everybody holds it", lambda: all(self._held(link) for link in self.links))
        self.steps["opened"] = self._all_held()
        taken = self._held(self.first)
        self._by_hand("sell", taken)
        began = time.monotonic()
        self._until("the link to pause", lambda: self._status() == "paused")
        self.steps["paused_after_s"] = round(time.monotonic() - began, 1)
        self.steps["repairs"] = self._repairs()
        self.steps["told"] = self._told()
        # The reading by the clock is the one that might open it again.
        self._until("another reading", lambda: self._clean_readings() > 0)
        self.steps["after_reading"] = self._all_held()
        before = self._placed()
        self._signal(intent="add", quantity={"mode": "base", "value": "0.5"}, leverage="2")
        self._until("the others to add", lambda: self._held(self.links[1]) > Decimal(5))
        self.steps["after_add"] = self._all_held()
        self._signal(intent="close")
        self._until("the others to close", lambda: not any(map(self._held, self.links[1:])))
        self.steps["after_close"] = self._all_held()
        self.steps["orders_of_first"] = self._placed() - before
        self._decide()
        self.steps["status_after"] = self._status()
        self._signal(intent="open", quantity={"mode": "base", "value": "0.5"}, leverage="2")
        self._until("everybody holds it again", lambda: all(map(self._held, self.links)))
        self.steps["opened_again"] = self._all_held()
        return self.steps

    def _signal(self, **terms: Any) -> None:
        signal_id = self.demo.send(self.demo.world, **terms)
        self.demo.wait_for_orders(self.demo.world, signal_id)

    def _held(self, link: Any) -> Decimal:
        from trading.models import Position

        with self.scope():
            rows = Position.objects.filter(account=link.account)
            return sum((row.quantity for row in rows), Decimal(0))

    def _all_held(self) -> list[str]:
        return [f"{self._held(link).normalize():f}" for link in self.links]

    def _status(self) -> str:
        from strategies.models import Subscription

        with self.scope():
            return str(Subscription.objects.get(pk=self.first.pk).status)

    def _by_hand(self, side: str, quantity: Decimal) -> None:
        """What OKX's own app would send with the customer's own key."""
        from django.conf import settings

        from config.demo.world import INSTRUMENT
        from trading.endpoints import client_of, keys_of
        from trading.exchange.runner import exchange_loop
        from trading.exchange.types import MarginMode, OrderType, PlaceRequest, Side

        # The simulator chose its ports after this process read its settings.
        addresses = self.demo.addresses
        settings.MARKETS = {"simulator": {"rest": addresses["rest"], "ws": addresses["ws"]}}
        with self.scope():
            keys = keys_of(self.first.account, purpose="test")
        client = client_of(self.first.account)
        request = PlaceRequest(
            inst_id=INSTRUMENT,
            side=Side(side),
            position_side=None,
            margin_mode=MarginMode.CROSS,
            order_type=OrderType.MARKET,
            quantity=quantity,
            price=None,
            client_order_id="byHandInTheApp",
        )
        exp_at_ms = exchange_loop().run(client.fetch_time_ms()) + 5000
        outcome = exchange_loop().run(client.place_order(keys, request, exp_at_ms=exp_at_ms))
        if outcome.kind != "ack":
            raise SystemExit(f"the customer's order was refused: {outcome}")

    def _repairs(self) -> list[list[str]]:
        from trading.models import Repair

        with self.scope():
            rows = Repair.objects.order_by("created_at")
            return [[str(row.kind), str(row.state), row.account.customer.name] for row in rows]

    def _told(self) -> list[list[str]]:
        """Entries of the diary that wake people, and whether their message was made."""
        from accounts.models import AuditEntry

        with self.scope():
            rows = AuditEntry.objects.filter(action__startswith="repair.")
            return [[row.action, row.level] for row in rows.order_by("id")]

    def _clean_readings(self) -> int:
        from trading.models import ReconcileRun, Repair

        with self.scope():
            since = Repair.objects.get().created_at
            account = self.first.account
            return int(
                ReconcileRun.objects.filter(account=account, ok=True, started_at__gt=since).count()
            )

    def _placed(self) -> int:
        """Orders of the first follower that the exchange took."""
        from config.demo.report import ledger_after

        entries: list[dict[str, Any]] = []
        while more := ledger_after(
            self.demo.addresses["control"], entries[-1]["seq"] if entries else 0
        ):
            entries += more
        names = set()
        from trading.models import Order

        with self.scope():
            mine = Order.objects.filter(account=self.first.account)
            names = set(mine.values_list("client_order_id", flat=True))
        return sum(e["kind"] == "order" and e["cl_ord_id"] in names for e in entries)

    def _decide(self) -> None:
        from accounts.models import User
        from trading.enums import RepairAction
        from trading.execution.deciding_repairs import approve_repair
        from trading.models import Repair

        with self.scope():
            repair = Repair.objects.select_related("account").get()
            person = User.objects.get(username="risk")
            approve_repair(
                repair=repair, action=RepairAction.FOLLOW, reason="the customer asks for it",
                actor=person,
            )  # fmt: skip

    def _until(self, what: str, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > end:
                raise SystemExit(f"waited in vain for {what}: {self.steps}")
            time.sleep(0.2)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
