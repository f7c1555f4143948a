"""A desk with one destination of each kind, whose messages are caught on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.notifications import capture
from tests.notifications.capture import Certificate, Mail, Robot
from tests.notifications.desk import Desk, make_desk


@pytest.fixture(scope="package")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("certificates")
    return capture.make_certificate(folder, capture.DINGTALK, capture.WECOM, capture.SMTP)


@pytest.fixture(scope="package")
def servers(certificate: Certificate) -> Iterator[tuple[Robot, Robot, Mail]]:
    with (
        capture.robot(certificate) as dingtalk,
        capture.robot(certificate) as wecom,
        capture.mail_server(certificate) as mail,
    ):
        yield dingtalk, wecom, mail


@pytest.fixture
def caught(
    settings: Any, servers: tuple[Robot, Robot, Mail], certificate: Certificate
) -> Iterator[None]:
    """Everything that leaves goes to the servers above, which start anew for each test."""
    dingtalk, wecom, mail = servers
    for server in (dingtalk, wecom):
        server.requests.clear()
        server.answers.clear()
        server.names.clear()
        server.always = 0
        server.released.clear()
    fresh = Mail(port=mail.port)
    mail.__dict__.update(fresh.__dict__)
    settings.OUTGOING_CAPTURE_CA = certificate.path
    settings.OUTGOING_CAPTURE = {
        capture.DINGTALK: dingtalk.url,
        capture.WECOM: wecom.url,
        capture.SMTP: f"smtp://127.0.0.1:{mail.port}",
    }
    settings.PUBLIC_URL = "https://desk.example.com"
    yield
    for server in (dingtalk, wecom):
        server.released.set()


@pytest.fixture
def dingtalk(servers: tuple[Robot, Robot, Mail], caught: None) -> Robot:
    return servers[0]


@pytest.fixture
def wecom(servers: tuple[Robot, Robot, Mail], caught: None) -> Robot:
    return servers[1]


@pytest.fixture
def mail(servers: tuple[Robot, Robot, Mail], caught: None) -> Mail:
    return servers[2]


@pytest.fixture
def desk(db: None, caught: None) -> Desk:
    return make_desk()
