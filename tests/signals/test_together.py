"""Calls stored in one transaction: each is answered as if it had come alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import tenant_scope
from signals.afterwards import gathered
from signals.events import signal_accepted
from signals.intake import NonceReplayed, RateExceeded
from signals.models import Signal, SignalSource
from signals.storing import Received
from signals.together import Outcome, take_together
from signals.webhooks import NotAuthentic
from tests.factories import make_instrument, make_source
from tests.signals.deliveries import delivery, stored

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def source() -> SignalSource:
    make_instrument()
    return make_source(rate_per_second=1000)


def words(outcomes: list[Outcome]) -> list[str]:
    told = []
    for outcome in outcomes:
        if isinstance(outcome, Received):
            told.append("duplicate" if outcome.duplicate else str(outcome.signal.status))
        else:
            told.append(type(outcome).__name__)
    return told


def counts(source: SignalSource) -> tuple[int, int]:
    with tenant_scope(source.tenant_id):
        now = SignalSource.objects.get(pk=source.pk)
    return now.duplicate_count, now.refused_count


def test_a_mixed_batch_is_answered_one_by_one(source: SignalSource) -> None:
    another = make_source(rate_per_second=1)

    outcomes = take_together(
        [
            delivery(source, id="a"),
            delivery(source, id="a"),
            delivery(source, id="b", direction="up"),
            delivery(source, id="c", secret="wrong"),
            delivery(uuid.uuid4(), id="d"),
            delivery(source, id="e", nonce="used-twice"),
            delivery(source, id="f", nonce="used-twice"),
            delivery(another, id="g"),
            delivery(another, id="h"),
            delivery(another, id="g"),
        ]
    )

    assert words(outcomes) == [
        "accepted",
        "duplicate",
        "refused",
        NotAuthentic.__name__,
        NotAuthentic.__name__,
        "accepted",
        NonceReplayed.__name__,
        "accepted",
        RateExceeded.__name__,
        "duplicate",
    ]
    assert stored() == (4, 6)
    assert counts(source) == (1, 1)


def test_a_duplicate_is_told_of_the_first_in_its_own_batch(source: SignalSource) -> None:
    first, second = take_together([delivery(source), delivery(source)])

    assert isinstance(first, Received)
    assert isinstance(second, Received)
    assert (second.duplicate, second.signal.pk) == (True, first.signal.pk)


def test_one_transaction_holds_them_all(source: SignalSource) -> None:
    with gathered(), CaptureQueriesContext(connection) as queries:
        take_together([delivery(source, id=str(number)) for number in range(20)])

    begun = [query for query in queries if query["sql"].startswith(("BEGIN", "START"))]
    sources = [
        query for query in queries if "signals_signalsource" in query["sql"].split("WHERE")[0]
    ]
    assert stored()[0] == 20
    assert len(begun) <= 1
    assert sum(query["sql"].startswith("SELECT") for query in sources) == 1


def refusing(external_id: str, error: Exception) -> Any:
    """The database refuses one row for a reason that concerns no other."""
    save = Signal.save

    def refuse(self: Signal, **options: Any) -> None:
        if self.external_id == external_id:
            raise error
        save(self, **options)

    return patch.object(Signal, "save", refuse)


@pytest.mark.parametrize(
    "error", [OperationalError(1213, "Deadlock found"), IntegrityError("a rule"), ValueError("odd")]
)
def test_one_that_the_database_refuses_costs_the_others_nothing(
    source: SignalSource, error: Exception
) -> None:
    with refusing("bad", error):
        outcomes = take_together([delivery(source, id=each) for each in ("a", "bad", "c")])

    assert words(outcomes) == ["accepted", type(error).__name__, "accepted"]
    assert stored() == (2, 2), "nothing of the bad one is used up"
    assert words(take_together([delivery(source, id="bad")])) == ["accepted"]


def test_a_commit_that_fails_is_nobodys_success(source: SignalSource) -> None:
    heard: list[str] = []
    listen: Callable[..., None] = lambda signal_id, **_: heard.append(signal_id)  # noqa: E731
    signal_accepted.connect(listen)
    calls = [delivery(source, id="a"), delivery(source, id="b")]
    try:
        with patch.object(
            connection, "_commit", side_effect=OperationalError("lost while committing")
        ):
            outcomes = take_together(calls)
    finally:
        signal_accepted.disconnect(listen)
    connection.close()

    assert words(outcomes) == ["OperationalError"] * 2
    assert (stored(), heard, counts(source)) == ((0, 0), [], (0, 0))
    assert words(take_together(calls)) == ["accepted"] * 2, "their nonces are still free"


def test_announcements_come_after_the_commit_in_the_order_of_the_calls(
    source: SignalSource,
) -> None:
    with gathered() as afterwards:
        outcomes = take_together([delivery(source, id=each) for each in ("a", "b")])
        with transaction.atomic():
            take_together([delivery(source, id="c")])
            transaction.set_rollback(True)

    ids = [str(o.signal.pk) for o in outcomes if isinstance(o, Received)]
    assert [signal_id for _, signal_id in afterwards.announcements] == ids


def test_a_database_that_is_away_is_asked_once(source: SignalSource) -> None:
    calls = [delivery(source, id=str(number)) for number in range(10)]

    with patch.object(
        SignalSource.objects.__class__, "filter", side_effect=OperationalError("away")
    ) as asked:
        outcomes = take_together(calls)

    assert words(outcomes) == ["OperationalError"] * 10
    assert asked.call_count == 1
    assert stored() == (0, 0)
