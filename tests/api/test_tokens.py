"""Tokens: who may make them for whom, that they are shown once, and that they end."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import ApiScope, Role
from accounts.models import ApiToken, AuditEntry, Membership
from accounts.roles import scopes_of
from accounts.stepup import SESSION_KEY
from accounts.tenancy import tenant_scope
from accounts.tokens import create_token, revoke_token
from config.logging import RedactingFilter, redact
from tests import factories as make
from tests.api.calls import Program, Programs

pytestmark = pytest.mark.django_db

ALL = {"read", "signals:write", "trade"}
SCOPES = {
    Role.OWNER: ALL,
    Role.TRADER: ALL,
    Role.RISK: {"read"},
    Role.SUPPORT: {"read"},
    Role.AUDITOR: set(),
    Role.CUSTOMER: {"read"},
    Role.INTEGRATOR: ALL,
}


def test_the_scopes_of_each_role() -> None:
    assert {role: {s.value for s in scopes_of(role)} for role in Role} == SCOPES


@pytest.mark.parametrize("role", Role)
def test_a_scope_beyond_the_role_is_refused_by_name(programs: Programs, role: Role) -> None:
    user, tenant = programs.people[role], programs.world.tenant
    with tenant_scope(tenant):
        before = ApiToken.objects.count()
        for scope in ApiScope:
            terms: Any = {"name": "x", "user": user, "scopes": [scope.value], "actor": None}
            if scope.value in SCOPES[role]:
                assert create_token(lifetime=timedelta(days=1), **terms).row.scopes == [scope]
                continue
            with pytest.raises(ValidationError) as refused:
                create_token(lifetime=timedelta(days=1), **terms)
            assert list(refused.value.error_dict) == ["scopes" if SCOPES[role] else "user"]
        assert ApiToken.objects.count() == before + len(SCOPES[role])


def test_what_a_token_needs(programs: Programs) -> None:
    user, tenant = programs.people[Role.INTEGRATOR], programs.world.tenant
    fits: dict[str, Any] = {"name": "x", "user": user, "scopes": ["read"]}
    fits |= {"lifetime": timedelta(days=365), "actor": user}
    stranger, superuser = programs.stranger.owner, make.make_user(None, is_superuser=True)
    gone = make.make_user(Role.INTEGRATOR, tenant=tenant)
    Membership.objects.filter(user=gone).update(is_active=False)
    refused = [
        ({"name": " "}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "admin"]}, "scopes"),
        ({"lifetime": timedelta(days=366)}, "lifetime"),
        ({"lifetime": timedelta(0)}, "lifetime"),
        ({"user": stranger}, "user"),
        ({"user": superuser}, "user"),
        ({"user": gone}, "user"),
    ]
    with tenant_scope(tenant):
        before = ApiToken.objects.count()
        for changes, field in refused:
            with pytest.raises(ValidationError) as error:
                create_token(**fits | changes)
            assert list(error.value.error_dict) == [field], changes
        assert ApiToken.objects.count() == before
        create_token(**fits)
        assert ApiToken.objects.count() == before + 1


def test_the_diary_tells_of_tokens_and_never_the_token(programs: Programs) -> None:
    user, tenant = programs.people[Role.INTEGRATOR], programs.world.tenant
    owner = programs.world.owner
    with tenant_scope(tenant):
        made = create_token(
            name="Robot", user=user, scopes=["trade", "read"], lifetime=timedelta(days=9),
            actor=owner,
        )  # fmt: skip
        revoke_token(token=made.row, actor=owner, reason="left")
        revoke_token(token=made.row, actor=owner)
        entries = list(AuditEntry.objects.filter(object_id=str(made.row.pk)).order_by("at", "id"))

    assert [(e.action, e.level, e.actor_id, e.reason) for e in entries] == [
        ("api_token.created", "notice", owner.pk, ""),
        ("api_token.revoked", "notice", owner.pk, "left"),
    ]
    assert entries[0].after["scopes"] == ["read", "trade"]
    for entry in entries:
        assert made.text[8:] not in str(vars(entry))
        assert made.row.digest not in str(vars(entry))


# In the back office.


def staff(programs: Programs, role: Role, *, fresh: bool = True) -> Client:
    client = Client()
    user = programs.people[role]
    client.force_login(user)
    if fresh:
        session = client.session
        session[SESSION_KEY] = [user.pk, int(timezone.now().timestamp())]
        session.save()
    return client


def form(programs: Programs, **changes: Any) -> dict[str, Any]:
    robot = programs.people[Role.INTEGRATOR]
    return {"name": "Robot two", "user": robot.pk, "scopes": ["read"], "days": 30} | changes


ADD = "admin:accounts_apitoken_add"
LIST = "admin:accounts_apitoken_changelist"


def test_a_token_is_shown_once(programs: Programs) -> None:
    client = staff(programs, Role.OWNER)

    page = client.post(reverse(ADD), form(programs))

    with tenant_scope(programs.world.tenant):
        row = ApiToken.objects.get(name="Robot two")
    token = page.context_data["secret"]
    assert token in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert Program(token).get("customers").status_code == 200
    assert row.created_by == programs.world.owner
    assert timedelta(days=29) < row.expires_at - timezone.now() <= timedelta(days=30)
    change = reverse("admin:accounts_apitoken_change", args=[row.pk])
    for address in (reverse(LIST), change, reverse("admin:index")):
        text = client.get(address).content.decode()
        assert token[12:] not in text
        assert row.digest not in text
    assert token[:12] in client.get(reverse(LIST)).content.decode()


def test_making_one_needs_the_password(programs: Programs) -> None:
    client = staff(programs, Role.OWNER, fresh=False)

    answers = [client.get(reverse(ADD)), client.post(reverse(ADD), form(programs))]

    assert {answer.status_code for answer in answers} == {302}
    assert all(answer["Location"].startswith("/admin/me/step-up/") for answer in answers)
    with tenant_scope(programs.world.tenant):
        assert not ApiToken.objects.filter(name="Robot two").exists()


def test_a_refusal_stands_beside_its_field(programs: Programs) -> None:
    client = staff(programs, Role.OWNER)
    buyer = programs.people[Role.CUSTOMER].pk

    for changes, field in (
        ({"user": buyer, "scopes": ["trade"]}, "scopes"),
        ({"days": 366}, "days"),
        ({"scopes": []}, "scopes"),
        ({"user": programs.stranger.owner.pk}, "user"),
        ({"user": programs.people[Role.AUDITOR].pk}, "user"),
    ):
        page = client.post(reverse(ADD), form(programs, **changes))
        assert list(page.context_data["adminform"].form.errors) == [field], changes
    with tenant_scope(programs.world.tenant):
        assert not ApiToken.objects.filter(name="Robot two").exists()


@pytest.mark.parametrize("role", [Role.TRADER, Role.RISK, Role.SUPPORT, Role.AUDITOR])
def test_only_owners_manage_tokens(programs: Programs, role: Role) -> None:
    client = staff(programs, role)

    answers = [client.get(reverse(LIST)), client.get(reverse(ADD))]
    answers.append(client.post(reverse(ADD), form(programs)))

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def revoke(client: Client, row: ApiToken, **more: Any) -> Any:
    chosen = {"action": "revoke", "_selected_action": [row.pk]}
    return client.post(reverse(LIST), chosen | more)


def test_revoking_asks_and_shuts_the_door(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        row = ApiToken.objects.get(token_prefix=programs.reader.token[:12])

    unproven = revoke(staff(programs, Role.OWNER, fresh=False), row, confirmed="1")
    assert unproven["Location"].startswith("/admin/me/step-up/")
    asked = revoke(staff(programs, Role.OWNER), row)
    assert row.name in asked.content.decode()
    assert programs.reader.get("customers").status_code == 200

    done = revoke(staff(programs, Role.OWNER), row, confirmed="1", reason="lost")

    assert done.status_code == 302
    assert programs.reader.get("customers").status_code == 401
    with tenant_scope(programs.world.tenant):
        row.refresh_from_db()
        entry = AuditEntry.objects.get(action="api_token.revoked", object_id=str(row.pk))
    assert row.revoked_by == programs.world.owner
    assert entry.reason == "lost"


# Logs.


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.addFilter(RedactingFilter())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))


def test_a_token_is_in_no_log(programs: Programs) -> None:
    lines, token = Lines(), programs.integrator.token
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    try:
        programs.integrator.get("customers", search=token)
        programs.integrator.get(f"customers/{token}")
        programs.integrator.post("signals", {"source_id": token, "note": token})
        logging.getLogger("x").warning("somebody pasted %s here", token)
        logging.getLogger("x").warning("a header: %s", {"Authorization": f"Bearer {token}"})
    finally:
        root.removeHandler(lines)
        root.setLevel(before)

    assert len(lines.texts) >= 5
    assert not [line for line in lines.texts if token in line or token[4:] in line]
    assert redact(f"x={token}.") == "x=cpd_***."
