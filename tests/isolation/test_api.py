"""Programs of both desks at every operation of the API, with the other desk's ids wherever one
is taken: in the address, the query and the body. The operations are read from the document."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from accounts.api import views
from accounts.enums import Role
from accounts.models import Tenant
from accounts.roles import scopes_of
from accounts.scope import tenant_scope
from config.api.docs import document
from signals.enums import SourceKind
from signals.models import SignalSource
from tests import factories as make
from tests.api.calls import Program
from tests.isolation import matrix
from tests.isolation.tripwire import tripwire
from tests.isolation.worlds import Desks, digest, rows_of, signed_in
from tests.world import World
from trading.models import Decision, Order, Protection

pytestmark = pytest.mark.django_db
changes_nothing = pytest.mark.usefixtures("untouched")

ROLES = [role for role in Role if scopes_of(role)]
ABSENT = str(uuid.uuid4())


@dataclass(frozen=True)
class Operation:
    """One thing the API can be asked to do."""

    path: str
    method: str
    told: dict[str, Any]

    @property
    def resource(self) -> str:
        return self.path.split("/")[3]

    def at(self, uid: str) -> str:
        return self.path.replace("{id}", uid)

    def parameters(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for parameter in self.told.get("parameters", ()):
            if parameter["in"] == "query":
                yield parameter["name"], parameter["schema"]

    def body_ids(self) -> list[str]:
        """The fields of the body that name a row."""
        if "requestBody" not in self.told:
            return []
        name = self.told["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = document()["components"]["schemas"][name.rpartition("/")[2]]
        return [n for n, s in schema["properties"].items() if s.get("format") == "uuid"]

    def query(self) -> dict[str, str]:
        """The parameters that cannot be left out."""
        needed = [p for p in self.told.get("parameters", ()) if p.get("required")]
        return {p["name"]: p["schema"]["enum"][0] for p in needed if p["in"] == "query"}


OPERATIONS = [
    Operation(path, method, told)
    for path, item in document()["paths"].items()
    for method, told in item.items()
]
READS = [each for each in OPERATIONS if each.method == "get"]
LISTS = [each for each in READS if "{id}" not in each.path]
# What only asks though it has a body: whoever may read may post it, and it changes nothing.
ASKS = {"/api/v1/strategies/{id}/preview"}


def ids_of(world: World) -> dict[str, str]:
    """A row of this desk for each resource, and for each field and parameter that names one."""
    source, tenant = api_source(world), world.tenant
    order = rows_of(Order, tenant).first()
    ids = {
        "customers": world.customers[1].uid,
        "accounts": world.accounts[1].uid,
        "sources": source.uid,
        "signals": world.signals[0].pk,
        "strategies": world.strategies[0].uid,
        "subscriptions": world.subscriptions[1].uid,
        "trades": order.pk,  # type: ignore[union-attr]
        "protections": rows_of(Protection, tenant).first().pk,  # type: ignore[union-attr]
        "decisions": rows_of(Decision, tenant).first().pk,  # type: ignore[union-attr]
    }
    named = {"customer": "customers", "account": "accounts", "source": "sources",
             "signal": "signals", "strategy": "strategies",
             "subscription": "subscriptions"}  # fmt: skip
    return {k: str(v) for k, v in ids.items()} | {
        f"{name}_id": str(ids[resource]) for name, resource in named.items()
    }


def api_source(world: World) -> SignalSource:
    found: Any = rows_of(SignalSource, world.tenant).filter(kind=SourceKind.API).first()
    return found if found else world.sources[0]


def program(world: World, role: Role, desks: Desks) -> Program:
    user = desks.outsiders.get(role) if world is desks.a else None
    user = user or world.people.get(role) or make.make_user(role, tenant=world.tenant)
    if role == Role.CUSTOMER:
        with tenant_scope(world.tenant):
            type(world.customers[0]).objects.filter(pk=world.customers[0].pk).update(
                portal_user=user
            )
    return Program(make.make_token(user, world.tenant, [s.value for s in scopes_of(role)]))


def clean(desks: Desks, response: Any) -> Any:
    leak = desks.leaks(response.content.decode() + str(response.headers))
    assert leak is None, f"{response.wsgi_request.get_full_path()}: {leak}"
    return response


def told(response: Any, *ids: str) -> tuple[int, str]:
    """The answer without its time and without the ids that it was asked for."""
    body = response.json()
    body.pop("timestamp")
    text = str(body)
    for each in ids:
        text = text.replace(each, "<id>")
    return response.status_code, text


# What there is.


def test_every_operation_is_listed() -> None:
    listed = {
        "/api/v1/" + re.sub(r"\(\?P<id>.*?\)", "{id}", route.removeprefix("api/v1/^"))[:-3]
        for route, kind in matrix.ROUTES.items()
        if kind in {"api", "api-trading"}
    }

    assert {each.path for each in OPERATIONS} == listed


def test_every_operation_names_its_scope() -> None:
    for each in OPERATIONS:
        asks = each.method == "get" or each.path in ASKS
        wanted = {"read"} if asks else {"signals:write", "trade"}
        assert each.told["x-scope"] in wanted, each.path


def test_the_attacks_take_a_row_of_each_resource(desks: Desks) -> None:
    ids = ids_of(desks.b)

    assert {each.resource for each in OPERATIONS if "{id}" in each.path} <= set(ids)
    for each in OPERATIONS:
        names = [n for n, schema in each.parameters() if schema.get("format") == "uuid"]
        assert set(names + each.body_ids()) <= set(ids), each.path


@pytest.mark.parametrize("resource", ["customers", "signals", "strategies", "trades"])
def test_its_own_programs_do_see_the_canary(desks: Desks, resource: str) -> None:
    """Without this, an API that shows nothing would pass every other test."""
    response = program(desks.b, Role.INTEGRATOR, desks).get(resource)

    assert response.status_code == 200
    assert desks.leaks(response.content.decode())


# What is read.


@changes_nothing
@pytest.mark.parametrize("role", ROLES)
def test_no_list_shows_a_foreign_row(desks: Desks, role: Role) -> None:
    caller = program(desks.a, role, desks)

    for each in LISTS:
        assert clean(desks, caller.get(each.path, **each.query())).status_code == 200, each.path


@changes_nothing
@pytest.mark.parametrize("role", [Role.INTEGRATOR, Role.CUSTOMER])
def test_no_parameter_finds_a_foreign_row(desks: Desks, role: Role) -> None:
    caller, foreign = program(desks.a, role, desks), ids_of(desks.b)
    for each in LISTS:
        for name, schema in each.parameters():
            if schema.get("format") == "uuid":
                answers = [
                    clean(desks, caller.get(each.path, **each.query() | {name: uid}))
                    for uid in (foreign[name], ABSENT)
                ]
                assert told(answers[0], foreign[name]) == told(answers[1], ABSENT), (each, name)
                items = answers[0].json().get("data", {}).get("items", [])
                assert items == [], (each, name)
            elif name == "search":
                found = caller.get(each.path, search=desks.long)
                assert found.json()["data"]["items"] == [], each.path


@changes_nothing
@pytest.mark.parametrize("role", ROLES)
def test_a_foreign_id_answers_as_one_that_never_was(desks: Desks, role: Role) -> None:
    foreign_ids_are_absent(desks, program(desks.a, role, desks), ids_of(desks.b))


@pytest.mark.parametrize("role", [Role.OWNER, Role.INTEGRATOR, Role.CUSTOMER])
def test_and_the_other_way_round(desks: Desks, role: Role) -> None:
    caller, foreign = program(desks.b, role, desks), ids_of(desks.a)
    before = digest(desks.a.tenant)

    foreign_ids_are_absent(desks, caller, foreign)

    assert digest(desks.a.tenant) == before


def foreign_ids_are_absent(desks: Desks, caller: Program, foreign: dict[str, str]) -> None:
    for each in OPERATIONS:
        if "{id}" in each.path:
            body = {} if each.method == "post" else None
            answers = [
                clean(desks, caller.call(each.method, each.at(uid), body))
                for uid in (foreign[each.resource], ABSENT)
            ]
            assert told(answers[0]) == told(answers[1]), each.path
            hidden = {404} if each.method == "get" else {403, 404}
            assert answers[0].status_code in hidden, each.path


# What is written.


def body_of(each: Operation, ids: dict[str, str]) -> dict[str, Any]:
    """A body that would be taken, if its ids were the caller's own."""
    instruction = {
        "instrument": "BTC-USDT-SWAP",
        "intent": "open",
        "direction": "long",
        "quantity": {"mode": "contracts", "value": "1"},
    }
    if each.path.endswith("/signals"):
        return {"source_id": ids["source_id"], "id": uuid.uuid4().hex, **instruction}
    if each.path.endswith("/trades/manual"):
        return {"account_id": ids["account_id"], **instruction}
    if each.path.endswith("/customers"):
        return {"account_id": ids["account_id"]}
    if each.path.endswith("/preview"):
        return {"signal": instruction}
    return {"reason": "because"}


def send(caller: Program, each: Operation, uid: str, body: dict[str, Any]) -> Any:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    return caller.call("post", each.at(uid), body, headers=headers)


POSTS = [each for each in OPERATIONS if each.method == "post"]


@changes_nothing
@pytest.mark.parametrize("role", ROLES)
def test_a_body_takes_no_foreign_row(desks: Desks, role: Role) -> None:
    caller = program(desks.a, role, desks)
    own, foreign = ids_of(desks.a), ids_of(desks.b)
    for each in POSTS:
        for name in each.body_ids():
            answers = []
            for uid in (foreign[name], ABSENT):
                body = body_of(each, own)
                body = {k: v for k, v in body.items() if k not in each.body_ids()} | {name: uid}
                answers.append(clean(desks, send(caller, each, own.get(each.resource, ""), body)))
            assert told(answers[0], foreign[name]) == told(answers[1], ABSENT), (each.path, name)
            assert answers[0].status_code in {400, 403}, (each.path, name)


@changes_nothing
@pytest.mark.parametrize("role", ROLES)
def test_what_is_written_stays_in_its_desk(desks: Desks, role: Role) -> None:
    caller, own = program(desks.a, role, desks), ids_of(desks.a)
    statuses = {
        each.path: clean(
            desks, send(caller, each, own.get(each.resource, ""), body_of(each, own))
        ).status_code
        for each in POSTS
    }

    assert set(statuses.values()) <= {200, 201, 202, 400, 403, 409}, statuses
    done = {path for path, status in statuses.items() if status < 300} - ASKS
    assert bool(done) == (role in {Role.OWNER, Role.TRADER, Role.INTEGRATOR})


@changes_nothing
def test_no_field_of_a_body_names_the_desk(desks: Desks) -> None:
    """Mass assignment: what a serializer does not know is refused by name, on every writer."""
    caller, own = program(desks.a, Role.INTEGRATOR, desks), ids_of(desks.a)
    names = {
        "tenant": desks.b.tenant.pk,
        "tenant_id": desks.b.tenant.pk,
        "uid": ABSENT,
        "pk": 1,
        "created_by": desks.b.owner.pk,
        "status": "archived",
        "__class__": "x",
    }
    for each in POSTS:
        body = body_of(each, own) | names
        response = clean(desks, send(caller, each, own.get(each.resource, ""), body))

        faults = [fault["field"] for fault in response.json()["error"]["fields"]]
        # The parser of signals names the first fault, as it does for a webhook.
        expected = list(names)[:1] if each.path.endswith("/signals") else list(names)
        assert (response.status_code, faults) == (400, expected), each.path


# Who has no token.


@changes_nothing
def test_without_a_token_nothing_is_told(desks: Desks) -> None:
    ids = ids_of(desks.b)
    callers: list[Any] = [Client(), signed_in(desks.a.owner), signed_in(desks.superuser)]
    for client in callers:
        for each in OPERATIONS:
            response = getattr(client, each.method)(each.at(ids.get(each.resource, "")))

            assert response.status_code == 401, each.path
            assert desks.leaks(response.content.decode()) is None


# What is asked of the database.


def test_every_statement_names_its_desk(desks: Desks) -> None:
    caller, own = program(desks.a, Role.INTEGRATOR, desks), ids_of(desks.a)
    with tripwire(desks.a.tenant.pk) as wire:
        for each in READS:
            address = each.at(own.get(each.resource, ""))
            assert caller.get(address, **each.query()).status_code == 200, each.path
        for each in POSTS:
            send(caller, each, own.get(each.resource, ""), body_of(each, own))

    # A token is looked up before its desk is known.
    assert [c for c in wire.caught if not c.startswith("accounts_apitoken without")] == []
    assert wire.seen > 100


# Each guard is needed.


def another_desk(tenant_id: int) -> Any:
    return tenant_scope(Tenant.objects.exclude(pk=tenant_id).order_by("-pk").first())  # type: ignore[arg-type]


def test_without_its_scope_a_program_would_see_the_other_desk(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`visible_to` would still be in the way: who is no member of a desk reads no row of it."""
    monkeypatch.setattr(views, "tenant_scope", another_desk)
    monkeypatch.setattr("customers.models.may", lambda *args: True)

    response = program(desks.a, Role.INTEGRATOR, desks).get("customers")

    assert desks.leaks(response.content.decode())


def test_without_visible_to_a_customer_would_see_the_desk(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = program(desks.a, Role.CUSTOMER, desks)
    assert caller.data("customers")["total"] == 1

    monkeypatch.setattr("customers.models.may", lambda *args: True)

    assert caller.data("customers")["total"] == 4


def test_an_attack_that_writes_would_be_seen(desks: Desks) -> None:
    before = digest(desks.b.tenant)
    caller = program(desks.b, Role.OWNER, desks)

    assert caller.post(f"accounts/{desks.b.accounts[1].uid}/pause").status_code == 200

    assert digest(desks.b.tenant) != before
