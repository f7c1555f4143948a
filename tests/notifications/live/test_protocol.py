"""Who may open a socket and what may be said on it, by the codes it is closed with."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError, connection
from django.test import Client

from accounts.enums import Role
from accounts.models import Membership
from accounts.services import add_member, remove_member
from notifications.live.consumer import Limits
from notifications.live.hub import hub
from notifications.models import LiveStream
from tests import factories as make
from tests.notifications.live.conftest import Desk, Open, closed_with, cookie_of, socket, subscribed

# Emptying every table after each test takes MariaDB two seconds.
pytestmark = pytest.mark.database_long


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "http://localhost.evil.example", "file://x"]
)
async def test_a_foreign_page_is_closed_4403(desk: Desk, opened: Open, origin: str | None) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)

    assert await closed_with(await opened(cookie, origin=origin)) == 4403


async def test_an_asterisk_in_allowed_hosts_allows_no_foreign_page(
    desk: Desk, opened: Open, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    cookie = await sync_to_async(cookie_of)(desk.staff)

    assert await closed_with(await opened(cookie, origin="http://evil.example")) == 4403


async def test_without_a_session_it_is_closed_4401(desk: Desk, opened: Open) -> None:
    assert await closed_with(await opened("")) == 4401
    assert await closed_with(await opened("sessionid=invented")) == 4401


async def test_integrators_and_people_without_a_desk_are_closed_4403(
    desk: Desk, opened: Open
) -> None:
    def people() -> list[str]:
        integrator = make.make_user(Role.INTEGRATOR, tenant=desk.tenant)
        no_customer = make.make_user(Role.CUSTOMER, tenant=desk.tenant)
        superuser = make.make_user(None, is_superuser=True)
        return [
            cookie_of(user) for user in (integrator, no_customer, make.make_user(None), superuser)
        ]

    for cookie in await sync_to_async(people)():
        assert await closed_with(await opened(cookie)) == 4403


async def test_staff_and_customers_subscribe_to_their_streams(desk: Desk, opened: Open) -> None:
    for user, streams in (
        (desk.staff, ["signals", "orders", "positions", "equity", "attention"]),
        (desk.person, ["signals", "orders", "positions", "equity"]),
    ):
        client = await opened(await sync_to_async(cookie_of)(user))
        await client.send_json_to({"subscribe": dict.fromkeys(streams)})

        answer = await client.receive_json_from()

        assert answer["subscribed"] == dict.fromkeys(streams, 0)


async def test_a_superuser_listens_in_the_desk_that_was_chosen(desk: Desk, opened: Open) -> None:
    root = await sync_to_async(make.make_user)(None, is_superuser=True)
    client = await opened(await sync_to_async(cookie_of)(root, desk.tenant))
    await client.send_json_to({"subscribe": {"attention": None}})

    assert (await client.receive_json_from())["subscribed"] == {"attention": 0}


async def test_a_refused_message_closes_the_socket(desk: Desk, opened: Open) -> None:
    """test_requests.py has the table of what is refused."""
    cookies = {who: await sync_to_async(cookie_of)(who) for who in (desk.staff, desk.person)}
    for who, text, code in (
        (desk.person, '{"subscribe": {"attention": null}}', 4403),
        (desk.staff, '{"subscribe": {"t.2.staff": null}}', 4403),
        (desk.staff, "{", 4400),
    ):
        client = await opened(cookies[who])
        await client.send_to(text_data=text)

        assert await closed_with(client) == code


async def test_bytes_are_closed_4400(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff))

    await client.send_to(bytes_data=b"{}")

    assert await closed_with(client) == 4400


async def test_the_21st_message_within_ten_seconds_is_closed_4429(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff))

    for _ in range(20):
        await client.send_json_to({"ack": {}})
    assert await client.receive_nothing(0.2)
    await client.send_json_to({"ack": {}})

    assert await closed_with(client) == 4429


async def test_the_sixth_socket_of_a_person_is_closed_4429(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    clients = [await opened(cookie) for _ in range(5)]
    for client in clients:
        await subscribed(client, orders=None)

    assert await closed_with(await opened(cookie)) == 4429
    await clients[0].disconnect()
    assert await subscribed(await opened(cookie), orders=None) == {"orders": 0}


async def test_a_full_process_is_closed_4429(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    limits = Limits(sockets=2)
    for _ in range(2):
        await subscribed(await opened(cookie, limits=limits), orders=None)

    assert await closed_with(await opened(cookie, limits=limits)) == 4429


async def test_a_socket_that_stumbles_leaves_its_place_and_its_groups(desk: Desk) -> None:
    client = socket(await sync_to_async(cookie_of)(desk.staff))
    await client.connect(5)
    await subscribed(client, signals=None)
    assert len(hub()) == 1

    await sync_to_async(_rename)("live_away")
    try:
        await client.send_json_to({"subscribe": {"orders": None}})
        with pytest.raises(DatabaseError):
            await client.receive_output(5)
    finally:
        await sync_to_async(_rename)("")

    assert (len(hub()), hub().count_of(desk.staff.pk)) == (0, 0)
    # The layer of Redis keeps its groups where no test can look.
    assert not any(getattr(get_channel_layer(), "groups", {}).values())


def _rename(away: str) -> None:
    """Take the table of the streams away, or bring it back."""
    own = LiveStream._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(LiveStream, *((own, away) if away else ("live_away", own)))


async def test_a_session_that_ended_is_closed_4401(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    client = await opened(cookie, limits=Limits(check_s=0.2))

    def log_out() -> None:
        browser = Client()
        name, _, value = cookie.partition("=")
        browser.cookies[name] = value
        assert browser.post("/admin/logout/").status_code == 200

    await sync_to_async(log_out)()

    assert await closed_with(client) == 4401


async def test_a_membership_that_ended_is_closed_4403(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff), limits=Limits(check_s=0.2))
    membership = await Membership.objects.aget(user=desk.staff)
    await sync_to_async(remove_member)(membership=membership)

    assert await closed_with(client) == 4403


async def test_staff_who_became_a_customer_is_closed_4403(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff), limits=Limits(check_s=0.2))
    change = sync_to_async(add_member)
    await change(user=desk.staff, tenant=desk.tenant, role=Role.CUSTOMER)

    assert await closed_with(client) == 4403


async def test_who_does_not_acknowledge_is_closed_4408(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff), limits=Limits(ack_s=0.5))

    assert await closed_with(client) == 4408


async def test_who_acknowledges_stays_and_hears_the_heart(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    client = await opened(cookie, limits=Limits(ack_s=1.5, beat_s=0.5))
    await client.send_json_to({"subscribe": {"orders": None}})
    await client.receive_json_from()

    for _ in range(3):
        beat = await client.receive_json_from(3)
        assert beat["beat"] == {"orders": 0}
        await client.send_json_to({"ack": {"orders": 0}})
