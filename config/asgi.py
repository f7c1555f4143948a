"""The ASGI application that daphne serves: pages and sockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import IO, TYPE_CHECKING, Any, Final

import django
from asgiref.sync import sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_started
from django.db import connections
from django.urls import path, re_path, set_script_prefix

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# First, because what follows imports models.
django.setup(set_prefix=False)


Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

HOOKS: Final = "/hooks/"
# More than may wait for the writer, so that it is the writer who says that there are too many.
MOST_THREADS: Final = 1100


class PagesHandler(ASGIHandler):
    """Answers each request in one thread, from the first middleware to the last.

    No view here is async. Django would go back to the event loop for every middleware that could
    be, and into the thread again: a dozen times for one request.

    A webhook call goes to a thread and back once, where a page does so three times: to begin, to
    be answered and to be ended. Its thread serves the next call then; it keeps no connection: the
    call is stored by the writer's.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(MOST_THREADS, "webhook")

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(HOOKS):
            await super().handle(scope, receive, send)
            return
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        serve = copy_context().run
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._threads, serve, self._serve, scope, body)
        await self.send_response(response, send)

    def _serve(self, scope: dict[str, Any], body: IO[bytes]) -> HttpResponseBase:
        """Begin, answer and end a request whose answer is not a stream."""
        try:
            set_script_prefix(get_script_prefix(scope))
            request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            response = self.get_response(request) if request is not None else refusal
            assert response is not None  # noqa: S101 - one of the two is there
            response.close()
            return response
        finally:
            body.close()
            # A session that somebody sent along was looked for with one of this thread.
            connections.close_all()

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


pages = PagesHandler()

from notifications.live.consumer import LiveConsumer  # noqa: E402


async def refuse(
    scope: dict[str, Any],
    receive: Receive,
    send: Send,
) -> None:
    """Close a socket that asks for an address nobody serves."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


# channels routes to applications, which Django's types do not know. Each checks the origin itself.
sockets = [
    path("ws/live/", LiveConsumer.as_asgi()),
    re_path(r"", refuse),  # type: ignore[arg-type]
]

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": URLRouter(sockets),
    }
)
