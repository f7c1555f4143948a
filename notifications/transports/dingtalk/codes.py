"""What DingTalk answers: HTTP 200, and the truth in `errcode`."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from notifications.transports.robots import Code

_MESSAGE: Final = {"blames_destination": False}

CODES: Final[dict[int, Code]] = {
    -1: Code(_("DingTalk is busy."), permanent=False, wait_s=10),
    # Beyond 20 messages in a minute a robot is not heard for ten.
    130101: Code(_("Too many messages in a minute."), permanent=False, wait_s=600),
    410100: Code(_("Too many messages in a minute."), permanent=False, wait_s=600),
    300001: Code(_("The access token is not known to DingTalk.")),
    300005: Code(_("The access token is not known to DingTalk.")),
    400101: Code(_("The access token is not known to DingTalk.")),
    400013: Code(_("The group was dissolved.")),
    400102: Code(_("The robot was switched off in DingTalk.")),
    400106: Code(_("The robot is no longer in the group.")),
    310000: Code(
        _(
            "The robot's security settings refused it: wrong signing secret, a clock that is "
            "off, a missing keyword, or an address that is not allowed."
        )
    ),
    40035: Code(_("DingTalk could not read the message."), **_MESSAGE),
    43004: Code(_("DingTalk could not read the message."), **_MESSAGE),
    400105: Code(_("DingTalk does not take this type of message."), **_MESSAGE),
    430101: Code(_("DingTalk took a link in the message for unsafe."), **_MESSAGE),
    430102: Code(_("DingTalk took the text for unfit."), **_MESSAGE),
    430103: Code(_("DingTalk took a picture for unfit."), **_MESSAGE),
    430104: Code(_("DingTalk took the content for unfit."), **_MESSAGE),
}
