"""What came in before its source was disabled opens nothing, but whoever is in gets out."""

from __future__ import annotations

import pytest

from accounts.tenancy import tenant_scope
from signals.models import Signal
from tests.trading.copying.desk import Desk, d, ended, facts

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def disable(desk: Desk) -> None:
    with tenant_scope(desk.tenant):
        desk.source.status = "disabled"
        desk.source.save()


def reason(desk: Desk, signal: Signal) -> tuple[str, str]:
    with tenant_scope(desk.tenant):
        signal.refresh_from_db()
    return signal.status, signal.reason


@pytest.mark.parametrize(
    ("intent", "quantity", "order"),
    [
        ("close", None, ("close", "sell", "net", "1", True)),
        ("reduce", "5", ("reduce", "sell", "net", "0.5", True)),
        ("target", "4", ("reduce", "sell", "net", "0.6", True)),
        ("target", "0", ("close", "sell", "net", "1", True)),
    ],
)
def test_a_close_that_waits_is_copied(
    desk: Desk, intent: str, quantity: str | None, order: tuple[str, str, str, str, bool]
) -> None:
    desk.follower()
    ended(desk.hear("open", "10")[0])
    signal = desk.say(intent, quantity)
    disable(desk)

    (reduced,) = desk.copy()

    assert facts(reduced) == order
    assert reason(desk, signal) == ("copied", "")


def test_of_a_reversal_only_the_close_is(desk: Desk) -> None:
    desk.follower()
    ended(desk.hear("open", "10")[0])
    desk.say("flip", "20", direction="short")
    disable(desk)

    (closed,) = desk.copy()
    ended(closed)

    assert facts(closed) == ("close", "sell", "net", "1", True)
    assert desk.cycles(ended_at=None) == []
    assert desk.leader("long") == 0


@pytest.mark.parametrize(
    ("intent", "quantity"), [("open", "5"), ("add", "5"), ("target", "20"), ("flip", "5")]
)
def test_what_opens_is_not(desk: Desk, intent: str, quantity: str) -> None:
    desk.follower()
    ended(desk.hear("open", "10")[0])
    signal = desk.say(intent, quantity)
    if intent == "flip":  # its own side: nothing is closed by it
        signal = desk.say("flip", "15")
    disable(desk)

    orders = [facts(order) for order in desk.copy()]

    assert [leg for leg in orders if leg[0] in ("open", "add")] == []
    assert reason(desk, signal) == ("copied", "SOURCE_DISABLED")
    assert desk.leader() in (d(10), d(5))
