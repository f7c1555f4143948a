"""A try at a WeCom robot: its key in the address, a markdown message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from notifications.models import Destination
from notifications.transports.contract import Result, Text
from notifications.transports.robots import call
from notifications.transports.wecom.codes import CODES

HOST: Final = "qyapi.weixin.qq.com"


@dataclass(frozen=True)
class Route:
    """The robot's key."""

    key: str = field(repr=False)


class WeCom:
    per_minute = 20
    longest = 4096

    def route(self, destination: Destination, left: list[str]) -> Route:
        if destination.robot_token is None:
            raise ValidationError({"robot_token": _("There is no key.")})
        return Route(destination.robot_token.reveal())

    def send(self, route: Route, text: Text) -> Result:
        url = f"https://{HOST}/cgi-bin/webhook/send?key={quote(route.key, safe='')}"
        message = {"msgtype": "markdown", "markdown": {"content": text.body}}
        return call(url, message, host=HOST, codes=CODES)

    def clean(self, destination: Destination) -> None:
        if destination.robot_token is None:
            raise ValidationError({"robot_token": _("The robot's key is needed.")})
