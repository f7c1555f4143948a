"""Stock ccxt, unmodified but for its addresses: log in, trade, stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from tests.simulator.client import Client, Simulator

pytestmark = pytest.mark.simulator

SWAP, SPOT = "BTC/USDT:USDT", "BTC/USDT"
_numbers = count(1)


@pytest.fixture
def keys(still: Simulator) -> Client:
    return still.account(f"ccxt{next(_numbers)}")


def aim(exchange: Any, simulator: Simulator) -> Any:
    exchange.urls["api"]["rest"] = simulator.rest
    if "ws" in exchange.urls["api"]:
        exchange.urls["api"]["ws"] = simulator.ws["public"].rpartition("/")[0]
    exchange.enableRateLimit = False
    return exchange


def options(client: Client) -> dict[str, str]:
    return {"apiKey": client.key, "secret": client.secret, "password": client.passphrase}


@pytest.fixture
def exchange(keys: Client) -> Iterator[Any]:
    made = aim(ccxt.okx(options(keys)), keys.simulator)
    made.load_markets()
    yield made
    made.close()


@pytest.fixture
async def streaming(keys: Client) -> AsyncIterator[Any]:
    made = aim(ccxt.pro.okx(options(keys)), keys.simulator)
    await made.load_markets()
    yield made
    await made.close()


def test_markets_and_currencies_load(exchange: Any) -> None:
    market = exchange.market(SWAP)

    assert (market["contractSize"], market["precision"]["amount"]) == (0.01, 0.01)
    assert (market["linear"], market["settle"]) == (True, "USDT")
    assert exchange.market("BTC/USD:BTC")["inverse"] is True
    assert set(exchange.currencies) >= {"USDT", "BTC"}


def test_swap_orders_positions_and_balance(exchange: Any) -> None:
    assert exchange.fetch_balance()["USDT"]["total"] == 100_000
    placed = exchange.create_order(SWAP, "market", "buy", 2, None, {"clientOrderId": "mine1"})
    order = exchange.fetch_order(placed["id"], SWAP)
    by_client_id = exchange.fetch_order(None, SWAP, {"clientOrderId": "mine1"})
    (position,) = exchange.fetch_positions()

    assert (order["status"], order["filled"], order["average"]) == ("closed", 2.0, 64000.1)
    assert by_client_id["id"] == placed["id"]
    assert (position["contracts"], position["side"], position["entryPrice"]) == (
        2.0,
        "long",
        64000.1,
    )
    (trade,) = exchange.fetch_my_trades(SWAP)
    assert (trade["amount"], trade["takerOrMaker"]) == (2.0, "taker")
    assert trade["fee"]["cost"] == pytest.approx(0.640001)
    exchange.close_position(SWAP)
    assert exchange.fetch_positions() == []
    assert len(exchange.fetch_closed_orders(SWAP)) == 2
    assert exchange.fetch_positions_history()[0]["info"]["closeTotalPos"] == "2"


def test_money_moves_between_the_accounts_and_has_its_ledger(exchange: Any) -> None:
    sent = exchange.transfer("USDT", 250, "trading", "funding")
    seen = exchange.fetch_transfer(sent["id"])
    exchange.create_order(SWAP, "market", "buy", 2)

    assert (seen["status"], seen["amount"], seen["toAccount"]) == ("ok", 250.0, "funding")
    assert exchange.fetch_balance({"type": "funding"})["USDT"]["free"] == 250.0
    told = [(each["amount"], each["toAccount"]) for each in exchange.fetch_transfers("USDT")]
    assert sorted(told) == [(250.0, "funding"), (100_000.0, "trading")]
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.transfer("USDT", 251, "funding", "trading")
    rows = exchange.fetch_ledger("USDT", params={"type": "swap"})
    assert [(each["type"], each["direction"]) for each in rows] == [("trade", "out")]
    assert rows[0]["after"] == pytest.approx(99_750 - 0.640001)


def test_what_an_account_does_not_have_is_empty_not_an_error(exchange: Any) -> None:
    assert exchange.fetch_funding_history(SWAP) == []
    assert exchange.fetch_deposits() == exchange.fetch_withdrawals() == []
    assert exchange.fetch_borrow_interest() == []
    assert exchange.fetch_cross_borrow_rate("BTC")["rate"] == 0
    assert exchange.fetch_positions_history() == []
    assert exchange.fetch_leverage(SWAP, {"marginMode": "cross"})["longLeverage"] == 3


def test_limit_orders_are_listed_amended_and_canceled(exchange: Any) -> None:
    for symbol in (SWAP, SPOT):
        placed = exchange.create_order(symbol, "limit", "buy", 0.5, 61000)
        (pending,) = exchange.fetch_open_orders(symbol)
        assert (pending["id"], pending["status"], pending["price"]) == (
            placed["id"],
            "open",
            61000.0,
        )
        exchange.edit_order(placed["id"], symbol, "limit", "buy", 0.6, 60900)
        assert exchange.fetch_order(placed["id"], symbol)["amount"] == 0.6
        exchange.cancel_order(placed["id"], symbol)
        assert exchange.fetch_open_orders(symbol) == []
        assert exchange.fetch_order(placed["id"], symbol)["status"] == "canceled"


def test_spot_buys_and_sells(exchange: Any) -> None:
    exchange.create_order(SPOT, "market", "buy", 0.1)
    exchange.create_market_buy_order_with_cost(SPOT, 640)
    exchange.create_order(SPOT, "market", "sell", 0.05)

    held = exchange.fetch_balance()

    assert held["BTC"]["total"] == pytest.approx(0.1 + 0.01 - 0.05, abs=2e-4)
    assert len(exchange.fetch_my_trades(SPOT)) == 3


def test_several_orders_at_once(exchange: Any) -> None:
    wanted = {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 1, "price": 61000}

    placed = exchange.create_orders([wanted, wanted | {"amount": 90_000}])

    assert [each["status"] for each in placed] == [None, "rejected"]
    exchange.cancel_orders([placed[0]["id"]], SWAP)


def test_leverage_and_position_mode(exchange: Any) -> None:
    exchange.set_leverage(10, SWAP, {"marginMode": "cross"})
    assert exchange.fetch_leverage(SWAP)["longLeverage"] == 10
    exchange.set_position_mode(True)
    exchange.create_order(SWAP, "market", "sell", 1, None, {"hedged": True})
    (position,) = exchange.fetch_positions([SWAP])
    assert (position["side"], position["hedged"], position["leverage"]) == ("short", True, 10.0)


def test_market_data(exchange: Any) -> None:
    assert exchange.fetch_ticker(SWAP)["last"] == 64000.0
    assert set(exchange.fetch_tickers([SWAP])) == {SWAP}
    assert exchange.fetch_mark_price(SWAP)["markPrice"] == 64000.0
    assert len(exchange.fetch_ohlcv(SWAP, "1h", limit=5)) == 5
    assert len(exchange.fetch_order_book(SWAP, 5)["bids"]) == 5
    assert abs(exchange.fetch_funding_rate(SWAP)["fundingRate"]) <= 0.00375  # drawn by period
    assert exchange.fetch_trades(SPOT)
    assert exchange.fetch_status()["status"] == "ok"
    assert exchange.fetch_time() > 0
    assert exchange.fetch_trading_fee(SWAP)["taker"] == 0.0005
    assert exchange.fetch_market_leverage_tiers(SWAP)[0]["maxLeverage"] == 100


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda ex: ex.create_order(SWAP, "market", "buy", 9000), ccxt.InsufficientFunds),
        (lambda ex: ex.fetch_order("1", SWAP), ccxt.OrderNotFound),
        (lambda ex: ex.cancel_order("1", SWAP), ccxt.OrderNotFound),
        (lambda ex: ex.create_order(SWAP, "limit", "buy", 1, 90000), ccxt.InvalidOrder),
        (lambda ex: ex.set_leverage(500, SWAP, {"marginMode": "cross"}), ccxt.ExchangeError),
    ],
)
def test_refusals_become_the_errors_ccxt_users_know(
    exchange: Any, call: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        call(exchange)


@pytest.mark.parametrize("change", [{"secret": "wrong"}, {"password": "x"}, {"apiKey": "nobody"}])
def test_wrong_keys_are_authentication_errors(keys: Client, change: dict[str, str]) -> None:
    exchange = aim(ccxt.okx(options(keys) | change), keys.simulator)

    with pytest.raises(ccxt.AuthenticationError):
        exchange.privateGetAccountBalance()


def test_sandbox_mode_sends_the_demo_header(still: Simulator) -> None:
    client = still.account("sandbox", env="demo")
    exchange = ccxt.okx(options(client))
    exchange.set_sandbox_mode(True)
    aim(exchange, still)

    assert exchange.fetch_balance()["USDT"]["free"] == 100_000


async def test_async_ccxt_trades(keys: Client) -> None:
    exchange = aim(ccxt.async_support.okx(options(keys)), keys.simulator)
    try:
        orders = await asyncio.gather(
            *(exchange.create_order(SWAP, "market", "buy", 1) for _ in range(10))
        )
        (position,) = await exchange.fetch_positions()
    finally:
        await exchange.close()

    assert len({each["id"] for each in orders}) == 10
    assert position["contracts"] == 10.0


async def test_pro_streams_orders_positions_and_balance(streaming: Any) -> None:
    orders = asyncio.ensure_future(streaming.watch_orders())
    balance = asyncio.ensure_future(streaming.watch_balance())
    positions = asyncio.ensure_future(streaming.watch_positions())
    trades = asyncio.ensure_future(streaming.watch_my_trades())
    await asyncio.wait_for(positions, 5)
    await asyncio.sleep(0.3)

    placed = await streaming.create_order_ws(SWAP, "market", "buy", 1)

    (first,) = await asyncio.wait_for(orders, 5)
    assert first["id"] == placed["id"]
    while streaming.orders[-1]["status"] != "closed":
        await asyncio.wait_for(streaming.watch_orders(), 5)
    assert streaming.orders[-1]["filled"] == 1.0
    held = await asyncio.wait_for(streaming.watch_positions(), 7)
    assert [(each["symbol"], each["contracts"]) for each in held] == [(SWAP, 1.0)]
    assert (await asyncio.wait_for(balance, 5))["USDT"]["total"] > 0
    assert (await asyncio.wait_for(trades, 5))[0]["amount"] == 1.0


async def test_pro_streams_market_data(streaming: Any) -> None:
    assert (await asyncio.wait_for(streaming.watch_ticker(SPOT), 5))["last"] == 64000.0
    book = await asyncio.wait_for(streaming.watch_order_book(SPOT), 5)
    assert book["asks"][0][0] == 64000.1
    assert await asyncio.wait_for(streaming.watch_ohlcv(SPOT, "1m"), 5)
    assert await asyncio.wait_for(streaming.watch_trades(SPOT), 5)
    mark = await asyncio.wait_for(streaming.watch_mark_price(SWAP), 5)
    assert mark["markPrice"] == 64000.0


async def test_pro_edits_and_cancels_over_the_socket(streaming: Any) -> None:
    placed = await streaming.create_order_ws(SPOT, "limit", "buy", 0.1, 61000)
    await streaming.edit_order_ws(placed["id"], SPOT, "limit", "buy", 0.2, 60900)
    (pending,) = await streaming.fetch_open_orders(SPOT)
    assert (pending["amount"], pending["price"]) == (0.2, 60900.0)

    await streaming.cancel_order_ws(placed["id"], SPOT)

    assert await streaming.fetch_open_orders(SPOT) == []
    with pytest.raises(ccxt.InsufficientFunds):
        await streaming.create_order_ws(SPOT, "limit", "buy", 500, 61000)
