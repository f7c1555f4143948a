"""The same signal arriving twice at the same moment is one signal."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from accounts.tenancy import all_tenants
from signals.models import Signal, SignalNonce, SignalSource
from signals.webhooks import sign
from tests.factories import SECRET, make_instrument, make_source

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

CALLERS = 6
PAYLOAD = {
    "id": "alert-1",
    "instrument": "BTC-USDT-SWAP",
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": 5},
}


def all_at_once(call: Callable[[int], int]) -> Counter[int]:
    statuses: list[int] = []
    ready = threading.Barrier(CALLERS)

    def run(number: int) -> None:
        try:
            ready.wait(20)
            statuses.append(call(number))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return Counter(statuses)


def post(uid: object, nonce: str, **changes: str) -> int:
    body = json.dumps({**PAYLOAD, **changes}).encode()
    timestamp = str(int(timezone.now().timestamp()))
    headers = {
        "X-Copydesk-Timestamp": timestamp,
        "X-Copydesk-Nonce": nonce,
        "X-Copydesk-Signature": sign(SECRET, timestamp, nonce, body),
    }
    response = Client().post(
        f"/hooks/{uid}/", body, content_type="application/json", headers=headers
    )
    return response.status_code


def stored() -> tuple[int, int]:
    with all_tenants("counting in a test"):
        return Signal.objects.count(), SignalNonce.objects.count()


def test_of_many_deliveries_one_is_new() -> None:
    make_instrument()
    source = make_source(rate_per_second=1000)

    answers = all_at_once(lambda number: post(source.uid, f"nonce-{number:08d}"))

    assert answers == {202: 1, 200: CALLERS - 1}
    assert stored() == (1, CALLERS)


def test_of_many_replays_one_is_taken() -> None:
    make_instrument()
    source = make_source(rate_per_second=1000)

    answers = all_at_once(lambda _: post(source.uid, "the-same-nonce"))

    assert answers == {202: 1, 404: CALLERS - 1}
    assert stored() == (1, 1)


def test_different_signals_do_not_wait_for_each_other_for_ever() -> None:
    make_instrument()
    source = make_source(rate_per_second=1000)

    answers = all_at_once(
        lambda number: sum(
            post(source.uid, f"nonce-{number:04d}-{turn:04d}", id=f"{number}-{turn}") == 202
            for turn in range(5)
        )
    )

    assert answers == {5: CALLERS}
    assert stored() == (5 * CALLERS, 5 * CALLERS)


def test_a_source_that_cannot_count_a_call_does_not_refuse_what_is_stored() -> None:
    source = make_source()
    make_instrument()

    def stumble(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "last_signal_at" in sql:
            raise OperationalError("the server has gone away")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(stumble):
        assert post(source.uid, "nonce-00000001") == 202
        assert post(source.uid, "nonce-00000002") == 200

    with all_tenants("count"):
        assert Signal.objects.count() == 1
        assert SignalSource.objects.get(pk=source.pk).last_signal_at is None
