"""Programs that call the API as a program does: with a token, in JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from accounts.enums import Role
from accounts.models import User
from accounts.tenancy import tenant_scope
from signals.enums import SourceKind
from signals.models import SignalSource
from tests import factories as make
from tests.world import World, make_world


@dataclass
class Program:
    """A client with a token, or with none."""

    token: str = ""
    scheme: str = "Bearer"

    def call(self, method: str, address: str, body: Any = None, **more: Any) -> Any:
        headers = dict(more.pop("headers", {}))
        if self.token:
            headers["Authorization"] = f"{self.scheme} {self.token}"
        if body is not None:
            more |= {"data": body, "content_type": "application/json"}
        client = Client(raise_request_exception=False)
        address = address if address.startswith("/") else f"/api/v1/{address}"
        return getattr(client, method)(address, headers=headers, **more)

    def get(self, address: str, **query: Any) -> Any:
        return self.call("get", address, **({"query_params": query} if query else {}))

    def post(self, address: str, body: Any = None) -> Any:
        return self.call("post", address, {} if body is None else body)

    def data(self, address: str, **query: Any) -> Any:
        response = self.get(address, **query)
        assert response.status_code == 200, response.content
        return response.json()["data"]


@dataclass
class Programs:
    """A desk and a stranger's, each with a source for programs; programs of the first."""

    world: World
    stranger: World
    source: SignalSource
    foreign_source: SignalSource
    integrator: Program
    reader: Program
    customer: Program
    customer_user: User
    people: dict[Role, User] = field(default_factory=dict)


def make_programs() -> Programs:
    world = make_world("North desk", 1, customers=3)
    stranger = make_world("South desk", 2, canary="STRANGER", customers=2)
    robot = make.make_user(Role.INTEGRATOR, tenant=world.tenant, username="robot")
    buyer = make.make_user(Role.CUSTOMER, tenant=world.tenant, username="buyer")
    with tenant_scope(world.tenant):
        world.customers[0].portal_user = buyer
        world.customers[0].save()
    sources = [
        make.make_source(each.tenant, name="Program", kind=SourceKind.API, secret="")
        for each in (world, stranger)
    ]
    return Programs(
        world=world,
        stranger=stranger,
        source=sources[0],
        foreign_source=sources[1],
        integrator=Program(make.make_token(robot, world.tenant)),
        reader=Program(make.make_token(robot, world.tenant, ("read",))),
        customer=Program(make.make_token(buyer, world.tenant, ("read",))),
        customer_user=buyer,
        people={**world.people, Role.INTEGRATOR: robot, Role.CUSTOMER: buyer},
    )


def told(response: Any) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, machine's word and fields of a refusal."""
    error = response.json()["error"]
    return response.status_code, error["code"], [(f["field"], f["reason"]) for f in error["fields"]]


def fields_of(response: Any) -> list[str]:
    assert response.status_code == 400, response.content
    return [fault["field"] for fault in response.json()["error"]["fields"]]
