"""Maintenance announced by the control API, as `system/status` lists it."""

from __future__ import annotations

from trading.simulator.announcements import Announcement
from trading.simulator.announcing import read_plans

NOW = 1_700_000_000_000


def test_the_state_follows_the_clock_unless_it_was_given() -> None:
    one = Announcement("Upgrade", "5", NOW, NOW + 60_000)

    assert [one.state(NOW + ms) for ms in (-1, 0, 59_999, 60_000)] == [
        "scheduled", "ongoing", "ongoing", "completed",
    ]  # fmt: skip
    assert Announcement("Upgrade", "5", NOW, NOW + 1, "canceled").state(NOW) == "canceled"


def test_a_plan_counts_from_the_moment_it_is_announced() -> None:
    (plan,) = read_plans({"announcements": [{"begin_in_s": "-5", "lasts_s": "60"}]})

    row = plan.at(NOW).row(NOW)

    assert (row["begin"], row["end"]) == (str(NOW - 5000), str(NOW + 55_000))
    assert (row["state"], row["serviceType"], row["title"]) == ("ongoing", "5", "Maintenance")
