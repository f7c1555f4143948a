"""What becomes of a leader's stops is known at once where followers take it over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import all_tenants, tenant_scope
from signals.events import leader_stops_changed
from signals.models import LeaderAccount
from strategies.enums import SubscriptionStatus
from strategies.models import Subscription
from tests.factories import make_account, make_instrument, make_strategy, subscribe
from tests.trading.sync.leaders import make_leader, stops, told, trade
from tests.trading.sync.rows import BTC
from tests.trading.sync.test_leader_streams import are_for_all, is_followed
from tests.trading.sync.test_streams import streams, until
from tests.trading.sync.venue import Venue
from trading.endpoints import keys_of
from trading.exchange.algos import (
    AlgoAmendRequest,
    AlgoCancelRequest,
    AlgoReport,
    AlgoRequest,
    AlgoState,
    AlgoType,
)
from trading.exchange.protection import Trigger
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import Credentials, MarginMode, PositionSide, Side
from trading.sync.leaders.stops import is_older
from trading.sync.streams import leaders as leader_feeds
from trading.sync.streams.leader_rows import mirrored

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database_long,
    pytest.mark.simulator,
]
D = Decimal


@pytest.fixture
def seldom_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is not the reading of the whole that finds it."""
    monkeypatch.setattr(leader_feeds, "CHECK_S", 600.0)


@pytest.fixture
def changes() -> Iterator[list[int]]:
    """The leaders whose stops were announced to have changed."""
    heard: list[int] = []

    def note(leader_id: int, **_: Any) -> None:
        heard.append(leader_id)

    leader_stops_changed.connect(note)
    yield heard
    leader_stops_changed.disconnect(note)


def mirror(leader: LeaderAccount, **fields: Any) -> Subscription:
    """Somebody follows the leader, its stops too unless `fields` say otherwise."""
    strategy = make_strategy(leader.source, mirror_protection=fields.pop("strategy", True))
    return subscribe(strategy, make_account(tenant=leader.tenant), **fields)


def keys(leader: LeaderAccount) -> Credentials:
    with tenant_scope(leader.tenant_id):
        return keys_of(leader, purpose="test")


def algo(venue: Venue, leader: LeaderAccount) -> AlgoReport:
    client = client_for(venue.endpoint)
    (found,) = exchange_loop().run(client.fetch_open_algo_orders(keys(leader)))
    return found


def move(venue: Venue, leader: LeaderAccount, stop_loss: int) -> None:
    request = AlgoAmendRequest(
        inst_id=BTC,
        exchange_algo_id=algo(venue, leader).exchange_algo_id,
        stop_loss=Trigger(D(stop_loss)),
    )
    client = client_for(venue.endpoint)
    assert exchange_loop().run(client.amend_algo_order(keys(leader), request)).kind == "ack"


def take_away(venue: Venue, leader: LeaderAccount) -> None:
    name = algo(venue, leader).exchange_algo_id
    request = AlgoCancelRequest(inst_id=BTC, exchange_algo_id=name)
    client = client_for(venue.endpoint)
    (outcome,) = exchange_loop().run(client.cancel_algo_orders(keys(leader), [request]))
    assert outcome.kind == "ack"


def protect(venue: Venue, leader: LeaderAccount, stop_loss: int) -> None:
    request = AlgoRequest(
        inst_id=BTC,
        side=Side.SELL,
        position_side=None,
        margin_mode=MarginMode.CROSS,
        client_algo_id=uuid.uuid4().hex,
        quantity=D(3),
        stop_loss=Trigger(D(stop_loss)),
    )
    client = client_for(venue.endpoint)
    assert exchange_loop().run(client.place_algo_order(keys(leader), request)).kind == "ack"


def sockets(venue: Venue) -> int:
    return int(venue.look("/health")["sessions"])


def test_a_stop_that_is_placed_moved_or_taken_away_is_known_at_once(
    venue: Venue, seldom_read: None, changes: list[int]
) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    mirror(leader)

    with streams():
        until(lambda: is_followed(leader))
        until(lambda: sockets(venue) == 3)  # of prices, of the leader, and of its stops
        trade(venue, leader, "buy", 3)
        until(lambda: told(leader))
        for act, known in [
            (lambda: protect(venue, leader, 50_000), (None, D(50_000))),
            (lambda: move(venue, leader, 55_000), (None, D(55_000))),
            (lambda: take_away(venue, leader), (None, None)),
        ]:
            changes.clear()
            act()
            until(lambda known=known: stops(leader) == known, 5)
            until(lambda: changes == [leader.pk], 5)


def test_what_an_opening_brings_along_is_known_at_once(venue: Venue, seldom_read: None) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    mirror(leader)

    with streams():
        until(lambda: is_followed(leader))
        until(lambda: sockets(venue) == 3)
        trade(venue, leader, "buy", 3, protection=(70_000, 50_000))
        until(lambda: told(leader))
        until(lambda: stops(leader) == (70_000, 50_000), 5)
        until(lambda: are_for_all(leader), 5)

    assert told(leader) == [("open", "long", "3")]


def test_what_became_of_stops_while_their_socket_was_down_is_read(
    venue: Venue, seldom_read: None
) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)
    mirror(leader)

    with streams():
        until(lambda: is_followed(leader))
        until(lambda: sockets(venue) == 3)
        trade(venue, leader, "buy", 3, protection=(70_000, 50_000))
        until(lambda: told(leader) and stops(leader) == (70_000, 50_000))
        # It breaks with the push that would have told, and the leader's own socket lives on.
        venue.fault("ws_disconnect", channel="orders-algo")
        move(venue, leader, 55_000)
        until(lambda: stops(leader) == (70_000, 55_000), 10)
        until(lambda: sockets(venue) == 3)


def test_a_lost_push_is_made_good_by_the_next_reading(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_feeds, "CHECK_S", 3.0)
    make_instrument(BTC)
    leader = make_leader(venue)
    mirror(leader)

    with streams():
        until(lambda: is_followed(leader))
        until(lambda: sockets(venue) == 3)
        trade(venue, leader, "buy", 3, protection=(70_000, 50_000))
        until(lambda: told(leader) and stops(leader) == (70_000, 50_000))
        venue.tell("/faults", fault="ws_drop", match={"channel": "orders-algo"})
        move(venue, leader, 55_000)
        until(lambda: stops(leader) == (70_000, 55_000), 15)
    venue.clear_faults()


def test_the_second_socket_comes_and_goes_with_who_mirrors(venue: Venue) -> None:
    make_instrument(BTC)
    leader = make_leader(venue)

    with streams():
        until(lambda: is_followed(leader))
        assert sockets(venue) == 2
        link = mirror(leader)
        until(lambda: sockets(venue) == 3)
        with tenant_scope(link.tenant_id):
            Subscription.objects.filter(pk=link.pk).update(mirror_protection=False)
        until(lambda: sockets(venue) == 2)
        trade(venue, leader, "buy", 1)
        until(lambda: told(leader))
    until(lambda: sockets(venue) == 0)


def test_whose_stops_are_heard(db: None, venue: Venue) -> None:
    makers: list[dict[str, Any]] = [
        {},
        {"strategy": False},
        {"strategy": False, "mirror_protection": True},
        {"mirror_protection": False},
        {"status": SubscriptionStatus.PAUSED},
        {"status": SubscriptionStatus.CLOSE_ONLY},
        {"status": SubscriptionStatus.STOPPED},
    ]
    found = [make_leader(venue) for _ in makers]
    for leader, fields in zip(found, makers, strict=True):
        mirror(leader, **fields)
    mirror(found[0])  # two followers are no two leaders
    lonely = make_leader(venue)

    heard = mirrored([each.pk for each in [*found, lonely]])

    assert [each.pk in heard for each in found] == [True, False, True, False, False, True, False]
    assert len(heard) == 3
    assert mirrored([]) == frozenset()
    with all_tenants("the test looks on"):
        assert mirrored([lonely.pk]) == frozenset()


def test_a_reading_of_before_a_push_is_not_taken_for_the_truth(venue: Venue) -> None:
    leader = make_leader(venue)
    trade(venue, leader, "buy", 3, protection=(70_000, 50_000))
    now = algo(venue, leader)
    assert now.position_side is PositionSide.NET
    assert now.updated_at is not None
    ended = replace(now, state=AlgoState.CANCELED)
    foreign = replace(now, algo_type=AlgoType.OTHER)
    earlier = replace(now, updated_at=now.updated_at - timedelta(milliseconds=1))

    assert not is_older([now], [now])
    assert is_older([], [now])
    assert is_older([now], [ended])
    assert not is_older([], [ended])
    assert not is_older([], [foreign])
    assert is_older([earlier], [now])
    assert not is_older([now], [earlier])
