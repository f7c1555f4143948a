"""What a leader holds, counted: exactly, and in one unit."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from accounts.tenancy import tenant_scope
from signals.enums import Dialect
from signals.intake import receive_signal
from signals.models import Signal
from signals.parsing import parse
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts

pytestmark = [pytest.mark.django_db, pytest.mark.database]
PEPE = "PEPE-USDT"


def receive(desk: Desk, intent: str, mode: str, value: str, inst_id: str = BTC) -> Signal:
    body = {
        "id": f"{intent}-{mode}-{value}",
        "instrument": inst_id,
        "intent": intent,
        "direction": "long",
        "quantity": {"mode": mode, "value": value},
    }
    raw = json.dumps(body).encode()
    with tenant_scope(desk.tenant):
        return receive_signal(
            source=desk.source,
            parsed=parse(Dialect.COPYDESK, raw),
            raw=raw.decode(),
            received_at=timezone.now(),
        ).signal


def test_a_share_of_very_many_coins_is_taken_off(desk: Desk) -> None:
    """20 billion of a coin that costs 0.000007: more digits than the default context keeps."""
    link = desk.follower()
    make.make_instrument(
        PEPE, lot_size=d(1), min_size=d(100), max_market_size=None, max_limit_size=None
    )
    make.set_price(PEPE, "0.000007")
    receive(desk, "open", "base", "20000000001.5", PEPE)
    ended(desk.copy()[0])

    less = receive(desk, "reduce", "percent", "50", PEPE)
    after = receive(desk, "reduce", "percent", "60", PEPE)
    first, second = desk.copy()

    assert (less.status, after.status) == ("accepted", "accepted")
    assert facts(first) == ("reduce", "sell", "net", "1000000000", False)
    assert facts(second)[3] == "600000000"
    assert desk.leader(inst_id=PEPE) == d("4000000000.3")
    assert desk.last(link).outcome == "copied"


def test_what_is_counted_otherwise_than_its_opening_that_was_not_copied_yet(desk: Desk) -> None:
    """Received together: where the position is counted in percent, 10 contracts are not 10 %."""
    desk.follower()
    receive(desk, "open", "contracts", "100")
    other = receive(desk, "add", "percent_equity", "50")
    third = receive(desk, "reduce", "percent", "50")
    assert (other.status, third.status) == ("accepted", "accepted")

    opened, reduced = desk.copy()

    assert (facts(opened)[3], facts(reduced)[3]) == ("10", "5")
    with tenant_scope(desk.tenant):
        other.refresh_from_db()
    assert (other.status, other.refused_field) == ("refused", "quantity.mode")
    assert desk.decisions(other) == []
    assert desk.leader() == 50
