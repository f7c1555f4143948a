"""One request on its way: signed at the moment it is written, answered exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.okx.pacing import Toll
from trading.exchange.okx.signing import seal_of, stamp_of
from trading.exchange.types import Credentials

logger = logging.getLogger(__name__)

# What is sent this close to its deadline would only be refused on arrival.
SEND_MARGIN_MS = 300


class Route(NamedTuple):
    """How a request begins: its head as it is written, and its method and target as they are
    signed, by this clock."""

    head: bytes
    what: bytes
    clock: ExchangeClock


class Request:
    """An errand. A question has no body.

    `until` is the loop's time by which it must have been written; a deadline goes out as
    `exp_at_ms`, and is looked at again, on the exchange's clock, when it is written. `place` is
    for whoever waits for many.
    """

    __slots__ = (
        *("_body", "_credentials", "_done", "_exp_at_ms", "_route"),
        *("asks", "place", "tolls", "until"),
    )

    def __init__(  # noqa: PLR0913, PLR0917 - made for every order: no object more than needed
        self,
        route: Route,
        credentials: Credentials | None,
        done: Callable[[Request, Answer], None],
        tolls: tuple[Toll, ...],
        until: float,
        body: bytes | None = None,
        exp_at_ms: int | None = None,
        place: int = 0,
    ) -> None:
        self._route = route
        self._credentials = credentials
        self._done = done
        self._body = body
        self._exp_at_ms = exp_at_ms
        self.place = place
        self.asks = body is None
        self.tolls = tolls
        self.until = until

    def message(self) -> bytes:
        head, what, clock = self._route
        now_ms, body, exp_at_ms = clock.now_ms(), self._body, self._exp_at_ms
        rest = b"\r\n" if body is None else b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        if exp_at_ms is not None:
            if now_ms > exp_at_ms - SEND_MARGIN_MS:
                raise NotSent("too late to be accepted")
            rest = b"expTime: %d\r\n%b" % (exp_at_ms, rest)
        if self._credentials is None:
            return head + rest
        try:
            seal = seal_of(self._credentials)
        except ValueError as error:
            raise NotSent(str(error)) from error
        return head + seal.fields(stamp_of(now_ms), what, body or b"") + rest

    def answered(self, answer: Answer) -> None:
        try:
            self._done(self, answer)
        except Exception:
            # Whoever asked has gone wrong; the others on this connection have not.
            logger.exception("An answer could not be delivered")
