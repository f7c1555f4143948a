"""What staff ask of orders, positions and protections, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.tenancy import tenant_scope
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, make_desk
from trading.models import Action, Order, Position, Protection

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]
D = Decimal


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture
def order(desk: Desk) -> Order:
    desk.follower()
    (made,) = desk.hear("open", "100")
    return made


@pytest.fixture
def position(desk: Desk) -> Position:
    link = desk.follower()
    with tenant_scope(desk.tenant):
        return Position.objects.create(
            account=link.account, inst_id=BTC, position_side="net", margin_mode="cross",
            quantity=D(10), mark_price=D(60_000), updated_at=timezone.now(),
        )  # fmt: skip


def signed_in(desk: Desk, role: Role = Role.TRADER) -> Client:
    client = Client()
    client.force_login(make.make_user(role, tenant=desk.tenant))
    return client


def ask_page(kind: str, row: Any, name: str = "ask") -> str:
    return reverse(f"admin:trading_{kind}_{name}", args=(row.pk,))


def rows(desk: Desk, model: Any) -> list[Any]:
    with tenant_scope(desk.tenant):
        return list(model.objects.all())


def put(desk: Desk, order: Order, **columns: Any) -> None:
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=order.pk).update(**columns)


def test_an_order_is_canceled_from_its_page_with_a_reason(desk: Desk, order: Order) -> None:
    client = signed_in(desk)
    page = client.get(reverse("admin:trading_order_change", args=(order.pk,)))
    assert ask_page("order", order) in page.content.decode()

    without = client.post(ask_page("order", order), {"reason": " "})
    answer = client.post(ask_page("order", order), {"reason": "Wrong size"}, follow=True)

    assert without.status_code == 200
    (action,) = rows(desk, Action)
    assert (action.kind, action.state, action.reason) == ("cancel", "done", "Wrong size")
    assert rows(desk, Order)[0].state == "canceled"
    assert "Canceled before it was sent" in answer.content.decode()
    assert "Wrong size" in answer.content.decode()


def test_a_resting_order_is_changed_and_a_wrong_size_is_told_beside_its_field(
    desk: Desk, order: Order
) -> None:
    put(desk, order, state="live", order_type="limit", price=D(59_000))
    client, page = signed_in(desk), f"{ask_page('order', order)}?do=amend"

    wrong = client.post(page, {"quantity": "11", "reason": "More"})
    right = client.post(page, {"quantity": "6", "reason": "Less"})

    assert "An order can only be made smaller" in wrong.content.decode()
    assert right.status_code == 302
    (action,) = rows(desk, Action)
    assert (action.kind, action.state, action.quantity) == ("amend", "waiting", D(6))


def test_several_orders_are_canceled_from_the_list(desk: Desk, order: Order) -> None:
    client, page = signed_in(desk), reverse("admin:trading_order_changelist")
    chosen = {"action": "cancel", "_selected_action": [str(order.pk)], "index": "0"}

    shown = client.post(page, chosen)
    done = client.post(page, chosen | {"confirmed": "1", "reason": "All"}, follow=True)
    again = client.post(page, chosen | {"confirmed": "1", "reason": "All"}, follow=True)

    assert "What fills before OKX hears of it" in shown.content.decode()
    assert "1 cancel asked." in done.content.decode()
    assert again.status_code == 200
    assert [row.state for row in rows(desk, Order)] == ["canceled"]
    assert len(rows(desk, Action)) == 1


def test_a_position_is_protected_from_its_page(desk: Desk, position: Position) -> None:
    client, page = signed_in(desk), ask_page("position", position, "protect")

    wrong = client.post(page, {"stop_loss": "61000", "reason": "Night"})
    right = client.post(page, {"stop_loss": "59000", "reason": "Night"})

    assert "Must be below the mark price." in wrong.content.decode()
    assert right.status_code == 302
    (kept,) = rows(desk, Protection)
    assert (kept.stop_loss, kept.quantity, kept.state) == (D(59_000), D(10), "waiting")
    shown = client.get(reverse("admin:trading_position_change", args=(position.pk,)))
    assert ask_page("protection", kept) in shown.content.decode()


def test_a_protection_is_moved_and_taken_away(desk: Desk, position: Position) -> None:
    client = signed_in(desk)
    client.post(ask_page("position", position, "protect"), {"stop_loss": "59000", "reason": "x"})
    (kept,) = rows(desk, Protection)
    page = ask_page("protection", kept)

    form = client.get(f"{page}?do=move").content.decode()
    client.post(f"{page}?do=move", {"stop_loss": "59500", "reason": "Closer"})
    client.post(page, {"reason": "Not needed"})

    assert "take_profit" not in form
    asked = {row.kind: row.stop_loss for row in rows(desk, Action)}
    assert asked == {"protect": None, "move": D(59_500), "unprotect": None}
    shown = client.get(reverse("admin:trading_protection_change", args=(kept.pk,)))
    assert "Closer" in shown.content.decode()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR])
def test_who_may_not_operate_orders_asks_nothing(
    desk: Desk, order: Order, position: Position, role: Role
) -> None:
    client = signed_in(desk, role)
    page = client.get(reverse("admin:trading_order_change", args=(order.pk,)))

    answers = [
        client.post(ask_page("order", order), {"reason": "x"}),
        client.post(ask_page("position", position, "protect"), {"stop_loss": "1", "reason": "x"}),
    ]

    assert ask_page("order", order) not in page.content.decode()
    assert [answer.status_code for answer in answers] == [403, 403]
    assert rows(desk, Action) == rows(desk, Protection) == []
