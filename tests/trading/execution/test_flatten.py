"""Flatten at a running exchange: everything canceled, closed, read twice, and never turned over."""

from __future__ import annotations

import time
from typing import Any

import pytest

from accounts.tenancy import all_tenants
from strategies.models import Subscription
from tests.trading.execution.bench import Bench, diary
from trading.enums import TradingMode
from trading.execution.flatten import flatten_due
from trading.models import Cycle, FlattenAccount, Order, TradingState
from trading.switch import set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]
POSITIONS = {"path": "/api/v5/account/positions", "method": "GET"}


@pytest.fixture(autouse=True)
def fast(settings: Any) -> None:
    settings.FLATTEN_READS_APART_S = 0.1
    settings.FLATTEN_WATCH_S = 0.2


def throw(bench: Bench, mode: TradingMode = TradingMode.FLATTEN, **scope: Any) -> TradingState:
    """Set the switch of the desk, or of the scope given."""
    tenant = scope.pop("tenant", bench.desk.tenant)
    return set_mode(mode=mode, reason="prices look wrong", actor=None, tenant=tenant, **scope)


def rows(**match: Any) -> list[FlattenAccount]:
    with all_tenants("read flattens"):
        return list(FlattenAccount.objects.filter(**match).order_by("account_id"))


def flatten(seconds: float = 15, step: str = "flat") -> list[FlattenAccount]:
    """Pass after pass until every account has come to `step`."""
    until = time.monotonic() + seconds
    while True:
        with all_tenants("flatten"):
            flatten_due()
        found = rows()
        if found and all(row.step == step for row in found):
            return found
        assert time.monotonic() < until, [(r.step, r.problem, r.history) for r in found]
        time.sleep(0.02)


def positions(bench: Bench, link: Subscription) -> dict[tuple[str, str, str], str]:
    """What the exchange itself says the account holds."""
    state = bench.ask("GET", f"/accounts/{bench.opened[link.account_id]}")
    return {
        (p["instId"], p["posSide"], p["mgnMode"]): p["pos"]
        for p in state["positions"]
        if float(p["pos"])
    }


def orders(**match: Any) -> list[Order]:
    with all_tenants("read orders"):
        return list(Order.objects.filter(**match).order_by("account_id", "created_at", "id"))


def test_a_desk_is_flat_and_its_cycles_have_ended(bench: Bench) -> None:
    links = [bench.follower(), bench.follower(pos_mode="long_short")]
    bench.send(bench.open())
    bench.finish()
    throw(bench)

    found = flatten()

    assert [positions(bench, link) for link in links] == [{}, {}]
    assert [row.round for row in found] == [0, 0]
    closes = orders(flattens=True)
    assert [(o.side, o.position_side, o.reduce_only, o.state) for o in closes] == [
        ("sell", "net", True, "filled"),
        ("sell", "long", False, "filled"),
    ]
    with all_tenants("read cycles"):
        assert not Cycle.objects.filter(ended_at__isnull=True).exists()
    assert len(diary("flatten.all_flat")) == 1
