"""What people do at the door, for the tests of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.access.authenticator import code
from tests.factories import PASSWORD

NOON: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def log_in(client: Client, name: str, password: str = PASSWORD, **headers: str) -> Any:
    form = {"username": name, "password": password}
    return client.post("/admin/login/?next=/admin/switch/", form, **headers)


def give_code(client: Client, text: str) -> Any:
    return client.post("/admin/me/code/", {"code": text})


def step_up(client: Client, **form: str) -> Any:
    return client.post("/admin/me/step-up/", {"password": PASSWORD, **form})


def enroll(user: User) -> tuple[str, list[str]]:
    """Through the pages: the key that the phone keeps and the recovery codes."""
    client = Client()
    client.force_login(user)
    step_up(client)
    client.post("/admin/me/two-factor/", {"do": "begin"})
    secret = shown_secret(client)
    answer = client.post("/admin/me/two-factor/", {"do": "confirm", "code": code(secret)})
    return secret, shown_codes(answer)


def shown_secret(client: Client) -> str:
    page = client.get("/admin/me/two-factor/").content.decode()
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', page)
    assert found is not None
    return found[1].replace(" ", "")


def shown_codes(answer: Any) -> list[str]:
    return re.findall(r"<li>([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})</li>", answer.content.decode())


def inside(client: Client) -> bool:
    """Whether this browser may see pages of the back office: asks for the cheapest of them."""
    return bool(client.get("/admin/jsi18n/").status_code == 200)


def later(clock: time_machine.Coordinates, **span: float) -> None:
    clock.move_to(timezone.now() + timedelta(**span))
