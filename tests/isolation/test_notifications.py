"""Messages keep the desks apart: what happens in one is told to nobody of another."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from accounts import audit
from accounts.enums import AuditLevel, Role
from accounts.tenancy import ScopeError, tenant_scope
from notifications import services
from notifications.delivery import deliver_due
from notifications.enums import DestinationStatus, Kind, State
from notifications.fanout import fan_out
from notifications.models import Destination, Notification, NotificationRule
from tests.isolation.attacks import page
from tests.isolation.test_canary_logs import Everything, kept, logs  # noqa: F401 - a fixture
from tests.isolation.worlds import Desks, rows_of, staff_client

pytestmark = pytest.mark.django_db
changes_nothing = pytest.mark.usefixtures("untouched")


class Street(BaseHTTPRequestHandler):
    """Everything that leaves the house, whoever it is for."""

    heard: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.heard.append(f"{self.path} {body}")
        answer = b'{"errcode":0,"errmsg":"ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        return None


@pytest.fixture
def street(settings: Any) -> Iterator[list[str]]:
    heard: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("Here", (Street,), {"heard": heard}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    place = f"http://127.0.0.1:{server.server_port}"
    settings.OUTGOING_CAPTURE = {"oapi.dingtalk.com": place, "qyapi.weixin.qq.com": place}
    yield heard
    server.shutdown()
    server.server_close()


def listening(desks: Desks) -> Destination:
    """A destination of desk A that wants to be told of everything."""
    with tenant_scope(desks.a.tenant):
        row = Destination(name="All ears", kind=Kind.DINGTALK, robot_token="ears-of-a")
        row.save()
        NotificationRule(destination=row, minimum_level=AuditLevel.INFO).save()
    return row


def happens(desks: Desks) -> None:
    """The same in both desks, B's with the canary in every word."""
    for world, words in ((desks.a, "ordinary"), (desks.b, desks.long)):
        with tenant_scope(world.tenant), transaction.atomic(), audit.acting(actor=world.owner):
            audit.record(
                action="account.paused",
                obj=world.accounts[0],
                after={"note": words},
                level=AuditLevel.CRITICAL,
                reason=words,
            )


def test_what_happens_in_a_desk_is_told_to_its_own_destinations(
    desks: Desks, street: list[str]
) -> None:
    ears = listening(desks)
    fan_out()  # what both worlds left behind, from before
    before = set(rows_of(Notification, desks.a.tenant).values_list("pk", flat=True))
    happens(desks)

    fan_out()
    deliver_due()

    made = rows_of(Notification, desks.a.tenant).exclude(pk__in=before)
    assert {row.destination_id for row in made.filter(destination=ears)} == {ears.pk}
    assert not any(desks.leaks(f"{row.params} {row.last_error}") for row in made)
    mine = [line for line in street if "ears-of-a" in line]
    assert [desks.leaks(line) for line in mine] == [None] * len(mine)
    assert any("ordinary" in line for line in mine)


def test_each_message_is_of_its_destinations_desk_and_of_its_entrys(
    desks: Desks, street: list[str]
) -> None:
    listening(desks)
    happens(desks)

    fan_out()

    for world in (desks.a, desks.b):
        for row in rows_of(Notification, world.tenant).select_related("destination", "entry"):
            assert row.destination.tenant_id == world.tenant.pk
            assert row.entry is None or row.entry.tenant_id == world.tenant.pk


def test_a_secret_moved_to_another_desk_does_not_open(desks: Desks) -> None:
    from accounts.sealed import SecretMoved

    theirs = rows_of(Destination, desks.b.tenant).filter(kind="dingtalk").first()
    mine = rows_of(Destination, desks.a.tenant).filter(kind="dingtalk").first()
    assert theirs is not None
    assert mine is not None
    mine.__dict__["robot_token"] = type(theirs.robot_token)(sealed=theirs.robot_token.sealed)

    with pytest.raises(SecretMoved):
        mine.robot_token.reveal()


@changes_nothing
@pytest.mark.parametrize("role", [Role.OWNER, Role.SUPPORT])
def test_no_foreign_destination_is_tried(desks: Desks, street: list[str], role: Role) -> None:
    theirs = rows_of(Destination, desks.b.tenant).values_list("pk", flat=True)
    client = staff_client(desks, role)

    for pk in theirs:
        for method in (client.get, client.post):
            assert method(page(Destination, "test", pk)).status_code == 404
    assert street == []


@changes_nothing
def test_no_foreign_message_is_sent_again(desks: Desks, street: list[str]) -> None:
    theirs = list(rows_of(Notification, desks.b.tenant).values_list("pk", flat=True))
    data = {"action": "send_again", "confirmed": "1", "_selected_action": theirs}

    answer = staff_client(desks, Role.OWNER).post(page(Notification, "changelist"), data)

    assert answer.status_code == 302
    with tenant_scope(desks.a.tenant):
        foreign = [Notification(pk=pk) for pk in theirs]
        assert services.send_again(notifications=foreign, actor=None) == 0


@changes_nothing
def test_a_rule_of_another_desk_is_not_taken_over(desks: Desks) -> None:
    """B's rule, posted with the form of A's destination."""
    theirs = rows_of(NotificationRule, desks.b.tenant).first()
    mine = rows_of(Destination, desks.a.tenant).filter(kind="dingtalk").first()
    assert theirs is not None
    assert mine is not None
    told = []
    for pk in (theirs.pk, 987_654_321):
        data = {
            "name": mine.name, "kind": "dingtalk", "language": "en", "smtp_port": "587",
            "smtp_security": "starttls", "rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "1",
            "rules-0-id": pk, "rules-0-destination": mine.pk,
            "rules-0-minimum_level": "info",
        }  # fmt: skip
        answer = staff_client(desks, Role.OWNER).post(page(Destination, "change", mine.pk), data)
        told.append(answer.status_code)

    assert told == [200, 200]


@changes_nothing
def test_services_refuse_rows_of_another_desk(desks: Desks) -> None:
    theirs = rows_of(Destination, desks.b.tenant).filter(kind="wecom").first()
    assert theirs is not None
    theirs.sender = ""  # the canary is no address
    with tenant_scope(desks.a.tenant):
        for attempt in (
            lambda: services.save_destination(destination=theirs, actor=None),
            lambda: services.send_test(destination=theirs, actor=None),
            lambda: services.save_rules(
                destination=theirs,
                rules=[NotificationRule(minimum_level="info", tenant=desks.a.tenant)],
                actor=None,
            ),
        ):
            with pytest.raises(ScopeError), transaction.atomic():
                attempt()
        with pytest.raises(Destination.DoesNotExist):
            services.set_destination_status(
                destination=theirs, status=DestinationStatus.PAUSED, actor=None
            )


def test_the_dashboard_names_no_foreign_destination(desks: Desks) -> None:
    rows_of(Destination, desks.b.tenant).update(status=DestinationStatus.FAILING)
    rows_of(Notification, desks.b.tenant).update(state=State.UNKNOWN)

    text = staff_client(desks, Role.OWNER).get(reverse("admin:index")).content.decode()

    assert desks.leaks(text) is None


def test_secrets_of_destinations_are_kept_in_ciphertext_only(
    desks: Desks,
    street: list[str],
    logs: Everything,  # noqa: F811 - the fixture
    settings: Any,
) -> None:
    """Typed, refused, sent with, failed with: they leave by the street and by no other way."""
    token, secret = f"t0ken-{uuid.uuid4().hex}", f"SEC-{uuid.uuid4().hex}"
    client = staff_client(desks, Role.OWNER)
    form = {
        "name": "Typed", "kind": "dingtalk", "language": "en", "smtp_port": "587",
        "smtp_security": "starttls", "new_robot_token": token, "new_signing_secret": secret,
        "new_smtp_password": secret, "rules-TOTAL_FORMS": "0", "rules-INITIAL_FORMS": "0",
    }  # fmt: skip
    answers = [
        client.post(page(Destination, "add"), form | {"name": ""}),
        client.post(page(Destination, "add"), form),
        client.post(page(Destination, "add"), form),  # the name is taken
    ]
    row = rows_of(Destination, desks.a.tenant).get(name="Typed")
    test = page(Destination, "test", row.pk)
    answers.append(client.post(test))
    assert token in street[-1]
    for host in ("https://127.0.0.1:1", "http://127.0.0.1:1"):
        settings.OUTGOING_CAPTURE = {"oapi.dingtalk.com": host}
        answers.append(client.post(test))
    answers.append(client.get(page(Destination, "change", row.pk)))
    answers.append(client.get(page(Notification, "changelist")))

    assert {a.status_code for a in answers} <= {200, 302}
    for answer in answers:
        text = answer.content.decode() + str(answer.headers)
        assert token not in text, answer.request["PATH_INFO"]
        assert secret not in text, answer.request["PATH_INFO"]
    assert logs.texts
    assert not [line for line in logs.texts if token in line or secret in line]
    assert kept([token, secret]) == []
