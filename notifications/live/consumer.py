"""The socket at /ws/live/: admits, subscribes, and hands on frames without gaps.

After it was opened it reads the database only for what was missed and for whether its person
may still listen. daphne buffers without bound what a client does not read, so that the socket
itself must notice and close.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError, InterfaceError
from django.http import parse_cookie
from django.utils import timezone

from notifications.live.audiences import audience_group, desk_group, user_group
from notifications.live.codes import Close
from notifications.live.entry import Visitor, visitor_of
from notifications.live.hub import hub
from notifications.live.origin import is_own_origin
from notifications.live.reader import Reader
from notifications.live.relay import Frame, Item
from notifications.live.replay import Opened, catch_up, keep_listening, open_streams
from notifications.live.requests import Asked, Refused, parse

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and counts; docs/live.md names them."""

    flush_s: float = 0.25
    gap_s: float = 0.6
    beat_s: float = 5.0
    ack_s: float = 15.0
    unacked_bytes: int = 1024 * 1024
    check_s: float = 60.0
    soon_s: float = 0.5
    messages: int = 20
    messages_s: float = 10.0
    sockets_per_user: int = 5
    sockets: int = 2000


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One open page. docs/live.md is its contract."""

    def __init__(self, limits: Limits = Limits()) -> None:
        super().__init__()
        self.limits = limits
        self.visitor: Visitor | None = None
        self._reader = Reader()
        self._groups: list[str] = []
        self._came: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushing = self._over = False
        self._flushed_at = self._acked_at = self._beat_at = self._check_at = self._gap_at = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Leave nothing behind: a socket that ends by an error is not told of its end, and its
        place would never be free again."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """channels' own would go through a thread for every message, for connections unused."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        await self.accept()  # or the browser would not be told the code
        if not is_own_origin(self._header(b"origin")):
            await self._end(Close.FORBIDDEN)
            return
        visitor = await _read(visitor_of, self._cookies())
        if isinstance(visitor, Close):
            await self._end(visitor)
        elif self._is_full(visitor):
            await self._end(Close.TOO_MANY)
        else:
            await self._admit(visitor)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._over or self.visitor is None:
            return
        try:
            self._count_message()
            asked = parse(text_data, self.visitor.audience)
            await self._answer(self.visitor, asked)
        except Refused as refused:
            await self._end(refused.code)

    async def disconnect(self, code: int) -> None:
        await self._leave()

    async def _leave(self) -> None:
        self._over = True
        hub().remove(self)
        for task in self._tasks:
            task.cancel()
        groups, self._groups = self._groups, []
        for group in groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def live_frame(self, message: dict[str, Any]) -> None:
        items = tuple(Item(item["kind"], item["id"]) for item in message["items"])
        frame = Frame(message["stream"], message["first"], message["seq"], items)
        if self._reader.hear(frame):
            self._flush_soon()

    async def live_check(self, message: dict[str, Any]) -> None:
        """Something about this person or desk changed: look soon, but not all at once."""
        soon = self._now() + self.limits.soon_s * random.uniform(0.5, 1)  # noqa: S311
        self._check_at = min(self._check_at, soon)

    async def tick(self, now: float) -> None:
        """Called every second: is the other side alive, and may it still listen?"""
        if self._over:
            return
        if now - self._acked_at > self.limits.ack_s:
            await self._end(Close.TOO_SLOW)
            return
        if now >= self._check_at:
            self._check_at = now + self.limits.check_s
            self._keep(self._check())
        if now - self._beat_at >= self.limits.beat_s:
            self._beat_at = now
            await self._tell({"beat": self._reader.positions, "at": _clock()})

    async def compare(self, current: Mapping[str, int]) -> None:
        """Called with where the streams stand: what the layer lost is read from the rows."""
        if not self._over and self._reader.behind(current):
            self._keep(self._catch_up(self._reader.behind(current)))

    def _is_full(self, visitor: Visitor) -> bool:
        here = hub()
        too_many = here.count_of(visitor.user_id) >= self.limits.sockets_per_user
        return too_many or len(here) >= self.limits.sockets

    async def _admit(self, visitor: Visitor) -> None:
        now = self._now()
        self.visitor = visitor
        self._acked_at = self._beat_at = now
        self._check_at = now + self.limits.check_s * random.uniform(0.9, 1.1)  # noqa: S311
        hub().add(self, visitor)
        self._groups = [
            audience_group(visitor.tenant_id, visitor.audience),
            user_group(visitor.tenant_id, visitor.user_id),
            desk_group(visitor.tenant_id),
        ]
        for group in self._groups:
            await self.channel_layer.group_add(group, self.channel_name)

    async def _answer(self, visitor: Visitor, asked: Asked) -> None:
        if asked.ack is not None:
            self._acked_at = self._now()
            self._reader.ack(asked.ack)
            return
        opened = await _read(open_streams, visitor, asked.subscribe, asked.rendered)
        for stream, seq in opened.positions.items():
            self._reader.start(stream, seq)
        await self._tell({"subscribed": opened.positions, "at": _clock()})
        await self._take(opened)

    async def _take(self, opened: Opened) -> None:
        for stream in opened.resync:
            self._reader.start(stream, opened.positions[stream])
        if opened.resync:
            numbers = {stream: opened.positions[stream] for stream in opened.resync}
            await self._tell({"resync": opened.resync, "seq": numbers})
        for frame in opened.missed:
            self._reader.hear(frame)
        await self._flush()

    def _flush_soon(self) -> None:
        if not self._flushing and not self._over:
            self._flushing = True
            self._keep(self._flush_later())

    async def _flush_later(self) -> None:
        await asyncio.sleep(max(0.0, self._flushed_at + self.limits.flush_s - self._now()))
        self._flushing = False
        await self._flush()
        await self._look_at_gaps()

    async def _flush(self) -> None:
        frames = self._reader.due()
        if frames:
            self._flushed_at = self._now()
        for frame in frames:
            size = await self._tell(frame.as_message())
            self._reader.sent(frame.stream, frame.seq, size)
        if self._reader.unacked_bytes > self.limits.unacked_bytes:
            await self._end(Close.TOO_SLOW)

    async def _look_at_gaps(self) -> None:
        """What is missing may only be late; after a moment it is read from the rows."""
        gaps, now = self._reader.gaps(), self._now()
        if not gaps:
            self._gap_at = 0.0
            return
        self._gap_at = self._gap_at or now
        if now - self._gap_at < self.limits.gap_s:
            self._flushed_at = now
            self._flush_soon()
        else:
            self._gap_at = 0.0
            await self._catch_up(gaps)

    async def _catch_up(self, streams: list[str]) -> None:
        positions = self._reader.positions
        if self.visitor is not None and not self._over:
            wanted = {stream: positions[stream] for stream in streams}
            await self._take(await _read(catch_up, self.visitor, wanted))

    async def _check(self) -> None:
        """The same question as at the door; another answer ends the conversation."""
        found = await _read(visitor_of, self._cookies())
        if found != self.visitor:
            await self._end(found if isinstance(found, Close) else Close.FORBIDDEN)
        elif self.visitor is not None:
            await _read(keep_listening, self.visitor)

    async def _tell(self, body: dict[str, Any]) -> int:
        text = json.dumps(body, separators=(",", ":"))
        if not self._over:
            await self.send(text_data=text)
        return len(text)

    async def _end(self, code: Close) -> None:
        if not self._over:
            self._over = True
            await self.close(code=int(code))

    def _count_message(self) -> None:
        now = self._now()
        self._came.append(now)
        while self._came[0] < now - self.limits.messages_s:
            self._came.popleft()
        if len(self._came) > self.limits.messages:
            raise Refused(Close.TOO_MANY)

    def _keep(self, coroutine: Any) -> None:
        task = asyncio.create_task(_logged(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _header(self, name: bytes) -> str:
        found = [value for key, value in self.scope["headers"] if key == name]
        return found[0].decode("latin-1") if len(found) == 1 else ""

    def _cookies(self) -> dict[str, str]:
        return parse_cookie(self._header(b"cookie"))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def _read(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """In any free thread: one that waits for the database must not hold up the others."""
    reading = database_sync_to_async(function, thread_sensitive=False)
    result: R = await reading(*args, **kwargs)
    return result


async def _logged(coroutine: Any) -> None:
    try:
        await coroutine
    except (DatabaseError, InterfaceError) as error:
        log.warning("a live socket waits for the database: %s", error)
    except Exception:
        log.exception("a live socket stumbled")


def _clock() -> str:
    return timezone.now().isoformat(timespec="seconds")
