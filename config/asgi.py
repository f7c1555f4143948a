"""The ASGI application that daphne serves: pages and sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# First, because what follows imports models.
pages = get_asgi_application()

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
