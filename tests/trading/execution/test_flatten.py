"""Flatten at a running exchange: everything canceled, closed, read twice, and never turned over."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import all_tenants
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, PRICE
from tests.trading.execution.bench import LOOKUP, Bench, diary, put, stumble
from trading.endpoints import client_of
from trading.enums import Scope, TradingMode
from trading.exchange import types as said
from trading.exchange.algos import AlgoRequest
from trading.exchange.protection import Trigger
from trading.exchange.runner import exchange_loop
from trading.execution.flatten import facts, flatten_due
from trading.execution.flatten.reach import active_runs
from trading.execution.flatten.rows import claim_due, enroll
from trading.execution.keys import keys_of
from trading.faults import InjectedFaultError
from trading.models import Cycle, FlattenAccount, Order, TradingState
from trading.switch import leave_flatten, set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
POSITIONS = {"path": "/api/v5/account/positions", "method": "GET"}


def long(value: Any) -> Any:
    """One more case of the same, for those who have the time."""
    return pytest.param(value, marks=pytest.mark.long)


@pytest.fixture(autouse=True)
def fast(settings: Any) -> None:
    settings.FLATTEN_READS_APART_S = 0.1
    settings.FLATTEN_WATCH_S = 0.2


def throw(bench: Bench, mode: TradingMode = TradingMode.FLATTEN, **scope: Any) -> TradingState:
    """Set the switch of the desk, or of the scope given."""
    tenant = scope.pop("tenant", bench.desk.tenant)
    return set_mode(mode=mode, reason="prices look wrong", actor=None, tenant=tenant, **scope)


def rows(**match: Any) -> list[FlattenAccount]:
    with all_tenants("read flattens"):
        return list(FlattenAccount.objects.filter(**match).order_by("account_id"))


def flatten(seconds: float = 15, step: str = "flat") -> list[FlattenAccount]:
    """Pass after pass until every account has come to `step`."""
    until = time.monotonic() + seconds
    while True:
        with all_tenants("flatten"):
            flatten_due()
        found = rows()
        if found and all(row.step == step for row in found):
            return found
        assert time.monotonic() < until, [(r.step, r.problem, r.history) for r in found]
        time.sleep(0.02)


def positions(bench: Bench, link: Subscription) -> dict[tuple[str, str, str], str]:
    """What the exchange itself says the account holds."""
    state = bench.ask("GET", f"/accounts/{bench.opened[link.account_id]}")
    return {
        (p["inst_id"], p["pos_side"], p["mgn_mode"]): p["qty"]
        for p in state["positions"]
        if float(p["qty"])
    }


def by_hand(bench: Bench, link: Subscription, side: str, size: str, **terms: str) -> dict[str, Any]:
    """The customer, or another program of theirs, places an order at the exchange."""
    body = {"instId": BTC, "tdMode": "cross", "side": side, "sz": size, "ordType": "market"}
    row = bench.ask("POST", f"/accounts/{bench.opened[link.account_id]}/orders", **(body | terms))
    assert row["sCode"] == "0", row
    return dict(row)


def waiting(bench: Bench, link: Subscription) -> int:
    return len(bench.ask("GET", f"/accounts/{bench.opened[link.account_id]}")["orders"])


def never_flipped(bench: Bench) -> bool:
    """Nothing that flatten sent ever opened anything: each close was at most what was there."""
    ours = {order.client_order_id for order in orders(flattens=True)}
    sent = [entry for entry in bench.entries(kind="order") if entry["cl_ord_id"] in ours]
    return all(entry["reduce_only"] or entry["pos_side"] != "net" for entry in sent)


def held(bench: Bench, size: str = "10", **terms: Any) -> Subscription:
    """A follower who holds a tenth of `size`, copied and filled."""
    link = bench.follower(**terms)
    bench.send(bench.open(size))
    bench.finish()
    assert positions(bench, link)
    return link


@pytest.fixture
def free_again(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Who died is followed at once, as if its claim had ended."""

    def wake() -> None:
        with all_tenants("a claim ends"):
            FlattenAccount.objects.update(lease_until=None, not_before=None)

    return wake


def orders(**match: Any) -> list[Order]:
    with all_tenants("read orders"):
        return list(Order.objects.filter(**match).order_by("account_id", "created_at", "id"))


def test_a_desk_is_flat_and_its_cycles_have_ended(bench: Bench) -> None:
    links = [bench.follower(), bench.follower(pos_mode="long_short")]
    bench.send(bench.open())
    bench.finish()
    throw(bench)

    found = flatten()

    assert [positions(bench, link) for link in links] == [{}, {}]
    assert [row.round for row in found] == [0, 0]
    closes = orders(flattens=True)
    assert [(o.side, o.position_side, o.reduce_only, o.state) for o in closes] == [
        ("sell", "net", True, "filled"),
        ("sell", "long", False, "filled"),
    ]
    with all_tenants("read cycles"):
        assert not Cycle.objects.filter(ended_at__isnull=True).exists()
    assert len(diary("flatten.all_flat")) == 1


def test_every_position_of_an_account_is_closed_whoever_opened_it(bench: Bench) -> None:
    link = bench.follower(pos_mode="long_short")
    for margin in ("cross", "isolated"):
        by_hand(bench, link, "buy", "3", tdMode=margin, posSide="long")
        by_hand(bench, link, "sell", "2", tdMode=margin, posSide="short")
    net = bench.follower()
    by_hand(bench, net, "sell", "4")
    throw(bench)

    flatten()

    assert (positions(bench, link), positions(bench, net)) == ({}, {})
    assert len(orders(flattens=True, account_id=link.account_id)) == 4
    assert never_flipped(bench)


def test_orders_of_others_are_canceled_too_for_they_would_open_again(bench: Bench) -> None:
    link = held(bench)
    by_hand(bench, link, "buy", "1", ordType="limit", px="50000")
    by_hand(bench, link, "sell", "1", ordType="limit", px="70000", reduceOnly="true")
    throw(bench)

    flatten()

    assert (waiting(bench, link), positions(bench, link)) == (0, {})


def test_stops_that_would_open_or_close_later_are_canceled(bench: Bench) -> None:
    link = held(bench)
    client, keys = client_of(link.account), keys_of(link.account)
    stop = AlgoRequest(
        inst_id=BTC,
        side=said.Side.SELL,
        position_side=None,
        margin_mode=said.MarginMode.CROSS,
        client_algo_id="astop",
        quantity=Decimal(1),
        stop_loss=Trigger(price=Decimal(50_000)),
    )
    placed = exchange_loop().run(client.place_algo_order(keys, stop))
    assert placed.kind == said.Outcome.ACK
    throw(bench)

    flatten()

    assert exchange_loop().run(client.fetch_open_algo_orders(keys)) == ()
    assert positions(bench, link) == {}


def test_on_spot_only_what_our_cycles_bought_is_sold(bench: Bench) -> None:
    spot = {"lot_size": Decimal("0.00000001"), "min_size": Decimal("0.00001")}
    make.make_instrument("BTC-USDT", **spot)
    make.set_price("BTC-USDT", PRICE)
    link = bench.follower(usdt=100_000)
    bench.send(bench.open("2", inst_id="BTC-USDT"))
    bench.finish()
    assert Decimal("1.19") < coins(bench, link) <= Decimal("1.2")
    throw(bench)

    flatten()

    # The customer's own coin was not touched.
    assert Decimal(1) <= coins(bench, link) < Decimal("1.0001")
    assert [order.reduce_only for order in orders(flattens=True)] == [False]
    with all_tenants("read cycles"):
        assert not Cycle.objects.filter(ended_at__isnull=True).exists()


def coins(bench: Bench, link: Subscription) -> Decimal:
    state = bench.ask("GET", f"/accounts/{bench.opened[link.account_id]}")
    return Decimal(state["funds"]["BTC"]["cash"])


@pytest.mark.parametrize(
    "fault", ["late_accept:300", long("drop_after_accept"), long("drop_before")]
)
def test_an_opening_of_unknown_outcome_is_waited_for_and_closed(
    bench: Bench, settings: Any, fault: str
) -> None:
    settings.ORDER_TTL_MARKET_S = 1.5
    link = bench.follower()
    bench.fault(fault, link)
    bench.send(bench.open())
    throw(bench)
    with all_tenants("flatten"):
        flatten_due()

    assert rows()[0].step == "waiting"
    flatten()

    assert positions(bench, link) == {}
    assert never_flipped(bench)


@pytest.mark.parametrize(
    "fault",
    ["drop_after_accept", *map(long, ("late_accept:200", "drop_before", "http:502", "partial:3"))],
)
def test_a_lost_answer_to_the_close_closes_nothing_twice(bench: Bench, fault: str) -> None:
    link = held(bench)
    throw(bench)
    bench.fault(fault, link)

    flatten()

    assert positions(bench, link) == {}
    sold = sum(float(fill["sz"]) for fill in bench.entries(kind="fill") if fill["side"] == "sell")
    assert sold == 1
    assert never_flipped(bench)


@pytest.mark.parametrize(
    "point", ["marked", *map(long, ("canceled", "waited", "read", "closed", "verified"))]
)
def test_death_at_any_step_costs_time_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, free_again: Any, point: str
) -> None:
    link = held(bench)
    throw(bench)
    stumble(monkeypatch, f"FLATTEN.{point}=raise")
    with pytest.raises(InjectedFaultError):
        flatten()
    stumble(monkeypatch, "")
    free_again()

    flatten()

    assert positions(bench, link) == {}
    assert [order.state for order in orders(flattens=True)].count("filled") == 1
    assert never_flipped(bench)


def test_a_close_that_was_not_sent_in_time_is_not_sent_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = held(bench)
    state = throw(bench)
    stumble(monkeypatch, "FLATTEN.marked=raise")
    with pytest.raises(InjectedFaultError):
        flatten()
    stumble(monkeypatch, "")
    leave_flatten(state=state, mode=TradingMode.ACTIVE, reason="two agreed", actor=None)

    closes = orders(flattens=True)
    bench.send(closes)

    assert [(o.state, o.reason) for o in map(bench.now, closes)] == [("denied", "FLATTEN_OVER")]
    assert positions(bench, link) == {(BTC, "net", "cross"): "1"}


def test_a_reading_that_fails_is_unknown_and_not_flat(bench: Bench) -> None:
    link = held(bench)
    bench.fault("http:502", link, times=3, **POSITIONS)
    throw(bench)

    for _ in range(2):
        with all_tenants("flatten"):
            flatten_due()
            FlattenAccount.objects.update(not_before=None)
    unread = rows()[0]
    assert (unread.step, "502" in unread.problem) == ("canceling", True)
    flatten()

    assert positions(bench, link) == {}


def test_what_appears_while_the_switch_stays_is_closed_as_well(bench: Bench) -> None:
    link = held(bench)
    throw(bench)
    flatten()
    by_hand(bench, link, "buy", "2")

    until = time.monotonic() + 10
    while not diary("flatten.position_appeared") or rows()[0].step != "flat":
        assert time.monotonic() < until
        flatten()

    assert positions(bench, link) == {}
    assert never_flipped(bench)


def test_a_close_that_is_refused_again_and_again_is_a_persons(bench: Bench) -> None:
    link = held(bench)
    bench.fault("scode:51008", link, times=50)
    throw(bench)

    row = flatten(step="manual")[0]

    assert (row.round, len(orders(flattens=True))) == (5, 5)
    assert "51008" in row.problem
    assert positions(bench, link) != {}
    alarms = diary("flatten.needs_a_person")
    assert [alarm.level for alarm in alarms] == ["critical"]


def test_a_desks_flatten_waits_for_the_halt_of_the_installation(bench: Bench) -> None:
    link = held(bench)
    throw(bench, TradingMode.HALTED, tenant=None, scope=Scope.SYSTEM)
    throw(bench)
    for _ in range(3):
        with all_tenants("flatten"):
            flatten_due()
            FlattenAccount.objects.update(not_before=None)

    row = rows()[0]
    assert (row.step, "halted" in row.problem) == ("reading", True)
    assert (orders(flattens=True), len(positions(bench, link))) == ([], 1)
    throw(bench, TradingMode.ACTIVE, tenant=None, scope=Scope.SYSTEM)
    flatten()
    assert positions(bench, link) == {}


def test_an_account_whose_key_is_not_proven_is_not_called_flat(bench: Bench) -> None:
    link = held(bench)
    put(link.account, key_status="refused")
    throw(bench)
    with all_tenants("flatten"):
        flatten_due()

    row = rows()[0]
    assert (row.step, "not verified" in row.problem) == ("canceling", True)
    assert (orders(flattens=True), len(positions(bench, link))) == ([], 1)


def test_a_strategy_closes_what_its_cycles_hold_and_no_more(bench: Bench) -> None:
    link = held(bench)
    by_hand(bench, link, "buy", "2")
    by_hand(bench, link, "buy", "1", instId="ETH-USDT-SWAP")
    throw(bench, scope=Scope.STRATEGY, target=bench.desk.strategy)

    flatten()

    left = positions(bench, link)
    assert left == {(BTC, "net", "cross"): "2", ("ETH-USDT-SWAP", "net", "cross"): "1"}
    with all_tenants("read cycles"):
        assert not Cycle.objects.filter(ended_at__isnull=True).exists()


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, long(Scope.CUSTOMER), long(Scope.INSTRUMENT)])
def test_a_narrow_scope_leaves_the_others_alone(bench: Bench, scope: Scope) -> None:
    link, other = bench.follower(), bench.follower()
    bench.send(bench.open())
    bench.finish()
    if scope == Scope.INSTRUMENT:
        by_hand(bench, other, "buy", "1", instId="ETH-USDT-SWAP")
    account = link.account
    target = {
        Scope.CUSTOMER: account.customer,
        Scope.ACCOUNT: account,
        Scope.INSTRUMENT: BTC,
    }[scope]
    throw(bench, scope=scope, target=target)

    flatten()

    assert positions(bench, link) == {}
    untouched = {
        Scope.INSTRUMENT: {("ETH-USDT-SWAP", "net", "cross"): "1"},
    }.get(scope, {(BTC, "net", "cross"): "1"})
    assert positions(bench, other) == untouched


def test_the_installation_flattens_every_desk_over_their_halts(bench: Bench) -> None:
    link = held(bench)
    throw(bench, TradingMode.HALTED)
    throw(bench, tenant=None, scope=Scope.SYSTEM)

    flatten()

    assert positions(bench, link) == {}


def test_what_waits_to_be_sent_is_ended_and_what_comes_is_denied(bench: Bench) -> None:
    bench.follower()
    ready = bench.open()
    throw(bench)
    with all_tenants("flatten"):
        flatten_due()

    assert [(o.state, o.reason) for o in map(bench.now, ready)] == [("denied", "FLATTENING")]
    assert bench.open("5") == []
    assert bench.desk.decisions()[-1].reason == "FLATTENING"
    assert bench.entries(kind="order") == []


@pytest.mark.long
def test_fifty_accounts_are_flat_within_half_a_minute(bench: Bench) -> None:
    links = [bench.follower() for _ in range(50)]
    bench.send(bench.open())
    bench.finish(60)
    throw(bench)
    started = time.monotonic()

    flatten(60)

    assert time.monotonic() - started < 30
    assert all(positions(bench, link) == {} for link in links)
    assert never_flipped(bench)


def test_the_books_of_many_accounts_are_read_by_the_statements_of_one(bench: Bench) -> None:
    bench.follower()
    held(bench)
    throw(bench, scope=Scope.STRATEGY, target=bench.desk.strategy)
    with all_tenants("read facts"):
        enroll(active_runs()[0])
        rows = claim_due()
        asked = []
        for some in (rows[:1], rows):
            with CaptureQueriesContext(connection) as queries:
                found = facts.read_facts(some)
            asked.append([query["sql"] for query in queries.captured_queries])
            assert [len(found[row.pk].held) for row in some] == [1] * len(some)

    assert len(rows) == 2
    assert len(asked[0]) == len(asked[1])


def test_an_account_that_cannot_be_asked_keeps_no_other_open(bench: Bench) -> None:
    poisoned, link = bench.follower(), bench.follower()
    bench.send(bench.open())
    bench.finish()
    put(poisoned.account, market="nowhere")
    throw(bench)

    until = time.monotonic() + 10
    while positions(bench, link):
        with all_tenants("flatten"):
            flatten_due()
        assert time.monotonic() < until, [(r.step, r.problem) for r in rows()]

    assert [row.step == "flat" for row in rows(account=poisoned.account)] == [False]


def test_a_strategy_is_not_flat_while_an_outcome_of_it_is_unknown(bench: Bench) -> None:
    """What our books do not know of is not held by them, and would never be closed."""
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    bench.send(bench.open())
    bench.fault("http:502", times=10_000, **LOOKUP)
    throw(bench, scope=Scope.STRATEGY, target=bench.desk.strategy)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with all_tenants("flatten"):
            flatten_due()
    assert [row.step for row in rows()] == ["waiting"]
    bench.ask("DELETE", "/faults")

    bench.finish()
    flatten()

    assert positions(bench, link) == {}


def test_what_a_close_of_a_strategy_did_is_known_before_the_next(bench: Bench) -> None:
    link = held(bench)
    by_hand(bench, link, "buy", "2")
    bench.fault("drop_after_accept", link)
    bench.fault("http:502", times=10_000, **LOOKUP)
    throw(bench, scope=Scope.STRATEGY, target=bench.desk.strategy)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with all_tenants("flatten"):
            flatten_due()
    bench.ask("DELETE", "/faults")

    bench.finish()
    flatten()

    assert positions(bench, link) == {(BTC, "net", "cross"): "2"}


def test_an_order_that_cannot_be_canceled_keeps_no_position_open(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "CANCELS_FOR", timedelta(seconds=0.3))
    link = held(bench)
    by_hand(bench, link, "buy", "1", ordType="limit", px="1000")
    bench.fault("http:503", times=10_000, path="/api/v5/trade/cancel-order")
    throw(bench)

    until = time.monotonic() + 10
    while positions(bench, link):
        with all_tenants("flatten"):
            flatten_due()
        assert time.monotonic() < until, [(r.step, r.problem) for r in rows()]

    assert waiting(bench, link) == 1
    assert [row.step == "flat" for row in rows()] == [False]
    bench.ask("DELETE", "/faults")
    flatten()
    assert (waiting(bench, link), positions(bench, link)) == (0, {})
