"""A desk with staff and two customers, and sockets of theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from channels.layers import channel_layers
from channels.testing import WebsocketCommunicator
from django.test import Client

from accounts.enums import Role
from accounts.models import Tenant, User
from customers.models import Customer, ExchangeAccount
from notifications.live.consumer import Limits, LiveConsumer
from tests import factories as make

ORIGIN = "http://localhost"


@dataclass(frozen=True)
class Desk:
    tenant: Tenant
    staff: User
    person: User
    customer: Customer
    account: ExchangeAccount
    other: Customer


@pytest.fixture
def desk(transactional_db: None) -> Desk:
    tenant = make.make_tenant("North desk")
    person = make.make_user(Role.CUSTOMER, tenant=tenant)
    customer = make.make_customer(tenant, portal_user=person)
    return Desk(
        tenant=tenant,
        staff=make.make_user(Role.TRADER, tenant=tenant),
        person=person,
        customer=customer,
        account=make.make_account(customer),
        other=make.make_customer(tenant, portal_user=make.make_user(Role.CUSTOMER, tenant=tenant)),
    )


@pytest.fixture(autouse=True)
def fresh_layer() -> Iterator[None]:
    """An in-memory layer belongs to the loop of one test."""
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


def cookie_of(user: User | None, tenant: Tenant | None = None) -> str:
    client = Client()
    if user is not None:
        client.force_login(user)
        if tenant is not None:
            session = client.session
            session["tenant_id"] = tenant.pk
            session.save()
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


def socket(cookie: str, *, origin: str | None = ORIGIN, limits: Limits | None = None) -> Any:
    """A client that has not connected yet."""
    headers = [(b"cookie", cookie.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    app = LiveConsumer.as_asgi(limits=limits or Limits())
    return WebsocketCommunicator(app, "/ws/live/", headers=headers)


async def closed_with(client: Any) -> int:
    """Read until the socket is closed and say the code."""
    while True:
        message = await client.receive_output(3)
        if message["type"] == "websocket.close":
            return int(message.get("code", 1000))


async def subscribed(client: Any, **streams: int | None) -> dict[str, int]:
    """Subscribe and say where the streams begin."""
    await client.send_json_to({"subscribe": streams})
    answer = await client.receive_json_from(3)
    positions: dict[str, int] = answer["subscribed"]
    return positions


Open = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Open sockets; they are left when the test ends."""
    clients: list[Any] = []

    async def open_one(cookie: str, **options: Any) -> Any:
        client = socket(cookie, **options)
        clients.append(client)
        connected, _ = await client.connect(5)
        assert connected
        return client

    yield open_one
    for client in clients:
        await client.disconnect(timeout=5)
