"""What a streams process does every two seconds: renew what it keeps, and take its share."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus
from signals.enums import SourceKind
from signals.models import LeaderAccount
from tests.factories import make_account, make_source, make_strategy, subscribe
from trading.models import Heartbeat
from trading.sync.streams.rows import LEASE_S, leave, look_around

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]


@pytest.fixture(autouse=True)
def market(settings: Any) -> None:
    settings.MARKETS = {"simulator": {"rest": "http://127.0.0.1:1", "ws": "ws://127.0.0.1:1"}}
    settings.DEFAULT_MARKET = "simulator"


def test_a_round_costs_the_same_for_few_leaders_as_for_many() -> None:
    watch(1)
    rounds(1)
    watch(2)
    few = rounds(3)
    watch(60)
    many = rounds(63)

    assert few == many
    assert max(many) < 40


@pytest.mark.parametrize(("silent_s", "taken"), [(LEASE_S - 5, 3), (LEASE_S + 1, 4)])
def test_the_share_of_who_is_silent_is_left_to_the_others(silent_s: float, taken: int) -> None:
    watch(4)
    Heartbeat.objects.create(
        kind="streams",
        host="elsewhere",
        pid=1,
        started_at=timezone.now(),
        beat_at=timezone.now() - timedelta(seconds=silent_s),
    )

    owner = uuid.uuid4()
    view = look_around(owner, tell=False)
    leave(owner, view.markets)

    assert (len(view.leaders), len(view.accounts)) == (taken, taken)


def watch(count: int) -> None:
    """That many leaders more, each with a follower of its own that mirrors its stops."""
    for _ in range(count):
        source = make_source(kind=SourceKind.LEADER, secret="")
        with tenant_scope(source.tenant_id):
            LeaderAccount.objects.create(source=source, key_status=KeyStatus.VERIFIED)
        subscribe(make_strategy(source), make_account(tenant=source.tenant))


def rounds(leaders: int) -> list[int]:
    """How many queries the rounds of a new process take: the first, and two that change nothing."""
    owner, counts = uuid.uuid4(), []
    for _ in range(3):
        with CaptureQueriesContext(connection) as asked:
            view = look_around(owner, tell=False)
        counts.append(len(asked))
        assert len(view.leaders) == len(view.mirrored) == len(view.accounts) == leaders
    leave(owner, view.markets)
    return counts
