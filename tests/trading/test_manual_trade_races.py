"""The same trade sent by several programs at one moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections

from accounts.enums import Role
from accounts.tenancy import tenant_scope
from signals.models import Signal
from tests import factories as make
from tests.api.calls import Program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def test_doubles_at_the_same_moment_are_one_signal() -> None:
    """On a real database with one connection for each of eight threads."""
    cache.clear()
    make.make_instrument()
    make.set_price()
    account = make.make_account()
    robot = make.make_user(Role.INTEGRATOR, tenant=account.tenant)
    body = {
        "account_id": str(account.uid),
        "instrument": "BTC-USDT-SWAP",
        "intent": "open",
        "direction": "long",
        "quantity": {"mode": "contracts", "value": "1"},
    }
    program = Program(make.make_token(robot, account.tenant))
    answers: list[Any] = []
    start = threading.Barrier(8)

    def send(number: int) -> None:
        start.wait(10)
        try:
            headers = {"Idempotency-Key": f"key-{number % 2}"}
            answers.append(program.call("post", "trades/manual", body, headers=headers))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [a.status_code for a in answers] == [202] * 8
    assert len({a.json()["data"]["signal_id"] for a in answers}) == 2
    assert sum("Idempotent-Replay" not in a for a in answers) == 2
    with tenant_scope(account.tenant):
        assert Signal.objects.count() == 2
