"""Everything that stock ccxt.pro can watch at OKX, beside what a trading day needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import ccxt.pro
import pytest

from tests.simulator.client import Client, Simulator
from tests.simulator.test_ccxt import SPOT, SWAP, aim, options

pytestmark = [pytest.mark.simulator, pytest.mark.long]

Watch = Callable[[Any], Any]
ETH_SWAP = "ETH/USDT:USDT"
_numbers = count(1)


@pytest.fixture
def client(own: Simulator) -> Client:
    return own.account(f"watching{next(_numbers)}")


@pytest.fixture
async def watching(client: Client) -> AsyncIterator[Any]:
    made = aim(ccxt.pro.okx(options(client)), client.simulator)
    await made.load_markets()
    yield made
    await made.close()


def within(work: Any, seconds: float = 5) -> Any:
    return asyncio.wait_for(work, seconds)


async def test_market_data_of_several_instruments(watching: Any) -> None:
    tickers = await within(watching.watch_tickers([SWAP, SPOT]))
    assert set(tickers) <= {SWAP, SPOT}
    assert await within(watching.watch_bids_asks([SWAP, SPOT]))
    marks = await within(watching.watch_mark_prices([SWAP, ETH_SWAP]))
    assert next(iter(marks.values()))["markPrice"] > 0
    assert await within(watching.watch_trades_for_symbols([SWAP, SPOT]))
    assert await within(watching.watch_ohlcv_for_symbols([[SPOT, "5m"], [SWAP, "1h"]]))
    rates = await within(watching.watch_funding_rates([SWAP, ETH_SWAP]))
    assert next(iter(rates.values()))["fundingRate"] is not None
    assert (await within(watching.watch_order_book_for_symbols([SPOT, "ETH/USDT"])))["asks"]


@pytest.mark.parametrize(("depth", "levels"), [("books5", 5), ("bbo-tbt", 1)])
async def test_order_books_of_every_depth(watching: Any, depth: str, levels: int) -> None:
    book = await within(watching.watch_order_book(SWAP, None, {"depth": depth}))

    assert (len(book["bids"]), len(book["asks"])) == (levels, levels)


async def test_deep_books_are_refused_without_the_fee_tier(watching: Any) -> None:
    with pytest.raises(ccxt.AccountNotEnabled, match="64003"):
        await within(watching.watch_order_book(SWAP, None, {"depth": "books50-l2-tbt"}))


async def test_a_book_follows_its_updates(watching: Any, client: Client) -> None:
    first = await within(watching.watch_order_book(SWAP))
    best = first["bids"][0][0]

    client.simulator.ask("POST", "/prices", {"BTC-USDT-SWAP": "64100"})
    moved = await within(watching.watch_order_book(SWAP))

    assert (best, moved["bids"][0][0]) == (63999.9, 64099.9)
    assert len(moved["bids"]) == len({level[0] for level in moved["bids"]})


async def test_giving_up_channels(watching: Any) -> None:
    await within(watching.watch_ticker(SWAP))
    await within(watching.watch_order_book(SWAP))
    await within(watching.watch_trades_for_symbols([SWAP]))
    await within(watching.watch_ohlcv(SPOT, "1m"))

    assert await within(watching.un_watch_ticker(SWAP)) is True
    assert await within(watching.un_watch_order_book(SWAP)) is True
    assert await within(watching.un_watch_trades_for_symbols([SWAP])) is True
    assert await within(watching.un_watch_ohlcv(SPOT, "1m")) is True


async def test_algo_orders_and_several_cancels(watching: Any) -> None:
    algo = asyncio.ensure_future(watching.watch_orders(SWAP, None, None, {"trigger": True}))
    await asyncio.sleep(0.2)
    await watching.create_order(SWAP, "market", "sell", 1, None, {"triggerPrice": 60000})
    (stop,) = await within(algo)
    assert stop["triggerPrice"] == 60000.0

    placed = [await watching.create_order_ws(SPOT, "limit", "buy", 0.01, 61000) for _ in range(2)]
    await watching.cancel_orders_ws([each["id"] for each in placed], SPOT)

    assert await watching.fetch_open_orders(SPOT) == []


async def test_liquidations_of_everybody_and_of_oneself(watching: Any, client: Client) -> None:
    client.simulator.ask("POST", "/prices", {"BTC-USDT-SWAP": "64000"})
    client.post(
        "account/set-leverage",
        {"instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "lever": "100"},
    )
    client.order(tdMode="isolated", sz="10")
    every = asyncio.ensure_future(watching.watch_liquidations(SWAP))
    own = asyncio.ensure_future(watching.watch_my_liquidations_for_symbols([SWAP]))
    await asyncio.sleep(0.3)

    client.simulator.ask("POST", "/prices", {"BTC-USDT-SWAP": "63000"})

    (told,) = await within(every)
    assert (told["symbol"], told["contracts"]) == (SWAP, 10.0)
    assert await within(own)
