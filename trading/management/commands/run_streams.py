"""Keep the exchange's sockets: one private per account, one public per market."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from trading.exchange.okx.constants import CONNECTIONS_PER_SECOND
from trading.sync.streams import run_streams

_GRACE_S = 1.0


class Command(BaseCommand):
    help = "Keep the exchange's sockets until SIGTERM. Several copies share the accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--connections-per-second",
            type=float,
            default=CONNECTIONS_PER_SECOND,
            help="new sockets a second; OKX counts them per address",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _allow_many_sockets()
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_until_told(options["connections_per_second"]))
        _leave()


async def _until_told(connections_per_second: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_streams(stop, connections_per_second=connections_per_second)


def _allow_many_sockets() -> None:
    """Each is an open file; where nothing else is said a process may have 1,024 of them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems count what they do not give
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _leave() -> None:
    """Wait a moment for threads that are still writing; a stuck one must not hold the exit."""
    others = [t for t in threading.enumerate() if t is not threading.current_thread()]
    for thread in others:
        if not thread.daemon:
            thread.join(_GRACE_S)
    if any(thread.is_alive() and not thread.daemon for thread in others):
        logging.shutdown()
        os._exit(0)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
