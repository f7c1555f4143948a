"""The product's own web server on a test's database, and this process telling it of changes."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.entry import SESSION_KEY
from accounts.models import Tenant, User
from config.demo.processes import free_port
from tests.live_environ import environ, layers

__all__ = ["Web", "database_url", "layers", "session_cookie", "web_on_this_database"]

ROOT = Path(__file__).resolve().parents[1]
START_S = 60


@dataclass
class Web:
    """A daphne process; `stop` and `start` again keep its address."""

    environ: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)),
                    *("--ping-interval", "10", "--ping-timeout", "10", "-v", "0"),
                    *("--websocket-max-message-size", "16384"),
                    *("--websocket-max-frame-size", "16384", "config.asgi:application"),
                ],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < end, "daphne did not come up"
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/livez", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def web_on_this_database(folder: Path, redis_url: str = "") -> Iterator[Web]:
    """daphne with the product's settings on the database of the running test."""
    folder.mkdir(parents=True, exist_ok=True)
    web = Web(environ(folder, database_url(), redis_url), folder / "web.log")
    try:
        web.start()
        yield web
    finally:
        web.stop()


def database_url() -> str:
    told = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    where = f"{told['HOST']}:{told['PORT'] or 3306}"
    return f"mysql://{told['USER']}:{told['PASSWORD']}@{where}/{told['NAME']}"


def session_cookie(user: User, tenant: Tenant | None = None) -> dict[str, str]:
    """A session of this person, as playwright's `add_cookies` takes it, without its address."""
    client = Client()
    client.force_login(user)
    if tenant is not None:
        session = client.session
        session[SESSION_KEY] = tenant.pk
        session.save()
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
    }
