"""The task monitor is behind a password, or does not start."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START_S = 40


def environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"COPYDESK_ENV": "test", "PATH": path} | more


def status(url: str, login: str = "") -> int:
    request = urllib.request.Request(url)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def flower(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "deploy/entrypoint.sh", "flower", f"--port={port}"],
            cwd=ROOT,
            env=environment(FLOWER_BASIC_AUTH="operator:s3cret", FLOWER_ADDRESS="127.0.0.1"),
            stdout=log,
            stderr=log,
        )
    try:
        url, end = f"http://127.0.0.1:{port}/", time.monotonic() + START_S
        while True:
            try:
                status(url)
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end, (tmp_path / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(15)


@pytest.mark.services
@pytest.mark.slow
def test_it_asks_for_the_password(flower: str) -> None:
    for page in ("", "workers", "tasks", "broker", "api/workers", "api/tasks", "metrics"):
        assert status(flower + page) == 401, page
    assert status(flower, "operator:wrong") == 401
    assert status(f"{flower}workers", "operator:s3cret") == 200


def test_without_a_password_it_does_not_start() -> None:
    variables = environment()
    variables.pop("FLOWER_BASIC_AUTH", None)

    done = subprocess.run(
        ["sh", "deploy/entrypoint.sh", "flower"],
        cwd=ROOT, env=variables, capture_output=True, timeout=20, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert b"FLOWER_BASIC_AUTH=user:password is needed" in done.stderr
