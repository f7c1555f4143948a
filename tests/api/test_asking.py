"""Programs cancel trades, and place and take away protections, as often as they like."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import tenant_scope
from tests.api.calls import Programs, fields_of, told
from trading.models import Action, Order, Position, Protection

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]
D = Decimal


def order(programs: Programs, **columns: Any) -> Order:
    row = programs.world.orders[0]
    with tenant_scope(programs.world.tenant):
        Order.objects.filter(pk=row.pk).update(**columns)
    return row


def held(programs: Programs, quantity: str = "5") -> dict[str, Any]:
    """What names a position of 5 contracts."""
    account = programs.world.accounts[1]
    with tenant_scope(programs.world.tenant):
        Position.objects.filter(account=account).delete()
        Position.objects.create(
            account=account, inst_id="BTC-USDT-SWAP", position_side="net", margin_mode="cross",
            quantity=D(quantity), mark_price=D(60_000), updated_at=timezone.now(),
        )  # fmt: skip
    return {
        "account_id": str(account.uid),
        "instrument": "BTC-USDT-SWAP",
        "position_side": "net",
        "stop_loss": "59000",
    }


def place(programs: Programs, body: Any, key: str = "one", who: str = "integrator") -> Any:
    caller = getattr(programs, who)
    return caller.call("post", "positions/protect", body, headers={"Idempotency-Key": key})


def rows(programs: Programs, model: Any) -> list[Any]:
    """What was asked since; the desk's day left a protection that has ended."""
    with tenant_scope(programs.world.tenant):
        return list(model.objects.exclude(state="canceled"))


def test_a_trade_that_was_not_sent_is_canceled_at_once(programs: Programs) -> None:
    row = order(programs, state="ready", finished_at=None)

    answers = [programs.integrator.post(f"trades/{row.pk}/cancel", {"reason": "x"}) for _ in "ab"]

    data = [answer.json()["data"] for answer in answers]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert data[0]["id"] == data[1]["id"]
    assert (data[0]["kind"], data[0]["state"], data[0]["trade_id"]) == (
        "cancel",
        "done",
        str(row.pk),
    )
    assert programs.integrator.data(f"trades/{row.pk}")["state"] == "canceled"


def test_a_resting_trade_is_asked_to_be_canceled(programs: Programs) -> None:
    row = order(programs, state="live", order_type="limit", price=D(1), finished_at=None)

    answer = programs.integrator.post(f"trades/{row.pk}/cancel")

    assert (answer.status_code, answer.json()["data"]["state"]) == (202, "waiting")
    with tenant_scope(programs.world.tenant):
        assert Order.objects.get(pk=row.pk).cancel_requested


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"state": "filled"}, "The order has ended already."),
        (
            {"state": "live", "order_type": "market", "finished_at": None},
            "A market order that has left cannot be called back.",
        ),
    ],
)
def test_what_cannot_be_canceled_is_a_conflict_and_nothing_is_asked(
    programs: Programs, columns: Any, reason: str
) -> None:
    row = order(programs, **columns)

    answer = programs.integrator.post(f"trades/{row.pk}/cancel")

    assert told(answer) == (409, "conflict", [("id", reason)])
    assert rows(programs, Action) == []


def test_who_only_reads_cancels_nothing(programs: Programs) -> None:
    row = order(programs, state="ready", finished_at=None)

    for caller in (programs.reader, programs.customer):
        assert caller.post(f"trades/{row.pk}/cancel").status_code == 403
        assert place(programs, held(programs), who="reader").status_code == 403
    assert rows(programs, Action) == rows(programs, Protection) == []


def test_a_protection_is_placed_once_under_its_key_and_taken_away(programs: Programs) -> None:
    body = held(programs)

    first, again = (place(programs, body).json()["data"] for _ in "ab")
    listed = programs.reader.data("protections", state="waiting")["items"]
    gone = programs.integrator.post(f"protections/{first['id']}/cancel", {"reason": "x"})

    assert first == again
    assert (first["state"], first["stop_loss"], first["quantity"]) == ("waiting", "59000", "5")
    assert [row["id"] for row in listed] == [first["id"]]
    assert (gone.status_code, gone.json()["data"]["protection_id"]) == (202, first["id"])
    assert {row.kind for row in rows(programs, Action)} == {"protect", "unprotect"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"stop_loss": None}, "stop_loss"),
        ({"stop_loss": "61000"}, "stop_loss"),
        ({"take_profit": "1"}, "take_profit"),
        ({"quantity": "6"}, "quantity"),
        ({"position_side": "long"}, "instrument"),
        ({"instrument": "NOPE"}, "instrument"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_protection_that_cannot_be_is_refused_by_its_field(
    programs: Programs, change: Any, field: str
) -> None:
    answer = place(programs, held(programs) | change)

    assert fields_of(answer) == [field]
    assert rows(programs, Protection) == []
