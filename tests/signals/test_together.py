"""Calls stored in one transaction: each is answered as if it had come alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import keyring
from accounts.tenancy import tenant_scope
from signals import storing_together
from signals.afterwards import gathered, tell
from signals.events import signal_accepted
from signals.intake import NonceReplayed, RateExceeded
from signals.models import SignalSource
from signals.storing import Judged, Received, store
from signals.storing_together import Outcome
from signals.together import Delivery, take_together
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


def test_twenty_cost_as_many_statements_as_one(source: SignalSource) -> None:
    with gathered(), CaptureQueriesContext(connection) as queries:
        take_together([delivery(source, id=str(number)) for number in range(20)])

    control = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "START")
    work = [query["sql"] for query in queries if not query["sql"].startswith(control)]
    assert stored()[0] == 20
    assert len(work) <= 8, work


def test_a_secret_is_deciphered_once_for_all_calls_of_its_source(
    source: SignalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    deciphered: list[bytes] = []
    really = keyring.decrypt

    def decrypt(sealed: bytes) -> bytes:
        deciphered.append(sealed)
        return really(sealed)

    monkeypatch.setattr(keyring, "decrypt", decrypt)
    calls = [delivery(source, id=str(number)) for number in range(20)]

    take_together([*calls, delivery(source, id="a stranger's", secret="wrong")])

    assert stored()[0] == 20
    assert len(deciphered) == 1


def test_what_came_before_counts_against_the_rate(source: SignalSource) -> None:
    slow = make_source(rate_per_second=4)
    take_together([delivery(slow, id=name) for name in "ab"])

    outcomes = take_together([delivery(slow, id=name) for name in "acdef"])

    exceeded = RateExceeded.__name__
    assert words(outcomes) == ["duplicate", "accepted", "accepted", exceeded, exceeded]
    assert words(take_together([delivery(source, id="g")])) == ["accepted"]


def test_times_are_read_only_of_a_source_that_is_near_its_rate(source: SignalSource) -> None:
    take_together([delivery(source, id=name) for name in "abc"])

    with gathered(), CaptureQueriesContext(connection) as queries:
        take_together([delivery(source, id=name) for name in "de"])

    read = [query["sql"].partition(" FROM ")[0] for query in queries]
    columns = [line for line in read if "received_at" in line and "dedupe_hash" not in line]
    assert columns == []


def spoiled(one: Delivery, spoil: Callable[[Judged], None]) -> Delivery:
    """The call with a signal that something is wrong with."""

    def judge(source: SignalSource, nonce_hash: str | None) -> Judged:
        judged = one.judge(source, nonce_hash)
        spoil(judged)
        return judged

    return Delivery(one.who, judge)


def test_one_that_the_database_refuses_costs_the_others_nothing(source: SignalSource) -> None:
    (taken,) = take_together([delivery(source, id="taken")])
    assert isinstance(taken, Received)

    def collide(judged: Judged) -> None:
        judged.signal.id = taken.signal.id

    outcomes = take_together(
        [
            delivery(source, id="a"),
            spoiled(delivery(source, id="bad"), collide),
            delivery(source, id="c"),
            delivery(source, id="a"),
        ]
    )

    assert words(outcomes) == ["accepted", "IntegrityError", "accepted", "duplicate"]
    assert stored() == (3, 4), "nothing of the bad one is used up"
    assert words(take_together([delivery(source, id="bad")])) == ["accepted"]


def test_one_that_we_fail_at_costs_the_others_nothing(source: SignalSource) -> None:
    def fail(_: Judged) -> None:
        raise RuntimeError("a fault of ours")

    outcomes = take_together([delivery(source, id="a"), spoiled(delivery(source, id="bad"), fail)])

    assert words(outcomes) == ["accepted", "RuntimeError"]
    assert stored() == (1, 1)


def test_somebody_else_may_be_quicker(source: SignalSource) -> None:
    """Between the look and the insert another process stores one of them."""

    really_look = storing_together._look

    def look(calls: Sequence[Judged]) -> Any:
        seen = really_look(calls)
        with tenant_scope(source.tenant_id):
            other = delivery(source, id="both")
            store(other.judge(*other.who()))
        return seen

    with patch.object(storing_together, "_look", look):
        outcomes = take_together([delivery(source, id="mine"), delivery(source, id="both")])

    assert words(outcomes) == ["accepted", "duplicate"]
    assert stored() == (2, 3)


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

    assert words(outcomes) == ["CommitUnknown"] * 2
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
    assert [one.signal_id for one in afterwards.announcements] == ids


def test_a_database_that_is_away_is_asked_once(source: SignalSource) -> None:
    calls = [delivery(source, id=str(number)) for number in range(10)]

    with patch.object(
        SignalSource.objects.__class__, "filter", side_effect=OperationalError("away")
    ) as asked:
        outcomes = take_together(calls)

    assert words(outcomes) == ["OperationalError"] * 10
    assert asked.call_count == 1
    assert stored() == (0, 0)


def test_the_last_of_several_announcements_of_a_source_says_that_it_is(
    source: SignalSource,
) -> None:
    another = make_source(rate_per_second=1000)
    heard: list[bool] = []
    listen: Callable[..., None] = lambda followed, **_: heard.append(followed)  # noqa: E731
    signal_accepted.connect(listen)
    try:
        with gathered() as afterwards:
            take_together(
                [delivery(s, id=i) for i, s in (("a", source), ("b", another), ("c", source))]
            )
        tell(afterwards.announcements)
    finally:
        signal_accepted.disconnect(listen)

    assert heard == [True, False, False]
