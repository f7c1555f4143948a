"""What a flatten closed of the customer's own is nobody's debt afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import tenant_scope
from strategies.lifecycle import resume_subscription
from strategies.models import Subscription
from tests.trading.copying.desk import BTC
from tests.trading.execution.bench import Bench
from tests.trading.execution.test_by_staff import account_of
from tests.trading.execution.test_flatten import fast, flatten, throw
from tests.trading.execution.test_repairs import (
    by_hand,
    classes,
    followed,
    held,
    person,
    read,
    repairs,
    settled_at_once,
    twice,
)
from trading.enums import Scope, TradingMode
from trading.execution.by_staff import closable
from trading.execution.deciding_repairs import reject_repair
from trading.switch import leave_flatten

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
__all__ = ["fast", "settled_at_once"]


@pytest.mark.parametrize("scope", ["account", "instrument"])
def test_following_goes_on_from_nothing_after_both_were_flattened(bench: Bench, scope: str) -> None:
    link = followed(bench)
    by_hand(link, "buy", "5")
    read(link)
    reject_repair(repair=repairs(link)[0], reason="it is theirs", actor=person(bench))
    account = account_of(link)
    target: dict[str, Any] = {
        "account": {"scope": Scope.ACCOUNT, "target": account},
        "instrument": {"scope": Scope.INSTRUMENT, "target": BTC},
    }[scope]
    state = throw(bench, **target)
    flatten()
    assert held(link) == 0

    assert classes(twice(link)) == []

    leave_flatten(state=state, mode=TradingMode.ACTIVE, reason="agreed", actor=None)
    with tenant_scope(link.tenant_id):
        link = Subscription.objects.get(pk=link.pk)
        resume_subscription(subscription=link, actor=None)
    for step in (("close", None), ("open", "40")):
        bench.send(bench.desk.hear(*step))
        bench.finish()
    assert held(link) == 4
    assert classes(twice(link)) == []
    with tenant_scope(link.tenant_id):
        assert [each.quantity for each in closable([account_of(link)])] == [Decimal(4)]
    by_hand(link, "buy", "1")
    assert classes(read(link)) == ["foreign"]
