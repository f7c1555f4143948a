"""Messages of other systems through the door: who sent them, which they are, what they become."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import Dialect, SignalStatus
from signals.models import LeaderPosition, Signal, SignalSource
from signals.parsing import example
from signals.together import Delivery, take_together
from tests.factories import SECRET, make_instrument, make_source, set_price
from tests.signals.deliveries import delivery_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]

TOKEN = "a-token-of-the-tests"


@pytest.fixture(autouse=True)
def _market() -> None:
    make_instrument()  # 0.01 BTC a contract
    set_price()


def source_of(dialect: Dialect) -> SignalSource:
    return make_source(token=TOKEN, dialect=dialect)


def post(body: str | dict[str, Any]) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return Client().post(f"/hooks/t/{TOKEN}/", text, content_type="text/plain")


def now() -> str:
    return timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def alert(action: str, before: str, after: str, amount: str = "0.5", **changes: Any) -> Any:
    """What a strategy sends to an OKX Signal Bot."""
    return {
        "id": "Long",
        "action": action,
        "prevMarketPosition": before,
        "marketPosition": after,
        "instrument": "BTCUSDT.P",
        "signalToken": SECRET,
        "timestamp": now(),
        "investmentType": "base",
        "amount": amount,
        **changes,
    }


def known(source: SignalSource, direction: str, quantity: int) -> None:
    with tenant_scope(source.tenant_id):
        LeaderPosition.objects.create(
            tenant_id=source.tenant_id,
            source=source,
            inst_id="BTC-USDT-SWAP",
            direction=direction,
            quantity=Decimal(quantity),
            updated_at=timezone.now(),
        )


def signals() -> list[Signal]:
    with all_tenants("reading in a test"):
        return list(Signal.objects.order_by("received_at", "id"))


def terms(signal: Signal) -> tuple[str, str, Decimal | None]:
    quantity = None if signal.quantity is None else signal.quantity.normalize()
    return signal.intent, signal.direction, quantity


def gaps() -> list[AuditEntry]:
    with all_tenants("reading in a test"):
        return list(AuditEntry.objects.filter(action="signal.gap"))


FILLED_IN = {
    "{{timenow}}": None,
    "{{exchange}}": "OKX",
    "{{ticker}}": "BTCUSDT.P",
    "{{close}}": "65000",
    "{{strategy.order.id}}": "Long",
    "{{strategy.order.action}}": "buy",
    "{{strategy.order.contracts}}": "0.5",
    "{{strategy.market_position}}": "long",
    "{{strategy.market_position_size}}": "0.5",
    "{{strategy.prev_market_position}}": "flat",
    "{{strategy.prev_market_position_size}}": "0",
    "{{strategy.position_size}}": "50",
}


@pytest.mark.parametrize("dialect", Dialect)
def test_the_example_of_each_dialect_is_accepted_once_it_is_filled_in(dialect: Dialect) -> None:
    source_of(dialect)
    text = example(dialect, SECRET)
    for placeholder, value in FILLED_IN.items():
        text = text.replace(placeholder, value or now())

    response = post(text)

    assert response.status_code == 202, response.json()
    (signal,) = signals()
    assert (signal.inst_id, signal.intent, signal.direction) == ("BTC-USDT-SWAP", "open", "long")
    assert signal.quantity is not None
    assert SECRET not in signal.raw


@pytest.mark.parametrize("dialect", Dialect)
def test_a_wrong_secret_opens_no_door_in_any_dialect(dialect: Dialect) -> None:
    source_of(dialect)

    assert post(example(dialect, "a-guess")).status_code == 404
    assert post(example(dialect, "")).status_code == 404
    assert signals() == []


def test_a_refusal_names_the_field_as_the_sender_calls_it() -> None:
    source_of(Dialect.OKX_STRATEGY)

    unlisted = post(alert("buy", "flat", "long", instrument="ETHUSDT.P"))
    spoken = post(alert("buy", "flat", "long", timestamp="2099-01-01T00:00:00Z"))

    assert unlisted.json()["field"] == "instrument"
    assert spoken.json()["field"] == "timestamp"


def test_an_id_that_comes_again_with_each_entry_hides_no_signal() -> None:
    source_of(Dialect.OKX_STRATEGY)
    opened = alert("buy", "flat", "long", timestamp="2026-01-31T08:00:00Z")
    closed = alert("sell", "long", "flat", timestamp="2026-01-31T08:00:00Z")

    assert post(opened).status_code == 202
    assert post(closed).status_code == 202
    again = post(opened)

    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert [terms(one) for one in signals()] == [
        ("open", "long", Decimal(50)),
        ("close", "long", None),
    ]
    assert {one.external_id for one in signals()} == {"Long"}


def test_the_same_message_with_a_new_secret_is_the_same_signal() -> None:
    source = source_of(Dialect.OKX_STRATEGY)
    opened = alert("buy", "flat", "long", timestamp="2026-01-31T08:00:00Z")
    post(opened)
    with tenant_scope(source.tenant_id):
        source.secret, source.previous_secret = "another-secret", SECRET  # type: ignore[assignment]
        source.save()

    assert post({**opened, "signalToken": "another-secret"}).json()["duplicate"] is True


def test_a_position_that_agrees_is_no_gap_though_nothing_is_copied_yet() -> None:
    source_of(Dialect.OKX_STRATEGY)

    post(alert("buy", "flat", "long"))
    post(alert("buy", "long", "long", "0.25"))
    post(alert("sell", "long", "long", "0.1"))
    post(alert("sell", "long", "short", "1.65"))

    assert [terms(one) for one in signals()] == [
        ("open", "long", Decimal(50)),
        ("add", "long", Decimal(25)),
        ("reduce", "long", Decimal(10)),
        ("flip", "short", Decimal(100)),
    ]
    assert not any(one.has_gap for one in signals())
    assert gaps() == []


def test_a_gap_is_stored_told_and_answered_by_the_target() -> None:
    source = source_of(Dialect.OKX_STRATEGY)
    known(source, "long", 30)

    response = post(alert("sell", "flat", "short"))

    assert response.status_code == 202
    (signal,) = signals()
    assert terms(signal) == ("flip", "short", Decimal(50))
    assert (signal.has_gap, signal.status) == (True, SignalStatus.ACCEPTED)
    assert "came from flat, was known to be long" in signal.reason_text
    (entry,) = gaps()
    assert (entry.level, entry.object_id) == ("warning", str(signal.pk))
    assert entry.tenant_id == source.tenant_id


def test_a_lost_close_is_made_up_for_by_the_next_message() -> None:
    source = source_of(Dialect.THREE_COMMAS)
    known(source, "short", 30)
    body = json.loads(example(Dialect.THREE_COMMAS, SECRET)) | {
        "timestamp": now(),
        "tv_instrument": "BTCUSDT.P",
        "trigger_price": "65000",
        "action": "sell",
        "strategy_info": {
            "market_position": "flat",
            "market_position_size": "0",
            "prev_market_position": "long",
            "prev_market_position_size": "1",
        },
    }

    post(body)

    (signal,) = signals()
    assert terms(signal) == ("close", "short", None)
    assert signal.has_gap


def test_a_signed_target_turns_the_position_around() -> None:
    source = source_of(Dialect.OPENALGO)
    known(source, "short", 100)
    order = {"apikey": SECRET, "symbol": "BTC-USDT-SWAP", "id": "1", "position_size": 100}

    post(order)
    post({**order, "id": "2", "position_size": 0})
    post({**order, "id": "3", "position_size": 0})

    assert [terms(one) for one in signals()] == [
        ("flip", "long", Decimal(100)),
        ("close", "long", None),
        ("close", "long", None),
    ]


def test_orders_that_net_are_counted_in_contracts_first() -> None:
    source_of(Dialect.OCTOBOT)
    head = f"SYMBOL=BTCUSDT.P;TOKEN={SECRET};ORDER_TYPE=MARKET"

    post(f"{head};SIGNAL=BUY;VOLUME=0.5;ID=1")
    post(f"{head};SIGNAL=SELL;VOLUME=0.2;ID=2")
    post(f"{head};SIGNAL=SELL;VOLUME=0.5;ID=3")
    post(f"{head};SIGNAL=CANCEL;ID=4")

    assert [terms(one) for one in signals()] == [
        ("open", "long", Decimal(50)),
        ("reduce", "long", Decimal(20)),
        ("flip", "short", Decimal(20)),
        ("cancel", "short", None),
    ]


def test_an_order_with_a_stop_that_only_reduces_is_refused_not_stripped() -> None:
    source = source_of(Dialect.OCTOBOT)
    known(source, "short", 100)

    response = post(f"SYMBOL=BTCUSDT.P;TOKEN={SECRET};SIGNAL=BUY;VOLUME=0.5;STOP_PRICE=60000;ID=1")

    assert (response.status_code, response.json()["field"]) == (400, "STOP_PRICE")


def test_spot_is_never_sold_short() -> None:
    source = source_of(Dialect.OPENALGO)
    make_instrument("BTC-USDT")

    response = post(
        {"apikey": SECRET, "symbol": "BTC-USDT", "id": "1", "position_size": "-1"},
    )

    assert (response.status_code, response.json()["field"]) == (400, "position_size")
    with tenant_scope(source.tenant_id):
        assert not Signal.objects.get().has_gap


def test_messages_that_are_stored_together_see_each_other(
    django_capture_on_commit_callbacks: Any,
) -> None:
    source = source_of(Dialect.OKX_STRATEGY)
    bodies = [
        alert("buy", "flat", "long"),
        alert("sell", "long", "short", "1"),
        alert("buy", "flat", "long", "0.2"),
    ]
    calls: list[Delivery] = [delivery_of(source, json.dumps(body).encode()) for body in bodies]

    with django_capture_on_commit_callbacks(execute=True):
        take_together(calls)

    stored = signals()
    assert [terms(one) for one in stored] == [
        ("open", "long", Decimal(50)),
        ("flip", "short", Decimal(50)),
        ("flip", "long", Decimal(20)),
    ]
    assert [one.has_gap for one in stored] == [False, False, True]
    assert len(gaps()) == 1
