"""Signals of the past decided once more: the same where nothing changed, and what differs."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.tenancy import tenant_scope
from signals.models import Signal
from strategies import services
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended
from trading.copying.links import followers_of, read_links
from trading.copying.preview import preview
from trading.copying.replay import Replayed, of_source, replay
from trading.models import Cycle, Decision, Order, OrderEvent

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def day(desk: Desk) -> list[Signal]:
    now = timezone.now()
    return of_source(desk.source.pk, now - timedelta(hours=1), now + timedelta(hours=1))


def replayed(desk: Desk, **which: Any) -> list[Replayed]:
    with tenant_scope(desk.tenant):
        return list(replay(day(desk), **which))


def traded_day(desk: Desk) -> None:
    for intent, quantity, more in [
        ("open", "10", {}),
        ("add", "7", {}),
        ("reduce", "4", {}),
        ("flip", "5", {"direction": "short"}),
        ("close", None, {"direction": "short"}),
        ("add", "3", {}),
        ("open", "0.01", {}),
        ("add", "20", {}),
    ]:
        for order in desk.hear(intent, quantity, **more):
            ended(order)


def signature(rows: list[Replayed]) -> list[tuple[str, str, str, str]]:
    return [
        (row.signal.intent, str(row.now and row.now.outcome), str(row.now and row.now.reason),
         f"{row.now.quantity.normalize():f}" if row.now else "")
        for row in rows
    ]  # fmt: skip


def everything(desk: Desk) -> dict[str, list[Any]]:
    with tenant_scope(desk.tenant):
        return {
            model.__name__: list(model.objects.order_by("pk").values())
            for model in (Signal, Decision, Order, OrderEvent, Cycle)
        }


def test_a_day_on_the_same_terms_comes_out_the_same(desk: Desk) -> None:
    desk.follower()
    desk.follower(follow_ratio=d("0.0333"))
    desk.follower(account={"position_mode": "long_short"})
    desk.follower(status="paused")
    traded_day(desk)
    before = everything(desk)

    rows = replayed(desk)

    assert len(rows) == 8 * 4
    assert [(r.signal.intent, r.then, r.now) for r in rows if r.differs] == []
    assert everything(desk) == before


def test_a_changed_ratio_shows_in_the_whole_day(desk: Desk) -> None:
    link = desk.follower()
    for intent, quantity in [("open", "10"), ("add", "10"), ("reduce", "5"), ("close", None)]:
        for order in desk.hear(intent, quantity):
            ended(order)
    with tenant_scope(desk.tenant):
        services.change_subscription(subscription=link, actor=None, follow_ratio=d("0.2"))

    rows = replayed(desk)

    assert [(r.then and r.then.quantity, r.now and r.now.quantity) for r in rows] == [
        (d(1), d(2)),
        (d(1), d(2)),
        (d("-0.5"), d(-1)),
        (d("-1.5"), d(-3)),
    ]
    assert all(row.differs for row in rows)
    assert ("quantity", "1.00", "2.00") in [
        (name, was, now) for name, was, now in rows[0].changed if name == "quantity"
    ]


def test_one_signal_begins_with_what_was_held_then(desk: Desk) -> None:
    desk.follower()
    traded_day(desk)
    with tenant_scope(desk.tenant):
        reduction = Signal.objects.filter(intent="reduce").select_related("source", "tenant")

        (row,) = replay(reduction)

    assert not row.differs
    assert row.now is not None
    assert row.now.quantity == d("-0.4")


def test_who_followed_then_and_who_follows_now(desk: Desk) -> None:
    gone, stays = desk.follower(), desk.follower()
    for order in desk.hear("open", "10"):
        ended(order)
    for order in desk.hear("close"):
        ended(order)
    with tenant_scope(desk.tenant):
        services.stop_subscription(subscription=gone, actor=None)
    new = desk.follower()

    rows = {(r.signal.intent, r.link_uid): r for r in replayed(desk)}

    assert rows["open", new.uid].then is None
    assert rows["open", new.uid].now.quantity == 1  # type: ignore[union-attr]
    assert rows["open", gone.uid].now.reason == "LINK_PAUSED"  # type: ignore[union-attr]
    assert not rows["open", stays.uid].differs


def test_another_strategy_s_followers_are_left_out(desk: Desk) -> None:
    other = make.make_strategy(desk.source)
    make.subscribe(other, make.make_account(make.make_customer(desk.tenant)))
    mine = desk.follower()
    desk.hear("open", "10")

    rows = replayed(desk, strategy_id=desk.strategy.pk)

    assert [row.link_uid for row in rows] == [mine.uid]


def test_what_the_product_made_and_hands_entered_is_not_replayed(desk: Desk) -> None:
    link = desk.follower()
    for order in desk.hear("open", "10"):
        ended(order)
    desk.hand(link.account, "open", "1", inst_id=BTC)
    desk.copy()
    with tenant_scope(desk.tenant):
        services.stop_subscription(subscription=link, close="market_close", actor=None)  # type: ignore[arg-type]
    from trading.copying.ending import end_followings

    end_followings()
    desk.copy()

    assert [row.signal.intent for row in replayed(desk)] == ["open"]


def test_queries_do_not_grow_with_followers(desk: Desk) -> None:
    desk.follower()
    desk.hear("open", "10")
    with CaptureQueriesContext(connection) as few:
        replayed(desk)
    for _ in range(5):
        desk.follower()

    with CaptureQueriesContext(connection) as many:
        assert len(replayed(desk)) == 6

    assert len(many) == len(few)


def test_a_preview_tells_what_will_be_decided_and_leaves_no_trace(desk: Desk) -> None:
    desk.follower()
    desk.follower(follow_ratio=d("0.25"))
    for order in desk.hear("open", "10"):
        ended(order)
    signal = desk.say("add", "6")
    before = everything(desk)

    with tenant_scope(desk.tenant), CaptureQueriesContext(connection) as asked:
        drafts = preview(signal, read_links(signal, followers_of(signal)))

    assert everything(desk) == before
    assert not any("FOR UPDATE" in each["sql"] for each in asked)
    orders = desk.copy()
    assert [draft.orders[0].quantities for draft in drafts] == [(o.quantity,) for o in orders]
    assert [draft.numbers for draft in drafts] == [one.numbers for one in desk.decisions(signal)]


def test_the_command_shows_what_differs(desk: Desk) -> None:
    link = desk.follower()
    traded_day(desk)
    with tenant_scope(desk.tenant):
        services.change_subscription(subscription=link, actor=None, follow_ratio=d("0.2"))
    now = timezone.now()
    times = {
        "--from": (now - timedelta(hours=1)).isoformat(),
        "--to": (now + timedelta(hours=1)).isoformat(),
    }
    args = [f"{name}={value}" for name, value in times.items()]

    told, summary = io.StringIO(), io.StringIO()
    call_command(
        "replay_signals", f"--source={desk.source.uid}", *args, "--json",
        stdout=told, stderr=summary,
    )  # fmt: skip

    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert lines[0]["then"]["quantity"] == "1"
    assert lines[0]["now"]["quantity"] in {"2", "2.00"}
    assert all(line["differs"] for line in lines)
    assert "8 signals, 8 decisions" in summary.getvalue()
    plain = io.StringIO()
    call_command(
        "replay_signals", f"--source={desk.source.uid}", *args, f"--strategy={desk.strategy.name}",
        "--all", stdout=plain, stderr=summary,
    )  # fmt: skip
    assert len(plain.getvalue().splitlines()) == 8
    with pytest.raises(CommandError, match="no strategy"):
        call_command("replay_signals", f"--source={desk.source.uid}", *args, "--strategy=None")
    with pytest.raises(CommandError, match="0 sources"):
        call_command("replay_signals", "--source=Nobody", *args)
    with pytest.raises(CommandError, match="no time"):
        call_command("replay_signals", f"--source={desk.source.uid}", "--from=soon", "--to=now")


def test_the_page_shows_what_a_list_chose_and_what_a_source_sent(desk: Desk) -> None:
    link = desk.follower()
    traded_day(desk)
    with tenant_scope(desk.tenant):
        services.change_subscription(subscription=link, actor=None, follow_ratio=d("0.2"))
        keys = [str(key) for key in Signal.objects.values_list("pk", flat=True)]
    client = Client()
    client.force_login(make.make_user(Role.AUDITOR, tenant=desk.tenant))

    chosen = client.post(
        reverse("admin:signals_signal_changelist"),
        {"action": "replay", "_selected_action": keys[:3]},
    )
    shown = client.get(chosen.url).content.decode()
    now = timezone.localtime()
    query = {
        "source": desk.source.pk,
        "since": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "until": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}",
    }
    of_day = client.get(reverse("admin:replay"), query).content.decode()
    refused = client.get(reverse("admin:replay"), query | {"until": query["since"]})

    assert chosen.status_code == 302
    assert "3 signals" in shown
    assert link.account.customer.name in shown
    assert "8 signals" in of_day
    assert "at most 31 days" in refused.content.decode()
