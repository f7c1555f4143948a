"""One kept-alive connection with at most one request on it. Nothing is ever sent twice."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.okx.reply import BadReply, Reply, ReplyReader


class Errand(Protocol):
    """One request on its way: made when it is its turn, answered exactly once.

    `asks` tells a question from something that changes the account; `until` is the loop's time
    by which it must have been written.
    """

    asks: bool
    until: float

    def message(self) -> bytes:
        """The bytes to send. Raises NotSent when it should not go any more."""
        ...

    def answered(self, answer: Answer) -> None: ...


class Owner(Protocol):
    """Who gives out connections."""

    def opened(self, connection: Connection) -> None: ...

    def free(self, connection: Connection, kept_s: int | None) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """Once a request was handed to the socket its failure says nothing of whether it arrived."""

    __slots__ = ("_errand", "_owner", "_reader", "_transport", "idle_until", "patience", "until")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._reader = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._errand: Errand | None = None
        # The loop's times: when the answer must be there, and when an idle one is given up.
        self.until = 0.0
        self.idle_until = 0.0
        self.patience = 1.0

    @property
    def errand(self) -> Errand | None:
        return self._errand

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, errand: Errand, message: bytes, until: float) -> None:
        """Write it, whatever comes of that. Only for an open connection without an errand."""
        assert self._transport is not None  # noqa: S101 - the owner asks `is_open` first
        self._errand, self.until = errand, until
        try:
            self._transport.write(message)
        except Exception as failure:  # noqa: BLE001 - some of it may be on its way
            self.fail(failure)

    def fail(self, failure: BaseException) -> None:
        """Give up on the answer and on the connection."""
        self.drop()
        self._answer(Answer(failure=failure))

    def drop(self) -> None:
        """Close at once. May be repeated."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._errand is None:
            # Nobody asked: whatever it is, it would be taken for the answer to the next request.
            self.drop()
            return
        try:
            reply = self._reader.feed(data)
        except BadReply as failure:
            self.fail(failure)
            return
        if reply is not None:
            self._finish(reply)

    def eof_received(self) -> None:
        if self._errand is None:
            return
        try:
            reply = self._reader.end()
        except BadReply as failure:
            self.fail(failure)
            return
        self._finish(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.lost(self)
        self._answer(Answer(failure=exc or NoAnswer("connection closed before the answer")))

    def _finish(self, reply: Reply) -> None:
        errand, self._errand = self._errand, None
        assert errand is not None  # noqa: S101 - nothing is read without one
        if reply.reusable and self.is_open:
            self._owner.free(self, reply.kept_s)
        else:
            self.drop()
        errand.answered(
            Answer(
                status=reply.status,
                body=reply.body.decode("utf-8", "replace"),
                retry_after=reply.retry_after,
            )
        )

    def _answer(self, answer: Answer) -> None:
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.answered(answer)


class NoAnswer(ConnectionError):  # noqa: N818 - says what happened
    """The request left, and its answer will not come."""


def not_connected(cause: BaseException) -> NotSent:
    """A failure to connect, which proves that nothing was sent."""
    failure = NotSent("no connection")
    failure.__cause__ = cause
    return failure
