"""The one way out: to the address that was checked, once, with an end."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from notifications import outgoing
from notifications.outgoing import NoAnswerError, NotSentError, RefusedAddressError, post
from tests.notifications import capture
from tests.notifications.capture import DINGTALK, WECOM, Robot

URL = f"https://{DINGTALK}/robot/send?sign=a%2Bb%2F%3D"


def send(url: str = URL, **terms: Any) -> outgoing.Answer:
    return post(url, b"{}", headers={"Content-Type": "application/json"}, **terms)


class Names:
    """A name server that answers as it is told, and says how often it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, **terms: Any) -> list[Any]:
        addresses = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]


def test_the_query_stands_on_the_wire_as_it_was_written(dingtalk: Robot) -> None:
    assert send().status == 200

    (request,) = dingtalk.requests
    assert request.path == "/robot/send?sign=a%2Bb%2F%3D"
    assert request.headers["Host"] == DINGTALK
    assert request.headers["User-Agent"] == "Copydesk"
    assert "Cookie" not in request.headers


def test_the_certificate_is_asked_for_and_checked_by_the_name(dingtalk: Robot) -> None:
    send()

    assert dingtalk.names == [DINGTALK]


def test_a_certificate_for_another_name_is_refused_before_anything_is_said(
    settings: Any, tmp_path: Path
) -> None:
    other = capture.make_certificate(tmp_path, "another.example.org")
    with capture.robot(other) as stranger:
        settings.OUTGOING_CAPTURE = {DINGTALK: stranger.url}
        settings.OUTGOING_CAPTURE_CA = other.path

        with pytest.raises(NotSentError, match="certificate"):
            send()

        assert stranger.requests == []


def test_a_certificate_nobody_vouches_for_is_refused(dingtalk: Robot, settings: Any) -> None:
    settings.OUTGOING_CAPTURE_CA = ""

    with pytest.raises(NotSentError, match="certificate"):
        send()

    assert dingtalk.requests == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_inside_is_not_called(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names([address]))

    with pytest.raises(RefusedAddressError, match="private network"):
        send("https://rebind.example.org/")


def test_a_name_is_asked_once_and_its_first_answer_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer would lead inside."""
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names)

    way = outgoing.find_way("rebind.example.org", 443)

    assert way.addresses == ["8.8.8.8"]
    assert names.asked == 1


def test_the_connection_goes_to_the_address_that_was_checked(
    dingtalk: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name server says by then."""
    names = Names(["10.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names)

    assert send().status == 200

    assert len(dingtalk.requests) == 1
    assert names.asked == 0


def test_a_redirect_is_an_answer_and_not_followed(dingtalk: Robot, wecom: Robot) -> None:
    dingtalk.answers.append((302, b"", {"Location": f"https://{WECOM}/inside"}))

    assert send().status == 302

    assert len(dingtalk.requests) == 1
    assert wecom.requests == []


def test_an_answer_is_read_to_64_kib(dingtalk: Robot) -> None:
    dingtalk.answers.append((200, b"x" * 200_000))

    assert len(send().body) == 65_536


def test_proxies_of_the_environment_are_not_used(
    dingtalk: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert send().status == 200


def test_a_closed_port_is_not_reached(settings: Any) -> None:
    settings.OUTGOING_CAPTURE = {DINGTALK: "https://127.0.0.1:1"}

    with pytest.raises(NotSentError, match="No connection"):
        send()


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_silence_and_single_bytes_end_at_the_deadline(
    dingtalk: Robot, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(outgoing, "TOTAL_S", 0.7)
    dingtalk.answers.append(how)
    started = time.monotonic()

    with pytest.raises(NoAnswerError, match="No answer in time"):
        send()

    assert 0.5 < time.monotonic() - started < 2
    assert len(dingtalk.requests) == 1


def test_a_connection_that_breaks_after_the_request_is_no_answer(dingtalk: Robot) -> None:
    dingtalk.answers.append("drop")

    with pytest.raises(NoAnswerError, match="connection broke"):
        send()

    assert len(dingtalk.requests) == 1  # and not tried again by the library


def test_a_name_server_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "CONNECT_S", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(1) or [])
    started = time.monotonic()

    with pytest.raises(NotSentError, match="not looked up in time"):
        send("https://slow.example.org/")

    assert time.monotonic() - started < 0.9


def test_errors_never_tell_the_address(dingtalk: Robot, settings: Any) -> None:
    settings.OUTGOING_CAPTURE = {DINGTALK: "https://127.0.0.1:1"}

    with pytest.raises(NotSentError) as raised:
        send(f"https://{DINGTALK}/robot/send?access_token=s3cret-token")

    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_production_catches_nothing(dingtalk: Robot, settings: Any) -> None:
    settings.COPYDESK_ENV = "production"

    with pytest.raises(ImproperlyConfigured):
        send()

    assert [error.id for error in run_checks(tags=["security"])] == ["notifications.E001"]
    assert dingtalk.requests == []
