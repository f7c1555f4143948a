"""Destinations and the outbox in the back office, by those who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.models import AuditEntry
from accounts.stepup import SESSION_KEY
from accounts.tenancy import tenant_scope
from notifications.enums import Kind
from notifications.models import Destination, NotificationRule
from tests import factories as make
from tests.notifications.capture import Robot
from tests.notifications.desk import Desk

pytestmark = pytest.mark.django_db
ADD = "admin:notifications_destination_add"
TOKEN = "https://oapi.dingtalk.com/robot/send?access_token=pasted-token-9f2c"


def browser(desk: Desk, role: Role = Role.OWNER, *, fresh: bool = True) -> Client:
    user = make.make_user(role, tenant=desk.tenant)
    client = Client()
    client.force_login(user)
    if fresh:
        session = client.session
        session[SESSION_KEY] = [user.pk, int(timezone.now().timestamp())]
        session.save()
    return client


def typed(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Risk group", "kind": "dingtalk", "language": "en", "recipients": "",
        "new_robot_token": TOKEN, "new_signing_secret": "SECret-1", "new_smtp_password": "",
        "smtp_host": "", "smtp_port": "587", "smtp_security": "starttls", "smtp_user": "",
        "sender": "", "rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0",
        "rules-0-minimum_level": "warning", "rules-0-kinds": ["order", "account"],
        "rules-0-is_active": "on", **changes,
    }  # fmt: skip


def stored(desk: Desk) -> list[Destination]:
    with tenant_scope(desk.tenant):
        return list(Destination.objects.order_by("pk"))


def actions(desk: Desk) -> list[str]:
    with tenant_scope(desk.tenant):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_a_destination_is_made_with_its_rule_and_its_secrets_are_sealed(desk: Desk) -> None:
    answer = browser(desk).post(reverse(ADD), typed())

    assert answer.status_code == 302
    (row,) = stored(desk)
    with tenant_scope(desk.tenant):
        (rule,) = NotificationRule.objects.all()
        assert row.robot_token.reveal() == "pasted-token-9f2c"
        assert row.signing_secret.reveal() == "SECret-1"
    assert (row.token_last4, row.status) == ("9f2c", "enabled")
    assert (rule.destination_id, rule.minimum_level) == (row.pk, "warning")
    assert rule.kinds == ["order", "account"]
    assert actions(desk) == ["destination.added", "destination.changed"]
    assert "pasted-token" not in str(_diary(desk))


def test_a_destination_without_a_rule_is_told_of_every_warning(desk: Desk) -> None:
    answer = browser(desk).post(
        reverse(ADD), typed(**{"rules-0-kinds": [], "rules-0-minimum_level": "warning"})
    )

    assert answer.status_code == 302
    with tenant_scope(desk.tenant):
        (rule,) = NotificationRule.objects.all()
    assert (rule.minimum_level, rule.kinds, rule.is_active) == ("warning", [], True)


def test_secrets_are_never_shown_again(desk: Desk) -> None:
    client = browser(desk)
    client.post(reverse(ADD), typed())
    (row,) = stored(desk)

    for page in ("change", "test"):
        text = client.get(reverse(f"admin:notifications_destination_{page}", args=(row.pk,)))
        assert b"pasted-token" not in text.content
        assert b"SECret" not in text.content
    change = client.get(reverse("admin:notifications_destination_change", args=(row.pk,)))
    assert "••••9f2c" in change.content.decode()


def test_empty_secrets_keep_what_is_stored(desk: Desk) -> None:
    client = browser(desk)
    client.post(reverse(ADD), typed())
    (row,) = stored(desk)
    with tenant_scope(desk.tenant):
        rule = NotificationRule.objects.get()
    change = typed(name="Renamed", new_robot_token="", new_signing_secret="") | {
        "rules-INITIAL_FORMS": "1", "rules-0-id": str(rule.pk), "rules-0-destination": str(row.pk),
    }  # fmt: skip

    answer = client.post(reverse("admin:notifications_destination_change", args=(row.pk,)), change)

    assert answer.status_code == 302
    (row,) = stored(desk)
    with tenant_scope(desk.tenant):
        assert row.robot_token.reveal() == "pasted-token-9f2c"
    assert row.name == "Renamed"


def test_saving_asks_for_the_password_first(desk: Desk) -> None:
    answer = browser(desk, fresh=False).post(reverse(ADD), typed())

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("accounts:step_up"))
    assert stored(desk) == []


@pytest.mark.parametrize(
    ("label", "changes", "field"),
    [
        ("no token", {"new_robot_token": ""}, "new_robot_token"),
        ("an address without one", {"new_robot_token": TOKEN.partition("?")[0]}, "new_robot_token"),
        ("mail to nobody", {"kind": "email", "new_robot_token": ""}, "recipients"),
        (
            "mail by an inner server",
            {"kind": "email", "recipients": "a@example.org", "smtp_host": "10.0.0.1"},
            "smtp_host",
        ),
    ],
)
def test_a_refusal_stands_beside_its_field_and_nothing_is_stored(
    desk: Desk, label: str, changes: dict[str, Any], field: str
) -> None:
    answer = browser(desk).post(reverse(ADD), typed(**changes))

    assert answer.status_code == 200, label
    assert field in answer.context_data["adminform"].form.errors, label  # type: ignore[attr-defined]
    assert stored(desk) == []
    assert actions(desk) == []


def test_a_taken_name_is_a_field_error(desk: Desk) -> None:
    client = browser(desk)
    client.post(reverse(ADD), typed())

    answer = client.post(reverse(ADD), typed())

    assert answer.status_code == 200
    assert len(stored(desk)) == 1


@pytest.mark.parametrize("role", [Role.TRADER, Role.RISK, Role.AUDITOR])
def test_others_look_and_change_nothing(desk: Desk, role: Role) -> None:
    row = desk.destination(name="Risk group")
    client = browser(desk, role)

    assert client.get(reverse(ADD)).status_code == 403
    assert client.post(reverse(ADD), typed()).status_code == 403
    change = reverse("admin:notifications_destination_change", args=(row.pk,))
    assert client.get(change).status_code == 200
    assert client.post(change, typed(name="Mine")).status_code == 403
    test = reverse("admin:notifications_destination_test", args=(row.pk,))
    assert client.post(test).status_code == 404
    assert [d.name for d in stored(desk)] == ["Risk group"]


def test_the_test_button_shows_how_it_ended(desk: Desk, dingtalk: Robot) -> None:
    row = desk.destination()
    page = reverse("admin:notifications_destination_test", args=(row.pk,))
    client = browser(desk, Role.SUPPORT)
    assert client.get(page).status_code == 200
    assert dingtalk.requests == []

    answer = client.post(page)

    assert "The other side took the message." in answer.content.decode()
    assert len(dingtalk.requests) == 1
    assert "This is a test message." in dingtalk.texts()[0]
    assert desk.states(kind="message.test") == ["sent"]


def test_a_refused_test_says_why_and_is_not_tried_again(desk: Desk, dingtalk: Robot) -> None:
    row = desk.destination()
    dingtalk.answers.extend([-1, 300001])
    page = reverse("admin:notifications_destination_test", args=(row.pk,))
    client = browser(desk)

    busy = client.post(page).content.decode()
    refused = client.post(page).content.decode()

    assert "DingTalk is busy." in busy
    assert "The access token is not known to DingTalk." in refused
    assert "internal words" not in busy + refused
    assert desk.states(kind="message.test") == ["given_up", "given_up"]
    assert desk.now(row).status == "failing"


def test_a_test_that_is_taken_repairs_a_failing_destination(desk: Desk, dingtalk: Robot) -> None:
    row = desk.destination(status="failing", status_reason="The access token is not known.")

    browser(desk).post(reverse("admin:notifications_destination_test", args=(row.pk,)))

    assert desk.now(row).status == "enabled"
    assert desk.now(row).status_reason == ""


def test_a_failing_destination_waits_for_a_person_on_the_dashboard(desk: Desk) -> None:
    desk.destination(name="Night watch", status="failing", status_reason="The key is not known.")

    text = browser(desk).get(reverse("admin:index")).content.decode()

    assert "Night watch takes no messages" in text
    assert "The key is not known." in text


def test_send_again_asks_first(desk: Desk, dingtalk: Robot) -> None:
    desk.destination()
    desk.note()
    dingtalk.answers.append(430104)
    desk.tell()
    (row,) = desk.rows()
    page = reverse("admin:notifications_notification_changelist")
    data = {"action": "send_again", "_selected_action": [str(row.pk)]}
    client = browser(desk)

    asked = client.post(page, data)
    assert asked.status_code == 200
    assert "may arrive a second time" in asked.content.decode()
    assert desk.states() == ["given_up"]
    client.post(page, data | {"confirmed": "1"})

    assert desk.states()[0] == "pending"
    assert "notification.sent_again" in actions(desk)


def test_pausing_and_enabling_go_through_the_service(desk: Desk) -> None:
    row = desk.destination()
    page = reverse("admin:notifications_destination_changelist")
    client = browser(desk)

    client.post(page, {"action": "pause", "_selected_action": [row.pk]})
    assert desk.now(row).status == "paused"
    client.post(page, {"action": "enable", "_selected_action": [row.pk]})

    assert desk.now(row).status == "enabled"
    assert desk.now(row).listens_from > row.listens_from
    assert actions(desk)[-2:] == ["destination.paused", "destination.enabled"]


def test_the_outbox_shows_the_story_of_a_message(desk: Desk, dingtalk: Robot) -> None:
    desk.destination(Kind.DINGTALK, name="Risk group")
    entry = desk.note(reason="Filled late")
    desk.tell()
    (row,) = desk.rows()

    page = reverse("admin:notifications_notification_change", args=(row.pk,))
    text = browser(desk).get(page).content.decode()

    assert "An order was filled after it had ended" in text
    assert reverse("admin:accounts_auditentry_change", args=(entry.pk,)) in text
    assert "Taken" in text


def _diary(desk: Desk) -> list[Any]:
    with tenant_scope(desk.tenant):
        return list(AuditEntry.objects.values())
