"""What daphne serves while push.py measures: the product, beside channels with nothing of ours."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from config.asgi import pages  # noqa: E402
from notifications.live.consumer import Limits, LiveConsumer  # noqa: E402

BARE_GROUP = "bare"


class Bare(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Hands every message of one group on: the least that channels can do."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(BARE_GROUP, self.channel_name)
        await self.accept()

    async def bare_message(self, message: dict[str, Any]) -> None:
        await self.send(text_data=message["text"])


limits = Limits(ack_s=float(os.environ.get("PUSH_ACK_S", Limits().ack_s)))
application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": URLRouter(
            [path("ws/live/", LiveConsumer.as_asgi(limits=limits)), path("bare/", Bare.as_asgi())]
        ),
    }
)
