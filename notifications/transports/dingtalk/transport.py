"""A try at a DingTalk robot: a signed address, a markdown message."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from notifications.models import Destination
from notifications.transports.contract import Result, Text
from notifications.transports.dingtalk.codes import CODES
from notifications.transports.robots import call

HOST: Final = "oapi.dingtalk.com"


@dataclass(frozen=True)
class Route:
    """The robot's token, and the secret of its signature if it asks for one."""

    token: str = field(repr=False)
    secret: str = field(repr=False)


class DingTalk:
    per_minute = 20
    longest = 15_000

    def route(self, destination: Destination, left: list[str]) -> Route:
        if destination.robot_token is None:
            raise ValidationError({"robot_token": _("There is no access token.")})
        secret = destination.signing_secret
        return Route(destination.robot_token.reveal(), secret.reveal() if secret else "")

    def send(self, route: Route, text: Text) -> Result:
        message = {
            "msgtype": "markdown",
            "markdown": {"title": text.subject, "text": text.body},
        }
        return call(address(route, time.time_ns() // 1_000_000), message, host=HOST, codes=CODES)

    def clean(self, destination: Destination) -> None:
        if destination.robot_token is None:
            raise ValidationError({"robot_token": _("The robot's access token is needed.")})


def address(route: Route, at_ms: int) -> str:
    """Where to post; the signature is good for an hour around `at_ms`."""
    url = f"https://{HOST}/robot/send?access_token={quote(route.token, safe='')}"
    if not route.secret:
        return url
    signed = f"{at_ms}\n{route.secret}".encode()
    digest = hmac.new(route.secret.encode(), signed, hashlib.sha256).digest()
    # Encoded here, and here only: the client sends the query as it stands.
    sign = quote(base64.b64encode(digest), safe="")
    return f"{url}&timestamp={at_ms}&sign={sign}"
