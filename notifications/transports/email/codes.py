"""What SMTP servers answer: 4xx is for now, 5xx for good."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext as _

from notifications.enums import Outcome
from notifications.transports.contract import Result

TEMPORARY: Final = 400
PERMANENT: Final = 500
SHOWN: Final = 5


def refusal(code: int, words: str, *, blames_destination: bool = False) -> Result:
    """A reply that was not what it had to be."""
    if code >= PERMANENT:
        return Result(Outcome.REFUSED, str(code), words, blames_destination=blames_destination)
    return Result(Outcome.REFUSED_NOW, str(code), words)


def not_open(error: Exception) -> Result:
    """The server was not reached, or did not let us in; nothing left."""
    match error:
        case smtplib.SMTPAuthenticationError():
            words = _("The SMTP server refused user or password.")
            return refusal(error.smtp_code, words, blames_destination=True)
        case smtplib.SMTPResponseException() if error.smtp_code >= TEMPORARY:
            words = _("The SMTP server does not take our connection.")
            return refusal(error.smtp_code, words, blames_destination=True)
        case smtplib.SMTPNotSupportedError():
            words = _("The SMTP server offers no encryption, or no login.")
            return Result(Outcome.REFUSED, "", words, blames_destination=True)
        case ssl.SSLError():
            return Result(
                Outcome.NOT_SENT, "", _("The SMTP server's certificate is not valid."), wait_s=30
            )
        case TimeoutError():
            return Result(
                Outcome.NOT_SENT, "", _("The SMTP server did not answer in time."), wait_s=10
            )
    return Result(Outcome.NOT_SENT, "", _("No connection to the SMTP server."), wait_s=10)


def none_taken(refused: Mapping[str, int]) -> Result:
    """Every recipient was refused."""
    code = min(refused.values())
    return refusal(code, named(refused), blames_destination=True)


def some_taken(refused: Mapping[str, int]) -> Result:
    """The message was taken for some; who was refused for now is tried again alone."""
    left = tuple(name for name, code in refused.items() if code < PERMANENT)
    code = str(max(refused.values(), default=250))
    words = named(refused) if refused else ""
    return Result(Outcome.SENT, code, words, left=left)


def named(refused: Mapping[str, int]) -> str:
    shown = [f"{name} ({code})" for name, code in list(refused.items())[:SHOWN]]
    more = len(refused) - len(shown)
    names = ", ".join(shown) + (f" +{more}" if more else "")
    return _("Refused recipients: %(names)s") % {"names": names}
