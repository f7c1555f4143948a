"""One place of an account: what two cycles reach for, and what leaves it free again."""

from __future__ import annotations

import pytest

from accounts.tenancy import tenant_scope
from signals.models import Signal
from strategies.models import Strategy
from tests import factories as make
from tests.trading.copying.desk import BTC, PRICE, Desk, d, ended, facts, later
from trading.copying.links import read_links
from trading.copying.preview import preview
from trading.copying.replay import of_source, replay
from trading.models import Instrument

pytestmark = [pytest.mark.django_db, pytest.mark.database]
USDC = "BTC-USDC-SWAP"


@pytest.fixture
def mapped(desk: Desk) -> Desk:
    """A desk whose followers trade two of the leader's instruments as one."""
    make.make_instrument(USDC)
    make.set_price(USDC, PRICE)
    with tenant_scope(desk.tenant):
        Strategy.objects.update(instrument_terms={USDC: {"traded_as": BTC}})
        desk.strategy.refresh_from_db()
    return desk


def status(desk: Desk, signal: Signal) -> str:
    with tenant_scope(desk.tenant):
        return str(Signal.objects.get(pk=signal.pk).status)


def test_of_two_instruments_that_are_traded_as_one_the_first_has_the_place(mapped: Desk) -> None:
    link, other = mapped.follower(), mapped.follower()
    for order in mapped.hear("open", "10"):
        ended(order)
    second = mapped.say("open", "20", inst_id=USDC)

    assert mapped.copy() == []

    assert status(mapped, second) == "copied"
    assert [one.reason for one in mapped.decisions(second)] == ["LINK_CONFLICT"] * 2
    closed = mapped.hear("close", inst_id=USDC)
    assert (closed, mapped.last(link).reason) == ([], "NOT_IN_CYCLE")
    assert [facts(o) for o in mapped.hear("close")] == [("close", "sell", "net", "1", True)] * 2
    assert mapped.last(other).outcome == "copied"


def test_once_the_first_is_closed_the_second_has_it(mapped: Desk) -> None:
    mapped.follower()
    ended(mapped.hear("open", "10")[0])
    ended(mapped.hear("close")[0])

    (opened,) = mapped.hear("open", "20", inst_id=USDC)

    assert (opened.inst_id, facts(opened)) == (BTC, ("open", "buy", "net", "2", False))


def test_preview_and_replay_say_the_same(mapped: Desk) -> None:
    link = mapped.follower()
    ended(mapped.hear("open", "10")[0])
    signal = mapped.say("open", "20", inst_id=USDC)
    with tenant_scope(mapped.tenant):
        (draft,) = preview(signal, read_links(signal, [link.pk]))
    mapped.copy()
    with tenant_scope(mapped.tenant):
        told = of_source(mapped.source.pk, signal.received_at, later(60))
        (again,) = replay(told)

    assert draft.reason == "LINK_CONFLICT"
    assert again.now is not None
    assert (again.now.reason, again.differs) == ("LINK_CONFLICT", False)


def test_a_share_that_was_too_small_frees_its_place_though_the_instrument_is_gone(
    desk: Desk,
) -> None:
    desk.follower()
    assert desk.hear("open", "0.01") == []
    Instrument.objects.filter(inst_id=BTC).delete()

    assert desk.hear("close") == []

    (cycle,) = desk.cycles()
    assert (cycle.ended_at is not None, cycle.active_key) == (True, None)


def test_what_a_reversal_only_reduces_does_not_wait_for_its_close(desk: Desk) -> None:
    """It would be dropped with the close, and a reduction lost."""
    desk.follower(account={"position_mode": "long_short"})
    ended(desk.hear("open", "50")[0])
    ended(desk.hear("open", "30", direction="short")[0])

    close, reduced = desk.hear("flip", "20")

    assert facts(close) == ("close", "buy", "short", "3", False)
    assert facts(reduced) == ("reduce", "sell", "long", "3", False)
    assert reduced.waits_for is None
    assert d(20) == desk.leader()
