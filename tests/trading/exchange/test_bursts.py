"""Many orders at once: each is told of exactly once, whatever happens to it or to its caller."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.trading.exchange.kept import CLOSE, kept
from tests.trading.exchange.test_connections import client_of, until
from tests.trading.exchange.venue import Simulator, order
from tests.trading.exchange.wire import (
    ALICE,
    BOB,
    LATER_MS,
    envelope,
    http,
    market_order,
    order_row,
    wire,
)
from tests.trading.exchange.wire import client_of as wire_client
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import Credentials, InstrumentType, Outcome, Placement, SendOutcome

GOOD = http("200 OK", envelope("0", order_row(clOrdId="")))


class Told:
    def __init__(self, count: int) -> None:
        self.outcomes: list[list[SendOutcome]] = [[] for _ in range(count)]

    def __call__(self, index: int, outcome: SendOutcome) -> None:
        self.outcomes[index].append(outcome)

    @property
    def kinds(self) -> list[Outcome]:
        """Fails when one was told of twice or not at all."""
        return [outcome.kind for (outcome,) in self.outcomes]


def placements(count: int, *, exp_at_ms: int = LATER_MS) -> list[Placement]:
    return [
        Placement((ALICE, BOB)[n % 2], market_order(client_order_id=f"c{n}"), exp_at_ms)
        for n in range(count)
    ]


async def test_all_are_sent_and_told_of_once() -> None:
    told = Told(130)
    async with kept([GOOD]) as server, client_of(server) as client:
        await client.place_orders(placements(130), told)

    assert told.kinds == [Outcome.ACK] * 130
    assert len(server.requests) == 130


async def test_nothing_to_send_ends_at_once() -> None:
    async with kept([GOOD]) as server, client_of(server) as client:
        await client.place_orders([], Told(0))

    assert server.connections == 0


async def test_each_has_its_own_fate() -> None:
    told = Told(4)
    late, impossible = placements(2, exp_at_ms=1)[0], placements(1)[0]
    impossible = Placement(ALICE, market_order(quantity=Decimal(0)), LATER_MS)
    good, lost = placements(2)

    async with kept([GOOD], [CLOSE]) as server, client_of(server, limit=1) as client:
        await client.place_orders([late, impossible, good, lost], told)

    assert told.kinds == [
        Outcome.NOT_PLACED,
        Outcome.REJECTED,
        Outcome.ACK,
        Outcome.UNKNOWN,
    ]
    assert len(server.requests) == 2


async def test_a_caller_who_gives_up_is_told_what_left_and_what_did_not() -> None:
    told = Told(20)
    async with kept([2.0]) as server, client_of(server, limit=3) as client:
        sending = asyncio.create_task(client.place_orders(placements(20), told))
        await until(lambda: len(server.requests) == 3)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    assert sorted(told.kinds) == [Outcome.NOT_PLACED] * 17 + [Outcome.UNKNOWN] * 3
    assert len(server.requests) == 3


async def test_a_client_that_is_closed_tells_of_all() -> None:
    told = Told(20)
    async with kept([2.0]) as server, client_of(server, limit=3) as client:
        sending = asyncio.create_task(client.place_orders(placements(20), told))
        await until(lambda: len(server.requests) == 3)
        await client.aclose()
        await sending

    assert sorted(told.kinds) == [Outcome.NOT_PLACED] * 17 + [Outcome.UNKNOWN] * 3


async def test_a_receiver_that_fails_stops_no_other() -> None:
    told = Told(10)

    def receive(index: int, outcome: SendOutcome) -> None:
        told(index, outcome)
        if index % 2:
            raise RuntimeError("the receiver is broken")

    async with kept([GOOD]) as server, client_of(server, limit=2) as client:
        await client.place_orders(placements(10), receive)

    assert told.kinds == [Outcome.ACK] * 10


async def test_a_skewed_clock_is_measured_once() -> None:
    told = Told(8)
    refusal = http("401 x", envelope("50102"))

    async with wire(refusal) as server, wire_client(server) as client:
        await client.place_orders(placements(8), told)

    assert told.kinds == [Outcome.NOT_PLACED] * 8
    assert len(server.posts) == 8
    assert len(server.requests) - 8 == 5


@pytest.mark.simulator
async def test_accounts_get_their_own_orders(
    simulator: Simulator, client: OkxClient, alice: Credentials
) -> None:
    bob = await simulator.account()
    exp_at_ms = client.clock.now_ms() + 5000
    whose = [alice, bob, bob] * 10
    told = Told(30)

    await client.place_orders(
        [Placement(who, order(quantity=Decimal("0.1")), exp_at_ms) for who in whose], told
    )

    assert told.kinds == [Outcome.ACK] * 30
    for who, count in ((alice, 10), (bob, 20)):
        history = await client.fetch_order_history(who, InstrumentType.SWAP)
        assert len(history) == count
