"""Trades, decisions, positions and balances as programs read them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tenancy import tenant_scope
from tests.api.calls import Program, Programs, fields_of
from tests.world_day import follow
from trading.enums import OrderState
from trading.models import Balance, Decision, Fill, Order, Position

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]
UNFINISHED = ["new", "ready", "sending", "live", "unknown", "manual"]


def ids(program: Program, address: str, **query: Any) -> set[str]:
    return {row["id"] for row in program.data(address, page_size=200, **query)["items"]}


def of_world(programs: Programs, **lookups: Any) -> set[str]:
    with tenant_scope(programs.world.tenant):
        return {str(pk) for pk in Order.objects.filter(**lookups).values_list("pk", flat=True)}


def test_a_trade_is_an_order_with_its_fills_and_names_both_states(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        order = Order.objects.filter(state=OrderState.FILLED).select_related("account").first()
        assert order is not None
        fills = list(Fill.objects.filter(order=order))
    told = {row["id"]: row for row in programs.reader.data("trades", page_size=200)["items"]}

    trade = told[str(order.pk)]
    assert (trade["status"], trade["state"]) == ("filled", "filled")
    assert trade["instrument"] == order.inst_id
    assert trade["account_id"] == str(order.account.uid)
    assert Decimal(trade["quantity"]) == order.quantity
    assert isinstance(trade["quantity"], str)
    assert {f["trade_id"] for f in trade["fills"]} == {f.trade_id for f in fills}
    assert sum(Decimal(f["quantity"]) for f in trade["fills"]) == order.filled_quantity
    assert trade["explanation"].startswith(("Bought ", "Sold "))


def test_one_trade_tells_its_decision_and_its_story(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        order = Order.objects.filter(state=OrderState.REJECTED).first()
    assert order is not None

    trade = programs.reader.data(f"trades/{order.pk}")

    assert (trade["status"], trade["reason"]) == ("failed", "INSUFFICIENT_MARGIN")
    assert trade["exchange_code"] == "51008"
    assert trade["decision"]["id"] == str(order.decision_id)
    assert trade["decision"]["outcome"] == "copied"
    assert "order of" in trade["decision"]["explanation"]
    assert [event["to_state"] for event in trade["events"]] == ["ready", "sending", "rejected"]


def test_what_never_was_is_404(programs: Programs) -> None:
    for address in (f"trades/{uuid.uuid4()}", "trades/1", f"decisions/{uuid.uuid4()}"):
        assert programs.reader.get(address).status_code == 404


@pytest.mark.parametrize(
    ("query", "lookups"),
    [
        ({"status": "waiting"}, {"state__in": UNFINISHED}),
        ({"status": "canceled"}, {"state__in": ["canceled", "expired"]}),
        ({"status": "failed"}, {"state__in": ["rejected", "denied"]}),
        ({"status": "unknown"}, {"state": "unknown"}),
        ({"state": "canceled"}, {"state": "canceled"}),
        ({"symbol": "ETH-USDT-SWAP"}, {"inst_id": "ETH-USDT-SWAP"}),
        ({"side": "sell", "market": "simulator"}, {"side": "sell"}),
    ],
)  # fmt: skip
def test_trades_are_narrowed(
    programs: Programs, query: dict[str, str], lookups: dict[str, Any]
) -> None:
    assert ids(programs.reader, "trades", **query) == of_world(programs, **lookups)


def test_trades_are_narrowed_by_rows_and_by_time(programs: Programs) -> None:
    world, reader = programs.world, programs.reader
    customer, order = world.customers[1], world.orders[0]
    strategy = world.strategies[1]
    cut = timezone.now() - timedelta(hours=3)

    assert ids(reader, "trades", customer_id=customer.uid) == of_world(
        programs, account__customer=customer
    )
    assert ids(reader, "trades", strategy_id=strategy.uid) == of_world(
        programs, subscription__strategy=strategy
    )
    assert ids(reader, "trades", signal_id=order.signal_id) == of_world(
        programs, signal=order.signal_id
    )
    later = ids(reader, "trades", start_date=cut.isoformat())
    earlier = ids(reader, "trades", end_date=cut.isoformat())
    assert later == of_world(programs, created_at__gte=cut)
    assert later | earlier == of_world(programs)
    assert earlier
    assert ids(reader, "trades", customer_id=programs.stranger.customers[0].uid) == set()


def test_unknown_names_and_words_are_refused_by_name(programs: Programs) -> None:
    reader = programs.reader
    assert fields_of(reader.get("trades", status="done")) == ["status"]
    assert fields_of(reader.get("trades", customer_id="1")) == ["customer_id"]
    assert fields_of(reader.get("trades", tenant="1")) == ["tenant"]
    assert fields_of(reader.get("positions", status="held")) == ["status"]
    assert fields_of(reader.get("decisions", reason="BECAUSE")) == ["reason"]
    assert fields_of(reader.get("dashboard/charts", type="profit")) == ["period"]
    assert fields_of(reader.get("dashboard/charts", type="luck", period="1d")) == ["type"]


def test_a_decision_says_why_in_a_sentence(programs: Programs) -> None:
    rows = programs.reader.data("decisions", status="skipped", page_size=200)["items"]
    rows += programs.reader.data("decisions", status="denied", page_size=200)["items"]

    assert rows
    for row in rows:
        assert row["outcome"] in {"skipped", "denied"}
        assert row["explanation"].endswith(".")
        assert all(isinstance(value, str) for value in row["numbers"].values())
        again = programs.reader.data(f"decisions/{row['id']}")
        assert again == row


def test_positions_are_the_open_ones_unless_asked_otherwise(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        closed = Position.objects.first()
        total = Position.objects.count()
        Position.objects.filter(pk=closed.pk).update(quantity=0)

    def count(**query: str) -> int:
        return int(programs.reader.data("positions", **query)["total"])

    counts = (count(), count(status="closed"), count(status="all"))
    assert counts == (total - 1, 1, total)
    first = programs.reader.data("positions", page_size=1)["items"][0]
    assert first["market"] == "simulator"
    assert isinstance(first["unrealized_pnl"], str)


def test_balances_by_currency(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        total = Balance.objects.filter(currency="TOTAL").count()

    told = programs.reader.data("balances", currency="TOTAL")

    assert told["total"] == total > 0
    assert {(row["currency"], row["cash"]) for row in told["items"]} == {("TOTAL", None)}
    coin = programs.reader.data("balances", currency="USDT", page_size=1)["items"][0]
    assert isinstance(coin["cash"], str)


def test_a_customers_token_reads_its_own_rows_only(programs: Programs) -> None:
    world = programs.world
    mine, other = world.customers[0], world.customers[1]
    with tenant_scope(world.tenant):
        foreign = Order.objects.filter(account__customer=other).first()
        decision = Decision.objects.filter(account__customer=other).first()
    assert foreign is not None
    assert decision is not None

    for address in ("trades", "decisions", "positions", "balances"):
        rows = programs.customer.data(address, page_size=200)["items"]
        assert {row["customer_id"] for row in rows} == {str(mine.uid)}, address
    assert programs.customer.get(f"trades/{foreign.pk}").status_code == 404
    assert programs.customer.get(f"decisions/{decision.pk}").status_code == 404
    assert ids(programs.customer, "trades", customer_id=other.uid) == set()


def test_lists_and_figures_cost_the_same_however_many_rows_there_are(programs: Programs) -> None:
    import random

    world = programs.world
    addresses = [
        "trades", "decisions", "positions", "balances", "status", "dashboard/stats",
        *(f"dashboard/charts?type={t}&period={p}" for t in ("profit", "volume", "trades")
          for p in ("1d", "30d")),
        f"trades/{world.orders[0].pk}",
    ]  # fmt: skip

    def costs() -> dict[str, int]:
        found = {}
        for address in addresses:
            with CaptureQueriesContext(connection) as caught:
                response = programs.reader.get(address)
            assert response.status_code == 200, response.content
            found[address] = len(caught)
        return found

    costs()  # what is cached once is cached
    before = costs()
    with tenant_scope(world.tenant):
        Decision.objects.filter(orders=None).delete()
        for signal in world.signals[:4]:
            for rank, link in enumerate(world.subscriptions):
                if not Decision.objects.filter(signal=signal, link_uid=link.uid).exists():
                    follow(world, random.Random(5), signal, link, rank)

    assert costs() == before
    assert max(before.values()) <= 16, before
