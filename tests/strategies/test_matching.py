"""Whom a signal concerns, in one query however many follow."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tenancy import tenant_scope
from signals.models import Signal, SignalSource
from strategies.matching import match
from tests.factories import make_account, make_customer, make_source, make_strategy, subscribe

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def source() -> SignalSource:
    return make_source()


def signal_of(source: SignalSource, **fields: object) -> Signal:
    now = timezone.now()
    return Signal(
        tenant_id=source.tenant_id,
        source=source,
        inst_id="BTC-USDT-SWAP",
        signal_at=now,
        received_at=now,
        **fields,
    )


def matched(source: SignalSource, **fields: object) -> list[int]:
    with tenant_scope(source.tenant_id):
        return [each.pk for each in match(signal_of(source, **fields))]


def test_everybody_following_the_source_is_found_in_a_stable_order(source: SignalSource) -> None:
    first, second = make_strategy(source), make_strategy(source)
    links = [subscribe(second), subscribe(first), subscribe(second)]
    subscribe(make_strategy(make_source(source.tenant)))
    subscribe(make_strategy(make_source()))

    assert matched(source) == [link.pk for link in links]


def test_those_who_will_be_skipped_are_found_too(source: SignalSource) -> None:
    elsewhere = make_strategy(source, instruments=["ETH-USDT-SWAP"])
    paused = make_strategy(source, status="paused")
    links = [
        subscribe(elsewhere),
        subscribe(paused),
        subscribe(make_strategy(source), status="paused"),
        subscribe(make_strategy(source), status="close_only"),
        subscribe(
            make_strategy(source), make_account(make_customer(source.tenant), verified=False)
        ),
    ]

    assert matched(source) == [link.pk for link in links]


def test_who_stopped_and_what_is_archived_is_not(source: SignalSource) -> None:
    subscribe(make_strategy(source), status="stopped")
    subscribe(make_strategy(source, status="archived"))

    assert matched(source) == []


def test_a_signal_for_one_account_follows_nobody(source: SignalSource) -> None:
    link = subscribe(make_strategy(source))

    assert matched(source, account=link.account) == []


def test_one_query_brings_all_that_a_decision_needs(source: SignalSource) -> None:
    strategy = make_strategy(source)
    for _ in range(5):
        subscribe(strategy)

    with tenant_scope(source.tenant_id), CaptureQueriesContext(connection) as queries:
        for link in match(signal_of(source)):
            assert link.account.customer.status == "active"
            assert link.strategy.trades("BTC-USDT-SWAP")

    assert len(queries) == 1
