"""A bare aiohttp client: orders signed by hand, sent all at once, nothing stored."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp

from benchmarks.fan import keys
from benchmarks.fan.sides.terms import LoopThread, Terms

PLACE = "/api/v5/trade/order"


class Side:
    """Default settings of the library, but with as many connections as asked for."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.loop = LoopThread()
        self.session: aiohttp.ClientSession = self.loop.run(self.open())

    async def open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=self.terms.connections, ssl=_tls())
        return aiohttp.ClientSession(connector=connector)

    def ready(self) -> dict[str, Any]:
        return {"pids": [os.getpid()]}

    def prepare(self, number: int) -> None:
        self.loop.run(self._warm())

    async def _warm(self) -> None:
        await asyncio.gather(*(self._time() for _ in range(self.terms.connections)))

    async def _time(self) -> None:
        async with self.session.get(f"{self.terms.rest}/api/v5/public/time") as answer:
            await answer.read()

    def go(self, number: int) -> dict[str, Any]:
        began = time.monotonic_ns()
        accepted = self.loop.run(self._send_all(number))
        return {"began_ns": began, "ended_ns": time.monotonic_ns(), "accepted": accepted}

    async def _send_all(self, number: int) -> int:
        expires = str(time.time_ns() // 1_000_000 + 3000)
        sent = (self.send(account, number, expires) for account in range(self.terms.accounts))
        return sum(await asyncio.gather(*sent))

    async def send(self, account: int, number: int, expires: str) -> bool:
        body = order_body(account, number)
        async with self.session.post(
            self.terms.rest + PLACE, data=body, headers=signed(account, body, expires)
        ) as answer:
            told = json.loads(await answer.read())
        return bool(told["data"][0]["sCode"] == "0")


def order_body(account: int, number: int) -> str:
    return json.dumps(
        {
            "instId": keys.INST_ID,
            "tdMode": "cross",
            "side": "buy",
            "ordType": "market",
            "sz": "1",
            "clOrdId": f"bench{number:03d}n{account:06d}",
        }
    )


def signed(account: int, body: str, expires: str) -> dict[str, str]:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "Content-Type": "application/json",
        "OK-ACCESS-KEY": keys.api_key(account),
        "OK-ACCESS-PASSPHRASE": keys.PASSPHRASE,
        "OK-ACCESS-TIMESTAMP": stamp,
        "OK-ACCESS-SIGN": keys.signature(keys.secret(account), f"{stamp}POST{PLACE}{body}"),
        "expTime": expires,
    }


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
