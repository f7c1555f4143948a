"""What the lists and records of the back office show: words, figures and units, no codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.tenancy import tenant_scope
from config.backoffice.empty import EMPTY
from config.backoffice.sidebar import GROUPS
from signals.models import Signal
from tests import factories as make
from tests.kept import kept
from tests.world import make_world
from tests.world_day import World
from trading.models import ExternalOrder, Instrument, Position, Repair

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def _worlds(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[], World]]:
    with kept(django_db_blocker, lambda: make_world("North desk", 1, customers=6)) as worlds:
        yield worlds


@pytest.fixture
def world(_worlds: Callable[[], World], db: None) -> World:
    return _worlds()


@pytest.fixture
def owner(world: World) -> Client:
    client = Client()
    client.force_login(world.owner)
    return client


def text(client: Client, name: str, *args: object) -> str:
    return plain(client.get(reverse(f"admin:{name}", args=args)).content.decode())


def plain(page: str) -> str:
    """What is read, a space between any two elements."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_orders_that_are_not_ours_are_told_in_words(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        row = ExternalOrder.objects.get()
        ExternalOrder.objects.filter(pk=row.pk).update(
            state="mmp_canceled", side="sell", quantity=Decimal("1.500"), filled_quantity=0
        )

    shown = text(owner, "trading_externalorder_changelist")

    assert "Sell" in shown
    assert "Canceled canceled by market maker protection" in shown
    assert "mmp_canceled" not in shown
    assert "1.5" in shown
    assert "Sell" in text(owner, "trading_externalorder_change", row.pk)


def test_a_repairs_evidence_is_told_in_words(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        row = Repair.objects.filter(kind="foreign")[0]
        row.evidence |= {
            "link_was": "active", "begun_at": "2026-11-26T09:00:00+00:00",
            "orders": [{"exchange_order_id": "700123456789", "quantity": "2.00"}],
        }  # fmt: skip
        row.save()

    shown = text(owner, "trading_repair_change", row.pk)

    assert "By orders that are not ours −3" in shown
    assert "Leader holds 30" in shown
    assert "Subscription before Active" in shown
    assert "Followed since 2026-11-26 09:00:00.000 UTC" in shown
    assert "OKX order id 700123456789 Contracts 2" in shown
    assert "{" not in shown.split("All fields")[-1].split("Accepted as")[0]


def test_the_numbers_of_a_decision_are_figures(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        decision = world.orders[0].decision
        decision.numbers = {"reference_price": "109558.900", "open.quantity": "-1234.50"}
        decision.save()

    shown = text(owner, "trading_decision_change", decision.pk)

    assert "Leader's price 109,558.9" in shown
    assert "Open: Ordered −1,234.5" in shown


def test_a_position_says_how_far_it_is_from_its_end(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        held = Position.objects.exclude(inst_id="BTC-USDT-SWAP")[0]
        Position.objects.exclude(pk=held.pk).delete()
        Position.objects.filter(pk=held.pk).update(
            quantity=Decimal(-2), average_price=Decimal(100), mark_price=Decimal(80),
            liquidation_price=Decimal(120), margin_ratio=Decimal("2.5"), leverage=Decimal(3),
        )  # fmt: skip
        Instrument.objects.filter(inst_id=held.inst_id).update(expires_at=timezone.now())

    shown = text(owner, "trading_position_changelist")

    assert "Short 3 ×" in shown
    assert "100 80" in shown
    assert "120 50.0 % away" in shown
    assert "250 %" in shown
    assert "Delisted" in shown.split("Short")[0].split(held.inst_id)[-1]


def test_the_worlds_positions_end_on_the_side_where_they_lose(world: World) -> None:
    with tenant_scope(world.tenant):
        held = list(Position.objects.all())

    assert {p.quantity > 0 for p in held} == {True, False}
    for position in held:
        assert (position.liquidation_price < position.average_price) == (position.quantity > 0)


def test_an_empty_list_says_what_will_be_there_and_what_to_do(client: Client) -> None:
    tenant = make.make_tenant("Bare desk", slug="bare")
    client.force_login(make.make_user(Role.OWNER, tenant=tenant, username="bare-owner"))

    for label in EMPTY:
        shown = text(client, f"{label.replace('.', '_').lower()}_changelist")
        with tenant_scope(tenant):
            if not apps.get_model(label)._default_manager.exists():
                assert str(EMPTY[label].title) in shown, label
        assert "results (Show all)" not in shown, label
    shown = text(client, "strategies_strategy_changelist")
    assert "A strategy listens to sources and says how their signals are copied." in shown
    assert "Add strategy" in shown


def test_every_list_of_the_sidebar_has_words_for_being_empty() -> None:
    lists = {item.model for _title, items in GROUPS for item in items if item.model}
    never_empty = {"accounts.User", "accounts.Tenant", "django_celery_beat.PeriodicTask"}

    assert lists - never_empty <= set(EMPTY)


def test_a_search_without_a_match_offers_the_whole_list(world: World, owner: Client) -> None:
    url = reverse("admin:trading_order_changelist")
    shown = plain(owner.get(url, {"q": "no such thing"}).content.decode())

    assert "Nothing matches." in shown
    assert "0 results" in shown
    assert "No orders yet." not in shown


def test_a_refused_form_names_field_and_reason(world: World, owner: Client) -> None:
    url = reverse("admin:strategies_strategy_change", args=(world.strategies[0].pk,))
    page = owner.post(url, {"name": "", "max_leverage": "-1"})
    shown = plain(page.content.decode())

    assert "Not saved. Nothing was changed." in shown
    assert "Name : This field is required." in shown
    assert 'href="#id_name"' in page.content.decode()


def test_what_would_happen_knows_the_strategy_of_a_signal(world: World, owner: Client) -> None:
    strategy = world.strategies[0]
    with tenant_scope(world.tenant):
        signal = Signal.objects.filter(source__in=strategy.sources.all())[0]

    page = owner.get(reverse("admin:preview"), {"signal": str(signal.pk)}).content.decode()

    assert f'<option value="{strategy.pk}" selected>' in page
    assert owner.get(reverse("admin:preview"), {"signal": "nonsense"}).status_code == 200
