"""A message about a whole position means what it means when its turn comes."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from signals.enums import Direction, SignalStatus, Stance, Unit
from signals.models import LeaderPosition, Signal
from signals.standing import Stated
from tests.trading.copying.desk import Desk, d, ended, facts, make_desk

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def desk() -> Desk:
    return make_desk(open_orders="market")


def stated(toward: str | None, before: str | None, after: str | None, **told: object) -> object:
    """What the sender says: the side of its order, and its whole position around it."""
    return Stated(
        toward=None if toward is None else Direction(toward),
        before=None if before is None else Stance(before),
        after=None if after is None else Stance(after),
        **told,
    ).as_json()


def again(signal: Signal) -> Signal:
    with tenant_scope(signal.tenant_id):
        return Signal.objects.get(pk=signal.pk)


def test_an_addition_to_what_was_refused_meanwhile_opens(desk: Desk) -> None:
    """It was taken for an addition beside an opening that waited, and was rejected since."""
    desk.follower()
    both = stated("long", "long", "long", amount=d(5), size=d(15))
    signal = desk.say("add", "5", stated=both, has_gap=False)

    (order,) = desk.copy()

    assert facts(order) == ("open", "buy", "net", "1.5", False)
    kept = again(signal)
    assert (kept.intent, kept.quantity, kept.has_gap) == ("open", d(15), True)
    assert desk.leader() == d(15)
    with tenant_scope(desk.tenant):
        assert AuditEntry.objects.filter(action="signal.restated").count() == 1


def test_what_agrees_stays_as_it_was_and_keeps_its_gap(desk: Desk) -> None:
    desk.follower()
    ended(desk.hear("open", "10")[0])
    signal = desk.say(
        "reduce", "4", has_gap=True,
        stated=stated("short", "long", "long", amount=d(4), size=d(6)),
    )  # fmt: skip

    (order,) = desk.copy()

    assert facts(order) == ("reduce", "sell", "net", "0.4", True)
    assert again(signal).has_gap
    with tenant_scope(desk.tenant):
        assert not AuditEntry.objects.filter(action="signal.restated").exists()


def test_a_share_that_is_exact_by_now_is_no_longer_a_share(desk: Desk) -> None:
    desk.follower()
    ended(desk.hear("open", "10")[0])
    signal = desk.say(
        "reduce", "40", quantity_mode="percent",
        stated=stated("short", "long", "long", amount=d(4), size=d(6), share=d(40)),
    )  # fmt: skip

    desk.copy()

    kept = again(signal)
    assert (kept.quantity, kept.quantity_mode, kept.quantity_value) == (d(4), "contracts", d(4))
    assert desk.leader() == d(6)


def test_what_cannot_be_followed_ends_with_its_reason(desk: Desk) -> None:
    desk.follower()
    with tenant_scope(desk.tenant):
        LeaderPosition.objects.create(
            source=desk.source, inst_id="BTC-USDT-SWAP", direction="long", quantity=d(10),
            unit=Unit.PERCENT_EQUITY, updated_at=desk.say("cancel").signal_at,
        )  # fmt: skip
    signal = desk.say(
        "open", "5", direction="short", stated=stated("short", None, None, amount=d(5))
    )

    assert desk.copy() == []

    kept = again(signal)
    assert (kept.status, kept.reason) == (SignalStatus.REFUSED, "INVALID")
    assert (kept.refused_field, kept.reason_text) == (
        "quantity.mode", "the open position is counted in percent_equity",
    )  # fmt: skip
    with tenant_scope(desk.tenant):
        assert AuditEntry.objects.filter(action="signal.not_understood").count() == 1
