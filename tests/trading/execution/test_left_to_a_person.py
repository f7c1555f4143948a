"""What is being stopped ends in the way that was asked for, whoever else trades there."""

from __future__ import annotations

import pytest

from accounts.enums import Role
from accounts.tenancy import tenant_scope
from strategies.enums import CloseType
from strategies.lifecycle import stop_subscription
from strategies.models import Subscription
from tests import factories as make
from tests.trading.execution.bench import Bench
from tests.trading.execution.test_by_staff import close, followed, held, settled_at_once
from tests.trading.execution.test_repairs import by_hand, read, repairs
from trading.copying.ending import end_followings

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
__all__ = ["settled_at_once"]


def test_a_close_that_was_not_sent_does_not_hold_up_the_person_s(bench: Bench) -> None:
    link = followed(bench)
    [waiting] = bench.desk.hear("close")
    with tenant_scope(link.tenant_id):
        stop_subscription(
            subscription=link, close=CloseType.MANUAL_CLOSE, actor=None, reason="asked for"
        )
    assert bench.send([waiting]) == 0
    assert bench.now(waiting).state == "ready"  # its following has stopped: it never leaves

    end_followings([link.pk])

    assert bench.now(waiting).state == "canceled"
    assert close(bench, link, make.make_user(Role.TRADER, tenant=bench.desk.tenant)) == 1
    assert held(link) == 0


def test_a_trade_by_hand_does_not_call_off_a_stop(bench: Bench) -> None:
    link = followed(bench)
    with tenant_scope(link.tenant_id):
        stop_subscription(
            subscription=link, close=CloseType.MARKET_CLOSE, actor=None, reason="asked for"
        )
    by_hand(link, "sell", "1")
    read(link)

    with tenant_scope(link.tenant_id):
        now = Subscription.objects.get(pk=link.pk)
    assert (now.status, now.ending) == ("close_only", "market_close")
    assert [row.kind for row in repairs(link)] == ["foreign"]
    end_followings([link.pk])
    closes = bench.desk.copy()
    bench.send(closes)
    bench.finish()
    assert held(link) == 0
    end_followings([link.pk])
    with tenant_scope(link.tenant_id):
        assert Subscription.objects.get(pk=link.pk).status == "stopped"
