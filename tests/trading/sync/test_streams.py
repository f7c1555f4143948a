"""The streams process against the real simulator."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import AccountStatus
from customers.models import ExchangeAccount
from tests.factories import make_account, make_instrument
from tests.trading.sync.rows import BTC, fills_of, fresh, make_order
from tests.trading.sync.venue import Venue
from trading.endpoints import endpoint_of_market
from trading.enums import OrderState
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.streams import MarkPriceEvent, TickerEvent
from trading.exchange.types import MarkPriceReport, TickerReport
from trading.models import (
    Balance,
    Heartbeat,
    MarketPrice,
    Position,
    QuarantinedReport,
    ReconcileRun,
    Repair,
    StreamLease,
)
from trading.sync.apply import TOTAL
from trading.sync.streams import run_streams
from trading.sync.streams.prices import FLUSH_S, MarketFeed
from trading.sync.streams.rows import Watched, mark_socket
from trading.sync.streams.threads import DatabaseThreads
from trading.sync.truth import compare

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database_long,
    pytest.mark.simulator,
]


@contextmanager
def streams(connections_per_second: float = 50) -> Iterator[None]:
    """A copy of the process, in a thread of its own."""
    ready = threading.Event()
    held: dict[str, Any] = {}

    async def serve() -> None:
        held["stop"], held["loop"] = asyncio.Event(), asyncio.get_running_loop()
        ready.set()
        await run_streams(held["stop"], connections_per_second=connections_per_second)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        held["loop"].call_soon_threadsafe(held["stop"].set)
        thread.join(10)
        assert not thread.is_alive()


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with all_tenants("the test looks on"):
            value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def socket_state(account: ExchangeAccount) -> str:
    row = StreamLease.objects.filter(pk=account.pk).first()
    return row.state if row and row.owner else ""


def is_live(account: ExchangeAccount) -> bool:
    return socket_state(account) == "live"


def held(account: ExchangeAccount) -> Decimal:
    row = Position.objects.filter(account=account, inst_id=BTC).first()
    return row.quantity if row else Decimal(0)


def runs(account: ExchangeAccount, cause: str) -> int:
    return ReconcileRun.objects.filter(account=account, cause=cause, ok=True).count()


def test_what_happens_at_the_exchange_is_written_down(venue: Venue) -> None:
    account = venue.open_account()

    with streams():
        until(lambda: is_live(account) and runs(account, "connect"))
        until(lambda: MarketPrice.objects.filter(inst_id=BTC, mark=60_000, last=60_000).exists())
        order = make_order(account)
        venue.place(account, order)
        until(lambda: fresh(order).state == OrderState.FILLED)
        until(lambda: held(account) == 3)
        until(lambda: Balance.objects.filter(account=account, currency=TOTAL).exists())
        assert Heartbeat.objects.filter(kind="streams").count() == 1

    row = fresh(order)
    assert row.filled_quantity == 3
    assert row.acked_at is not None
    assert sum(each[1] for each in fills_of(account)) == 3
    assert {each[4] for each in fills_of(account)} == {order.id}
    with all_tenants("the test looks on"):
        assert not QuarantinedReport.objects.exists()
    assert not Heartbeat.objects.exists()
    assert StreamLease.objects.get(pk=account.pk).owner is None


def test_what_was_missed_is_read_after_a_reconnect(venue: Venue) -> None:
    account = venue.open_account()

    with streams():
        until(lambda: is_live(account))
        order = make_order(account, order_type="limit", price=Decimal(59_000))
        venue.place(account, order, price=59_000)
        until(lambda: fresh(order).state == OrderState.LIVE)
        # The socket breaks on the very push that tells of the fill.
        assert account.api_key is not None
        venue.fault("ws_disconnect", account=account.api_key.reveal(), channel="orders")
        venue.price(58_900)
        until(lambda: runs(account, "reconnect"))
        until(lambda: fresh(order).state == OrderState.FILLED)
        until(lambda: held(account) == 3)

    assert sum(each[1] for each in fills_of(account)) == 3


def test_a_cut_in_the_middle_of_several_fills_ends_in_the_truth(venue: Venue) -> None:
    account = venue.open_account()
    prices = (59_000, 58_900, 58_800, 58_700)

    with streams():
        until(lambda: is_live(account))
        orders = [
            make_order(account, order_type="limit", price=Decimal(price), quantity=Decimal(2))
            for price in prices
        ]
        for order, price in zip(orders, prices, strict=True):
            venue.place(account, order, price=price)
        until(lambda: all(fresh(order).state == OrderState.LIVE for order in orders))
        assert account.api_key is not None
        venue.price(58_950)  # the first one fills and is heard of
        until(lambda: fresh(orders[0]).state == OrderState.FILLED)
        venue.fault("ws_disconnect", account=account.api_key.reveal(), channel="orders")
        venue.price(58_850)  # the second one's push breaks the socket
        venue.price(58_750)  # the third one fills while nobody listens
        until(lambda: runs(account, "reconnect"))
        until(lambda: all(fresh(order).state == OrderState.FILLED for order in orders[:3]))
        until(lambda: held(account) == 6)

    assert fresh(orders[3]).state == OrderState.LIVE
    assert sum(each[1] for each in fills_of(account)) == 6
    with tenant_scope(account.tenant_id):
        [one] = compare([account])
    assert (one.three.exchange, one.three.ours, one.three.foreign) == (6, 6, 0)


def test_a_trade_by_hand_is_looked_at_at_once(venue: Venue) -> None:
    account = venue.open_account()

    with streams():
        until(lambda: is_live(account) and runs(account, "connect"))
        venue.trade(account, "byHandInTheApp", Decimal(2))
        until(lambda: Repair.objects.filter(account=account, kind="foreign").exists())
        until(lambda: runs(account, "external"))

    assert held_by(account) == 2


def held_by(account: ExchangeAccount) -> Decimal:
    with tenant_scope(account.tenant_id):
        return held(account)


def test_a_new_key_gets_a_socket_and_an_archived_account_loses_it(venue: Venue) -> None:
    with streams():
        until(Heartbeat.objects.exists)
        account = venue.open_account()
        until(lambda: is_live(account), 8)

        with tenant_scope(account.tenant_id):
            ExchangeAccount.objects.filter(pk=account.pk).update(status=AccountStatus.ARCHIVED)
        until(lambda: socket_state(account) == "", 8)


def test_an_account_of_a_market_that_is_gone_takes_no_other_with_it(venue: Venue) -> None:
    account = venue.open_account()
    with streams():
        until(lambda: is_live(account))
        lost = make_account(api_key="a key of yesterday", market="nowhere")
        late = venue.open_account()
        until(lambda: is_live(late), 8)

        assert is_live(account)
        assert socket_state(lost) == ""


def test_a_refused_key_is_told_once(venue: Venue) -> None:
    account = make_account(api_key="nobody knows this key")

    with streams():
        until(lambda: socket_state(account) == "refused")
        watched = Watched(account.pk, account.tenant_id, account.market, account.key_version)
        for state in ("connecting", "refused", "connecting", "refused"):
            mark_socket(watched, state, "no such key")
        assert socket_state(account) == "refused"

    with all_tenants("the test reads the diary"):
        entries = AuditEntry.objects.filter(action="stream.refused")
        assert [(e.level, e.tenant_id) for e in entries] == [("warning", account.tenant_id)]


def test_two_copies_share_the_accounts_and_follow_each_other(venue: Venue) -> None:
    tenant = make_account(verified=False).tenant
    accounts = [venue.open_account(tenant=tenant) for _ in range(6)]

    def owners() -> list[int]:
        rows = StreamLease.objects.exclude(owner=None).values_list("owner", flat=True)
        return sorted(list(rows).count(owner) for owner in set(rows))

    with streams():
        until(lambda: all(map(is_live, accounts)))
        with subprocess.Popen(command(), env=environment(venue)) as other:
            try:
                until(lambda: owners() in ([2, 4], [3, 3]) and all(map(is_live, accounts)), 40)
            finally:
                asked = time.monotonic()
                other.send_signal(signal.SIGTERM)
                code = other.wait(10)
                took = time.monotonic() - asked
        until(lambda: owners() == [6] and all(map(is_live, accounts)))

    assert (code, took < 5) == (0, True)


def command() -> list[str]:
    return [sys.executable, "manage.py", "run_streams", "--connections-per-second", "50"]


def environment(venue: Venue) -> dict[str, str]:
    """Of another copy, on this test's database."""
    stored = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{stored['NAME']}"
    else:
        login = f"{stored['USER']}:{stored['PASSWORD']}"
        url = f"mysql://{login}@{stored['HOST']}:{stored['PORT'] or 3306}/{stored['NAME']}"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "COPYDESK_ENV": "test",
        "DATABASE_URL": url,
        "SIMULATOR_REST_URL": venue.rest,
        "SIMULATOR_WS_URL": venue.ws,
        "DEFAULT_MARKET": "simulator",
    }


def test_a_price_that_could_not_be_written_is_written_with_the_next(venue: Venue) -> None:
    """An unchanged price is told again after ten seconds only: it would be too old by then."""

    class Busy(DatabaseThreads):
        tries = 0

        async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise OperationalError("database is locked")
            return await super().run(function, *args, **kwargs)

    async def hear() -> None:
        threads = Busy(1)
        feed = MarketFeed("simulator", SocketPool(endpoint_of_market("simulator")), threads)
        at = datetime.now(UTC)
        mark = MarkPriceReport(inst_id=BTC, price=Decimal(61_000), at=at)
        ticker = TickerReport(inst_id=BTC, last=Decimal(61_000), bid=None, ask=None, at=at)
        await feed._on_event(MarkPriceEvent(mark))
        await feed._on_event(TickerEvent(ticker))
        flushing = asyncio.create_task(feed._flush())
        await asyncio.sleep(FLUSH_S * 1.2)
        newer = replace(ticker, last=Decimal(61_500), at=at + timedelta(milliseconds=600))
        await feed._on_event(TickerEvent(newer))
        await asyncio.sleep(FLUSH_S * 2)
        flushing.cancel()
        threads.stop()

    make_instrument(BTC)

    asyncio.run(hear())

    row = MarketPrice.objects.get(market="simulator", inst_id=BTC)
    assert (row.mark, row.last) == (61_000, 61_500)


async def test_a_hiccup_of_the_database_is_waited_out() -> None:
    threads = DatabaseThreads(1)
    answers = [OperationalError("gone"), OperationalError("still gone"), None]

    def write() -> str:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return "written"

    try:
        assert await threads.insist(write) == "written"
    finally:
        await threads.run(connections.close_all)
        threads.stop()


@pytest.mark.long
@pytest.mark.slow
def test_one_process_keeps_150_accounts(venue: Venue) -> None:
    tenant = make_account(verified=False).tenant
    accounts = [venue.open_account(tenant=tenant) for _ in range(150)]

    with streams(connections_per_second=200):
        until(lambda: StreamLease.objects.filter(state="live").count() == 150, 90)
        until(lambda: ReconcileRun.objects.filter(cause="connect", ok=True).count() >= 150, 90)
        orders = [make_order(account) for account in accounts[::10]]
        for account, order in zip(accounts[::10], orders, strict=True):
            venue.place(account, order)
        until(lambda: all(fresh(order).state == OrderState.FILLED for order in orders), 60)
