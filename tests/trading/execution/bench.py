"""Followers with accounts at a running simulator, and what both sides wrote down."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import Desk, make_desk
from trading import faults, pace
from trading.copying.cycles import settle_cycles
from trading.exchange.runner import stop_exchange_loop
from trading.execution import (
    clock,
    keys,
    leverage,
    punctual,
    record,
    resolve,
    send_orders,
    starting,
    sweep,
    watching,
)
from trading.execution.flatten import flatten_some
from trading.models import Order, OrderAttempt
from trading.models.orders import OPEN_STATES
from trading.sync.freshening import forget_asked

PLACE = {"path": "/api/v5/trade/order", "method": "POST"}
LOOKUP = {"path": "/api/v5/trade/order", "method": "GET"}


def sweep_all() -> None:
    """What a worker does every second: the sweeps, and flatten, which waits for no lease."""
    sweep()
    with all_tenants("flatten: accounts of several desks are closed together"):
        flatten_some()


@dataclass
class Bench:
    """One desk whose followers trade at `control`'s simulator."""

    desk: Desk
    control: str
    since: int
    opened: dict[int, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.control + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def follower(
        self, desk: Desk | None = None, *, pos_mode: str = "net", usdt: int = 10_000, **terms: Any
    ) -> Subscription:
        """A follower whose account exists there and here, with the same key."""
        desk, key = desk or self.desk, f"key-{uuid.uuid4().hex}"
        self.ask(
            "POST",
            "/accounts",
            key=key,
            secret="a-secret",
            passphrase="a-passphrase",
            balances={"USDT": str(usdt), "BTC": "1"},
            pos_mode="net_mode" if pos_mode == "net" else "long_short_mode",
        )
        account = make.make_account(
            make.make_customer(desk.tenant), api_key=key, position_mode=pos_mode
        )
        self.opened[account.pk] = key
        return make.subscribe(desk.strategy, account, **terms)

    def fault(self, fault: Any, link: Any = None, *, times: int = 1, **match: Any) -> None:
        """A fault for the next order of this follower, or for what `match` names."""
        match = match or PLACE
        if link is not None:
            match = match | {"account": self.opened[link.account_id]}
        self.ask("POST", "/faults", fault=fault, match=match, times=times)

    def open(self, quantity: str = "10", **fields: Any) -> list[Order]:
        return self.desk.hear("open", quantity, **fields)

    def send(self, orders: Iterable[Order]) -> int:
        return send_orders([order.id for order in orders])

    def now(self, order: Order) -> Order:
        with all_tenants("read an order again"):
            return Order.objects.select_related("account").get(pk=order.pk)

    def attempts(self, order: Order) -> list[OrderAttempt]:
        """Also the one that it is being sent by."""
        with all_tenants("read attempts"):
            return self.now(order).sends

    def attempts_of_all(self) -> list[OrderAttempt]:
        with all_tenants("read attempts"):
            return [attempt for order in Order.objects.all() for attempt in order.sends]

    def attempt_words(self, order: Order) -> list[str]:
        return [str(attempt.outcome) for attempt in self.attempts(order)]

    def steps(self, order: Order) -> list[str]:
        with all_tenants("read the diary of an order"):
            return [line.to_state for line in self.now(order).diary]

    def unfinished(self) -> list[Order]:
        with all_tenants("look for unfinished orders"):
            return list(Order.objects.filter(state__in=OPEN_STATES))

    def finish(self, seconds: float = 15) -> None:
        """Let sweep after sweep go over everything until every order has ended."""
        until = time.monotonic() + seconds
        while self.unfinished():
            assert time.monotonic() < until, [(o.state, o.reason) for o in self.unfinished()]
            sweep_all()
            with all_tenants("settle all cycles"):
                settle_cycles(Order.objects.values_list("id", flat=True))
            time.sleep(0.05)

    def sweep_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sweep_all()
            time.sleep(0.05)

    def sweep_until(self, is_so: Callable[[], bool], seconds: float = 15) -> None:
        until = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < until, [(o.state, o.reason) for o in self.unfinished()]
            sweep_all()
            time.sleep(0.05)

    def entries(self, **match: Any) -> list[dict[str, Any]]:
        """What the exchange wrote down since this test began."""
        found = self.ask("GET", f"/ledger?after={self.since}")["entries"]
        return [entry for entry in found if match.items() <= entry.items()]

    def accepted(self, *orders: Order) -> list[int]:
        """How often the exchange accepted each of these orders."""
        names = [entry["cl_ord_id"] for entry in self.entries(kind="order")]
        return [names.count(order.client_order_id) for order in orders]

    def requests(self, order: Order) -> list[dict[str, Any]]:
        name = order.client_order_id
        return self.entries(kind="request", method="POST", cl_ord_id=name)


def diary(action: str) -> list[AuditEntry]:
    with all_tenants("read the diary"):
        return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def put(account: ExchangeAccount, **columns: Any) -> None:
    with all_tenants("change an account behind everybody's back"):
        assert ExchangeAccount.objects.filter(pk=account.pk).update(**columns) == 1


def stumble(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    plan = faults.parse(text)
    monkeypatch.setattr(faults, "_plan", lambda: plan)


def make_bench(control: str) -> Bench:
    bench = Bench(make_desk(), control, 0)
    bench.since = bench.ask("GET", "/health")["entries"]
    return bench


def forget_everything() -> None:
    """A process that has just started."""
    keys._cache.clear()
    keys._refused.clear()
    leverage._known.clear()
    clock.forget_clocks()
    punctual.forget_noted()
    starting.forget()
    pace.pace.forget()
    forget_asked()
    watching.rounds.forget()
    stop_exchange_loop()


def hurry(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The same rules with shorter waits."""
    settings.ORDER_TTL_MARKET_S = 0.5
    settings.ORDER_TTL_LIMIT_S = 0.5
    settings.LEASE_MARGIN_S = 0.3
    settings.SKEW_S = 0.1
    settings.GRACE_S = 0.2
    settings.MARK_STALE_AFTER_S = 600
    monkeypatch.setattr(record, "FIRST_LOOK", timedelta(milliseconds=50))
    monkeypatch.setattr(record, "BACKOFF", timedelta(milliseconds=20))
    monkeypatch.setattr(resolve, "NOT_FOUND_APART", timedelta(milliseconds=60))
    monkeypatch.setattr(resolve, "UNSEEN_FILL", timedelta(milliseconds=20))
    monkeypatch.setattr(resolve, "CLAIM", timedelta(seconds=1))
