"""How a following ends: what it holds is closed, followed or left, and nothing else is touched."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from signals.models import Signal
from strategies import services
from strategies.enums import CloseType
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts, rejected
from trading.copying import ending
from trading.copying.ending import MAX_CLOSES, end_followings
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def stop(desk: Desk, link: Subscription, close: str = "copy_close") -> Subscription:
    with tenant_scope(desk.tenant):
        return services.stop_subscription(
            subscription=link, close=CloseType(close), actor=None, reason="enough"
        )


def state(desk: Desk, link: Subscription) -> tuple[str, str]:
    with tenant_scope(desk.tenant):
        found = Subscription.objects.get(pk=link.pk)
    return found.status, found.ending


def diary(desk: Desk) -> list[str]:
    with tenant_scope(desk.tenant):
        told = AuditEntry.objects.filter(action__startswith="subscription.")
        return list(told.order_by("at", "id").values_list("action", flat=True))


def holding(desk: Desk, **terms: object) -> tuple[Subscription, Subscription]:
    """Two followers who hold what they copied."""
    mine, other = desk.follower(**terms), desk.follower(**terms)
    for order in desk.hear("open", "10"):
        ended(order)
    return mine, other


@pytest.mark.parametrize("close", list(CloseType))
def test_who_holds_nothing_is_stopped_at_once(desk: Desk, close: str) -> None:
    link = desk.follower()

    stop(desk, link, close)
    stop(desk, link, close)

    assert state(desk, link) == ("stopped", close)
    assert diary(desk) == ["subscription.stopped"]
    assert desk.hear("open", "10") == []


def test_copy_close_follows_closes_until_flat_and_is_stopped_once(desk: Desk) -> None:
    mine, _other = holding(desk)

    stop(desk, mine)
    added = desk.hear("add", "10")
    reduced = desk.hear("reduce", "15")
    for order in [*added, *reduced]:
        ended(order)
    assert end_followings() == 0
    assert state(desk, mine) == ("close_only", "copy_close")
    for order in desk.hear("close"):
        ended(order)
    assert end_followings() == 1
    assert end_followings() == 0

    assert state(desk, mine) == ("stopped", "copy_close")
    of_mine = [facts(o)[0] for o in desk.orders(account_id=mine.account_id)]
    assert of_mine == ["open", "reduce", "close"]
    assert diary(desk) == ["subscription.stopping", "subscription.stopped"]


def test_copy_close_ends_with_what_fell_below_the_minimum(desk: Desk) -> None:
    mine, _other = holding(desk, follow_ratio=d("0.001"))

    stop(desk, mine)
    for order in desk.hear("reduce", "9"):
        ended(order)

    assert end_followings() == 1
    assert state(desk, mine) == ("stopped", "copy_close")
    assert [c.ended_at is not None for c in desk.cycles(link_uid=mine.uid)] == [True]


def test_market_close_closes_what_this_link_holds_and_nothing_else(desk: Desk) -> None:
    mine, other = holding(desk)

    stop(desk, mine, "market_close")
    assert end_followings() == 0
    assert end_followings() == 0
    (close,) = desk.copy()

    assert (close.account_id, facts(close)) == (
        mine.account_id,
        ("close", "sell", "net", "1", True),
    )
    ended(close)
    assert end_followings() == 1
    assert state(desk, mine) == ("stopped", "market_close")
    assert desk.leader() == 10
    assert [c.ended_at for c in desk.cycles(link_uid=other.uid)] == [None]
    (added,) = desk.hear("add", "10")
    assert added.account_id == other.account_id


def test_market_close_closes_every_instrument_and_direction(desk: Desk) -> None:
    make.make_instrument("ETH-USDT-SWAP")
    make.set_price("ETH-USDT-SWAP", 3000)
    link = desk.follower(account={"position_mode": "long_short"})
    for order in [
        *desk.hear("open", "10"),
        *desk.hear("open", "20", direction="short"),
        *desk.hear("open", "30", inst_id="ETH-USDT-SWAP", reference_price=d(3000)),
    ]:
        ended(order)

    stop(desk, link, "market_close")
    end_followings()
    closes = desk.copy()

    assert sorted((o.inst_id, o.position_side, o.quantity) for o in closes) == [
        (BTC, "long", d(1)),
        (BTC, "short", d(2)),
        ("ETH-USDT-SWAP", "long", d(3)),
    ]


def test_market_close_works_for_a_source_that_is_disabled(desk: Desk) -> None:
    mine, _other = holding(desk)
    with tenant_scope(desk.tenant):
        desk.source.status = "disabled"
        desk.source.save()

    stop(desk, mine, "market_close")
    end_followings()

    assert [facts(o)[0] for o in desk.copy()] == ["close"]


def test_a_close_that_failed_is_tried_again_and_then_left_to_a_person(desk: Desk) -> None:
    mine, _other = holding(desk)
    stop(desk, mine, "market_close")

    for attempt in range(MAX_CLOSES):
        end_followings()
        (close,) = desk.copy()
        rejected(close)
        end_followings()
        assert desk.copy() == [], "not again at once"
        _age_signals(desk)
        assert state(desk, mine)[0] == "close_only", attempt
    end_followings()

    assert state(desk, mine) == ("stopped", "manual_close")
    assert diary(desk)[-1] == "subscription.left_open"


def test_manual_close_leaves_everything_and_may_be_taken_back(desk: Desk) -> None:
    mine, other = holding(desk)

    stop(desk, mine, "manual_close")
    end_followings()
    closes = desk.hear("close")

    assert state(desk, mine) == ("stopped", "manual_close")
    assert [o.account_id for o in closes] == [other.account_id]
    stop(desk, mine, "market_close")
    end_followings()
    (close,) = desk.copy()
    ended(close)
    end_followings()
    assert close.account_id == mine.account_id
    assert state(desk, mine) == ("stopped", "market_close")


def test_who_left_positions_to_a_person_cannot_follow_again_meanwhile(desk: Desk) -> None:
    mine, _other = holding(desk)
    stop(desk, mine, "manual_close")

    with tenant_scope(desk.tenant), pytest.raises(Exception, match="left to a person"):
        services.subscribe(strategy=desk.strategy, account=mine.account, actor=None)


@pytest.mark.parametrize("close", list(CloseType))
def test_openings_that_did_not_leave_are_taken_back(desk: Desk, close: str) -> None:
    link = desk.follower()
    desk.hear("open", "10")

    stop(desk, link, close)
    end_followings()

    assert [o.state for o in desk.orders()] == ["canceled"]
    assert state(desk, link)[0] == "stopped"
    assert [c.ended_at is not None for c in desk.cycles()] == [True]


@pytest.mark.parametrize("close", list(CloseType))
def test_resting_openings_are_canceled(desk: Desk, close: str) -> None:
    link = desk.follower()
    (order,) = desk.hear("open", "10")
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=order.pk).update(order_type="limit", state="live", price=d(59_000))

    stop(desk, link, close)
    end_followings()

    (canceled,) = desk.orders(leg="open")
    assert canceled.cancel_requested


def test_an_opening_that_came_after_the_stop_is_ended_too(desk: Desk) -> None:
    link = desk.follower()
    stop(desk, link, "market_close")
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=link.pk).update(status="active")
    for order in desk.hear("open", "10"):
        ended(order)
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=link.pk).update(status="stopped")

    end_followings()
    assert state(desk, link) == ("close_only", "market_close")
    for order in desk.copy():
        ended(order)
    end_followings()

    assert state(desk, link) == ("stopped", "market_close")
    assert [facts(o)[0] for o in desk.orders()] == ["open", "close"]


def test_a_leaders_close_that_nobody_followed_is_made_up_for(desk: Desk) -> None:
    mine, _other = holding(desk)
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=mine.pk).update(status="stopped")
    for order in desk.hear("close"):
        ended(order)
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=mine.pk).update(status="close_only", ending="copy_close")

    end_followings()

    assert [facts(o)[0] for o in desk.copy()] == ["close"]


def test_resuming_ends_the_ending(desk: Desk) -> None:
    mine, _other = holding(desk)
    stop(desk, mine)

    with tenant_scope(desk.tenant):
        services.resume_subscription(subscription=mine, actor=None)
    end_followings()

    assert state(desk, mine) == ("active", "")
    assert len(desk.hear("add", "10")) == 2


def test_a_strategy_whose_followers_hold_something_is_not_archived(desk: Desk) -> None:
    mine, other = holding(desk)
    with tenant_scope(desk.tenant):
        with pytest.raises(Exception, match="Stop their subscriptions first"):
            services.set_strategy_status(strategy=desk.strategy, status="archived", actor=None)
        for order in desk.hear("close"):
            ended(order)
        services.set_strategy_status(strategy=desk.strategy, status="archived", actor=None)

    assert {state(desk, link)[0] for link in (mine, other)} == {"stopped"}


def test_a_customer_who_holds_copied_positions_is_not_put_away(desk: Desk) -> None:
    from customers.services import archive_customer, set_account_status

    mine, other = holding(desk)
    customer = mine.account.customer
    with tenant_scope(desk.tenant):
        with pytest.raises(Exception, match=BTC):
            archive_customer(customer=customer, actor=None)
        with pytest.raises(Exception, match=BTC):
            set_account_status(account=mine.account, status="archived", actor=None)
        for order in desk.hear("close"):
            ended(order)
        assert archive_customer(customer=customer, actor=None).status == "archived"
        assert set_account_status(account=other.account, status="archived", actor=None).pk


def _age_signals(desk: Desk) -> None:
    with tenant_scope(desk.tenant):
        before = timezone.now() - timedelta(minutes=1)
        Signal.objects.filter(purpose="leave").update(received_at=before)


def test_followings_that_wait_for_long_keep_no_other_from_ending(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "MOST", 1)
    waits, closes = holding(desk)
    stop(desk, waits, "copy_close")
    stop(desk, closes, "market_close")

    for _ in range(40):
        end_followings()

    with tenant_scope(desk.tenant):
        assert Signal.objects.filter(purpose="leave", link_uid=closes.uid).count() == 1
