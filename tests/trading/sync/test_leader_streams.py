"""Leaders at the real simulator: what they trade becomes signals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from signals.enums import LeaderLink
from signals.models import LeaderAccount
from tests.factories import make_instrument
from tests.trading.sync.leaders import (
    fresh,
    holdings,
    make_leader,
    signals_of,
    told,
    trade,
    trades,
)
from tests.trading.sync.rows import BTC
from tests.trading.sync.test_streams import streams, until
from tests.trading.sync.venue import Venue

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
