"""ccxt trades a whole day, unmodified but for its addresses: blocking, asyncio and streaming.

A day of the market passes in 144 seconds; the night's funding is called for, not waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from tests.simulator.client import Client, Simulator, start
from tests.simulator.test_ccxt import SPOT, SWAP, aim, options

pytestmark = [pytest.mark.simulator, pytest.mark.slow]

TRADERS = 12


@pytest.fixture(scope="module")
def busy() -> Iterator[Simulator]:
    simulator = start("--seed", "5", "--speed", "600", "--limits", "off")
    yield simulator
    assert simulator.stop() == 0


def test_a_day_of_the_blocking_client(busy: Simulator) -> None:
    client = busy.account("daysync")
    exchange = aim(ccxt.okx(options(client)), busy)
    try:
        exchange.load_markets()
        _look_around(exchange)
        _trade(exchange)
        _protect(exchange)
        _isolated(exchange)
        _night(exchange, busy)
        _books_agree(exchange, client)
    finally:
        exchange.close()


def _look_around(exchange: Any) -> None:
    assert exchange.fetch_status()["status"] == "ok"
    assert abs(exchange.fetch_time() / 1000 - time.time()) < 5
    assert exchange.fetch_ticker(SWAP)["bid"] < exchange.fetch_ticker(SWAP)["ask"] * 1.1
    assert len(exchange.fetch_order_book(SWAP, 100)["asks"]) == 100
    for timeframe in ("1m", "5m", "1h", "4h", "1d"):
        candles = exchange.fetch_ohlcv(SWAP, timeframe, limit=20)
        assert len(candles) == 20
        assert all(low <= min(opened, close) <= high for _, opened, high, low, close, _ in candles)
    assert exchange.fetch_mark_ohlcv(SWAP, "1h", limit=5)
    assert exchange.fetch_index_ohlcv(SWAP, "1h", limit=5)
    assert exchange.fetch_trades(SWAP, limit=20)
    assert exchange.fetch_funding_rate(SWAP)["nextFundingTimestamp"] is not None
    assert exchange.fetch_funding_rate_history(SWAP, limit=10)
    assert exchange.fetch_open_interest(SWAP)["openInterestAmount"] > 0
    assert exchange.fetch_market_leverage_tiers(SWAP)
    assert exchange.fetch_trading_fee(SWAP)["taker"] == 0.0005
    assert exchange.fetch_accounts()
    assert exchange.fetch_balance()["USDT"]["free"] == 100_000


def _trade(exchange: Any) -> None:
    exchange.set_leverage(5, SWAP, {"marginMode": "cross"})
    bought = exchange.create_order(SWAP, "market", "buy", 20, None, {"clientOrderId": "d1"})
    assert exchange.fetch_order(bought["id"], SWAP)["filled"] == 20
    far = exchange.fetch_ticker(SWAP)["last"] * 0.6
    resting = exchange.create_order(SWAP, "limit", "buy", 1, far, {"postOnly": True})
    exchange.edit_order(resting["id"], SWAP, "limit", "buy", 2, far * 0.99)
    assert exchange.fetch_open_orders(SWAP)[0]["amount"] == 2
    exchange.cancel_order(resting["id"], SWAP)
    killed = exchange.create_order(SWAP, "limit", "buy", 1, far, {"timeInForce": "IOC"})
    assert exchange.fetch_order(killed["id"], SWAP)["status"] == "canceled"
    wanted = {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 1, "price": far}
    several = exchange.create_orders([wanted] * 3)
    exchange.cancel_orders([each["id"] for each in several], SWAP)
    assert exchange.fetch_open_orders() == []
    assert len(exchange.fetch_canceled_orders(SWAP)) >= 4
    exchange.create_market_buy_order_with_cost(SPOT, 1000)
    exchange.create_order(SPOT, "market", "sell", 0.001)
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(SPOT, "limit", "buy", 100, exchange.fetch_ticker(SPOT)["last"])


def _protect(exchange: Any) -> None:
    """Stops of every kind ccxt knows; none is near enough to fire."""
    last = exchange.fetch_ticker(SWAP)["last"]
    reduce = {"reduceOnly": True}
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("conditional", {"stopLossPrice": last / 3}),
        ("conditional", {"takeProfitPrice": last * 3}),
        ("oco", {"stopLossPrice": last / 3, "takeProfitPrice": last * 3}),
        ("trigger", {"triggerPrice": last / 3}),
        ("move_order_stop", {"trailingPercent": 90}),
    )
    for kind, params in kinds:
        placed = exchange.create_order(SWAP, "market", "sell", 1, None, {**reduce, **params})
        listed = exchange.fetch_open_orders(SWAP, params={"ordType": kind})
        assert [each["id"] for each in listed] == [placed["id"]]
        exchange.cancel_order(placed["id"], SWAP, {"stop": True})
        assert exchange.fetch_open_orders(SWAP, params={"ordType": kind}) == []
    attached = {"stopLoss": {"triggerPrice": last / 3}, "takeProfit": {"triggerPrice": last * 3}}
    exchange.create_order(SWAP, "market", "buy", 1, None, attached)
    (armed,) = exchange.fetch_open_orders(SWAP, params={"ordType": "oco"})
    exchange.cancel_order(armed["id"], SWAP, {"stop": True})


def _isolated(exchange: Any) -> None:
    symbol, isolated = "ETH/USDT:USDT", {"marginMode": "isolated"}
    exchange.set_leverage(3, symbol, isolated | {"posSide": "net"})
    exchange.create_order(symbol, "market", "sell", 10, None, isolated)
    (before,) = exchange.fetch_positions([symbol])
    assert (before["side"], before["marginMode"]) == ("short", "isolated")
    _move_margin(exchange, "add", 50)
    (after,) = exchange.fetch_positions([symbol])
    assert Decimal(after["info"]["margin"]) - Decimal(before["info"]["margin"]) == 50
    _move_margin(exchange, "reduce", 20)
    exchange.close_position(symbol, params=isolated)
    assert exchange.fetch_positions([symbol]) == []


def _move_margin(exchange: Any, kind: str, amount: int) -> None:
    """By ccxt's own method for the path: its add_margin of this version fails on any answer."""
    terms = {"instId": "ETH-USDT-SWAP", "posSide": "net", "type": kind, "amt": str(amount)}
    answer = exchange.private_post_account_position_margin_balance(terms)
    assert answer["data"][0]["amt"] == str(amount)


def _night(exchange: Any, simulator: Simulator) -> None:
    assert simulator.ask("POST", "/funding", {"BTC-USDT-SWAP": "0.0003"}).status == 200
    assert exchange.fetch_funding_history(SWAP)[0]["amount"] != 0
    exchange.close_position(SWAP)
    assert exchange.fetch_positions() == []
    assert {each["symbol"] for each in exchange.fetch_positions_history()} >= {SWAP}


def _books_agree(exchange: Any, client: Client) -> None:
    """The sum of all bills is the balance; ccxt's ledger leaves out what is not cross margin."""
    assert exchange.fetch_ledger(limit=100)
    rows = exchange.private_get_account_bills({"limit": "100"})["data"]
    for ccy in ("USDT", "BTC"):
        moved = sum((Decimal(each["balChg"]) for each in rows if each["ccy"] == ccy), Decimal(0))
        assert moved == Decimal(client.balance(ccy)["cashBal"])
    trades = exchange.fetch_my_trades(SWAP)
    signed = (each["amount"] * (1 if each["side"] == "buy" else -1) for each in trades)
    assert sum(signed) == pytest.approx(0)


async def test_a_day_of_a_dozen_asynchronous_clients(busy: Simulator) -> None:
    clients = [busy.account(f"dayasync{each}") for each in range(TRADERS)]
    exchanges = [aim(ccxt.async_support.okx(options(each)), busy) for each in clients]
    try:
        await exchanges[0].load_markets()
        for each in exchanges[1:]:
            each.set_markets_from_exchange(exchanges[0])
        await asyncio.gather(*(_async_day(each) for each in exchanges))
    finally:
        await asyncio.gather(*(each.close() for each in exchanges))


async def _async_day(exchange: Any) -> None:
    await exchange.set_position_mode(True)
    await exchange.set_leverage(4, SWAP, {"marginMode": "cross"})
    for side in ("buy", "sell"):
        placed = await exchange.create_order(SWAP, "market", side, 3, None, {"hedged": True})
        assert (await exchange.fetch_order(placed["id"], SWAP))["filled"] == 3
    held = await exchange.fetch_positions([SWAP])
    assert sorted((each["side"], each["contracts"]) for each in held) == [
        ("long", 3.0),
        ("short", 3.0),
    ]
    reducing = {"hedged": True, "reduceOnly": True}
    await exchange.create_order(SWAP, "market", "sell", 1, None, reducing)
    for side in ("long", "short"):
        await exchange.close_position(SWAP, side)
    assert await exchange.fetch_positions([SWAP]) == []
    trades = await exchange.fetch_my_trades(SWAP)
    assert sum(each["amount"] for each in trades if each["side"] == "buy") == 6.0


async def test_a_day_of_the_streaming_client(busy: Simulator) -> None:
    exchange = aim(ccxt.pro.okx(options(busy.account("daypro"))), busy)
    try:
        await exchange.load_markets()
        await _watch_market(exchange)
        await _watch_account(exchange)
    finally:
        await exchange.close()


async def _watch_market(exchange: Any) -> None:
    watched: tuple[Callable[[], Awaitable[Any]], ...] = (
        lambda: exchange.watch_ticker(SWAP),
        lambda: exchange.watch_tickers([SWAP, SPOT]),
        lambda: exchange.watch_bids_asks([SWAP]),
        lambda: exchange.watch_mark_price(SWAP),
        lambda: exchange.watch_trades(SWAP),
        lambda: exchange.watch_ohlcv(SWAP, "1m"),
        lambda: exchange.watch_funding_rate(SWAP),
    )
    for each in await asyncio.gather(*(asyncio.wait_for(call(), 10) for call in watched)):
        assert each
    for _ in range(5):
        book = await asyncio.wait_for(exchange.watch_order_book(SWAP), 10)
        assert book["bids"][0][0] < book["asks"][0][0]


async def _watch_account(exchange: Any) -> None:
    """Orders over the socket; what the streams told is what the REST API says afterwards."""
    streams = [
        asyncio.ensure_future(call())
        for call in (exchange.watch_balance, exchange.watch_positions, exchange.watch_my_trades)
    ]
    orders = asyncio.ensure_future(exchange.watch_orders())
    await asyncio.sleep(1)
    placed = await exchange.create_order_ws(SWAP, "market", "buy", 5)
    await asyncio.wait_for(asyncio.gather(orders, *streams), 10)
    while not _closed(exchange, placed["id"]):
        await asyncio.wait_for(exchange.watch_orders(), 10)
    last = (await exchange.fetch_ticker(SWAP))["last"]
    resting = await exchange.create_order_ws(SWAP, "limit", "buy", 1, last * 0.6)
    await exchange.edit_order_ws(resting["id"], SWAP, "limit", "buy", 2, last * 0.61)
    await exchange.cancel_order_ws(resting["id"], SWAP)
    assert await exchange.fetch_open_orders(SWAP) == []
    (held,) = await exchange.fetch_positions([SWAP])
    assert held["contracts"] == 5
    told = {each["id"]: each for each in exchange.orders}
    assert told[placed["id"]]["filled"] == 5
    assert sum(each["amount"] for each in exchange.myTrades) == 5
    await exchange.close_position(SWAP)


def _closed(exchange: Any, order_id: str) -> bool:
    return any(
        each["id"] == order_id and each["status"] == "closed" for each in exchange.orders or ()
    )
