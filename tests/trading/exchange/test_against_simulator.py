"""The door and the simulator, which share no code, understand each other over real sockets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.trading.exchange.venue import BTC, PRICE, Simulator, order, resting, sample_behind, soon
from trading.exchange.errors import AuthFailed, ReadFailed
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import (
    CancelRequest,
    Credentials,
    InstrumentType,
    LookupKind,
    MarginMode,
    OrderState,
    Outcome,
    PositionMode,
    PositionSide,
    Side,
)

pytestmark = pytest.mark.simulator

ORDER_FAULTS = [
    "drop_after_accept",
    "rst_after_accept",
    "hang:3000",
    "late_accept:300",
    "truncate",
    "html_200",
    "empty_200",
    "data_empty",
    "http:502",
    "http:504",
    "http:524",
    "code:50004",
    "code:50013",
    "code:50026",
    "scode:51149",
    "redirect:307",
    "drop_before",
]


async def test_an_order_is_placed_filled_and_found(client: OkxClient, alice: Credentials) -> None:
    request = order()

    outcome = await client.place_order(alice, request, exp_at_ms=soon(client))
    lookup = await client.fetch_order(alice, BTC, client_order_id=request.client_order_id)

    assert outcome.kind is Outcome.ACK
    assert lookup.kind is LookupKind.FOUND
    assert lookup.report is not None
    assert lookup.report.exchange_order_id == outcome.exchange_order_id
    assert lookup.report.state is OrderState.FILLED
    assert lookup.report.filled_quantity == Decimal("1.5")
    assert lookup.report.fee < 0


async def test_fills_positions_and_balance_agree(client: OkxClient, alice: Credentials) -> None:
    outcome = await client.place_order(alice, order(side=Side.SELL), exp_at_ms=soon(client))

    fills = await client.fetch_fills(alice, exchange_order_id=outcome.exchange_order_id)
    (position,) = await client.fetch_positions(alice, InstrumentType.SWAP)
    balance = await client.fetch_balance(alice)
    (finished,) = await client.fetch_order_history(alice, InstrumentType.SWAP)

    assert sum(fill.quantity for fill in fills) == Decimal("1.5")
    assert position.quantity == Decimal("-1.5")
    assert position.position_side is PositionSide.NET
    assert finished.fee == sum(fill.fee for fill in fills)
    (usdt,) = balance.details
    assert usdt.cash == 10000 + finished.fee
    assert usdt.equity == usdt.cash + usdt.unrealized_pnl


async def test_a_resting_order_is_listed_and_canceled(
    client: OkxClient, alice: Credentials
) -> None:
    request = resting()
    await client.place_order(alice, request, exp_at_ms=soon(client))
    cancel = CancelRequest(inst_id=BTC, client_order_id=request.client_order_id)

    (listed,) = await client.fetch_open_orders(alice, InstrumentType.SWAP)
    first = await client.cancel_order(alice, cancel)
    again = await client.cancel_order(alice, cancel)
    lookup = await client.fetch_order(alice, BTC, client_order_id=request.client_order_id)

    assert listed.state is OrderState.LIVE
    assert listed.price == PRICE - 600
    assert (first.kind, again.kind) == (Outcome.ACK, Outcome.REJECTED)
    assert lookup.report is not None
    assert lookup.report.state is OrderState.CANCELED
    assert await client.fetch_open_orders(alice) == ()


async def test_more_open_orders_than_a_page(client: OkxClient, alice: Credentials) -> None:
    sent = []
    for _ in range(105):
        outcome = await client.place_order(
            alice, resting(quantity=Decimal("0.01")), exp_at_ms=soon(client)
        )
        sent.append(outcome.exchange_order_id)

    listed = await client.fetch_open_orders(alice)

    assert sorted(each.exchange_order_id for each in listed) == sorted(sent)


REFUSALS = [
    ("no money", {"quantity": Decimal(5000)}, "51008"),
    ("no such instrument", {"inst_id": "NO-USDT-SWAP"}, "51001"),
    ("no whole lot", {"quantity": Decimal("0.015")}, "51121"),
    ("long in net mode", {"position_side": PositionSide.LONG}, "51000"),
]


@pytest.mark.parametrize(("label", "changes", "code"), REFUSALS, ids=[case[0] for case in REFUSALS])
async def test_a_refusal_is_a_rejection(
    client: OkxClient, alice: Credentials, label: str, changes: dict[str, Any], code: str
) -> None:
    request = order(**changes)

    outcome = await client.place_order(alice, request, exp_at_ms=soon(client))

    assert (outcome.kind, outcome.reason_code) == (Outcome.REJECTED, code), label
    assert await client.fetch_positions(alice) == ()


async def test_a_live_order_has_no_duplicate(client: OkxClient, alice: Credentials) -> None:
    request = resting()

    first = await client.place_order(alice, request, exp_at_ms=soon(client))
    second = await client.place_order(alice, request, exp_at_ms=soon(client))

    assert (first.kind, second.kind) == (Outcome.ACK, Outcome.DUPLICATE)
    assert len(await client.fetch_open_orders(alice)) == 1


async def test_a_passed_deadline_is_refused_there(client: OkxClient, alice: Credentials) -> None:
    client.clock.add(sample_behind(client, by_ms=5000))
    request = order()

    outcome = await client.place_order(alice, request, exp_at_ms=client.clock.now_ms() + 1000)
    lookup = await client.fetch_order(alice, BTC, client_order_id=request.client_order_id)

    assert (outcome.kind, outcome.reason_code) == (Outcome.NOT_PLACED, "50036")
    assert lookup.kind is LookupKind.NOT_FOUND


async def test_a_clock_far_off_is_noticed_and_put_right(
    client: OkxClient, alice: Credentials
) -> None:
    client.clock.add(sample_behind(client, by_ms=60_000))
    request = order()

    skewed = await client.place_order(alice, request, exp_at_ms=soon(client))
    for _ in range(5):
        client.clock.add(sample_behind(client, by_ms=60_000))
    with pytest.raises(ReadFailed):
        await client.fetch_positions(alice)
    after = await client.place_order(alice, request, exp_at_ms=soon(client))

    assert (skewed.kind, skewed.clock_skewed) == (Outcome.NOT_PLACED, True)
    assert after.kind is Outcome.ACK
    assert abs(client.clock.offset_ms) < 200


@pytest.mark.parametrize("fault", ORDER_FAULTS)
async def test_a_fault_leaves_the_outcome_open_and_the_order_single(
    simulator: Simulator, client: OkxClient, alice: Credentials, fault: str
) -> None:
    request = order()
    await simulator.fault(fault, path="/api/v5/trade/order", account=alice.api_key)

    outcome = await client.place_order(alice, request, exp_at_ms=soon(client))
    history = await client.fetch_order_history(alice, InstrumentType.SWAP)

    assert outcome.kind is Outcome.UNKNOWN
    assert [each.client_order_id for each in history] in ([], [request.client_order_id])


@pytest.mark.parametrize(
    ("fault", "kind"), [("code:50011", Outcome.NOT_PLACED), ("code:50061", Outcome.NOT_PLACED)]
)
async def test_a_rate_limit_placed_nothing(
    simulator: Simulator, client: OkxClient, alice: Credentials, fault: str, kind: Outcome
) -> None:
    request = order()
    await simulator.fault(fault, path="/api/v5/trade/order", account=alice.api_key)

    outcome = await client.place_order(alice, request, exp_at_ms=soon(client))

    assert outcome.kind is kind
    lookup = await client.fetch_order(alice, BTC, client_order_id=request.client_order_id)
    assert lookup.kind is LookupKind.NOT_FOUND


async def test_wrong_credentials_are_told_apart(client: OkxClient, alice: Credentials) -> None:
    forged = Credentials(alice.api_key, "not-the-secret", alice.passphrase)
    stranger = Credentials("no-such-key", "not-the-secret", "no-passphrase")

    for wrong in (forged, stranger):
        with pytest.raises(AuthFailed):
            await client.fetch_balance(wrong)
        outcome = await client.place_order(wrong, order(), exp_at_ms=soon(client))
        assert outcome.kind is Outcome.AUTH


async def test_a_failed_read_is_unknown(
    simulator: Simulator, client: OkxClient, alice: Credentials
) -> None:
    await simulator.fault("http:502", path="/api/v5/account/positions", account=alice.api_key)

    with pytest.raises(ReadFailed):
        await client.fetch_positions(alice)


async def test_settings_and_long_short_mode(client: OkxClient, alice: Credentials) -> None:
    mode = await client.set_position_mode(alice, PositionMode.LONG_SHORT)
    leverage = await client.set_leverage(alice, BTC, Decimal(7), MarginMode.CROSS)
    config = await client.fetch_account_config(alice)
    told = await client.fetch_leverage(alice, BTC, MarginMode.CROSS)

    assert (mode.kind, leverage.kind) == (Outcome.ACK, Outcome.ACK)
    assert config.position_mode is PositionMode.LONG_SHORT
    assert config.permissions == {"read_only", "trade"}
    assert {report.leverage for report in told} == {Decimal(7)}

    opened = await client.place_order(
        alice, order(side=Side.SELL, position_side=PositionSide.SHORT), exp_at_ms=soon(client)
    )
    (position,) = await client.fetch_positions(alice)
    closed = await client.close_position(alice, BTC, MarginMode.CROSS, PositionSide.SHORT)

    assert (opened.kind, closed.kind) == (Outcome.ACK, Outcome.ACK)
    assert (position.position_side, position.quantity) == (PositionSide.SHORT, Decimal("1.5"))
    assert await client.fetch_positions(alice) == ()
    again = await client.set_position_mode(alice, PositionMode.NET)
    assert again.kind is Outcome.ACK


async def test_a_position_keeps_the_position_mode(client: OkxClient, alice: Credentials) -> None:
    await client.place_order(alice, order(), exp_at_ms=soon(client))

    outcome = await client.set_position_mode(alice, PositionMode.LONG_SHORT)

    assert (outcome.kind, outcome.reason_code) == (Outcome.REJECTED, "59000")


async def test_market_facts(client: OkxClient) -> None:
    swaps = await client.fetch_instruments(InstrumentType.SWAP)
    spots = await client.fetch_instruments(InstrumentType.SPOT)
    tickers = await client.fetch_tickers(InstrumentType.SWAP)
    marks = await client.fetch_mark_prices(InstrumentType.SWAP)

    (btc,) = [each for each in swaps if each.inst_id == BTC]
    assert (btc.contract_value, btc.contract_type) == (Decimal("0.01"), "linear")
    assert {each.inst_type for each in spots} == {InstrumentType.SPOT}
    assert {each.inst_id for each in tickers} == {each.inst_id for each in swaps}
    assert {each.price for each in marks if each.inst_id == BTC} == {PRICE}
    assert abs(await client.sync_clock()) < 200
