"""A leader's own trade beside a webhook that says the same: until the last follower's order is
accepted.

    python benchmarks/leader.py [--json] [--followers 200] [--rounds 20] [--database mariadb]

Everything is the product's own, as `make demo` starts it: one web server, one worker, one streams
process, SQLite, the simulated exchange; or the same with a MariaDB and a Redis of their own. The
same subscriptions follow both sources. In each round
both open and close, in an order by lot. The leader's time begins with its fill, by the exchange's
clock, which is this machine's; the webhook's with the call. Exit status 1 when an order is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.fan.machine import machine, refuse_impostors
from benchmarks.fan.stores import broker, store_of

WAIT_S = 60
MOVES = ("open", "close")
LEVERAGE = Decimal(2)
CONTRACTS = Decimal(80)  # of 0.01 BTC


def main() -> int:
    options = read_options()
    refuse_impostors()
    with served(options.database) as place:
        os.environ |= {
            "COPYDESK_ENV": "demo",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "WARNING",
            "MARK_STALE_AFTER_S": "600",
        } | place
        import django

        django.setup()
        report = measure(options)
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 0 if not report["void"] else 1


@contextmanager
def served(database: str) -> Iterator[dict[str, str]]:
    """Where the product keeps its rows and its messages, as its environment."""
    with ExitStack() as stack:
        store = stack.enter_context(store_of(database))
        place = {"VAR_DIR": str(store.folder)}
        if database != "sqlite":
            redis, _ = stack.enter_context(broker())
            place |= {"DATABASE_URL": store.url(0), "REDIS_URL": redis}
        yield place


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "mariadb"), default="sqlite")
    parser.add_argument("--followers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20, help="after one that is dropped")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    from config.demo.run import Demo
    from config.demo.world import Follower

    followers = {f"Follower {number:03d}": Follower(25_000) for number in range(options.followers)}
    demo = Demo(port=0, say=say, followers=followers)
    demo.of_streams = ("--connections-per-second", "100")
    report: dict[str, Any] = {"machine": machine(), "options": vars(options), "void": []}
    try:
        demo.start()
        course = Course(demo, options.followers)
        course.prepare()
        paths: dict[str, Callable[[str], Taken]] = {"leader": course.trade, "webhook": course.call}
        taken: dict[str, list[float]] = {f"{name}, {what}": [] for name in paths for what in MOVES}
        for number in range(options.rounds + 1):
            for name in random.sample(list(paths), len(paths)):
                for what in MOVES:
                    one = paths[name](what)
                    course.wait_until_final()
                    if one.orders != options.followers:
                        report["void"].append(f"{name} {what}: {one.orders} orders")
                    elif number:
                        taken[f"{name}, {what}"].append(one.ms)
                course.wait_until_flat()
            say(f"round {number} of {options.rounds}")
        report["paths"] = {name: told(times) for name, times in taken.items()}
        report["ratio"] = {what: ratio(report["paths"], what) for what in MOVES}
    finally:
        demo.stop()
    return report


@dataclass(frozen=True)
class Taken:
    ms: float
    orders: int


class Course:
    """The demo with a leader that everybody follows beside the webhook."""

    def __init__(self, demo: Any, followers: int) -> None:
        from django.conf import settings

        from config.demo.leader import LEADER
        from signals.models import LeaderAccount

        addresses = {"rest": demo.addresses["rest"], "ws": demo.addresses["ws"]}
        settings.MARKETS = {**settings.MARKETS, "simulator": addresses}
        self.demo, self.followers, self.tenant = demo, followers, demo.world.tenant
        with self._desk():
            rows = LeaderAccount.objects.select_related("source")
            self.leader = rows.get(source__name=LEADER)

    def prepare(self) -> None:
        """Follow the leader as the webhook is followed, and trade with the same leverage."""
        from strategies.models import Strategy, StrategySource
        from trading.endpoints import client_of, keys_of
        from trading.exchange.runner import exchange_loop
        from trading.exchange.types import MarginMode

        with self._desk():
            StrategySource.objects.get_or_create(
                strategy=Strategy.objects.get(name="Trend"), source=self.leader.source
            )
            self.keys = keys_of(self.leader, purpose="benchmark")
        self.client, self.loop = client_of(self.leader), exchange_loop()
        self._until(self._is_followed, "the leader to be followed")
        setting = self.client.set_leverage(self.keys, "BTC-USDT-SWAP", LEVERAGE, MarginMode.CROSS)
        if self.loop.run(setting).kind != "ack":
            raise SystemExit("the leader's leverage could not be set")

    def trade(self, what: str) -> Taken:
        """The leader trades by itself."""
        from trading.exchange import types

        known = self._last_signal()
        request = types.PlaceRequest(
            inst_id="BTC-USDT-SWAP",
            side=types.Side.BUY if what == "open" else types.Side.SELL,
            position_side=None,
            margin_mode=types.MarginMode.CROSS,
            order_type=types.OrderType.MARKET,
            quantity=CONTRACTS,
            client_order_id=uuid.uuid4().hex,
        )
        exp_at_ms = self.loop.run(self.client.fetch_time_ms()) + 5000
        self.loop.run(self.client.place_order(self.keys, request, exp_at_ms=exp_at_ms))
        signal = self._until(lambda: self._next_signal(known), "the leader's signal")
        return self._taken(signal, signal.signal_at)

    def call(self, what: str) -> Taken:
        """The same, said by a webhook."""
        from signals.models import Signal

        terms: dict[str, Any] = {}
        if what == "open":
            quantity = {"mode": "contracts", "value": str(CONTRACTS)}
            terms = {"quantity": quantity, "leverage": str(LEVERAGE)}
        called = datetime.now(UTC)
        signal_id = self.demo.send(self.demo.world, intent=what, **terms)
        with self._desk():
            return self._taken(Signal.objects.get(pk=signal_id), called)

    def wait_until_flat(self) -> None:
        from trading.models import Cycle

        def is_flat() -> bool:
            return not Cycle.objects.filter(ended_at__isnull=True).exists()

        self._until(is_flat, "all cycles to end")

    def wait_until_final(self) -> None:
        """A close would otherwise wait for what its opening came to, and measure that."""
        from trading.models import Order

        self._until(lambda: not Order.objects.open().exists(), "every order to be final")

    def _taken(self, signal: Any, since: datetime) -> Taken:
        from trading.models import Order

        rows = Order.objects.filter(signal_id=signal.pk)
        last = self._until(
            lambda: rows.filter(acked_at__isnull=False).count() >= self.followers,
            "every order to be accepted",
            fatal=False,
        )
        with self._desk():
            times = list(rows.filter(acked_at__isnull=False).values_list("acked_at", flat=True))
        if not last:
            return Taken(0, len(times))
        return Taken((max(times) - since).total_seconds() * 1000, len(times))

    def _is_followed(self) -> bool:
        from signals.enums import LeaderLink

        self.leader.refresh_from_db()
        return self.leader.snapshot_at is not None and self.leader.link == LeaderLink.CONNECTED

    def _last_signal(self) -> Any:
        with self._desk():
            last = self.leader.source.signals.order_by("-received_at").first()
            return None if last is None else last.pk

    def _next_signal(self, known: Any) -> Any:
        last = self.leader.source.signals.order_by("-received_at").first()
        return last if last is not None and last.pk != known else None

    def _desk(self) -> Any:
        from accounts.tenancy import tenant_scope

        return tenant_scope(self.tenant)

    def _until(self, condition: Callable[[], Any], what: str, *, fatal: bool = True) -> Any:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            with self._desk():
                value = condition()
            if value:
                return value
            # Often enough to go on, seldom enough not to be in the way.
            time.sleep(0.25)
        if fatal:
            raise SystemExit(f"waited in vain for {what}")
        return None


def ratio(paths: dict[str, dict[str, Any]], what: str) -> dict[str, float]:
    leader, webhook = paths[f"leader, {what}"], paths[f"webhook, {what}"]
    return {
        each: round(leader[each] / webhook[each], 2)
        for each in ("p50_ms", "p99_ms")
        if webhook.get(each) and leader.get(each)
    }


def told(times: list[float]) -> dict[str, Any]:
    if not times:
        return {"moves": 0}
    ordered = sorted(times)
    place = min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))
    return {
        "moves": len(ordered),
        "p50_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[place], 1),
        "all_ms": [round(each, 1) for each in times],
    }


def table(report: dict[str, Any]) -> str:
    lines = [f"{'until the last order is accepted':34}{'moves':>7}{'p50 ms':>10}{'p99 ms':>10}"]
    for name, path in report["paths"].items():
        numbers = f"{path.get('p50_ms', '-'):>10}{path.get('p99_ms', '-'):>10}"
        lines.append(f"{name:34}{path['moves']:>7}{numbers}")
    for what, found in report["ratio"].items():
        numbers = f"{found.get('p50_ms', '-'):>10}{found.get('p99_ms', '-'):>10}"
        lines.append(f"{f'leader / webhook, {what}':41}{numbers}")
    lines += [f"void: {each}" for each in report["void"]]
    return "\n".join(lines)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
