"""One request on its way: signed at the moment it is written, answered exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.okx.pacing import Toll
from trading.exchange.okx.signing import seal_of, stamp_of
from trading.exchange.types import Credentials

logger = logging.getLogger(__name__)

# What is sent this close to its deadline would only be refused on arrival.
SEND_MARGIN_MS = 300


class Request:
    """An errand. `what` is its method and target; a question has no body.

    `until` is the loop's time by which it must have been written; a deadline goes out as
    `exp_at_ms`, and is looked at again, on the exchange's clock, when it is written.
    """

    __slots__ = (
        *("_body", "_clock", "_credentials", "_done", "_exp_at_ms", "_head", "_what"),
        *("asks", "tolls", "until"),
    )

    def __init__(  # noqa: PLR0913 - made for every order: no object more than needed
        self,
        head: bytes,
        what: bytes,
        credentials: Credentials | None,
        done: Callable[[Request, Answer], None],
        *,
        clock: ExchangeClock,
        tolls: tuple[Toll, ...],
        until: float,
        body: bytes | None = None,
        exp_at_ms: int | None = None,
    ) -> None:
        self._head = head
        self._what = what
        self._credentials = credentials
        self._done = done
        self._clock = clock
        self._body = body
        self._exp_at_ms = exp_at_ms
        self.asks = body is None
        self.tolls = tolls
        self.until = until

    def message(self) -> bytes:
        now_ms = self._clock.now_ms()
        body, extra = self._body or b"", b""
        if self._body is not None:
            extra = b"Content-Length: %d\r\n" % len(body)
        if self._exp_at_ms is not None:
            if now_ms > self._exp_at_ms - SEND_MARGIN_MS:
                raise NotSent("too late to be accepted")
            extra += b"expTime: %d\r\n" % self._exp_at_ms
        return b"%b%b%b\r\n%b" % (self._head, self._signed(now_ms, body), extra, body)

    def answered(self, answer: Answer) -> None:
        try:
            self._done(self, answer)
        except Exception:
            # Whoever asked has gone wrong; the others on this connection have not.
            logger.exception("An answer could not be delivered")

    def _signed(self, now_ms: int, body: bytes) -> bytes:
        if self._credentials is None:
            return b""
        try:
            seal = seal_of(self._credentials)
        except ValueError as error:
            raise NotSent(str(error)) from error
        return seal.fields(stamp_of(now_ms), self._what, body)
