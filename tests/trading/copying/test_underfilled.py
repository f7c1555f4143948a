"""What an opening did not get is not made up for, whatever was decided before that was known."""

from __future__ import annotations

import pytest

from tests.trading.copying.desk import Desk, d, ended, facts, sent
from trading.copying.cycles import settle_cycles
from trading.models import Cycle

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def pair(cycle: Cycle) -> tuple[str, str]:
    return f"{cycle.follower_base.normalize():f}", f"{cycle.leader_base.normalize():f}"


def test_an_addition_decided_before_does_not_hide_it(desk: Desk) -> None:
    """A leader's order that fills in two steps: the second is decided while the first is out."""
    desk.follower()
    (opened,) = desk.hear("open", "100")
    sent(opened)
    (added,) = desk.hear("add", "50")
    ended(opened, "6")
    ended(added)

    (cycle,) = desk.cycles()
    assert pair(cycle) == ("11", "150")
    (more,) = desk.hear("add", "30")
    assert facts(more) == ("add", "buy", "net", "2.2", False)  # 11 * 180 / 150, not 18 - 11
    ended(more)
    (less,) = desk.hear("reduce", "90")
    assert facts(less) == ("reduce", "sell", "net", "6.6", True)


def test_a_reduction_that_waits_behind_it_is_sized_by_what_it_got(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "100")
    sent(opened)
    (reduced,) = desk.hear("reduce", "50")
    ended(opened, "6")

    (cycle,) = desk.cycles()
    assert (facts(reduced)[3], pair(cycle)) == ("5", ("6", "100"))
    ended(reduced, "3")
    (more,) = desk.hear("add", "50")
    assert facts(more) == ("add", "buy", "net", "3", False)


def test_what_was_reduced_since_stays_as_it_was_followed(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "100")
    ended(opened, "6")
    (reduced,) = desk.hear("reduce", "50")
    ended(reduced)
    settle_cycles([opened.pk, reduced.pk])

    (cycle,) = desk.cycles()
    assert pair(cycle) == ("6", "100")


def test_small_additions_do_not_drift_after_an_underfill(desk: Desk) -> None:
    """The pair stays that of the opening: a new one at each addition would lose a part each."""
    desk.follower()
    ended(desk.hear("open", "1.00")[0], "0.06")
    for _ in range(9):
        for order in desk.hear("add", "0.11"):
            ended(order)

    (cycle,) = desk.cycles()
    assert pair(cycle) == ("0.06", "1")
    assert d("0.06") + sum((o.quantity for o in desk.orders(leg="add")), d(0)) == d("0.11")
