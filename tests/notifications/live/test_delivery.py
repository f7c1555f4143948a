"""Changes reach an open page in order and without a gap, whatever the channel layer loses."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.tenancy import tenant_scope
from notifications.live.consumer import Limits
from notifications.live.finding import Source
from notifications.live.hub import LOOK_S
from notifications.live.relay import post, relay
from notifications.models import LiveEvent, LiveStream
from tests.live_rows import make_orders
from tests.notifications.live.conftest import Desk, Open, closed_with, cookie_of, subscribed
from trading.models import Order

pytestmark = pytest.mark.database


async def changed(orders: list[Order], *, lost: bool = False) -> None:
    """These orders changed; a lost message is numbered and stored, but never sent."""
    posted = await sync_to_async(relay)({Source.ORDERS: [order.pk for order in orders]})
    if not lost:
        await post(posted)


async def heard(client: Any, wait: float = 3) -> dict[str, Any]:
    """The next frame that is not a heartbeat."""
    while True:
        message: dict[str, Any] = await client.receive_json_from(wait)
        if "beat" not in message:
            return message


async def test_a_change_arrives_numbered(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.person))
    await subscribed(client, orders=None, equity=None)
    [order] = await sync_to_async(make_orders)(desk.account, 1)

    await changed([order])

    assert await heard(client) == {
        "stream": "orders", "first": 1, "seq": 1,
        "items": [{"kind": "order", "id": str(order.pk)}],
    }  # fmt: skip


async def test_another_customers_change_is_not_heard(desk: Desk, opened: Open) -> None:
    from tests import factories as make

    client = await opened(await sync_to_async(cookie_of)(desk.person))
    await subscribed(client, orders=None)
    account = await sync_to_async(make.make_account)(desk.other)
    await changed(await sync_to_async(make_orders)(account, 2))

    assert await client.receive_nothing(0.4)


async def test_a_stream_that_was_not_asked_for_is_not_heard(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff))
    await subscribed(client, equity=None)
    await changed(await sync_to_async(make_orders)(desk.account, 1))

    assert await client.receive_nothing(0.4)


async def test_fast_changes_come_at_most_four_times_a_second(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff))
    await subscribed(client, orders=None)
    orders = await sync_to_async(make_orders)(desk.account, 20)
    begun = time.monotonic()
    for order in orders:
        await changed([order])

    frames, expected = [], 1
    while expected <= 20:
        frames.append(await heard(client))
        assert frames[-1]["first"] == expected
        expected = frames[-1]["seq"] + 1

    assert len(frames) <= 2 + 4 * (time.monotonic() - begun)
    ids = [item["id"] for frame in frames for item in frame["items"]]
    assert ids == [str(order.pk) for order in orders]


async def test_a_lost_message_is_read_from_the_rows_when_the_next_one_comes(
    desk: Desk, opened: Open
) -> None:
    limits = Limits(flush_s=0.05, gap_s=0.1)
    client = await opened(await sync_to_async(cookie_of)(desk.staff), limits=limits)
    await subscribed(client, orders=None)
    orders = await sync_to_async(make_orders)(desk.account, 3)
    await changed(orders[:1], lost=True)
    await changed(orders[1:2])

    frame = await heard(client)

    assert (frame["first"], frame["seq"]) == (1, 2)
    assert [item["id"] for item in frame["items"]] == [str(order.pk) for order in orders[:2]]


async def test_a_lost_last_message_is_noticed_within_seconds(desk: Desk, opened: Open) -> None:
    client = await opened(await sync_to_async(cookie_of)(desk.staff))
    await subscribed(client, orders=None)
    await changed(await sync_to_async(make_orders)(desk.account, 1), lost=True)

    frame = await heard(client, LOOK_S + 1)

    assert (frame["first"], frame["seq"]) == (1, 1)


async def test_who_comes_back_hears_what_was_missed(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    first = await opened(cookie)
    await subscribed(first, orders=None)
    orders = await sync_to_async(make_orders)(desk.account, 4)
    await changed(orders[:1])
    assert (await heard(first))["seq"] == 1
    await first.disconnect()
    await changed(orders[1:3])
    await changed(orders[3:])

    again = await opened(cookie)
    assert await subscribed(again, orders=1) == {"orders": 1}

    frame = await heard(again)
    assert (frame["first"], frame["seq"]) == (2, 4)
    assert {item["id"] for item in frame["items"]} == {str(order.pk) for order in orders[1:]}


async def test_a_page_hears_what_happened_after_it_was_rendered(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    await subscribed(await opened(cookie), orders=None)
    rendered = timezone.now().timestamp()
    await changed(await sync_to_async(make_orders)(desk.account, 1))

    client = await opened(cookie)
    await client.send_json_to({"subscribe": {"orders": None}, "rendered": rendered})

    assert (await client.receive_json_from(3))["subscribed"] == {"orders": 0}
    assert (await heard(client))["seq"] == 1


async def test_what_nobody_can_say_any_more_is_a_resync(desk: Desk, opened: Open) -> None:
    cookie = await sync_to_async(cookie_of)(desk.staff)
    await subscribed(await opened(cookie), orders=None, equity=None)
    await changed(await sync_to_async(make_orders)(desk.account, 3))

    def forget() -> None:
        with tenant_scope(desk.tenant):
            LiveEvent.objects.filter(stream="orders", seq__lte=2).delete()
            LiveStream.objects.filter(stream="equity").update(
                heard_at=timezone.now() - timedelta(hours=25)
            )

    await sync_to_async(forget)()
    for said, stream, seq in (({"orders": 1}, "orders", 3), ({"orders": 9}, "orders", 3),
                              ({"equity": 0}, "equity", 0)):  # fmt: skip
        client = await opened(cookie)
        assert (await subscribed(client, **said)) == {stream: seq}

        assert await heard(client) == {"resync": [stream], "seq": {stream: seq}}
        await client.disconnect()


async def test_a_first_page_of_the_day_looks_again(desk: Desk, opened: Open) -> None:
    """Nothing was numbered while nobody listened: what happened since the page is not known."""
    client = await opened(await sync_to_async(cookie_of)(desk.staff))
    rendered = timezone.now().timestamp()
    await client.send_json_to({"subscribe": {"orders": None}, "rendered": rendered})

    assert (await client.receive_json_from(3))["subscribed"] == {"orders": 0}
    assert await heard(client) == {"resync": ["orders"], "seq": {"orders": 0}}


async def test_too_much_unacknowledged_is_closed_4408(desk: Desk, opened: Open) -> None:
    limits = Limits(flush_s=0.01, unacked_bytes=1000)
    client = await opened(await sync_to_async(cookie_of)(desk.staff), limits=limits)
    await subscribed(client, orders=None)
    orders = await sync_to_async(make_orders)(desk.account, 30)

    await changed(orders)

    assert await closed_with(client) == 4408


async def test_who_acknowledges_may_hear_any_amount(desk: Desk, opened: Open) -> None:
    limits = Limits(flush_s=0.01, unacked_bytes=1000)
    client = await opened(await sync_to_async(cookie_of)(desk.staff), limits=limits)
    await subscribed(client, orders=None)

    for order in await sync_to_async(make_orders)(desk.account, 15):
        await changed([order])
        frame = await heard(client)
        await client.send_json_to({"ack": {"orders": frame["seq"]}})

    assert frame["seq"] == 15
