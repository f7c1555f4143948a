"""One async ccxt instance for all accounts: its request, its signature, its parsing."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import aiohttp
import ccxt.async_support as ccxt

from benchmarks.fan import keys
from benchmarks.fan.sides.pool import SYMBOL
from benchmarks.fan.sides.terms import LoopThread, Terms


class Signing(ccxt.okx):
    """The account's key is on the instance only while `sign` runs."""

    def sign(self, path: str, api: Any = "public", method: str = "GET", params: Any = None) -> Any:
        params = dict(params or {})
        account = params.pop("account", None)
        if account is not None:
            self.apiKey, self.secret = keys.api_key(account), keys.secret(account)
            self.password = keys.PASSPHRASE
        return super().sign(path, api, method, params)


class Side:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._loop = LoopThread()
        self._exchange: Any = self._loop.run(self._open())

    async def _open(self) -> Any:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._terms.connections)
        )
        options = {"createOrder": "privatePostTradeOrder", "fetchMarkets": {"types": ["swap"]}}
        exchange = Signing({"session": session, "enableRateLimit": False, "options": options})
        exchange.urls["api"] = {"rest": self._terms.rest}
        await exchange.load_markets()
        return exchange

    def ready(self) -> dict[str, Any]:
        return {"pids": [os.getpid()]}

    def prepare(self, number: int) -> None:
        self._loop.run(self._warm())

    async def _warm(self) -> None:
        await asyncio.gather(*(self._exchange.fetch_time() for _ in range(self._terms.connections)))

    def go(self, number: int) -> dict[str, Any]:
        began = time.monotonic_ns()
        accepted = self._loop.run(self._send_all(number))
        return {"began_ns": began, "ended_ns": time.monotonic_ns(), "accepted": accepted}

    async def _send_all(self, number: int) -> int:
        return sum(
            await asyncio.gather(*(self._send(one, number) for one in range(self._terms.accounts)))
        )

    async def _send(self, account: int, number: int) -> bool:
        extra = {"clOrdId": f"bench{number:03d}n{account:06d}", "tdMode": "cross"}
        order = await self._exchange.create_order(
            SYMBOL, "market", "buy", 1, None, extra | {"account": account}
        )
        return bool(order["id"])
