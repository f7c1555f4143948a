"""Limits of the exchange are kept by us: who would break one waits, or is told so in time."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tests.trading.exchange.kept import kept
from tests.trading.exchange.test_bursts import Told
from tests.trading.exchange.test_connections import client_of
from tests.trading.exchange.venue import BTC, Simulator, order
from tests.trading.exchange.wire import ALICE, LATER_MS, envelope, http, market_order, order_row
from trading.exchange.errors import ReadFailed
from trading.exchange.okx.pacing import SLACK_S, Pacer, Toll
from trading.exchange.okx.rates import Rate
from trading.exchange.okx.rest import OkxClient
from trading.exchange.okx.tolls import toll_of_batch, toll_of_order, toll_of_question
from trading.exchange.types import Credentials, InstrumentType, Outcome, Placement

SIX = Toll("six", Rate(6))
WINDOW = 2 + SLACK_S
NEVER = float("inf")


def test_within_the_limit_nobody_waits_and_then_each_as_long_as_needed() -> None:
    pacer = Pacer()

    at = [pacer.reserve([SIX], moment, NEVER) for moment in (0, 0, 0, 1, 1, 1, 1, 1, 5)]

    assert at == [0, 0, 0, 1, 1, 1, WINDOW, WINDOW, 5]


def test_no_window_ever_holds_more_than_the_limit() -> None:
    draw = random.Random(7)
    pacer, now, left = Pacer(), 0.0, []
    for _ in range(500):
        now += draw.choice((0, 0, 0.01, 0.3, 1))
        at = pacer.reserve([SIX], now, now + 5)
        assert at >= now
        if at <= now + 5:
            left.append(at)

    for start in left:
        assert sum(start <= at < start + WINDOW - 1e-9 for at in left) <= 6


def test_who_would_go_too_late_takes_nothing() -> None:
    pacer = Pacer()
    for _ in range(6):
        pacer.reserve([SIX], 0, NEVER)

    refused = [pacer.reserve([SIX], 0, 2.0) for _ in range(50)]

    assert refused == [WINDOW] * 50
    assert pacer.reserve([SIX], 0, 3) == WINDOW


def test_a_batch_counts_with_all_its_items() -> None:
    pacer, four = Pacer(), Toll("six", Rate(6), 4)

    at = [pacer.reserve([toll], 0, NEVER) for toll in (four, SIX, SIX, SIX, four)]

    assert at == [0, 0, 0, WINDOW, WINDOW]


def test_both_limits_are_kept() -> None:
    pacer, total = Pacer(), Toll("total", Rate(3))
    other = Toll("other", Rate(6))

    at = [pacer.reserve([one, total], 0, NEVER) for one in (SIX, SIX, other, other)]

    assert at == [0, 0, 0, WINDOW]


def test_a_refusal_empties_and_shuts_and_each_one_longer() -> None:
    pacer = Pacer(lambda: 0.5)
    shut = []
    now = 0.0

    for _ in range(7):
        pacer.refused(SIX, now)
        pacer.refused(SIX, now)
        shut.append(round(pacer.shut_until([SIX]) - now, 6))
        now = pacer.shut_until([SIX])

    assert shut == [0.2, 0.4, 0.8, 1.6, 1.6, 1.6, 1.6]


def test_after_a_refusal_tokens_come_back_one_by_one() -> None:
    pacer = Pacer(lambda: 0.5)
    pacer.refused(SIX, 10.0)

    at = [pacer.reserve([SIX], 10.0, NEVER) for _ in range(3)]

    assert at == pytest.approx([10 + SLACK_S + 1 / 3, 10 + SLACK_S + 2 / 3, 10 + SLACK_S + 1])


def test_the_exchange_says_how_long() -> None:
    pacer = Pacer()

    pacer.refused(SIX, 0.0, wait_s=7)

    assert pacer.reserve([SIX], 0.0, 6.9) == 7
    assert pacer.reserve([SIX], 0.0, NEVER) == 7


def test_a_refusal_is_forgiven() -> None:
    pacer = Pacer(lambda: 0.5)
    pacer.refused(SIX, 0.0)

    pacer.refused(SIX, 60.0)

    assert pacer.shut_until([SIX]) == pytest.approx(60.2)


def test_accounts_at_rest_are_forgotten() -> None:
    pacer = Pacer()
    for account in range(10_000):
        pacer.reserve([Toll(account, Rate(60))], account * 0.02, NEVER)

    assert len(pacer) < 5000


def test_every_account_and_instrument_has_its_own_limit() -> None:
    names = {
        toll.name
        for account in ("a", "b")
        for inst_id in ("BTC-USDT-SWAP", "ETH-USDT-SWAP")
        for toll in (
            *toll_of_order("trade/order", inst_id, account),
            *toll_of_order("trade/cancel-order", inst_id, account),
            *toll_of_question("trade/order", {"instId": inst_id}, account),
        )
    }

    assert len(names) == 2 * (2 * 3 + 1)


def test_a_batch_pays_for_each_instrument() -> None:
    bodies = [{"instId": "A"}, {"instId": "B"}, {"instId": "A"}]

    tolls = toll_of_batch("trade/cancel-batch-orders", bodies, "key")

    assert [(toll.name[-1], toll.count) for toll in tolls] == [("A", 2), ("B", 1)]  # type: ignore[index]


def burst(who: Credentials, count: int, exp_at_ms: int) -> list[Placement]:
    return [Placement(who, order(quantity=Decimal("0.01")), exp_at_ms) for _ in range(count)]


@pytest.fixture
async def limited(simulator: Simulator) -> AsyncIterator[Simulator]:
    await simulator.tell("/limits", mode="okx")
    yield simulator
    await simulator.tell("/limits", mode="off")


@pytest.mark.simulator
async def test_more_orders_than_the_limit_wait_and_all_arrive(
    limited: Simulator, alice: Credentials
) -> None:
    client = OkxClient(limited.endpoint)
    told, began = Told(70), time.monotonic()

    await client.place_orders(burst(alice, 70, client.clock.now_ms() + 9000), told)
    took = time.monotonic() - began
    await client.aclose()

    assert told.kinds == [Outcome.ACK] * 70
    assert took > 2


@pytest.mark.simulator
async def test_what_cannot_wait_is_told_and_lookups_go_on(
    limited: Simulator, alice: Credentials
) -> None:
    client = OkxClient(limited.endpoint)
    told = Told(70)

    await client.place_orders(burst(alice, 70, client.clock.now_ms() + 1500), told)
    lookup = await client.fetch_order(alice, BTC, client_order_id="nothing1")
    placed = await client.fetch_order_history(alice, InstrumentType.SWAP)
    await client.aclose()

    assert told.kinds == [Outcome.ACK] * 60 + [Outcome.NOT_PLACED] * 10
    assert {outcome.code for (outcome,) in told.outcomes[60:]} == {"RATE_LIMITED"}
    assert lookup.code == "51603"
    assert len(placed) == 60


async def test_a_refusal_holds_up_what_follows() -> None:
    refusal = http("429 x", envelope("50011"), extra="Retry-After: 1\r\n")
    good = http("200 OK", envelope("0", order_row(clOrdId="")))

    async with kept([refusal], [good]) as server, client_of(server, paced=True) as client:
        first = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
        soon = client.clock.now_ms() + 800
        hurried = await client.place_order(ALICE, market_order(), exp_at_ms=soon)
        began = time.monotonic()
        patient = await client.place_order(ALICE, market_order(), exp_at_ms=LATER_MS)
        waited = time.monotonic() - began

    assert (first.kind, first.code) == (Outcome.NOT_PLACED, "50011")
    assert (hurried.kind, hurried.code) == (Outcome.NOT_PLACED, "RATE_LIMITED")
    assert hurried.retry_after_s is not None
    assert Decimal("0.5") < hurried.retry_after_s <= 1
    assert patient.kind is Outcome.ACK
    assert 0.8 < waited < 1.6
    assert len(server.requests) == 2


async def test_a_question_that_would_wait_too_long_has_no_answer() -> None:
    refusal = http("429 x", envelope("50011"), extra="Retry-After: 30\r\n")

    async with kept([refusal]) as server, client_of(server, paced=True, timeout_s=1) as client:
        for code in ("50011", "RATE_LIMITED"):
            with pytest.raises(ReadFailed) as failed:
                await client.fetch_positions(ALICE)
            assert failed.value.code == code

    assert len(server.requests) == 1


async def test_a_price_that_looks_like_a_refusal_is_none() -> None:
    row = {"instId": "X-50011", "last": "50011", "bidPx": "", "askPx": "", "ts": "1"}

    async with (
        kept([http("200 OK", envelope("0", row))]) as server,
        client_of(server, paced=True) as client,
    ):
        await client.fetch_tickers(InstrumentType.SWAP)
        began = time.monotonic()
        await client.fetch_tickers(InstrumentType.SWAP)

    assert time.monotonic() - began < 0.15
