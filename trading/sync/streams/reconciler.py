"""Reconciles accounts whose socket missed something, a few at a time, until it went well."""

from __future__ import annotations

import asyncio
import logging

from trading.sync.reconcile import reconcile_accounts
from trading.sync.streams.threads import DatabaseThreads

logger = logging.getLogger(__name__)

_TOGETHER = 25
# After these the periodic reconciling has it.
_PAUSES_S = (5.0, 10.0, 20.0, 40.0)


class Reconciler:
    """Asked from the event loop; several askings of one account become one reading."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._waiting: dict[int, str] = {}
        self._failures: dict[int, int] = {}
        self._wake = asyncio.Event()

    def ask(self, account_id: int, cause: str) -> None:
        self._waiting.setdefault(account_id, cause)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._reconcile(self._take())

    def _take(self) -> dict[int, str]:
        cause = next(iter(self._waiting.values()))
        taken = [i for i, each in self._waiting.items() if each == cause][:_TOGETHER]
        return {account_id: self._waiting.pop(account_id) for account_id in taken}

    async def _reconcile(self, asked: dict[int, str]) -> None:
        cause = next(iter(asked.values()))
        try:
            runs = await self._threads.run(reconcile_accounts, list(asked), cause=cause)
            failed = [run.account_id for run in runs if not run.ok]
        except Exception:
            logger.exception("Reconciling failed")
            failed = list(asked)
        for account_id in asked.keys() - set(failed):
            self._failures.pop(account_id, None)
        for account_id in failed:
            self._again(account_id, cause)

    def _again(self, account_id: int, cause: str) -> None:
        failures = self._failures.pop(account_id, 0)
        if failures < len(_PAUSES_S):
            self._failures[account_id] = failures + 1
            loop = asyncio.get_running_loop()
            loop.call_later(_PAUSES_S[failures], self.ask, account_id, cause)
