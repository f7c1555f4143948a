"""A task travels from one process to another over nothing but files."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.celery import app
from tests.live_environ import bare
from tests.services import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
WORKER = [
    *(sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", "threads"),
    *("--concurrency", "2", "--queues", "default,executor", "--loglevel", "INFO"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
]
SEND = "from config.celery import app; app.send_task('celery.backend_cleanup', queue='executor')"


@pytest.mark.parametrize(
    "name", ["copy_signal", "send_shard", "sweep_orders", "verify_account", "reconcile_account"]
)
def test_what_may_decrypt_keys_goes_to_the_executor(name: str) -> None:
    route = app.amqp.router.route({}, f"trading.tasks.{name}")

    assert route["queue"].name == "executor"


def test_everything_else_goes_to_the_default_queue() -> None:
    route = app.amqp.router.route({}, "notifications.tasks.deliver")

    assert route["queue"].name == "default"


def test_the_row_is_the_truth_so_no_message_is_delivered_twice() -> None:
    assert app.conf.task_acks_late is False
    assert app.conf.task_reject_on_worker_lost is False
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_ignore_result is True
    assert app.conf.accept_content == ["json"]


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            WORKER,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else runs here
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.05)


@pytest.mark.slow
def test_a_task_reaches_a_worker_through_the_filesystem_broker(tmp_path: Path) -> None:
    environment = {
        **bare(),
        "COPYDESK_ENV": "demo",
        "VAR_DIR": str(tmp_path / "var"),
    }
    log = tmp_path / "worker.log"

    with worker(environment, log) as process:
        wait_for("ready.", log, process)
        subprocess.run([sys.executable, "-c", SEND], cwd=ROOT, env=environment, check=True)
        wait_for("Task celery.backend_cleanup", log, process)
        wait_for("succeeded", log, process)
        process.terminate()
        assert process.wait(20) == 0

    assert list((tmp_path / "var/broker/queue").iterdir()) == []
