"""The product's streams listen to the simulator."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trading.exchange.sockets import Heard, pool_of, running
from tests.trading.exchange.test_algos_against_simulator import stop
from tests.trading.exchange.venue import BTC, PRICE, Simulator, order, soon
from trading.exchange.algos import AlgoAmendRequest, AlgoCancelRequest, AlgoState
from trading.exchange.okx.rest import OkxClient
from trading.exchange.protection import Trigger, TriggerPrice
from trading.exchange.streams import (
    AlgoEvent,
    BalanceEvent,
    InstrumentsEvent,
    Malformed,
    MarkPriceEvent,
    OrderEvent,
    PositionsEvent,
    StreamState,
    TickerEvent,
)
from trading.exchange.types import (
    Credentials,
    InstrumentType,
    OrderState,
)

pytestmark = pytest.mark.simulator


async def test_a_private_stream_tells_what_happens(
    simulator: Simulator, client: OkxClient, alice: Credentials
) -> None:
    heard, request = Heard(), order()

    async with (
        pool_of(simulator.endpoint) as pool,
        running(pool.private(alice, on_event=heard)),
    ):
        await heard.state(StreamState.SUBSCRIBED)
        snapshot = (await heard.count(PositionsEvent))[0]
        outcome = await client.place_order(alice, request, exp_at_ms=soon(client))
        await heard.count(OrderEvent, 2)
        positions = (await heard.count(PositionsEvent, 2))[-1]
        await heard.count(BalanceEvent, 2)
        orders = [event.report for event in heard.of(OrderEvent)]

    assert snapshot == PositionsEvent((), snapshot=True)
    assert [each.state for each in orders] == [OrderState.LIVE, OrderState.FILLED]
    assert {each.exchange_order_id for each in orders} == {outcome.exchange_order_id}
    assert positions.reports[0].quantity == Decimal("1.5")
    assert not positions.snapshot
    assert heard.of(Malformed) == []
    pushed = [each.last_fill for each in orders if each.last_fill is not None]
    asked = await client.fetch_fills(alice, exchange_order_id=outcome.exchange_order_id)
    assert sorted(pushed, key=repr) == sorted(asked, key=repr)


async def test_the_stream_of_stops_tells_each_change_as_a_reading_would(
    simulator: Simulator, client: OkxClient, alice: Credentials
) -> None:
    heard = Heard()

    async with (
        pool_of(simulator.endpoint) as pool,
        running(pool.stops(alice, on_event=heard)),
    ):
        await heard.state(StreamState.SUBSCRIBED)
        await client.place_order(alice, order(), exp_at_ms=soon(client))
        request = stop()
        await client.place_algo_order(alice, request)
        await heard.count(AlgoEvent)
        (placed,) = await client.fetch_open_algo_orders(alice)
        amended = AlgoAmendRequest(
            inst_id=BTC,
            client_algo_id=request.client_algo_id,
            stop_loss=Trigger(PRICE - 900, TriggerPrice.MARK),
        )
        await client.amend_algo_order(alice, amended)
        await heard.count(AlgoEvent, 2)
        (moved,) = await client.fetch_open_algo_orders(alice)
        cancel = AlgoCancelRequest(inst_id=BTC, client_algo_id=request.client_algo_id)
        await client.cancel_algo_orders(alice, [cancel])
        told = [event.report for event in await heard.count(AlgoEvent, 3)]

    assert told[:2] == [placed, moved]
    assert moved.stop_loss == Trigger(PRICE - 900, TriggerPrice.MARK)
    assert told[2].state is AlgoState.CANCELED
    assert heard.of(Malformed) == []


@pytest.mark.parametrize("fault", ["ws_disconnect", "ws_notice"])
async def test_a_broken_stream_comes_back_with_the_whole_truth(
    simulator: Simulator, client: OkxClient, alice: Credentials, fault: str
) -> None:
    heard = Heard()

    async with (
        pool_of(simulator.endpoint) as pool,
        running(pool.private(alice, on_event=heard)),
    ):
        await heard.state(StreamState.SUBSCRIBED)
        await simulator.fault(fault, account=alice.api_key, channel="orders")
        await client.place_order(alice, order(), exp_at_ms=soon(client))
        await heard.state(StreamState.SUBSCRIBED, 2)
        await heard.count(PositionsEvent, 2)

    last = heard.of(PositionsEvent)[-1]
    assert last.snapshot
    assert [each.quantity for each in last.reports] == [Decimal("1.5")]


async def test_a_stream_with_a_wrong_secret_says_so(
    simulator: Simulator, alice: Credentials
) -> None:
    heard = Heard()
    forged = Credentials(alice.api_key, "not-the-secret", alice.passphrase)

    async with (
        pool_of(simulator.endpoint) as pool,
        running(pool.private(forged, on_event=heard)),
    ):
        await heard.state(StreamState.AUTH_FAILED)

    assert StreamState.SUBSCRIBED not in heard.states


async def test_a_public_stream_tells_prices(simulator: Simulator, client: OkxClient) -> None:
    heard = Heard()

    async with pool_of(simulator.endpoint) as pool:
        stream = pool.public(
            [BTC, "NO-SUCH-SWAP"], inst_types=[InstrumentType.SWAP], on_event=heard
        )
        async with running(stream):
            await heard.state(StreamState.SUBSCRIBED)
            await heard.count(InstrumentsEvent)
            await simulator.tell("/prices", **{BTC: "60500"})
            await heard.count(TickerEvent, 2)
            await heard.count(MarkPriceEvent, 2)

    assert heard.of(MarkPriceEvent)[-1].report.price == Decimal(60500)
    assert heard.of(Malformed) == []
