"""Take profits, stop losses, amendments and cancels of many, as the simulator understands them."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.exchange.venue import BTC, PRICE, Simulator, order, resting, soon
from trading.exchange.algos import (
    AlgoAmendRequest,
    AlgoCancelRequest,
    AlgoRequest,
    AlgoState,
    AlgoType,
)
from trading.exchange.okx.rest import OkxClient
from trading.exchange.protection import Protection, Trigger, TriggerPrice
from trading.exchange.types import (
    AmendRequest,
    CancelRequest,
    Credentials,
    LookupKind,
    MarginMode,
    OrderState,
    Outcome,
    Side,
)

pytestmark = pytest.mark.simulator

LOST = ["drop_before", "drop_after_accept", "truncate", "html_200", "code:50026", "redirect:307"]


def stop(**changes: Any) -> AlgoRequest:
    terms: dict[str, Any] = {
        "inst_id": BTC,
        "side": Side.SELL,
        "position_side": None,
        "margin_mode": MarginMode.CROSS,
        "client_algo_id": uuid.uuid4().hex,
        "quantity": Decimal(1),
        "stop_loss": Trigger(PRICE - 600, TriggerPrice.MARK),
    }
    return AlgoRequest(**(terms | changes))


async def opened(client: OkxClient, who: Credentials, **changes: Any) -> None:
    outcome = await client.place_order(who, order(**changes), exp_at_ms=soon(client))
    assert outcome.kind is Outcome.ACK


async def test_an_order_brings_its_take_profit_and_stop_loss(
    client: OkxClient, alice: Credentials
) -> None:
    protection = Protection(
        client_algo_id=uuid.uuid4().hex,
        take_profit=Trigger(PRICE + 600),
        stop_loss=Trigger(PRICE - 1200, TriggerPrice.MARK),
    )
    request = resting(protection=protection)
    await client.place_order(alice, request, exp_at_ms=soon(client))
    (carrying,) = await client.fetch_open_orders(alice)

    await opened(client, alice, protection=replaced(protection))
    (armed,) = await client.fetch_open_algo_orders(alice)

    (carried,) = carrying.protections
    assert carried.client_algo_id == protection.client_algo_id
    assert (carried.take_profit, carried.stop_loss) == (
        protection.take_profit,
        protection.stop_loss,
    )
    assert armed.algo_type is AlgoType.OCO
    assert (armed.side, armed.quantity, armed.state) == (Side.SELL, Decimal("1.5"), AlgoState.LIVE)
    assert armed.take_profit == protection.take_profit


def replaced(protection: Protection) -> Protection:
    return Protection(
        client_algo_id=uuid.uuid4().hex,
        take_profit=protection.take_profit,
        stop_loss=protection.stop_loss,
    )


async def test_a_stop_loss_is_placed_amended_found_and_canceled(
    client: OkxClient, alice: Credentials
) -> None:
    await opened(client, alice)
    request = stop()

    placed = await client.place_algo_order(alice, request)
    amended = await client.amend_algo_order(
        alice,
        AlgoAmendRequest(
            inst_id=BTC,
            client_algo_id=request.client_algo_id,
            quantity=Decimal("0.5"),
            stop_loss=Trigger(PRICE - 900, TriggerPrice.MARK),
        ),
    )
    lookup = await client.fetch_algo_order(alice, client_algo_id=request.client_algo_id)
    cancel = AlgoCancelRequest(inst_id=BTC, client_algo_id=request.client_algo_id)
    stranger = AlgoCancelRequest(inst_id=BTC, client_algo_id="nobody")
    first, unknown_one = await client.cancel_algo_orders(alice, [cancel, stranger])
    again = await client.fetch_algo_order(alice, exchange_algo_id=placed.exchange_order_id)
    (ended,) = await client.fetch_algo_order_history(alice, begin_ms=client.clock.now_ms() - 9000)

    assert (placed.kind, amended.kind, first.kind) == (Outcome.ACK,) * 3
    assert unknown_one.kind is Outcome.REJECTED
    assert lookup.kind is LookupKind.FOUND
    assert lookup.report is not None
    assert lookup.report.exchange_algo_id == placed.exchange_order_id
    assert lookup.report.quantity == Decimal("0.5")
    assert lookup.report.stop_loss == Trigger(PRICE - 900, TriggerPrice.MARK)
    assert again.report is not None
    assert again.report.state is AlgoState.CANCELED
    assert ended.client_algo_id == request.client_algo_id
    assert await client.fetch_open_algo_orders(alice) == ()


async def test_a_triggered_stop_loss_names_its_order(
    simulator: Simulator, client: OkxClient, alice: Credentials
) -> None:
    await opened(client, alice)
    request = stop(quantity=None, stop_loss=Trigger(PRICE - 100))
    await client.place_algo_order(alice, request)

    await simulator.tell("/prices", **{BTC: str(PRICE - 200)})
    lookup = await client.fetch_algo_order(alice, client_algo_id=request.client_algo_id)

    assert lookup.report is not None
    assert lookup.report.state is AlgoState.EFFECTIVE
    assert (lookup.report.quantity, lookup.report.actual_side) == (None, "sl")
    (order_id,) = lookup.report.exchange_order_ids
    found = await client.fetch_order(alice, BTC, exchange_order_id=order_id)
    assert found.report is not None
    assert found.report.client_algo_id == request.client_algo_id
    assert found.report.exchange_algo_id == lookup.report.exchange_algo_id
    assert await client.fetch_positions(alice) == ()


async def test_an_algo_order_that_never_was_is_not_found(
    client: OkxClient, alice: Credentials
) -> None:
    lookup = await client.fetch_algo_order(alice, client_algo_id="nothing1")

    assert lookup.kind is LookupKind.NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"stop_loss": Trigger(PRICE + 600)}, Outcome.REJECTED, "51280"),
        ({"inst_id": "NO-USDT-SWAP"}, Outcome.REJECTED, "51001"),
        ({"client_algo_id": "with-dash"}, Outcome.REJECTED, "LOCAL"),
        ({"stop_loss": None}, Outcome.REJECTED, "LOCAL"),
    ],
)
async def test_a_wrong_stop_loss_is_refused(
    client: OkxClient, alice: Credentials, changes: dict[str, Any], kind: Outcome, code: str
) -> None:
    outcome = await client.place_algo_order(alice, stop(**changes))

    assert (outcome.kind, outcome.reason_code) == (kind, code)
    assert await client.fetch_open_algo_orders(alice) == ()


async def test_a_taken_name_is_a_duplicate(client: OkxClient, alice: Credentials) -> None:
    await opened(client, alice)
    request = stop()

    first = await client.place_algo_order(alice, request)
    second = await client.place_algo_order(alice, request)
    protection = Protection(client_algo_id=request.client_algo_id, stop_loss=request.stop_loss)
    carrying = await client.place_order(alice, order(protection=protection), exp_at_ms=soon(client))

    assert [each.kind for each in (first, second, carrying)] == [
        Outcome.ACK,
        Outcome.DUPLICATE,
        Outcome.DUPLICATE,
    ]
    assert len(await client.fetch_open_algo_orders(alice)) == 1


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_leaves_the_stop_loss_open_and_single(
    simulator: Simulator, client: OkxClient, alice: Credentials, fault: str
) -> None:
    await opened(client, alice)
    request = stop()
    await simulator.fault(fault, path="/api/v5/trade/order-algo", account=alice.api_key)

    outcome = await client.place_algo_order(alice, request)
    armed = await client.fetch_open_algo_orders(alice)

    assert outcome.kind is Outcome.UNKNOWN
    assert [each.client_algo_id for each in armed] in ([], [request.client_algo_id])


async def test_a_resting_order_is_amended(client: OkxClient, alice: Credentials) -> None:
    request = resting()
    await client.place_order(alice, request, exp_at_ms=soon(client))
    new = AmendRequest(
        inst_id=BTC,
        client_order_id=request.client_order_id,
        quantity=Decimal(1),
        price=PRICE - 700,
        request_id="change1",
    )

    outcome = await client.amend_order(alice, new, exp_at_ms=soon(client))
    lookup = await client.fetch_order(alice, BTC, client_order_id=request.client_order_id)

    assert outcome.kind is Outcome.ACK
    assert lookup.report is not None
    assert (lookup.report.quantity, lookup.report.price) == (Decimal(1), PRICE - 700)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_order_id": "nobody"}, "51503"),
        ({"price": Decimal("60000.01")}, "51150"),
        ({"quantity": None, "price": None}, "LOCAL"),
        ({"quantity": Decimal(0)}, "LOCAL"),
    ],
)
async def test_a_refused_amendment_changes_nothing(
    client: OkxClient, alice: Credentials, changes: dict[str, Any], code: str
) -> None:
    request = resting()
    await client.place_order(alice, request, exp_at_ms=soon(client))
    terms: dict[str, Any] = {
        "inst_id": BTC,
        "client_order_id": request.client_order_id,
        "quantity": Decimal(1),
    }

    outcome = await client.amend_order(
        alice, AmendRequest(**(terms | changes)), exp_at_ms=soon(client)
    )
    (listed,) = await client.fetch_open_orders(alice)

    assert (outcome.kind, outcome.reason_code) == (Outcome.REJECTED, code)
    assert (listed.quantity, listed.price) == (request.quantity, request.price)


async def test_an_amendment_has_a_deadline(client: OkxClient, alice: Credentials) -> None:
    request = resting()
    await client.place_order(alice, request, exp_at_ms=soon(client))
    new = AmendRequest(inst_id=BTC, client_order_id=request.client_order_id, quantity=Decimal(1))

    outcome = await client.amend_order(alice, new, exp_at_ms=client.clock.now_ms() + 100)

    assert outcome.kind is Outcome.NOT_PLACED


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_leaves_the_amendment_open(
    simulator: Simulator, client: OkxClient, alice: Credentials, fault: str
) -> None:
    request = resting()
    await client.place_order(alice, request, exp_at_ms=soon(client))
    await simulator.fault(fault, path="/api/v5/trade/amend-order", account=alice.api_key)
    new = AmendRequest(inst_id=BTC, client_order_id=request.client_order_id, quantity=Decimal(1))

    outcome = await client.amend_order(alice, new, exp_at_ms=soon(client))
    (listed,) = await client.fetch_open_orders(alice)

    assert outcome.kind is Outcome.UNKNOWN
    assert listed.quantity in (Decimal(1), Decimal("1.5"))


async def test_many_orders_are_canceled_each_with_its_outcome(
    client: OkxClient, alice: Credentials
) -> None:
    requests = [resting(quantity=Decimal("0.01")) for _ in range(24)]
    for request in requests:
        await client.place_order(alice, request, exp_at_ms=soon(client))
    by_client_id = [
        CancelRequest(inst_id=BTC, client_order_id=each.client_order_id) for each in requests
    ]
    stranger = CancelRequest(inst_id=BTC, client_order_id="nobody")

    outcomes = await client.cancel_orders(alice, [*by_client_id[:3], stranger, *by_client_id[3:]])

    kinds = [each.kind for each in outcomes]
    assert kinds.pop(3) is Outcome.REJECTED
    assert kinds == [Outcome.ACK] * 24
    assert await client.fetch_open_orders(alice) == ()


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_leaves_every_cancel_open(
    simulator: Simulator, client: OkxClient, alice: Credentials, fault: str
) -> None:
    request = resting()
    await client.place_order(alice, request, exp_at_ms=soon(client))
    await simulator.fault(fault, path="/api/v5/trade/cancel-batch-orders", account=alice.api_key)
    cancel = CancelRequest(inst_id=BTC, client_order_id=request.client_order_id)
    other = CancelRequest(inst_id=BTC, exchange_order_id="1")

    outcomes = await client.cancel_orders(alice, [cancel, other])

    assert [each.kind for each in outcomes] == [Outcome.UNKNOWN, Outcome.UNKNOWN]


async def test_a_countdown_starts_and_stops(client: OkxClient, alice: Credentials) -> None:
    started = await client.cancel_all_after(alice, 60)
    stopped = await client.cancel_all_after(alice, 0)
    impossible = await client.cancel_all_after(alice, 5)

    assert (started.kind, stopped.kind) == (Outcome.ACK, Outcome.ACK)
    assert (impossible.kind, impossible.code) == (Outcome.REJECTED, "LOCAL")


async def test_an_order_canceled_by_a_stranger_is_seen(
    client: OkxClient, alice: Credentials
) -> None:
    request = resting()
    placed = await client.place_order(alice, request, exp_at_ms=soon(client))
    by_exchange_id = CancelRequest(inst_id=BTC, exchange_order_id=placed.exchange_order_id)

    (outcome,) = await client.cancel_orders(alice, [by_exchange_id])
    lookup = await client.fetch_order(alice, BTC, client_order_id=request.client_order_id)

    assert outcome.kind is Outcome.ACK
    assert lookup.report is not None
    assert lookup.report.state is OrderState.CANCELED


async def test_no_maintenance_is_announced(client: OkxClient) -> None:
    assert await client.fetch_system_status() == ()
