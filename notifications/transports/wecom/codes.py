"""What WeCom answers: HTTP 200, and the truth in `errcode`."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from notifications.transports.robots import Code

_MESSAGE: Final = {"blames_destination": False}

CODES: Final[dict[int, Code]] = {
    -1: Code(_("WeCom is busy."), permanent=False, wait_s=10),
    45009: Code(_("Too many messages in a minute."), permanent=False, wait_s=60),
    45033: Code(_("Too many messages at once."), permanent=False, wait_s=10),
    93000: Code(_("The key is not known to WeCom.")),
    93004: Code(_("The robot was switched off in WeCom.")),
    93008: Code(_("The robot is no longer in the group.")),
    40001: Code(_("The key is not known to WeCom.")),
    40014: Code(_("The key is not known to WeCom.")),
    40008: Code(_("WeCom does not take this type of message."), **_MESSAGE),
    40035: Code(_("WeCom could not read the message."), **_MESSAGE),
    40058: Code(_("WeCom could not read the message, or it was too long."), **_MESSAGE),
    44004: Code(_("The message was empty."), **_MESSAGE),
    45002: Code(_("The message was too long."), **_MESSAGE),
    47001: Code(_("WeCom could not read the message."), **_MESSAGE),
}
