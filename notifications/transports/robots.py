"""What the robots have in common: JSON over https, answered 200 with an `errcode`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.utils.translation import gettext as _

from notifications.enums import Outcome
from notifications.outgoing import Answer, NoAnswerError, NotSentError, RefusedAddressError, post
from notifications.transports.contract import FEW_TRIES, Result

HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
# The gateway says that it did not take the request; with any other 5xx nobody knows.
_NOT_TAKEN: Final = {HTTPStatus.TOO_MANY_REQUESTS: 60, HTTPStatus.SERVICE_UNAVAILABLE: 30}


@dataclass(frozen=True)
class Code:
    """What an `errcode` means: in words, for good or for now, and whose fault it is."""

    words: Any
    permanent: bool = True
    blames_destination: bool = True
    wait_s: int = 0


def call(url: str, message: Mapping[str, Any], *, host: str, codes: Mapping[int, Code]) -> Result:
    """Post a message to a robot and read what became of it."""
    body = json.dumps(message, ensure_ascii=False).encode()
    try:
        answer = post(url, body, headers=HEADERS, hosts={host})
    except RefusedAddressError as error:
        return Result(Outcome.REFUSED, "address", str(error), blames_destination=True)
    except NotSentError as error:
        return Result(Outcome.NOT_SENT, "", str(error), wait_s=10)
    except NoAnswerError as error:
        return Result(Outcome.UNKNOWN, "", str(error), wait_s=10)
    return read(answer, codes)


def read(answer: Answer, codes: Mapping[int, Code]) -> Result:
    """What an answer means. Only a well-formed `errcode` 0 says that the message was taken."""
    if answer.status != HTTPStatus.OK:
        return _by_status(answer.status)
    try:
        content = json.loads(answer.body)
        errcode = int(content["errcode"])
    except (ValueError, TypeError, KeyError):
        return Result(Outcome.UNKNOWN, "200", _("The answer could not be read."))
    if errcode == 0:
        return Result(Outcome.SENT, "0")
    code = codes.get(errcode)
    if code is None:
        words = _("Refused with a code that is not known here.")
        return Result(Outcome.REFUSED_NOW, str(errcode), words, tries=FEW_TRIES)
    outcome = Outcome.REFUSED if code.permanent else Outcome.REFUSED_NOW
    blamed = code.permanent and code.blames_destination
    return Result(
        outcome, str(errcode), str(code.words), wait_s=code.wait_s, blames_destination=blamed
    )


def _by_status(status: int) -> Result:
    code = str(status)
    if status in _NOT_TAKEN:
        wait_s = _NOT_TAKEN[HTTPStatus(status)]
        return Result(Outcome.REFUSED_NOW, code, _("Busy; asked to come later."), wait_s=wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        words = _("The other side failed; the message may have arrived.")
        return Result(Outcome.UNKNOWN, code, words, wait_s=30)
    words = _("This is not the address of a robot.")
    return Result(Outcome.REFUSED, code, words, blames_destination=True)


def pasted(text: str, parameter: str, hosts: Collection[str]) -> str:
    """The token itself, also from a whole webhook address of the robot."""
    from urllib.parse import parse_qs, urlsplit

    text = text.strip()
    parts = urlsplit(text)
    if parts.hostname in hosts:
        return parse_qs(parts.query).get(parameter, [""])[0]
    return text
