"""What every answer carries: a request id, a policy for its contents, a line in the log."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import SyncToAsync
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.core.signals import request_finished, request_started

from config.asgi import application

if TYPE_CHECKING:
    from django.test import Client


def test_livez_answers_without_a_database(client: Client) -> None:
    response = client.get("/livez")

    assert (response.status_code, response.content) == (200, b"ok")
    assert "max-age=0" in response["Cache-Control"]


def test_every_answer_has_a_request_id_of_ours(client: Client) -> None:
    first = client.get("/livez", headers={"x-request-id": "theirs"})
    second = client.get("/livez")

    assert len(first["X-Request-ID"]) == 32
    assert first["X-Request-ID"] != second["X-Request-ID"]


def test_scripts_come_only_from_us(client: Client) -> None:
    policy = client.get("/livez")["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_only_the_admin_may_evaluate_expressions(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy


def test_the_access_log_hides_webhook_tokens(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    from config.logging import RedactingFilter

    caplog.handler.addFilter(RedactingFilter())
    caplog.set_level(logging.INFO, logger="copydesk.requests")

    client.get("/hooks/t/c4n4ry-token/unknown/deeper")

    lines = [r.getMessage() for r in caplog.records if r.name == "copydesk.requests"]
    assert len(lines) == 1
    assert lines[0].startswith("GET /hooks/t/***/unknown/deeper 404 in ")


@pytest.mark.parametrize(
    ("label", "origin", "code"),
    [("ours", "http://testserver", 4404), ("theirs", "http://evil.example", 4404)],
)
async def test_a_socket_nobody_serves_is_closed(label: str, origin: str, code: int) -> None:
    headers = [(b"origin", origin.encode()), (b"host", b"testserver")]
    socket = WebsocketCommunicator(application, "/ws/nothing/", headers=headers)

    connected, answer = await socket.connect()

    assert (connected, answer) == (False, code), label


async def test_a_request_is_answered_in_one_thread_without_going_back_to_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what Django itself does before and after it is handed over beside that."""
    change, changes = SyncToAsync.__call__, []

    async def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        changes.append(self.func)
        return await change(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", noted)
    here = [(b"host", b"testserver")]

    response = await HttpCommunicator(application, "GET", "/nothing", headers=here).get_response()

    assert response["status"] == 404  # said by the router, behind every middleware
    assert changes
    assert len(changes) <= 3


async def test_a_webhook_call_goes_to_a_thread_once_and_the_next_finds_it_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each change of threads is waited for by all that run, and a new thread costs one more."""
    changes: list[Any] = []
    monkeypatch.setattr(SyncToAsync, "__call__", lambda self, *_, **__: changes.append(self))
    threads: list[str] = []
    note = lambda **_: threads.append(threading.current_thread().name)  # noqa: E731
    here = [(b"host", b"testserver")]
    request_started.connect(note)
    request_finished.connect(note)
    try:
        for _ in range(20):
            call = HttpCommunicator(application, "GET", "/hooks/x/", headers=here)
            response = await call.get_response()
            assert response["status"] == 405  # said by the view, behind every middleware
    finally:
        request_started.disconnect(note)
        request_finished.disconnect(note)

    assert changes == []
    assert len(threads) == 40
    assert len(set(threads)) <= 5
    assert all(name.startswith("webhook") for name in threads)
