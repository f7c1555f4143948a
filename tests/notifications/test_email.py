"""E-mail to a real SMTP server: envelope, text, refusals by recipient, and its deadline."""

from __future__ import annotations

import email
import email.policy
import socket
import threading
import time
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from notifications.enums import Kind, Outcome, Security
from notifications.models import Destination
from notifications.transports import Result, Text, transport_of
from notifications.transports.email import transport as email_transport
from tests.notifications import capture
from tests.notifications.capture import SMTP, Mail
from tests.notifications.desk import _fields as fields_of

TEXT = Text("Alarm: 订单", "It happened.\n", "0190-ident")


def destination(**fields: Any) -> Destination:
    return Destination(kind=Kind.EMAIL, **{**fields_of(Kind.EMAIL), **fields})


def sent(left: list[str] | None = None, **fields: Any) -> Result:
    transport = transport_of(Kind.EMAIL)
    return transport.send(transport.route(destination(**fields), left or []), TEXT)


def test_a_message_arrives_encrypted_and_after_a_login(mail: Mail) -> None:
    assert sent() == Result(Outcome.SENT, "250")

    (envelope,) = mail.messages
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail.logins == [("desk", "smtp-password")]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("desk@example.org", ["risk@example.org"])
    assert message["Subject"] == "Alarm: 订单"
    assert message["Message-ID"] == "<0190-ident@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().splitlines() == ["It happened."]


def test_a_wrong_password_is_refused_for_good(mail: Mail) -> None:
    result = sent(smtp_password="wrong")

    assert (result.outcome, result.code) == (Outcome.REFUSED, "535")
    assert result.blames_destination
    assert mail.messages == []


@pytest.mark.parametrize(
    ("says", "outcome", "code"),
    [
        ("451 greylisted", Outcome.REFUSED_NOW, "451"),
        ("550 no such mailbox", Outcome.REFUSED, "550"),
    ],
)
def test_a_refused_recipient_is_named(mail: Mail, says: str, outcome: Outcome, code: str) -> None:
    mail.rcpt_says = {"risk@example.org": says}

    result = sent()

    assert (result.outcome, result.code) == (outcome, code)
    assert f"risk@example.org ({code})" in result.words
    assert mail.messages == []


def test_who_was_refused_for_now_is_left_and_who_was_for_good_is_not(mail: Mail) -> None:
    mail.rcpt_says = {"b@example.org": "451 later", "c@example.org": "550 never"}

    result = sent(recipients=["a@example.org", "b@example.org", "c@example.org"])

    assert mail.messages[0].rcpt_tos == ["a@example.org"]
    assert result.outcome == Outcome.SENT
    assert result.left == ("b@example.org",)
    assert "b@example.org (451), c@example.org (550)" in result.words


def test_only_those_left_are_told_the_next_time(mail: Mail) -> None:
    sent(["b@example.org"], recipients=["a@example.org", "b@example.org"])

    assert mail.messages[0].rcpt_tos == ["b@example.org"]


@pytest.mark.parametrize(
    ("says", "outcome"),
    [("452 full", Outcome.REFUSED_NOW), ("554 spam", Outcome.REFUSED)],
)
def test_a_refused_text_was_not_taken(mail: Mail, says: str, outcome: Outcome) -> None:
    mail.data_says = says

    assert sent().outcome == outcome


def test_a_refused_sender_blames_the_destination(mail: Mail) -> None:
    mail.mail_says = "553 not yours"

    result = sent()

    assert (result.outcome, result.blames_destination) == (Outcome.REFUSED, True)


def test_a_server_that_goes_after_the_text_leaves_an_unknown_outcome(mail: Mail) -> None:
    mail.data_hangs = True

    assert sent().outcome == Outcome.UNKNOWN
    assert len(mail.messages) == 1


def test_a_closed_port_is_not_reached(mail: Mail, settings: Any) -> None:
    settings.OUTGOING_CAPTURE = {SMTP: "smtp://127.0.0.1:1"}

    assert sent().outcome == Outcome.NOT_SENT


def test_a_certificate_for_another_name_is_refused(mail: Mail, settings: Any) -> None:
    settings.OUTGOING_CAPTURE |= {"mail.example.org": settings.OUTGOING_CAPTURE[SMTP]}

    result = sent(smtp_host="mail.example.org")

    assert result.outcome == Outcome.NOT_SENT
    assert "certificate" in result.words
    assert mail.logins == []


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_a_server_that_greets_byte_by_byte_ends_at_the_deadline(
    caught: None, settings: Any, monkeypatch: pytest.MonkeyPatch, security: Security
) -> None:
    monkeypatch.setattr(email_transport, "TOTAL_S", 0.6)
    with dripping() as port:
        settings.OUTGOING_CAPTURE = {SMTP: f"smtp://127.0.0.1:{port}"}
        started = time.monotonic()

        result = sent(smtp_security=security)

    assert result.outcome == Outcome.NOT_SENT
    assert time.monotonic() - started < 2


def test_the_desks_own_server_must_be_on_the_internet(
    caught: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTGOING_CAPTURE = {}
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.25", 587))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: inside)

    result = sent()

    assert (result.outcome, result.code) == (Outcome.REFUSED, "address")
    assert "private network" in result.words


def test_the_installations_server_may_be_inside(caught: None, settings: Any) -> None:
    with capture.mail_server() as inner:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", inner.port
        settings.DEFAULT_FROM_EMAIL = "Copydesk <copydesk@example.com>"

        result = sent(smtp_host="")

        assert result.outcome == Outcome.SENT
        assert inner.messages[0].mail_from == "copydesk@example.com"


@pytest.mark.parametrize(
    ("label", "fields", "field"),
    [
        ("nobody", {"recipients": []}, "recipients"),
        ("not an address", {"recipients": ["risk"]}, "recipients"),
        ("a header", {"recipients": ["a@example.org\nBcc: b@example.org"]}, "recipients"),
        ("too many", {"recipients": [f"a{n}@example.org" for n in range(21)]}, "recipients"),
        ("an inner server", {"smtp_host": "10.0.0.1"}, "smtp_host"),
        ("this machine", {"smtp_host": "localhost"}, "smtp_host"),
        ("another service", {"smtp_port": 6379}, "smtp_port"),
        ("no sender", {"sender": ""}, "sender"),
        ("no server at all", {"smtp_host": ""}, "smtp_host"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_by_field(
    label: str, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        transport_of(Kind.EMAIL).clean(destination(**fields))

    assert list(refused.value.message_dict) == [field], label


class dripping:  # noqa: N801 - used as a context manager
    """A server that never ends its first line."""

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._done = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        port: int = self._listener.getsockname()[1]
        return port

    def _serve(self) -> None:
        wire, _address = self._listener.accept()
        with wire:
            try:
                while not self._done.wait(0.1):
                    wire.send(b"2")
            except OSError:
                return

    def __exit__(self, *args: Any) -> None:
        self._done.set()
        self._listener.close()
