"""Leaders at the real simulator: what they trade becomes signals."""

from __future__ import annotations

import random
import socket
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import KeyStatus
from signals.enums import LeaderLink, SourceKind
from signals.models import LeaderAccount, LeaderHolding
from tests.factories import make_instrument, make_source
from tests.trading.sync.leaders import (
    disturbed,
    fresh,
    holdings,
    make_leader,
    net,
    signals_of,
    stops,
    told,
    trade,
    trades,
    without_sockets,
)
from tests.trading.sync.rows import BTC
from tests.trading.sync.test_streams import streams, until
from tests.trading.sync.venue import Venue
from trading.exchange.types import PositionMode
from trading.leases import alive_here, claim_streams
from trading.models import Heartbeat, LeaderLease
from trading.sync.leaders.linking import find_unkept

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database_long,
    pytest.mark.simulator,
]


def is_followed(leader: LeaderAccount) -> bool:
    now = fresh(leader)
    return now.link == LeaderLink.CONNECTED and now.snapshot_at is not None


def test_what_a_leader_trades_becomes_signals_of_exactly_that(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        for side, quantity in [("buy", 3), ("buy", 1), ("sell", 2), ("sell", 5), ("buy", 3)]:
            before = len(told(leader))
            trade(venue, leader, side, quantity)
            until(lambda n=before: len(told(leader)) > n)

    assert told(leader) == [
        ("open", "long", "3"),
        ("add", "long", "1"),
        ("reduce", "long", "2"),
        ("flip", "short", "3"),
        ("close", "short", ""),
    ]
    assert holdings(leader) == {}
    first = signals_of(leader)[0]
    assert first.reference_price == first.leader_entry
    assert abs(first.reference_price - 60_000) < 100
    assert first.margin_mode == "cross"
    assert Decimal(99_000) < first.leader_equity < Decimal(100_001)
    assert first.signal_at == trades(leader)[0].traded_at
    assert first.external_id.startswith(f"fill:{BTC}:")


def test_what_it_held_before_is_not_opened(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    trade(venue, leader, "buy", 5)

    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 1)
        until(lambda: told(leader))
        trade(venue, leader, "sell", 6)
        until(lambda: len(told(leader)) == 2)

    assert told(leader) == [("add", "long", "1"), ("close", "long", "")]


def test_a_leader_that_is_long_and_short_at_once(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue, position_mode=PositionMode.LONG_SHORT)
    steps = [
        ("buy", 3, "long"),
        ("sell", 2, "short"),
        ("sell", 1, "long"),
        ("buy", 2, "short"),
        ("sell", 2, "long"),
    ]

    with streams():
        until(lambda: is_followed(leader))
        for side, quantity, position_side in steps:
            before = len(told(leader))
            trade(venue, leader, side, quantity, position_side=position_side)
            until(lambda n=before: len(told(leader)) > n)

    assert told(leader) == [
        ("open", "long", "3"),
        ("open", "short", "2"),
        ("reduce", "long", "1"),
        ("close", "short", ""),
        ("close", "long", ""),
    ]


def test_isolated_and_cross_are_told_as_what_they_are(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 2, margin_mode="isolated")
        until(lambda: told(leader))

    assert signals_of(leader)[0].margin_mode == "isolated"
    assert holdings(leader) == {("long", "isolated"): Decimal(2)}


def test_a_limit_order_that_rests_is_no_signal_until_it_fills(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 4, price=59_000)
        trade(venue, leader, "buy", 1)
        until(lambda: told(leader))
        assert told(leader) == [("open", "long", "1")]
        venue.price(58_900)
        until(lambda: len(told(leader)) > 1)

    assert told(leader) == [("open", "long", "1"), ("add", "long", "4")]
    assert signals_of(leader)[1].reference_price == 59_000


def test_a_liquidation_is_a_close_like_any_other(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 300, margin_mode="isolated")
        until(lambda: told(leader))
        venue.price(30_000)
        until(lambda: not holdings(leader), 30)

    assert told(leader)[-1] == ("close", "long", "")
    assert {intent for intent, _, _ in told(leader)} <= {"open", "reduce", "close"}
    assert not any(each.has_gap for each in signals_of(leader))


def test_what_was_missed_while_the_socket_was_down_is_caught_up_in_order(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 3)
        until(lambda: told(leader))
        with without_sockets(venue):
            for side, quantity in [("buy", 1), ("sell", 6), ("buy", 1)]:
                trade(venue, leader, side, quantity)
            # Over REST, long before there is a socket again.
            until(lambda: len(told(leader)) == 4, 30)
            until(lambda: fresh(leader).link == LeaderLink.POLLING)
        until(lambda: fresh(leader).link == LeaderLink.CONNECTED, 60)
        trade(venue, leader, "buy", 1)
        until(lambda: len(told(leader)) == 5)

    assert told(leader) == [
        ("open", "long", "3"),
        ("add", "long", "1"),
        ("flip", "short", "2"),
        ("reduce", "short", "1"),
        ("close", "short", ""),
    ]
    assert [each.by_reading for each in trades(leader)[1:4]] == [True] * 3


def test_a_leader_that_nobody_listened_to_is_caught_up_with(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 3)
        until(lambda: told(leader))

    for side, quantity in [("buy", 1), ("sell", 4)]:
        trade(venue, leader, side, quantity)
    with streams():
        until(lambda: len(told(leader)) == 3)

    assert told(leader) == [("open", "long", "3"), ("add", "long", "1"), ("close", "long", "")]
    assert signals_of(leader)[1].signal_at == trades(leader)[1].traded_at


@pytest.mark.slow
def test_dropped_doubled_and_late_pushes_end_where_the_leader_is(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    chance = random.Random(7)
    held = 0

    with streams():
        until(lambda: is_followed(leader))
        with disturbed(venue):
            for _ in range(40):
                quantity = chance.choice([-4, -2, -1, 1, 2, 3])
                held += quantity
                trade(venue, leader, "buy" if quantity > 0 else "sell", abs(quantity))
        until(lambda: net(leader) == held and len(trades(leader)) == 40, 60)

    assert len(trades(leader)) == 40
    assert len({each.trade_hash for each in trades(leader)}) == 40
    assert not any(each.has_gap for each in signals_of(leader))


def test_the_share_of_a_copy_that_died_is_taken_over(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    dead = uuid.uuid4()
    claim_streams(dead, [leader.pk], seconds=2, capacity=1, rows=LeaderLease)

    with streams():
        assert fresh(leader).snapshot_at is None
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 1)
        until(lambda: told(leader))

    assert LeaderLease.objects.get(pk=leader.pk).owner is None


def test_a_leader_is_heard_by_one_copy(venue: Venue) -> None:
    make_instrument(BTC)
    leaders = [make_leader(venue) for _ in range(4)]

    with streams(), streams():
        until(lambda: all(is_followed(each) for each in leaders), 40)
        owners = set(LeaderLease.objects.values_list("owner", flat=True))
        for leader in leaders:
            trade(venue, leader, "buy", 1)
        until(lambda: all(told(each) for each in leaders))

    assert None not in owners
    for leader in leaders:
        assert told(leader) == [("open", "long", "1")]


def test_a_key_that_the_exchange_no_longer_takes_is_told_of_once(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    with tenant_scope(leader.tenant_id):
        row = LeaderAccount.objects.get(pk=leader.pk)
        row.api_secret = "another-secret"
        row.save()

    with streams():
        until(lambda: fresh(leader).link == LeaderLink.ERROR)

    with tenant_scope(leader.tenant_id):
        entries = AuditEntry.objects.filter(action="leader.error")
        assert entries.count() == 1
        assert "another-secret" not in entries[0].reason
    assert fresh(leader).snapshot_at is None


def test_the_leaders_stops_are_written_beside_what_they_protect(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        trade(venue, leader, "buy", 3, protection=(70_000, 50_000))
        until(lambda: told(leader))
        until(lambda: stops(leader) == (70_000, 50_000), 60)
        until(lambda: are_for_all(leader), 60)

    first = signals_of(leader)[0]
    assert (first.take_profit, first.stop_loss) == (70_000, 50_000)


def are_for_all(leader: LeaderAccount) -> bool:
    with all_tenants("the test looks on"):
        return bool(LeaderHolding.objects.get(leader=leader, quantity__gt=0).stops_for_all)


def test_copies_on_one_host_share_what_the_exchange_allows_to_its_address() -> None:
    for copy in range(3):
        Heartbeat.objects.create(
            kind="streams",
            host=socket.gethostname() if copy else "elsewhere",
            pid=copy + 1,
            started_at=timezone.now(),
            beat_at=timezone.now(),
        )

    assert alive_here("streams") == 2
    assert alive_here("executor") == 1


def test_a_leader_that_no_process_keeps_is_told_of_once() -> None:
    make_instrument(BTC)
    source = make_source(kind=SourceKind.LEADER)
    with tenant_scope(source.tenant_id):
        leader = LeaderAccount.objects.create(
            source=source,
            key_status=KeyStatus.VERIFIED,
            verified_at=timezone.now() - timedelta(minutes=5),
            link=LeaderLink.CONNECTED,
        )

    assert [find_unkept(), find_unkept()] == [1, 0]

    assert fresh(leader).link == LeaderLink.STALE
    assert fresh(leader).link_reason == "no streams process keeps its socket"
    with tenant_scope(source.tenant_id):
        assert AuditEntry.objects.filter(action="leader.stale").count() == 1


def test_a_leader_that_was_just_verified_is_given_time() -> None:
    source = make_source(kind=SourceKind.LEADER)
    with tenant_scope(source.tenant_id):
        LeaderAccount.objects.create(
            source=source, key_status=KeyStatus.VERIFIED, verified_at=timezone.now()
        )

    assert find_unkept() == 0
