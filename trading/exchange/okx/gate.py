"""In front of the connections: what would break a limit of the exchange's waits for its turn."""

from __future__ import annotations

import asyncio
import re

from trading.exchange.okx.classify import Answer, HeldBack, NotSent, retry_after_of
from trading.exchange.okx.pacing import Pacer
from trading.exchange.okx.pool import Pool
from trading.exchange.okx.request import Request

_LIMITED = re.compile(r'"s?[cC]ode": ?"(50011|50061)"')
# At the beginning of an answer: further on, anything may look like a code.
_LOOKED_AT = 600
_ENDPOINT, _ORDERS_OF_ACCOUNT = "50011", "50061"


class Gate:
    """Belongs to one event loop. Without a pacer everything goes at once."""

    def __init__(self, pool: Pool, pacer: Pacer | None, *, patience_s: float) -> None:
        self._pool = pool
        self._patience_s = patience_s
        self._pacer = pacer
        self._held: dict[Request, asyncio.TimerHandle] = {}

    def submit(self, request: Request, now: float) -> None:
        """Have it sent in its turn, or answered now if that would come too late. `now` is the
        loop's time."""
        if self._pacer is None or not request.tolls:
            self._pass_on(request, now)
            return
        at = self._pacer.reserve(request.tolls, now, request.until)
        if at > request.until:
            request.answered(Answer(failure=HeldBack("its turn would come too late", at - now)))
        elif at > now:
            self._held[request] = asyncio.get_running_loop().call_at(at, self._release, request)
        else:
            self._pass_on(request, now)

    def abandon(self, request: Request) -> None:
        """Have it answered now; harmless for one that was."""
        held = self._held.pop(request, None)
        if held is None:
            self._pool.abandon(request)
            return
        held.cancel()
        request.answered(Answer(failure=NotSent("nobody waits for it any more")))

    def heard(self, request: Request, answer: Answer) -> None:
        """Learn from an answer that the exchange counts more than we do."""
        body = answer.body
        if (
            body.find(_ENDPOINT, 0, _LOOKED_AT) < 0
            and body.find(_ORDERS_OF_ACCOUNT, 0, _LOOKED_AT) < 0
        ):
            return
        limited = _LIMITED.search(body, 0, _LOOKED_AT)
        if limited is None or self._pacer is None:
            return
        now, wait = asyncio.get_running_loop().time(), retry_after_of(answer)
        tolls = request.tolls[-1:] if limited[1] == _ORDERS_OF_ACCOUNT else request.tolls[:1]
        for toll in tolls:
            self._pacer.refused(toll, now, None if wait is None else int(wait * 1000) / 1000)

    def close(self) -> None:
        for request in list(self._held):
            self.abandon(request)

    def _release(self, request: Request) -> None:
        """Its turn has come, unless the exchange has refused another of its kind meanwhile."""
        del self._held[request]
        loop = asyncio.get_running_loop()
        shut_until = self._pacer.shut_until(request.tolls) if self._pacer else 0.0
        now = loop.time()
        if shut_until <= now:
            self._pass_on(request, now)
        elif shut_until > request.until:
            late = HeldBack("the exchange asks to wait for too long", shut_until - now)
            request.answered(Answer(failure=late))
        else:
            self._held[request] = loop.call_at(shut_until, self._release, request)

    def _pass_on(self, request: Request, now: float) -> None:
        request.until = min(request.until, now + self._patience_s)
        self._pool.submit(request, now)
