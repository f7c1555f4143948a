"""`make demo`: what a newcomer sees; on it the guide's examples, and two screens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from config.demo.http import call
from tests.journeys import guide
from tests.journeys.screens import Look, watch

ROOT = Path(__file__).parents[2]
PATIENCE_S = 170
pytestmark = [pytest.mark.journey, pytest.mark.long]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What the demo printed; it goes on running."""
    with _running(tmp_path_factory.mktemp("demo")) as shown:
        yield shown


def test_the_demo_copies_one_signal_to_everybody(running: Any) -> None:
    _is_as_expected(running)

    assert _status_with(running["token"], running) == 200


def test_the_demo_may_be_run_again_and_ends_the_token_of_the_run_before(tmp_path: Path) -> None:
    first = _once(tmp_path)
    with _running(tmp_path) as second:
        for shown in (first, second):
            _is_as_expected(shown)
        assert first["webhook_secret"] == second["webhook_secret"]
        assert _status_with(first["token"], second) == 401
        assert _status_with(second["token"], second) == 200


def _is_as_expected(shown: Any) -> None:
    assert shown["signals"] == 1
    assert shown["decisions"] == {"copied": 19, "denied": 4, "skipped": 2}
    assert shown["orders"] == shown["filled"] == 19
    assert shown["unknown"] == shown["duplicates"] == 0
    assert 0 < shown["p50_ms"] <= shown["p99_ms"]
    assert set(shown["urls"]) == {
        "admin", "portal", "api", "api_docs", "webhook", "simulator_rest", "simulator_control",
    }  # fmt: skip
    assert set(shown["logins"]) >= {"owner", "trader", "risk", "support", "auditor", "customer"}


def _status_with(token: str, shown: Any) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return call("GET", f"{shown['urls']['api']}customers", headers=headers).status


def test_a_running_demo_is_healthy_and_counts_what_it_did(running: Any) -> None:
    base = running["urls"]["admin"].removesuffix("/admin/")

    health, numbers = call("GET", f"{base}/health"), call("GET", f"{base}/metrics")

    assert health.status == 200, health.body
    checks = {"database", "redis", "okx_api", "websocket", "workers", "clocks"}
    assert set(health.json()["checks"]) == checks
    assert b'copydesk_orders_5m{state="filled"}' in numbers.body


@pytest.mark.browser
@pytest.mark.parametrize(
    ("look", "copied", "skipped"),
    [
        (Look("en", "light"), "XRP-USDT-SWAP", "SOL-USDT-SWAP"),
        (Look("zh-hans", "dark"), "DOGE-USDT-SWAP", "ADA-USDT-SWAP"),
    ],
    ids=lambda each: each.name if isinstance(each, Look) else each,
)
def test_a_customer_and_the_desk_see_it_happen_without_loading_their_pages_again(
    running: Any,
    browser: Browser,
    pictures: Path,
    look: Look,
    copied: str,
    skipped: str,
) -> None:
    watch(browser, running, look, copied, skipped, pictures)


@pytest.mark.curl
def test_every_example_of_the_api_guide_is_answered_as_it_is_printed(running: Any) -> None:
    environ = _ids(running)
    tried = 0
    for example in guide.examples():
        found = guide.run(example, environ)
        where = f"docs/api.md, line {example.line}"
        if example.answer is None:
            assert found.status < 400, (where, found)
            continue
        tried += 1
        assert found.status == example.answer["code"], (where, found)
        differing = list(guide.differences(example.answer, found.body))
        until = time.monotonic() + 60
        while differing and example.foretells and time.monotonic() < until:
            time.sleep(1)
            found = guide.run(example, environ)
            differing = list(guide.differences(example.answer, found.body))
        assert differing == [], (where, json.dumps(found.body, indent=1))
    assert tried >= 16


def _ids(shown: Any) -> dict[str, str]:
    """The ids that the guide tells its readers to put in."""
    api, headers = shown["urls"]["api"], {"Authorization": f"Bearer {shown['token']}"}

    def first(address: str) -> Any:
        answer = call("GET", f"{api}{address}", headers=headers)
        assert answer.ok, answer
        return answer.json()["data"]["items"][0]

    customer = first("customers?search=Bob")
    trade = first(f"trades?customer_id={customer['id']}")
    return {
        "API": api.rstrip("/"),
        "TOKEN": shown["token"],
        "CUSTOMER_ID": customer["id"],
        "ACCOUNT_ID": first(f"accounts?customer_id={customer['id']}")["id"],
        "SOURCE_ID": first("sources?kind=api")["id"],
        "STRATEGY_ID": first("strategies?search=Ether")["id"],
        "TRADE_ID": trade["id"],
        "DECISION_ID": trade["decision_id"],
        "SIGNAL_ID": trade["signal_id"],
    }


def _command(*options: str) -> list[str]:
    return [sys.executable, "manage.py", "demo", "--json", "--port", "0", *options]


def _environ(folder: Path) -> dict[str, str]:
    """No service at all, and no redis-server to be found."""
    dropped = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
    inherited = {name: text for name, text in os.environ.items() if name not in dropped}
    return inherited | {
        "COPYDESK_ENV": "demo",
        "VAR_DIR": str(folder),
        "PATH": str(Path(sys.executable).parent),
    }


def _once(folder: Path) -> Any:
    run = subprocess.run(
        _command("--once"),
        cwd=ROOT,
        env=_environ(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    lines = run.stdout.splitlines()
    assert len(lines) == 1, run.stdout
    return json.loads(lines[0])


@contextmanager
def _running(folder: Path) -> Iterator[Any]:
    """The demo as somebody uses it: until it is told to leave."""
    out, err = folder / "stdout", folder / "stderr"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            _command(), cwd=ROOT, env=_environ(folder), stdout=stdout, stderr=stderr
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while not out.read_text().endswith("\n"):
            assert process.poll() is None, err.read_text()[-3000:]
            assert time.monotonic() < end, err.read_text()[-3000:]
            time.sleep(0.1)
        yield json.loads(out.read_text())
    finally:
        process.terminate()
        assert process.wait(60) == 0, err.read_text()[-3000:]
