"""One try: claimed before it leaves, written down after, never made twice by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.tenancy import all_tenants, tenant_scope
from notifications import sending
from notifications.delivery import deliver_due, settle_lost
from notifications.enums import STATE_NEXT, DestinationStatus, Kind, Outcome, State
from notifications.fanout import fan_out
from notifications.models import Notification
from notifications.sending import BACK_OFF_S, LEASE_S, Parcel, prepare, settle, state_after
from notifications.services import send_again
from notifications.transports import Result
from tests.notifications.capture import Mail, Robot
from tests.notifications.desk import Desk, make_desk
from tests.trading.execution.bench import stumble
from trading.faults import InjectedFaultError

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ROOT = Path(__file__).resolve().parents[2]


def claimed(desk: Desk) -> Parcel:
    """A message of the desk, claimed and ready to leave."""
    desk.note()
    fan_out()
    with tenant_scope(desk.tenant):
        parcel = prepare(desk.rows(state="pending")[-1], desk.tenant)
    assert parcel is not None
    return parcel


def settled(desk: Desk, parcel: Parcel, result: Result) -> Notification:
    with tenant_scope(desk.tenant):
        assert settle(parcel, result, 12)
    return desk.rows(pk=parcel.notification.pk)[0]


def test_the_claim_is_written_before_anything_leaves(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()

    parcel = claimed(desk)

    (row,) = desk.rows()
    assert (row.state, row.attempts, row.claim_token) == ("sending", 1, parcel.token)
    assert dingtalk.requests == []


def test_of_two_who_want_to_send_one_does(desk: Desk) -> None:
    desk.destination()
    desk.note()
    fan_out()
    first, second = desk.rows()[0], desk.rows()[0]

    with tenant_scope(desk.tenant):
        parcels = [prepare(first, desk.tenant), prepare(second, desk.tenant)]

    assert [parcel is None for parcel in parcels] == [False, True]


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_once_one_sends(dingtalk: Robot) -> None:
    desk = make_desk()
    desk.destination()
    desk.note()
    fan_out()
    ready = threading.Barrier(2)

    def work() -> None:
        try:
            ready.wait(5)
            with tenant_scope(desk.tenant):
                parcel = prepare(desk.rows()[0], desk.tenant)
                if parcel is not None:
                    settle(parcel, *parcel.send())
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)

    assert len(dingtalk.requests) == 1
    assert desk.states() == ["sent"]


OUTCOMES = [
    (Outcome.SENT, {}, State.SENT),
    (Outcome.SENT, {"left": ("b@example.org",)}, State.FAILED),
    (Outcome.REFUSED_NOW, {}, State.FAILED),
    (Outcome.NOT_SENT, {}, State.FAILED),
    (Outcome.REFUSED, {}, State.GIVEN_UP),
    (Outcome.UNKNOWN, {}, State.UNKNOWN),
]


@pytest.mark.parametrize(("outcome", "terms", "state"), OUTCOMES)
def test_an_outcome_leads_to_a_state(outcome: Outcome, terms: dict[str, Any], state: State) -> None:
    assert state_after(Result(outcome, **terms), 1) == state
    assert state in STATE_NEXT[State.SENDING]


def test_a_temporary_error_is_tried_six_times_with_longer_waits(desk: Desk) -> None:
    destination = desk.destination()
    parcel, waits = claimed(desk), []
    for number in range(1, 7):
        row = settled(desk, parcel, Result(Outcome.REFUSED_NOW, "-1", "busy"))
        if number < 6:
            assert row.state == "failed"
            waits.append(round((row.not_before - desk.log_at()).total_seconds()))
            with tenant_scope(desk.tenant):
                again = prepare(row, desk.tenant)
            assert again is not None
            parcel = again

    assert waits == [10, 30, 120, 600, 3600] == list(BACK_OFF_S)
    assert (row.state, row.attempts) == ("given_up", 6)
    assert desk.log() == [("refused_now", "-1")] * 6
    assert desk.now(destination).status == "enabled"


def test_an_unknown_code_is_tried_three_times(desk: Desk) -> None:
    assert state_after(Result(Outcome.REFUSED_NOW, tries=3), 2) == State.FAILED
    assert state_after(Result(Outcome.REFUSED_NOW, tries=3), 3) == State.GIVEN_UP


def test_a_refusal_that_blames_the_destination_stops_it_with_its_reason(desk: Desk) -> None:
    destination = desk.destination()
    result = Result(Outcome.REFUSED, "310000", "The signature is wrong.", blames_destination=True)

    row = settled(desk, claimed(desk), result)

    place = desk.now(destination)
    assert row.state == "given_up"
    assert (place.status, place.status_reason) == ("failing", "The signature is wrong.")


def test_a_refusal_of_one_message_stops_nothing_else(desk: Desk) -> None:
    destination = desk.destination()

    row = settled(desk, claimed(desk), Result(Outcome.REFUSED, "430104", "unfit"))

    assert (row.state, desk.now(destination).status) == ("given_up", "enabled")


def test_that_a_destination_fails_is_told_to_the_others(desk: Desk, wecom: Robot) -> None:
    desk.destination()
    desk.destination(Kind.WECOM, kinds=["destination"])
    settled(desk, claimed(desk), Result(Outcome.REFUSED, "x", "gone", blames_destination=True))

    desk.tell()

    assert len(wecom.requests) == 1
    assert "A destination refuses its messages" in wecom.texts()[0]


def test_a_late_answer_after_the_claim_lapsed_changes_nothing(desk: Desk) -> None:
    desk.destination()
    parcel = claimed(desk)
    desk.later(LEASE_S + 1)
    with all_tenants("the sweep"):
        assert settle_lost() == 1

    with tenant_scope(desk.tenant):
        assert settle(parcel, Result(Outcome.SENT, "0"), 5) is False

    assert desk.states() == ["unknown"]
    assert desk.log() == [("unknown", "lost")]


def test_what_does_not_leave_in_time_does_not_leave(
    desk: Desk, dingtalk: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped between claim and call must not send under a lapsed claim."""
    desk.destination()
    parcel = claimed(desk)
    monkeypatch.setattr(sending, "START_WITHIN_S", -1)

    result, _took = parcel.send()

    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "late")
    assert dingtalk.requests == []


def test_a_secret_that_cannot_be_read_stops_the_destination(desk: Desk, settings: Any) -> None:
    destination = desk.destination()
    desk.note()
    fan_out()
    settings.FIELD_KEYS = "t2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

    with tenant_scope(desk.tenant):
        assert prepare(desk.rows()[0], desk.tenant) is None

    assert desk.states() == ["given_up"]
    assert "cannot be read" in desk.now(destination).status_reason


# A death at any line: the message leaves once or not at all, and never twice.

DEATHS = [
    ("N1.claimed", 0),
    ("N2.before_send", 0),
    ("N3.after_send", 1),
    ("N4.before_commit", 1),
]


def try_once(desk: Desk) -> None:
    with tenant_scope(desk.tenant):
        parcel = prepare(desk.rows()[0], desk.tenant)
        assert parcel is not None
        settle(parcel, *parcel.send())


@pytest.mark.parametrize(("point", "arrived"), DEATHS)
def test_a_stumble_at_any_line_sends_nothing_twice(
    desk: Desk, dingtalk: Robot, monkeypatch: pytest.MonkeyPatch, point: str, arrived: int
) -> None:
    desk.destination()
    desk.note()
    fan_out()
    stumble(monkeypatch, f"{point}=raise")
    with pytest.raises(InjectedFaultError):
        try_once(desk)
    stumble(monkeypatch, "")
    assert desk.states() == ["sending"]

    for _ in range(3):
        desk.later(2 * LEASE_S)
        desk.tell()

    assert len(dingtalk.requests) == arrived
    assert desk.states() == ["unknown"]


CHILD = """
import django; django.setup()
from notifications.delivery import deliver_due
deliver_due()
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("point", "arrived"), [("N1.claimed", 0), ("N3.after_send", 1)])
def test_a_process_that_is_killed_sends_nothing_twice(
    dingtalk: Robot, settings: Any, point: str, arrived: int
) -> None:
    desk = make_desk()
    desk.destination()
    desk.note()
    fan_out()

    died = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=ROOT, env=_environment(settings, point), check=False
    )
    assert died.returncode == -9
    assert (len(dingtalk.requests), desk.states()) == (arrived, ["sending"])
    desk.later(2 * LEASE_S)
    _forget_leases()
    deliver_due()
    deliver_due()

    assert len(dingtalk.requests) == arrived
    assert desk.states() == ["unknown"]
    assert desk.log() == [("unknown", "lost")]


def test_only_a_person_sends_an_unknown_one_again(desk: Desk, dingtalk: Robot) -> None:
    desk.destination(level="critical")
    desk.note(level="critical")
    dingtalk.answers.append((502, b""))
    desk.tell()
    assert desk.states() == ["unknown"]
    desk.later(3600)
    desk.tell()
    assert len(dingtalk.requests) == 1

    with tenant_scope(desk.tenant):
        assert send_again(notifications=desk.rows(), actor=None) == 1
    desk.tell()

    assert (len(dingtalk.requests), desk.states()) == (2, ["sent"])
    assert desk.log() == [("unknown", "502"), ("sent", "0")]


def test_what_was_sent_is_not_sent_again_by_hand(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note()
    desk.tell()

    with tenant_scope(desk.tenant):
        assert send_again(notifications=desk.rows(), actor=None) == 0

    assert desk.states() == ["sent"]


def test_recipients_who_were_left_are_told_alone(desk: Desk, mail: Mail) -> None:
    desk.destination(Kind.EMAIL, recipients=["a@example.org", "b@example.org"])
    mail.rcpt_says = {"b@example.org": "451 later"}
    desk.note()
    desk.tell()
    assert desk.states() == ["failed"]
    mail.rcpt_says = {}
    desk.later(11)

    desk.tell()

    assert [m.rcpt_tos for m in mail.messages] == [["a@example.org"], ["b@example.org"]]
    assert desk.states() == ["sent"]
    assert desk.rows()[0].destination.status == DestinationStatus.ENABLED


def _environment(settings: Any, point: str) -> dict[str, str]:
    capture = ",".join(f"{host}={url}" for host, url in settings.OUTGOING_CAPTURE.items())
    place = connection.settings_dict
    url = f"sqlite:///{place['NAME']}"
    if connection.vendor == "mysql":
        login = f"{place['USER']}:{place['PASSWORD']}@{place['HOST']}:{place['PORT'] or 3306}"
        url = f"mysql://{login}/{place['NAME']}"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "COPYDESK_ENV": "test",
        "DATABASE_URL": url,
        "OUTGOING_CAPTURE": capture,
        "OUTGOING_CAPTURE_CA": settings.OUTGOING_CAPTURE_CA,
        "COPYDESK_ENABLE_FAULTS": "1",
        "COPYDESK_FAULTS": f"{point}=kill",
    }


def _forget_leases() -> None:
    """The time of whoever died is over."""
    from notifications.models import Destination
    from trading.models import JobLease

    JobLease.objects.all().delete()
    with all_tenants("claims of the dead"):
        Destination.objects.update(claim_until=None, claim_token=None)
