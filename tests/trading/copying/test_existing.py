"""What the leader holds when somebody begins to follow: copied once, or never."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.tenancy import tenant_scope
from signals.models import LeaderPosition, Signal
from strategies import services
from strategies.enums import CopyExisting
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def join(desk: Desk, wish: str, **account: object) -> Subscription:
    with tenant_scope(desk.tenant):
        new = make.make_account(make.make_customer(desk.tenant), **account)
        return services.subscribe(
            strategy=desk.strategy, account=new, actor=None, copy_existing=CopyExisting(wish)
        )


def holds(desk: Desk, quantity: str, entry: int | None, direction: str = "long") -> None:
    """The leader opened before anybody followed."""
    desk.hear("open", quantity, direction=direction)
    with tenant_scope(desk.tenant):
        mine = LeaderPosition.objects.filter(source=desk.source, direction=direction)
        mine.update(average_entry=None if entry is None else Decimal(entry))


def made(desk: Desk) -> int:
    with tenant_scope(desk.tenant):
        return int(Signal.objects.exclude(purpose="").count())


def test_by_default_nothing_of_before_is_opened(desk: Desk) -> None:
    holds(desk, "10", 60_000)

    join(desk, "no")

    assert (made(desk), desk.copy()) == (0, [])
    assert desk.hear("add", "10") == []


def test_all_of_it_is_opened_once_and_for_this_account_alone(desk: Desk) -> None:
    desk.follower()
    holds(desk, "10", 60_000)

    link = join(desk, "always")
    (order,) = desk.copy()

    assert (order.account_id, facts(order)) == (
        link.account_id,
        ("open", "buy", "net", "1", False),
    )
    assert order.reference_price == 60_000
    assert desk.leader() == 10
    assert (made(desk), desk.copy()) == (1, [])
    ended(order)
    added = desk.hear("add", "10")
    assert [(o.account_id, o.quantity) for o in added if o.account_id == link.account_id] == [
        (link.account_id, d(1))
    ]
    assert link.account_id in [o.account_id for o in desk.hear("close")]


@pytest.mark.parametrize(
    ("direction", "entry", "verdict"),
    [
        ("long", 60_001, ("copied", "")),
        ("long", 60_000, ("copied", "")),
        ("long", 59_999, ("skipped", "PRICE_WORSE")),
        ("short", 59_999, ("copied", "")),
        ("short", 60_001, ("skipped", "PRICE_WORSE")),
        ("long", None, ("skipped", "ENTRY_UNKNOWN")),
    ],
)
def test_if_the_price_is_better(
    desk: Desk, direction: str, entry: int | None, verdict: tuple[str, str]
) -> None:
    holds(desk, "10", entry, direction)

    link = join(desk, "if_price_better")
    orders = desk.copy()

    decision = desk.last(link)
    assert (decision.outcome, decision.reason) == verdict
    assert len(orders) == (1 if verdict[0] == "copied" else 0)


def test_it_is_sized_by_where_the_leader_is_by_then(desk: Desk) -> None:
    holds(desk, "10", 60_000)
    desk.say("add", "10")

    join(desk, "always")
    (order,) = desk.copy()

    assert order.quantity == 2


def test_what_the_leader_closed_meanwhile_is_not_opened(desk: Desk) -> None:
    holds(desk, "10", 60_000)
    desk.say("close")

    link = join(desk, "always")

    assert desk.copy() == []
    assert desk.last(link).reason == "NOT_IN_CYCLE"


def test_an_opening_that_was_followed_anyway_is_not_doubled(desk: Desk) -> None:
    holds(desk, "10", 60_000)
    desk.say("close")
    desk.say("open", "10")

    link = join(desk, "always")
    orders = desk.copy()

    assert [(o.account_id, o.quantity) for o in orders] == [(link.account_id, d(1))]


def test_old_instruments_and_stopped_sources_are_left_out(desk: Desk) -> None:
    holds(desk, "10", 60_000)
    with tenant_scope(desk.tenant):
        desk.strategy.instruments = ["ETH-USDT-SWAP"]
        desk.strategy.save()
        join(desk, "always")
        desk.strategy.instruments = [BTC]
        desk.strategy.save()
    with tenant_scope(desk.tenant):
        desk.source.status = "disabled"
        desk.source.save()

    join(desk, "always")

    assert made(desk) == 0


def test_it_happens_again_only_when_the_following_begins_again(desk: Desk) -> None:
    holds(desk, "10", 60_000)
    link = join(desk, "always")
    (order,) = desk.copy()
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=order.pk).update(state="denied")
        services.pause_subscription(subscription=link, actor=None)
        services.resume_subscription(subscription=link, actor=None)
    assert made(desk) == 1

    with tenant_scope(desk.tenant):
        services.stop_subscription(subscription=link, actor=None)
        services.subscribe(
            strategy=desk.strategy,
            account=link.account,
            actor=None,
            copy_existing=CopyExisting.ALWAYS,
        )

    assert made(desk) == 2
