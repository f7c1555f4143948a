"""What most people have: ten threads and ccxt, at its best.

One keep-alive instance per thread, all with the same markets, made before the round; the
account's key is put on it for the call.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ccxt

from benchmarks.fan import keys
from benchmarks.fan.sides.terms import Terms

THREADS = 10
SYMBOL = "BTC/USDT:USDT"


def make_exchange(rest: str, markets_of: Any = None) -> Any:
    """A sync ccxt client of the stub; with the markets of another one, or its own."""
    exchange = ccxt.okx(
        {
            "enableRateLimit": False,
            "timeout": 30_000,
            "options": {
                "createOrder": "privatePostTradeOrder",
                "fetchMarkets": {"types": ["swap"]},
            },
        }
    )
    exchange.urls["api"] = {"rest": rest}
    # What it hands on to requests is this, once `verify` is true.
    exchange.validateServerSsl = os.environ.get("SSL_CERT_FILE") or True
    if markets_of is None:
        exchange.load_markets()
    else:
        exchange.set_markets_from_exchange(markets_of)
    return exchange


def place(exchange: Any, account: int, number: int) -> bool:
    exchange.apiKey = keys.api_key(account)
    exchange.secret = keys.secret(account)
    exchange.password = keys.PASSPHRASE
    name = f"bench{number:03d}n{account:06d}"
    order = exchange.create_order(
        SYMBOL, "market", "buy", 1, None, {"clOrdId": name, "tdMode": "cross"}
    )
    return bool(order["id"])


class Side:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._first = make_exchange(terms.rest)
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(THREADS)

    def ready(self) -> dict[str, Any]:
        return {"pids": [os.getpid()]}

    def prepare(self, number: int) -> None:
        barrier = threading.Barrier(THREADS)

        def warm(_: int) -> None:
            barrier.wait()
            self._exchange().fetch_time()

        list(self._threads.map(warm, range(THREADS)))

    def go(self, number: int) -> dict[str, Any]:
        began = time.monotonic_ns()
        accounts = range(self._terms.accounts)
        accepted = sum(
            self._threads.map(lambda one: place(self._exchange(), one, number), accounts)
        )
        return {"began_ns": began, "ended_ns": time.monotonic_ns(), "accepted": accepted}

    def _exchange(self) -> Any:
        if not hasattr(self._own, "exchange"):
            self._own.exchange = make_exchange(self._terms.rest, self._first)
        return self._own.exchange
