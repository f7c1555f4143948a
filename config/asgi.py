"""The ASGI application that daphne serves: pages and sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import django
from asgiref.sync import sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.handlers.asgi import ASGIHandler
from django.urls import path, re_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# First, because what follows imports models.
django.setup(set_prefix=False)


class PagesHandler(ASGIHandler):
    """Answers each request in one thread, from the first middleware to the last.

    No view here is async. Django would go back to the event loop for every middleware that could
    be, and into the thread again: a dozen times for one request.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


pages = PagesHandler()

from notifications.live.consumer import LiveConsumer  # noqa: E402


async def refuse(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
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
