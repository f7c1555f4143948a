"""A try at e-mail: by the installation's SMTP server, or by one that the desk brings."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.message import sanitize_address
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from notifications.addresses import RefusedAddressError, check_host
from notifications.enums import Outcome, Security
from notifications.models import Destination
from notifications.outgoing import NotSentError, find_way
from notifications.transports.contract import Result, Text
from notifications.transports.email import codes
from notifications.transports.email.smtp import PinnedBackend

TOTAL_S: Final = 15.0  # greeting, encryption, login, envelope and text are a dozen round trips
MOST_RECIPIENTS: Final = 20
PORTS: Final = (465, 587, 2525)
_TAKEN: Final = (250, 251)


@dataclass(frozen=True)
class Route:
    """A server, how to be let in, and who is told."""

    host: str
    port: int
    use_tls: bool
    use_ssl: bool
    user: str
    password: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    own: bool  # the desk's: then it must be on the internet


class Email:
    per_minute = 60
    longest = 100_000

    def route(self, destination: Destination, left: list[str]) -> Route:
        recipients = tuple(left or destination.recipients)
        if not destination.smtp_host:
            return _of_installation(recipients)
        password = destination.smtp_password
        return Route(
            host=destination.smtp_host,
            port=destination.smtp_port,
            use_tls=destination.smtp_security == Security.STARTTLS,
            use_ssl=destination.smtp_security == Security.TLS,
            user=destination.smtp_user,
            password=password.reveal() if password else "",
            sender=destination.sender,
            recipients=recipients,
            own=True,
        )

    def send(self, route: Route, text: Text) -> Result:
        try:
            way = find_way(route.host, route.port, public_only=route.own)
        except RefusedAddressError as error:
            return Result(Outcome.REFUSED, "address", str(error), blames_destination=True)
        except NotSentError as error:
            return Result(Outcome.NOT_SENT, "", str(error), wait_s=10)
        server = PinnedBackend(
            way,
            host=route.host,
            port=way.port,
            username=route.user,
            password=route.password,
            use_tls=route.use_tls,
            use_ssl=route.use_ssl,
        )
        with server.within(TOTAL_S):
            try:
                smtp = server.greeted()
            except (smtplib.SMTPException, OSError) as error:
                return codes.not_open(error)
            return _deliver(smtp, route, text)

    def clean(self, destination: Destination) -> None:
        _clean_recipients(destination.recipients)
        if destination.smtp_host:
            _clean_server(destination)
        elif not settings.EMAIL_HOST:
            words = _("This installation has no SMTP server: name one of your own.")
            raise ValidationError({"smtp_host": words})


def _of_installation(recipients: tuple[str, ...]) -> Route:
    if not settings.EMAIL_HOST:
        raise ValidationError({"smtp_host": _("This installation has no SMTP server.")})
    return Route(
        host=settings.EMAIL_HOST,
        port=settings.EMAIL_PORT,
        use_tls=settings.EMAIL_USE_TLS,
        use_ssl=settings.EMAIL_USE_SSL,
        user=settings.EMAIL_HOST_USER,
        password=settings.EMAIL_HOST_PASSWORD,
        sender=settings.DEFAULT_FROM_EMAIL,
        recipients=recipients,
        own=False,
    )


def _deliver(smtp: Any, route: Route, text: Text) -> Result:
    """Envelope, then text. Up to the text nothing was taken; after it only the reply knows."""
    try:
        code, _reply = smtp.mail(sanitize_address(route.sender, "utf-8"))
        if code not in _TAKEN:
            words = _("The SMTP server refused the sender's address.")
            return codes.refusal(code, words, blames_destination=True)
        refused = _refused(smtp, route.recipients)
    except (smtplib.SMTPException, OSError):
        words = _("The SMTP server broke off before the text was sent.")
        return Result(Outcome.NOT_SENT, "", words, wait_s=10)
    if len(refused) == len(route.recipients):
        return codes.none_taken(refused)
    return _hand_over(smtp, _message(route, text)) or codes.some_taken(refused)


def _hand_over(smtp: Any, message: bytes) -> Result | None:
    """Send the text; None when the server said that it took it."""
    try:
        code, _reply = smtp.data(message)
    except smtplib.SMTPDataError as error:
        return codes.refusal(error.smtp_code, _("The SMTP server refused the message."))
    except (smtplib.SMTPException, OSError):
        words = _("The SMTP server did not say whether it took the message.")
        return Result(Outcome.UNKNOWN, "", words, wait_s=10)
    if code not in _TAKEN:
        return codes.refusal(code, _("The SMTP server refused the message."))
    return None


def _refused(smtp: Any, recipients: tuple[str, ...]) -> dict[str, int]:
    refused = {}
    for recipient in recipients:
        code, _reply = smtp.rcpt(sanitize_address(recipient, "utf-8"))
        if code not in _TAKEN:
            refused[recipient] = code
    return refused


def _message(route: Route, text: Text) -> bytes:
    domain = route.sender.rpartition("@")[2].rstrip(">") or "copydesk"
    message = EmailMessage(
        subject=text.subject,
        body=text.body,
        from_email=route.sender,
        to=list(route.recipients),
        headers={
            "Message-ID": f"<{text.ident}@{domain}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    raw: bytes = message.message().as_bytes(linesep="\r\n")
    return raw


def _clean_recipients(recipients: list[str]) -> None:
    if not recipients:
        raise ValidationError({"recipients": _("Name at least one address.")})
    if len(recipients) > MOST_RECIPIENTS:
        words = _("At most %(n)d addresses.") % {"n": MOST_RECIPIENTS}
        raise ValidationError({"recipients": words})
    for recipient in recipients:
        try:
            validate_email(recipient)
        except ValidationError as error:
            words = _("%(text)s is not an e-mail address.") % {"text": recipient}
            raise ValidationError({"recipients": words}) from error


def _clean_server(destination: Destination) -> None:
    try:
        check_host(destination.smtp_host)
    except RefusedAddressError as error:
        raise ValidationError({"smtp_host": str(error)}) from error
    if destination.smtp_port not in PORTS:
        words = _("Use port 587, 465 or 2525.")
        raise ValidationError({"smtp_port": words})
    if not destination.sender:
        raise ValidationError({"sender": _("A server of your own needs a sender's address.")})
