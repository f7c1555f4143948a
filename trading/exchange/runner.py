"""One event loop in one thread for everything a process asks of exchanges over HTTP."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from trading.exchange.client import ExchangeClient
from trading.exchange.types import Endpoint

T = TypeVar("T")

_STOP_S = 2


class ExchangeLoop:
    """A loop that lives as long as its process, so that its connections stay warm.

    Coroutines run here must not touch the database: one blocked call blocks every account.
    """

    def __init__(self) -> None:
        self.loop = _new_loop()
        self._clients: dict[Endpoint, ExchangeClient] = {}
        self._making = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="exchange", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Wait for the result; after `timeout` seconds cancel it and raise TimeoutError."""
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def client_for(self, endpoint: Endpoint) -> ExchangeClient:
        """The endpoint's one client; what it is made of is imported with the first."""
        with self._making:
            if endpoint not in self._clients:
                from trading.exchange.okx.rest import OkxClient

                self._clients[endpoint] = OkxClient(endpoint)
            return self._clients[endpoint]

    def stop(self) -> None:
        """Cancel what runs, close the connections, end the thread. May be repeated."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self.loop)
        self._thread.join(_STOP_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        self.loop.stop()


_current: ExchangeLoop | None = None
_starting = threading.Lock()


def exchange_loop() -> ExchangeLoop:
    """This process's loop, started when first asked for."""
    global _current  # noqa: PLW0603 - one per process is the point
    with _starting:
        if _current is None:
            _current = ExchangeLoop()
        return _current


def client_for(endpoint: Endpoint) -> ExchangeClient:
    """This process's client of an endpoint; its coroutines run in `exchange_loop()` only."""
    return exchange_loop().client_for(endpoint)


def stop_exchange_loop() -> None:
    """Close this process's loop and clients; the next call starts anew."""
    global _current
    with _starting:
        stopping, _current = _current, None
    if stopping is not None:
        stopping.stop()


def _forget() -> None:
    # A forked child has the parent's sockets but not its thread.
    global _current, _starting
    _current, _starting = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
