"""python-okx trades a whole day, unmodified but for its addresses.

Its REST clients and its sockets; the sockets take nothing but TLS. A day of the market passes
in 144 seconds; the night's funding is called for, not waited for.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from okx.Account import AccountAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Trade import TradeAPI
from okx.websocket.WsPrivateAsync import WsPrivateAsync
from okx.websocket.WsPublicAsync import WsPublicAsync

from tests.simulator.client import SPOT, SWAP, Simulator, start

pytestmark = [pytest.mark.simulator, pytest.mark.slow]

KEYS = ("DAYKEY", "DAYSECRET", "DAYPASS")
ALGO_CHANNEL = {"channel": "orders-algo", "instType": "SWAP"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("tls")
    flags = ("--seed", "5", "--speed", "600", "--limits", "off", "--tls", str(folder))
    simulator = start(*flags, "--account", ":".join((*KEYS, "50000")))
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture(autouse=True)
def _trusted(busy: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(busy.tls["ca"]).is_file()
    monkeypatch.setenv("SSL_CERT_FILE", busy.tls["ca"])


class Desk:
    """One trader's clients; `ok` unwraps an answer that must have worked."""

    def __init__(self, simulator: Simulator) -> None:
        given = {"flag": "0", "domain": simulator.rest}
        self.account = AccountAPI(*KEYS, **given)
        self.trade = TradeAPI(*KEYS, **given)
        self.market = MarketAPI(**given)
        self.public = PublicAPI(**given)

    def close(self) -> None:
        for each in (self.account, self.trade, self.market, self.public):
            each.close()

    def order(self, ord_id: str, inst_id: str = SWAP) -> Any:
        return ok(self.trade.get_order(inst_id, ordId=ord_id))[0]

    def cash(self, ccy: str) -> Decimal:
        row = ok(self.account.get_account_balance(ccy))[0]["details"][0]
        return Decimal(row["cashBal"])

    def held(self) -> Decimal:
        rows = ok(self.account.get_positions(instId=SWAP))
        return sum((Decimal(each["pos"]) for each in rows), Decimal(0))


@pytest.fixture
def desk(busy: Simulator) -> Iterator[Desk]:
    made = Desk(busy)
    yield made
    made.close()


def ok(answer: dict[str, Any]) -> list[Any]:
    assert answer["code"] == "0", answer
    return list(answer["data"])


async def test_a_whole_day(busy: Simulator, desk: Desk) -> None:
    streams = Streams(busy)
    opening = asyncio.ensure_future(streams.open())
    await asyncio.to_thread(_morning, desk)
    await opening

    await asyncio.to_thread(_noon, desk)
    await _over_the_socket(streams)
    await asyncio.to_thread(_protect, desk)
    await asyncio.to_thread(_night, desk, busy)
    await asyncio.to_thread(_books_agree, desk)
    await streams.check()
    await streams.close()


def _morning(desk: Desk) -> None:
    """Look around: nothing here needs a key."""
    assert abs(int(ok(desk.public.get_system_time())[0]["ts"]) / 1000 - time.time()) < 5
    listed = {each["instId"]: each for each in ok(desk.public.get_instruments("SWAP"))}
    assert listed[SWAP]["instIdCode"]
    ticker = ok(desk.market.get_ticker(SWAP))[0]
    assert Decimal(ticker["bidPx"]) < Decimal(ticker["askPx"])
    assert len(ok(desk.market.get_orderbook(SWAP, sz="50"))[0]["asks"]) == 50
    candles = ok(desk.market.get_candlesticks(SWAP, bar="1H", limit="24"))
    assert len(candles) == 24
    assert ok(desk.market.get_history_candlesticks(SPOT, bar="1D", limit="10"))
    assert ok(desk.market.get_mark_price_candlesticks(SWAP, bar="1m", limit="3"))
    assert ok(desk.market.get_trades(SWAP, limit="10"))
    assert ok(desk.public.get_mark_price("SWAP", instId=SWAP))
    assert ok(desk.public.get_price_limit(SWAP))[0]["buyLmt"]
    assert ok(desk.public.get_funding_rate(SWAP))[0]["fundingTime"]
    assert ok(desk.public.get_open_interest("SWAP", instId=SWAP))
    assert ok(desk.public.get_position_tiers("SWAP", "cross", instFamily="BTC-USDT"))
    assert ok(desk.account.get_account_config())[0]["posMode"] == "net_mode"
    assert desk.cash("USDT") == 50_000
    ok(desk.account.set_leverage("5", "cross", instId=SWAP))
    assert ok(desk.account.get_leverage("cross", instId=SWAP))[0]["lever"] == "5"
    assert Decimal(ok(desk.account.get_max_order_size(SWAP, "cross"))[0]["maxBuy"]) > 1
    assert ok(desk.account.get_max_avail_size(SPOT, "cash"))[0]["availBuy"]
    assert ok(desk.account.get_fee_rates("SWAP", instFamily="BTC-USDT"))[0]["taker"]


def _noon(desk: Desk) -> None:
    """Trade: a market order, resting ones amended and canceled, a batch, spot."""
    placed = ok(desk.trade.place_order(SWAP, "cross", "buy", "market", "20", clOrdId="day1"))[0]
    assert (placed["sCode"], placed["clOrdId"]) == ("0", "day1")
    filled = desk.order(placed["ordId"])
    assert (filled["state"], filled["accFillSz"]) == ("filled", "20")
    assert desk.held() == 20

    low = str(int(Decimal(ok(desk.market.get_ticker(SWAP))[0]["last"]) * Decimal("0.6")))
    resting = ok(desk.trade.place_order(SWAP, "cross", "buy", "limit", "1", px=low))[0]["ordId"]
    ok(desk.trade.amend_order(SWAP, ordId=resting, newSz="2", reqId="r1"))
    (pending,) = ok(desk.trade.get_order_list(instType="SWAP", instId=SWAP))
    assert (pending["ordId"], pending["sz"], pending["state"]) == (resting, "2", "live")
    ok(desk.trade.cancel_order(SWAP, ordId=resting))
    assert desk.order(resting)["state"] == "canceled"

    terms = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "limit", "px": low}
    batch = [terms | {"sz": "1", "clOrdId": f"batch{each}"} for each in range(3)]
    rows = ok(desk.trade.place_multiple_orders(batch))
    assert [each["clOrdId"] for each in rows] == ["batch0", "batch1", "batch2"]
    chosen = [{"instId": SWAP, "ordId": each["ordId"]} for each in rows]
    ok(desk.trade.amend_multiple_orders([each | {"newSz": "3"} for each in chosen]))
    ok(desk.trade.cancel_multiple_orders(chosen))
    assert ok(desk.trade.get_order_list()) == []

    bought = ok(desk.trade.place_order(SPOT, "cash", "buy", "market", "1000"))[0]["ordId"]
    assert desk.order(bought, SPOT)["state"] == "filled"
    ok(desk.trade.place_order(SPOT, "cash", "sell", "market", "0.001"))
    refused = desk.trade.place_order(SWAP, "cross", "buy", "market", "900000000")
    assert refused["code"] == "1"
    assert refused["data"][0]["sCode"] in {"51202", "51008", "51004"}


async def _over_the_socket(streams: Streams) -> None:
    code = next(
        each["instIdCode"]
        for each in ok(PublicAPI(flag="0", domain=streams.rest).get_instruments("SWAP"))
        if each["instId"] == SWAP
    )
    terms = {"tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
    for name, named in (("w1", {"instId": SWAP}), ("w2", {"instIdCode": code})):
        await streams.private.place_order([terms | named | {"clOrdId": name}], id=name)
        answer = await streams.wait(lambda each, name=name: each.get("id") == name)
        assert (answer["code"], answer["data"][0]["clOrdId"]) == ("0", name)
        await streams.wait(lambda each, name=name: _is_filled(each, name))


def _is_filled(frame: Any, name: str) -> bool:
    rows = frame.get("data", []) if frame.get("arg", {}).get("channel") == "orders" else []
    return any(row["clOrdId"] == name and row["state"] == "filled" for row in rows)


def _protect(desk: Desk) -> None:
    """Stops of every kind are placed, listed, amended and canceled; none fires."""
    last = Decimal(ok(desk.market.get_ticker(SWAP))[0]["last"])
    far_below, far_above = str(int(last / 3)), str(int(last * 3))
    common = {"instId": SWAP, "tdMode": "cross", "side": "sell", "reduceOnly": "true"}
    stops = (
        {"ordType": "conditional", "sz": "1", "slTriggerPx": far_below, "slOrdPx": "-1"},
        {
            "ordType": "oco",
            "sz": "1",
            "slTriggerPx": far_below,
            "slOrdPx": "-1",
            "tpTriggerPx": far_above,
            "tpOrdPx": "-1",
        },
        {"ordType": "trigger", "sz": "1", "triggerPx": far_below, "orderPx": "-1"},
        {"ordType": "move_order_stop", "sz": "1", "callbackRatio": "0.9"},
    )
    for terms in stops:
        made = ok(desk.trade.place_algo_order(**common, **terms))[0]
        assert made["sCode"] == "0"
        (listed,) = ok(desk.trade.order_algos_list(ordType=terms["ordType"], instId=SWAP))
        assert (listed["algoId"], listed["state"]) == (made["algoId"], "live")
        ok(desk.trade.cancel_algo_order([{"instId": SWAP, "algoId": made["algoId"]}]))
        (ended,) = ok(desk.trade.order_algos_history(terms["ordType"], algoId=made["algoId"]))
        assert ended["state"] == "canceled"


def _night(desk: Desk, simulator: Simulator) -> None:
    """The night's funding is paid, then everything is closed."""
    assert simulator.ask("POST", "/funding", {SWAP: "0.0003"}).status == 200
    (funding, *_) = ok(desk.account.get_account_bills(type="8"))
    assert funding["subType"] in {"173", "174"}
    assert Decimal(funding["balChg"]) == Decimal(funding["pnl"])
    history = ok(desk.public.funding_rate_history(SWAP))
    assert history[0]["realizedRate"]
    assert desk.held() == 22
    ok(desk.trade.close_positions(SWAP, "cross"))
    assert desk.held() == 0
    (closed, *_) = ok(desk.account.get_positions_history(instType="SWAP"))
    assert Decimal(closed["closeTotalPos"]) == 22
    assert Decimal(closed["fundingFee"]) != 0


def _books_agree(desk: Desk) -> None:
    """Fills, bills and balances tell the same story, to the last digit."""
    bills = ok(desk.account.get_account_bills()) + ok(desk.account.get_account_bills_archive())
    unique = {each["billId"]: each for each in bills}.values()
    for ccy in ("USDT", "BTC"):
        moved = sum((Decimal(each["balChg"]) for each in unique if each["ccy"] == ccy), Decimal(0))
        assert moved == desk.cash(ccy)
    fills = ok(desk.trade.get_fills(instId=SWAP))
    signed = (Decimal(f["fillSz"]) * (1 if f["side"] == "buy" else -1) for f in fills)
    assert sum(signed, Decimal(0)) == 0
    fees = sum((Decimal(each["fee"]) for each in fills), Decimal(0))
    orders = ok(desk.trade.get_orders_history("SWAP", instId=SWAP))
    assert sum((Decimal(each["fee"]) for each in orders), Decimal(0)) == fees
    assert {each["billId"] for each in fills} <= {each["billId"] for each in unique}


class Streams:
    """Three sockets of one trader; every frame is kept."""

    def __init__(self, simulator: Simulator) -> None:
        self.rest = simulator.rest
        key, secret, passphrase = KEYS
        urls = simulator.tls["ws"]
        self.private = WsPrivateAsync(key, passphrase, secret, urls["private"])
        self.business = WsPrivateAsync(key, passphrase, secret, urls["business"])
        self.public = WsPublicAsync(urls["public"])
        self.frames: list[Any] = []
        self._arrived = asyncio.Event()

    async def open(self) -> None:
        for each in (self.private, self.business, self.public):
            await each.start()
        private = [
            {"channel": "orders", "instType": "ANY"},
            {"channel": "positions", "instType": "ANY"},
            {"channel": "account"},
            {"channel": "balance_and_position"},
        ]
        public = [{"channel": name, "instId": SWAP} for name in ("tickers", "books5", "mark-price")]
        await asyncio.gather(
            self.private.subscribe(private, self._take),
            self.business.subscribe([ALGO_CHANNEL], self._take),
            self.public.subscribe(public, self._take),
        )
        await self.wait(lambda each: each.get("event") == "subscribe" and _about(each, "account"))

    def _take(self, text: str) -> None:
        self.frames.append(json.loads(text))
        self._arrived.set()

    async def wait(self, wanted: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(5):
            while True:
                self._arrived.clear()
                for each in self.frames:
                    if wanted(each):
                        return each
                await self._arrived.wait()

    async def check(self) -> None:
        """Every channel has spoken, nothing was refused."""
        for name in ("orders", "positions", "account", "balance_and_position", "orders-algo"):
            assert await self.wait(lambda each, name=name: "data" in each and _about(each, name))
        for name in ("tickers", "books5", "mark-price"):
            assert await self.wait(lambda each, name=name: "data" in each and _about(each, name))
        assert [each for each in self.frames if each.get("event") == "error"] == []

    async def close(self) -> None:
        for each in (self.private, self.business, self.public):
            await each.stop()


def _about(frame: Any, channel: str) -> bool:
    return bool(frame.get("arg", {}).get("channel") == channel)
