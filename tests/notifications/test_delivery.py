"""Working off the outbox: each destination for itself, within its limits, none in another's way."""

from __future__ import annotations

import time
from typing import Any

import pytest

from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from notifications import delivery, outgoing
from notifications.delivery import claim_destinations, deliver_due, release
from notifications.enums import Kind
from notifications.fanout import fan_out
from notifications.models import Destination, Notification
from notifications.services import save_destination
from notifications.tasks import tell_people
from notifications.transports.dingtalk.transport import DingTalk
from tests.notifications.capture import Mail, Robot
from tests.notifications.desk import Desk, make_desk

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_one_entry_reaches_every_kind_of_destination(
    desk: Desk, dingtalk: Robot, wecom: Robot, mail: Mail
) -> None:
    for kind in Kind:
        desk.destination(kind)
    desk.note("order.late_fill", reason="Filled after it had ended")

    tell_people()

    assert desk.states() == ["sent"] * 3
    assert "Filled after it had ended" in dingtalk.texts()[0]
    assert "Filled after it had ended" in wecom.texts()[0]
    assert b"Filled after it had ended" in mail.messages[0].content
    assert all(row.sent_at and row.attempts == 1 for row in desk.rows())


def test_an_errcode_is_a_failure_though_the_status_is_200(desk: Desk, dingtalk: Robot) -> None:
    destination = desk.destination()
    desk.note()
    dingtalk.answers.append(310000)

    desk.tell()

    assert desk.states() == ["given_up"]
    assert desk.log() == [("refused", "310000")]
    assert desk.now(destination).status == "failing"
    assert "internal words" not in desk.rows()[0].last_error


def test_busy_is_tried_again_after_its_wait_and_not_before(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note()
    dingtalk.answers.append(-1)
    desk.tell()
    assert desk.states() == ["failed"]
    desk.later(9)
    desk.tell()
    assert len(dingtalk.requests) == 1
    desk.later(2)

    desk.tell()

    assert desk.states() == ["sent"]
    assert desk.log() == [("refused_now", "-1"), ("sent", "0")]


def test_too_fast_leaves_the_robot_alone_for_ten_minutes(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note()
    desk.note()
    dingtalk.answers.append(130101)
    desk.tell()

    desk.later(590)
    desk.tell()
    assert len(dingtalk.requests) == 1  # the second message waits too
    desk.later(11)
    desk.tell()

    assert desk.states() == ["sent", "sent"]
    assert len(dingtalk.requests) == 3


def test_a_host_that_is_not_reached_costs_one_try_and_a_wait(desk: Desk, settings: Any) -> None:
    settings.OUTGOING_CAPTURE |= {"oapi.dingtalk.com": "https://127.0.0.1:1"}
    desk.destination()
    for _ in range(5):
        desk.note()

    desk.tell()

    assert sorted(desk.states()) == ["failed", *["pending"] * 4]
    assert desk.log() == [("not_sent", "")]


def test_a_slow_destination_holds_up_no_other(
    desk: Desk, dingtalk: Robot, wecom: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "TOTAL_S", 1.5)
    dingtalk.always = "hang"
    for _ in range(3):
        desk.destination()
    other = make_desk("South desk")
    other.destination(Kind.WECOM)
    desk.note()
    other.note()
    other.note()
    fan_out()
    started = time.monotonic()

    deliver_due()

    assert time.monotonic() - started < 3  # the slow ones at once, not one after another
    assert other.states() == ["sent", "sent"]
    assert desk.states() == ["unknown"] * 3
    assert max(row.sent_at for row in other.rows() if row.sent_at) < desk.log_at()


def test_a_failing_destination_blocks_no_other(desk: Desk, dingtalk: Robot, wecom: Robot) -> None:
    desk.destination()
    desk.destination(Kind.WECOM)
    dingtalk.always = 300001
    for _ in range(3):
        desk.note()

    desk.tell()

    assert len(dingtalk.requests) == 1
    assert desk.states(destination__kind="dingtalk") == ["given_up", "pending", "pending"]
    assert set(desk.states(destination__kind="wecom")) == {"sent"}


def test_a_repaired_destination_gets_what_waited(desk: Desk, dingtalk: Robot) -> None:
    destination = desk.destination(kinds=["order"])
    dingtalk.answers.append(300001)
    desk.note()
    desk.note()
    desk.tell()
    with tenant_scope(desk.tenant):
        destination.refresh_from_db()
        save_destination(destination=destination, actor=None)

    desk.tell()

    assert desk.states() == ["given_up", "sent"]
    assert desk.now(destination).status == "enabled"


def test_what_waited_for_a_day_is_dropped(desk: Desk) -> None:
    desk.destination(status="failing")
    desk.note()
    fan_out()
    desk.later(24 * 3600 + 1)

    deliver_due()

    assert desk.states() == ["dropped"]


def test_worse_things_are_told_first(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note("strategy.changed", level=AuditLevel.INFO)
    desk.note("order.unknown", level=AuditLevel.CRITICAL)

    desk.tell()

    assert ["outcome is unknown" in text for text in dingtalk.texts()] == [True, False]


# Both robots take 20 messages a minute.


@pytest.fixture
def five_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DingTalk, "per_minute", 5)


@pytest.mark.usefixtures("five_a_minute")
def test_more_than_fits_into_a_minute_is_told_in_one_message(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.notes(12)

    desk.tell()

    assert len(dingtalk.requests) == 5
    assert sum("late_fill" in t or "after it had ended" in t for t in dingtalk.texts()) == 5
    assert "8 further messages" in dingtalk.texts()[4]
    assert sorted(desk.states()) == ["combined"] * 8 + ["sent"] * 5
    (digest,) = desk.rows(kind="message.digest")
    assert digest.params["count"] == 8
    assert {row.combined_into_id for row in desk.rows(state="combined")} == {digest.pk}


@pytest.mark.usefixtures("five_a_minute")
def test_what_comes_after_that_waits_for_the_next_minute(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.notes(12)
    desk.tell()
    desk.note("order.unknown")
    desk.tell()
    assert len(dingtalk.requests) == 5

    desk.later(61)
    desk.tell()

    assert len(dingtalk.requests) == 6
    assert "outcome is unknown" in dingtalk.texts()[5]


@pytest.mark.usefixtures("five_a_minute")
def test_exactly_what_fits_is_sent_one_by_one(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.notes(5)

    desk.tell()

    assert desk.states() == ["sent"] * 5
    assert desk.rows(kind="message.digest") == []


def test_both_robots_are_kept_to_twenty_a_minute() -> None:
    from notifications.transports import transport_of

    limits = {kind: transport_of(kind).per_minute for kind in Kind}

    assert limits == {Kind.EMAIL: 60, Kind.DINGTALK: 20, Kind.WECOM: 20}


# Claims of destinations.


def test_of_two_workers_one_has_a_destination(desk: Desk) -> None:
    destination = desk.destination()
    desk.note()
    fan_out()

    first, second = claim_destinations(8), claim_destinations(8)

    assert [turn.destination.pk for turn in first] == [destination.pk]
    assert second == []
    release(first[0])
    assert len(claim_destinations(8)) == 1


def test_a_claim_that_was_lost_sends_nothing_more(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note()
    fan_out()
    (turn,) = claim_destinations(8)
    with tenant_scope(desk.tenant):
        Destination.objects.update(claim_token=None)

        assert delivery.next_parcel(turn.destination, turn.tenant) is None

    assert desk.states() == ["pending"]


def test_nothing_is_asked_of_destinations_without_work(desk: Desk) -> None:
    desk.destination()
    desk.destination(status="paused")

    assert claim_destinations(8) == []


def test_a_message_that_cannot_be_written_is_in_nobodys_way(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note()
    desk.note()
    fan_out()
    with all_tenants("a row as a bug might leave it"):
        Notification.objects.filter(pk=desk.rows()[0].pk).update(params={"changes": 5})

    deliver_due()

    assert desk.states() == ["given_up", "sent"]
    assert len(dingtalk.requests) == 1
