"""Live sockets: each role of two desks hears its own desk, and nothing of the other.

Part of the isolation suite, but not of its folder: sockets read in threads of their own, so
that the rows here are really committed, in two small desks of this file's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from channels.testing import WebsocketCommunicator
from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel, Role
from accounts.models import User
from accounts.tenancy import tenant_scope
from config.asgi import application
from notifications.live.finding import Source
from notifications.live.relay import post, relay
from tests import factories as make
from tests.isolation.worlds import OUTSIDERS, STAFF, signed_in
from tests.live_rows import make_orders

STAFF_STREAMS = ("signals", "orders", "positions", "equity", "attention")
CUSTOMER_STREAMS = STAFF_STREAMS[:4]


@dataclass(frozen=True)
class Side:
    """One desk with a person of every role, two customers, and everything about them."""

    tenant: Any
    people: dict[Role, User]
    accounts: list[Any]
    ids: dict[Source, list[Any]]

    def texts(self) -> set[str]:
        return {
            str(key) for source, keys in self.ids.items() for key in keys if source != "accounts"
        }


@pytest.fixture
def sides(transactional_db: None) -> tuple[Side, Side]:
    return make_side(), make_side()


@pytest.fixture(autouse=True)
def fresh_layer() -> Iterator[None]:
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


@pytest.fixture
async def opened() -> AsyncIterator[Any]:
    clients: list[Any] = []

    async def open_one(user: User | None, tenant: Any = None) -> Any:
        client = await sync_to_async(signed_in)(user, tenant)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        headers = [(b"cookie", cookie.encode()), (b"origin", b"http://testserver")]
        clients.append(WebsocketCommunicator(application, "/ws/live/", headers=headers))
        connected, _ = await clients[-1].connect(5)
        assert connected
        return clients[-1]

    yield open_one
    for client in clients:
        await client.disconnect()


def make_side() -> Side:
    tenant = make.make_tenant()
    people = {role: make.make_user(role, tenant=tenant) for role in (*STAFF, *OUTSIDERS)}
    customers = [
        make.make_customer(tenant, portal_user=people[Role.CUSTOMER]),
        make.make_customer(tenant),
    ]
    accounts = [make.make_account(customer) for customer in customers]
    orders = [make_orders(account, 1)[0] for account in accounts]
    with tenant_scope(tenant), transaction.atomic():
        entry = audit.record(action="alarm", level=AuditLevel.CRITICAL)
    ids: dict[Source, list[Any]] = {
        Source.SIGNALS: [order.signal_id for order in orders],
        Source.ORDERS: [order.pk for order in orders],
        Source.ACCOUNTS: [account.pk for account in accounts],
        Source.ENTRIES: [entry.pk],
    }
    return Side(tenant, people, accounts, ids)


async def everything_changes(*sides: Side) -> None:
    for side in sides:
        await post(await sync_to_async(relay)(side.ids))


async def heard(client: Any) -> list[dict[str, Any]]:
    """Every frame until the socket is silent for a moment."""
    frames = []
    while not await client.receive_nothing(0.4):
        frames.append(await client.receive_json_from())
    return [frame for frame in frames if "items" in frame]


async def code_after(client: Any, message: Any) -> int:
    await client.send_json_to(message)
    while (output := await client.receive_output(3))["type"] != "websocket.close":
        assert "items" not in json.loads(output["text"])
    return int(output["code"])


async def test_staff_of_every_role_hear_all_of_their_own_desk_only(
    sides: tuple[Side, Side], opened: Any
) -> None:
    for own, foreign in (sides, sides[::-1]):
        clients = [await opened(own.people[role]) for role in STAFF]
        for client in clients:
            await client.send_json_to({"subscribe": dict.fromkeys(STAFF_STREAMS)})
            assert set((await client.receive_json_from(3))["subscribed"]) == set(STAFF_STREAMS)
        await everything_changes(*sides)

        for client in clients:
            frames = await heard(client)
            ids = {item["id"] for frame in frames for item in frame["items"]}
            assert {frame["stream"] for frame in frames} == set(STAFF_STREAMS)
            assert own.texts() <= ids
            assert not ids & (foreign.texts() | {str(a.pk) for a in foreign.accounts})


async def test_a_customer_hears_what_is_theirs_and_nothing_of_others(
    sides: tuple[Side, Side], opened: Any
) -> None:
    for own in sides:
        client = await opened(own.people[Role.CUSTOMER])
        await client.send_json_to({"subscribe": dict.fromkeys(CUSTOMER_STREAMS)})
        await client.receive_json_from(3)
        await everything_changes(*sides)

        ids = {item["id"] for frame in await heard(client) for item in frame["items"]}

        mine = (own.ids[kind][0] for kind in (Source.SIGNALS, Source.ORDERS, Source.ACCOUNTS))
        assert ids == {str(key) for key in mine}


async def test_nobody_else_is_let_in(sides: tuple[Side, Side], opened: Any) -> None:
    root = await sync_to_async(make.make_user)(None, is_superuser=True, is_staff=True)
    for user, code in ((None, 4401), (sides[0].people[Role.INTEGRATOR], 4403), (root, 4403)):
        client = await opened(user)

        assert (await client.receive_output(3)) == {"type": "websocket.close", "code": code}


async def test_a_desk_chosen_in_the_session_opens_only_to_its_own(
    sides: tuple[Side, Side], opened: Any
) -> None:
    """A session that names the other desk brings its owner into their own."""
    own, foreign = sides
    client = await opened(own.people[Role.OWNER], foreign.tenant)
    await client.send_json_to({"subscribe": dict.fromkeys(STAFF_STREAMS)})
    await client.receive_json_from(3)
    await everything_changes(*sides)

    ids = {item["id"] for frame in await heard(client) for item in frame["items"]}

    assert ids >= own.texts()
    assert not ids & foreign.texts()


async def test_asking_for_another_desk_is_closed_4403(
    sides: tuple[Side, Side], opened: Any
) -> None:
    own, foreign = sides
    other = own.accounts[1].customer_id
    names = [
        f"t.{foreign.tenant.pk}.staff", f"t.{own.tenant.pk}.staff", f"{foreign.tenant.pk}.orders",
        f"cust.{foreign.accounts[0].customer_id}", f"cust.{other}", f"orders.{other}",
    ]  # fmt: skip
    for role in (Role.CUSTOMER, Role.OWNER):
        for name in names:
            client = await opened(own.people[role])
            message = {"subscribe": {"orders": None, name: None}}
            assert await code_after(client, message) == 4403
            await client.disconnect()
    client = await opened(own.people[Role.CUSTOMER])
    assert await code_after(client, {"subscribe": {"attention": None}}) == 4403


async def test_a_message_cannot_name_a_desk(sides: tuple[Side, Side], opened: Any) -> None:
    own, foreign = sides
    for field in ("tenant", "desk", "audience", "customer", "group"):
        client = await opened(own.people[Role.OWNER])
        message = {"subscribe": {"orders": None}, field: foreign.tenant.pk}
        assert await code_after(client, message) == 4400
        await client.disconnect()


async def test_a_foreign_number_replays_nothing_foreign(
    sides: tuple[Side, Side], opened: Any
) -> None:
    own, foreign = sides
    for side in sides:
        client = await opened(side.people[Role.OWNER])
        await client.send_json_to({"subscribe": dict.fromkeys(STAFF_STREAMS)})
        await client.receive_json_from(3)
    for _ in range(3):
        await everything_changes(foreign)

    client = await opened(own.people[Role.TRADER])
    await client.send_json_to({"subscribe": {"orders": 1, "signals": 0}, "rendered": 0})

    assert await heard(client) == []


async def test_another_address_is_closed_4404(sides: tuple[Side, Side]) -> None:
    for path in ("/ws/", "/ws/live", "/ws/live/2/", "/"):
        client = WebsocketCommunicator(application, path)

        assert await client.connect() == (False, 4404)
