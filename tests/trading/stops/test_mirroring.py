"""Followers that mirror their leader's stops move theirs when it moves its own, each once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import KeyStatus
from signals.enums import SourceKind
from signals.events import leader_stops_changed
from signals.models import LeaderAccount, LeaderHolding, SignalSource
from strategies.models import Subscription
from tests.factories import make_user
from tests.trading.copying.desk import BTC
from tests.trading.execution.bench import Bench, diary, put
from tests.trading.execution.test_protections import algos_there, opened, quick, read_all
from trading import tasks
from trading.models import Action, Position, Protection
from trading.protecting import move_protection, protect_position
from trading.stops.mirroring import leaders_followed, mirror_stops

__all__ = ["quick"]
pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal
Prices = tuple[Decimal | None, Decimal | None]


@pytest.fixture
def leader(bench: Bench) -> LeaderAccount:
    source = bench.desk.source
    with tenant_scope(bench.desk.tenant):
        SignalSource.objects.filter(pk=source.pk).update(kind=SourceKind.LEADER)
        return LeaderAccount.objects.create(
            tenant_id=bench.desk.tenant.pk, source=source, key_status=KeyStatus.VERIFIED
        )


def has(leader: LeaderAccount, profit: int | None, loss: int | None, **more: Any) -> None:
    """What the leader has on its position by now, for longer than a removal must stand."""
    columns = {"quantity": D(100), "stops_for_all": True, "take_profit": profit, "stop_loss": loss}
    columns["updated_at"] = timezone.now() - more.pop("ago", timedelta(seconds=10))
    with tenant_scope(leader.tenant_id):
        LeaderHolding.objects.update_or_create(
            leader=leader,
            inst_id=BTC,
            direction=more.pop("direction", "long"),
            margin_mode=more.pop("margin_mode", "cross"),
            defaults=columns | more | {"tenant_id": leader.tenant_id},
        )


def settle(bench: Bench, leader: LeaderAccount, rounds: int = 2) -> None:
    """The task, and sweeps until what it asked for is done; twice, for what is replaced."""
    for _ in range(rounds):
        tasks.follow_stops(leader.pk)
        bench.sweep_until(_nothing_open)


def _nothing_open() -> bool:
    with all_tenants("open actions"):
        return not Action.objects.filter(open_key__isnull=False).exists()


def actions() -> list[str]:
    with all_tenants("actions"):
        return list(Action.objects.order_by("created_at").values_list("kind", flat=True))


def there(link: Subscription) -> list[Prices]:
    """What the exchange keeps for the follower."""
    return [
        (
            algo.take_profit.price if algo.take_profit else None,
            algo.stop_loss.price if algo.stop_loss else None,
        )
        for algo in algos_there(link.account)
    ]


def open_all(bench: Bench, links: list[Subscription], **fields: Any) -> None:
    opened(bench, **fields)
    for link in links:
        read_all(bench, link.account)


def test_a_moved_stop_moves_those_that_mirror_it_once(bench: Bench, leader: LeaderAccount) -> None:
    links = [bench.follower(), bench.follower(mirror_protection=False, stop_loss_ratio=D("0.02"))]
    open_all(bench, links, stop_loss=D(59_000))
    assert [there(link) for link in links] == [[(None, D(59_000))], [(None, D(58_800))]]

    has(leader, None, 59_500)
    settle(bench, leader, 3)

    assert [there(link) for link in links] == [[(None, D(59_500))], [(None, D(58_800))]]
    assert actions() == ["move"]
    (entry,) = diary("protection.move_requested")
    assert entry.reason == "The leader's take profit or stop loss changed"


def test_an_added_stop_is_placed_and_a_removed_one_taken_away(
    bench: Bench, leader: LeaderAccount
) -> None:
    link = bench.follower()
    open_all(bench, [link])
    has(leader, None, 59_000)
    settle(bench, leader)
    assert there(link) == [(None, D(59_000))]
    with all_tenants("it is of the whole position"):
        assert [p.quantity for p in Protection.objects.all()] == [D(10)]

    has(leader, None, None, ago=timedelta(0))
    settle(bench, leader, 1)
    assert there(link) == [(None, D(59_000))]  # it may have been triggered

    has(leader, None, None)
    settle(bench, leader)
    assert there(link) == []
    assert actions() == ["protect", "unprotect"]


def test_a_leg_that_is_added_never_leaves_two_protections(
    bench: Bench, leader: LeaderAccount
) -> None:
    link = bench.follower()
    open_all(bench, [link], stop_loss=D(59_000))
    has(leader, 61_000, 59_000)

    settle(bench, leader)

    assert there(link) == [(D(61_000), D(59_000))]
    assert actions() == ["unprotect", "protect"]


def test_who_reverses_takes_each_for_the_other(bench: Bench, leader: LeaderAccount) -> None:
    link = bench.follower(reverse=True)
    open_all(bench, [link], stop_loss=D(59_000), take_profit=D(61_000))
    assert there(link) == [(D(59_000), D(61_000))]

    has(leader, 62_000, 59_500)
    settle(bench, leader)

    assert there(link) == [(D(59_500), D(62_000))]


def test_the_followers_own_nearer_ratio_stays(bench: Bench, leader: LeaderAccount) -> None:
    links = [bench.follower(stop_loss_ratio=D("0.01")), bench.follower(stop_loss_ratio=D("0.05"))]
    open_all(bench, links, stop_loss=D(58_000))
    assert [there(link) for link in links] == [[(None, D(59_400))], [(None, D(58_000))]]

    has(leader, None, 59_000)
    settle(bench, leader)
    assert [there(link) for link in links] == [[(None, D(59_400))], [(None, D(59_000))]]

    has(leader, None, None)
    settle(bench, leader)
    own, moved = (there(link) for link in links)
    assert own == [(None, D(59_400))]
    # 5 % from the price that was paid
    assert moved[0][1] is not None
    assert D(56_900) < moved[0][1] < D(57_200)


def test_of_what_is_taken_away_the_followers_own_is_put_back(
    bench: Bench, leader: LeaderAccount
) -> None:
    link = bench.follower(stop_loss_ratio=D("0.05"))
    open_all(bench, [link], take_profit=D(61_000))
    assert there(link) == [(D(61_000), D(57_000))]

    has(leader, None, None)
    settle(bench, leader)

    ((profit, loss),) = there(link)
    assert profit is None
    assert loss is not None
    assert D(56_900) < loss < D(57_200)
    assert actions() == ["unprotect", "protect"]


def test_what_a_person_placed_is_neither_moved_nor_doubled(
    bench: Bench, leader: LeaderAccount
) -> None:
    link = bench.follower()
    open_all(bench, [link])
    with tenant_scope(bench.desk.tenant):
        protect_position(
            position=Position.objects.open().get(),
            take_profit=None,
            stop_loss=D(58_500),
            actor=make_user("trader", tenant=bench.desk.tenant),
        )
    bench.sweep_until(_nothing_open)

    has(leader, None, 59_500)
    settle(bench, leader)

    assert there(link) == [(None, D(58_500))]


def test_a_price_that_the_market_has_passed_takes_nothing_away(
    bench: Bench, leader: LeaderAccount
) -> None:
    link = bench.follower()
    open_all(bench, [link], stop_loss=D(59_000))
    for profit, loss in ((None, 60_500), (59_500, 59_000)):
        has(leader, profit, loss)
        settle(bench, leader)
    assert there(link) == [(None, D(59_000))]
    assert actions() == []


def test_what_a_person_moved_stays(bench: Bench, leader: LeaderAccount) -> None:
    link = bench.follower()
    open_all(bench, [link], stop_loss=D(59_000))
    with tenant_scope(bench.desk.tenant):
        move_protection(
            protection=Protection.objects.get(),
            stop_loss=D(58_500),
            actor=make_user("trader", tenant=bench.desk.tenant),
        )
    bench.sweep_until(_nothing_open)

    has(leader, None, 59_500)
    settle(bench, leader)

    assert there(link) == [(None, D(58_500))]


@pytest.mark.parametrize(
    "why", ["link paused", "account paused", "two modes", "for a part", "leader flat"]
)
def test_who_is_left_alone(bench: Bench, leader: LeaderAccount, why: str) -> None:
    link = bench.follower()
    open_all(bench, [link], stop_loss=D(59_000))
    has(leader, None, 59_500)
    if why == "link paused":
        with tenant_scope(bench.desk.tenant):
            Subscription.objects.update(status="paused")
    elif why == "account paused":
        put(link.account, status="paused")
    elif why == "two modes":
        has(leader, None, 58_000, margin_mode="isolated")
    elif why == "for a part":
        has(leader, None, 59_500, stops_for_all=False)
    else:
        has(leader, None, None, quantity=D(0))

    assert mirror_stops(leader.pk) == 0
    assert actions() == []


def test_what_the_exchange_refused_is_asked_again_only_after_another_change(
    bench: Bench, leader: LeaderAccount
) -> None:
    link = bench.follower()
    open_all(bench, [link], stop_loss=D(59_000))
    bench.fault("scode:51277", None, path="/api/v5/trade/amend-algos", method="POST")
    has(leader, None, 59_500, ago=timedelta(seconds=-60))
    with all_tenants("the change is a moment old"):
        LeaderHolding.objects.update(updated_at=timezone.now())
    settle(bench, leader, 3)
    assert (there(link), actions()) == ([(None, D(59_000))], ["move"])

    has(leader, None, 59_500, ago=timedelta(0))
    settle(bench, leader)
    assert there(link) == [(None, D(59_500))]


def test_one_more_follower_asks_no_more_questions(bench: Bench, leader: LeaderAccount) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert mirror_stops(leader.pk) == 0
        return len(captured)

    links = [bench.follower() for _ in range(3)]
    open_all(bench, links, stop_loss=D(59_000))
    has(leader, None, 59_000)
    assert leaders_followed() == [leader.pk]
    asked()  # the first one writes down that there is such a job
    of_three = asked()
    with all_tenants("one less"):
        Subscription.objects.filter(pk=links[0].pk).update(status="paused")
    assert asked() == of_three


def test_the_event_wakes_an_executor(leader: LeaderAccount) -> None:
    asked = []

    def note(sender: str, body: Any, **_: Any) -> None:
        asked.append((sender, list(body[0])))

    before_task_publish.connect(note)
    try:
        leader_stops_changed.send(LeaderAccount, leader_id=leader.pk)
    finally:
        before_task_publish.disconnect(note)
    assert asked == [("trading.tasks.follow_stops", [leader.pk])]
