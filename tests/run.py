"""Run the whole suite: once on SQLite with nothing else, once on MariaDB with Redis.

    python -m tests.run [--fast|--long] [--only sqlite|services] [pytest arguments]

`--long` runs what `make test` leaves out to stay below ten minutes.

TEST_DATABASE_URL puts a server of yours in the place of the private MariaDB. With CI=true,
whatever cannot run is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tests import services

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
SLOW = "services or journey or browser or simulator or slow or long or crowd"
NO_TESTS_COLLECTED = 5
WORDS = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")


@dataclass(frozen=True)
class Part:
    """What one session runs: an expression of marks, and which of them its files must name."""

    expression: str
    marks: tuple[str, ...] = ()


# What runs on SQLite, and what on MariaDB with Redis: in `make test`, and in `make test-long`.
USUAL = (
    Part("not services and not long and not crowd"),
    Part("(database or services) and not long and not crowd", ("database", "services")),
)
LONG = (
    Part("not services and long", ("long",)),
    Part("(database or services) and long or database_long", ("long", "database_long")),
)
FAST = Part(f"not ({SLOW})")


@dataclass
class Outcome:
    """What the sessions did, and what could not be run at all."""

    counts: Counter[str] = field(default_factory=Counter)
    sessions: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    failed: bool = False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="only what needs no process or service")
    parser.add_argument("--long", action="store_true", help="what takes longer, instead")
    parser.add_argument("--only", choices=["sqlite", "services"])
    options, arguments = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.chdir(ROOT)
    started, outcome = time.monotonic(), Outcome()
    on_sqlite, on_services = LONG if options.long else USUAL
    if options.fast:
        run_session(outcome, "SQLite", FAST, arguments, {})
    else:
        services.install_packages(services.missing_programs())
        if options.only != "services":
            run_session(outcome, "SQLite", on_sqlite, arguments, {})
        if options.only != "sqlite":
            run_with_services(outcome, on_services, arguments)
    return close(outcome, time.monotonic() - started)


def run_with_services(outcome: Outcome, part: Part, arguments: list[str]) -> None:
    if not driver_installed():
        outcome.not_run.append("MySQL and Redis tests: the MySQL driver could not be built")
        return
    with ExitStack() as stack:
        try:
            own = os.environ.get("TEST_DATABASE_URL")
            database = (
                services.Service(own, "TEST_DATABASE_URL")
                if own
                else stack.enter_context(services.mariadb())
            )
            redis = stack.enter_context(services.redis())
        except services.ServiceError as error:
            outcome.not_run.append(f"MySQL and Redis tests: {error}")
            return
        environment = {"DATABASE_URL": database.url, "REDIS_URL": redis.url}
        label = f"{database.version}, {redis.version}"
        run_session(outcome, label, part, arguments, environment)


def driver_installed() -> bool:
    """Whether mysqlclient is there; it has no wheel and is built on first need."""
    if find_spec("MySQLdb"):
        return True
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command = [*pip, "--require-hashes", "-r", "requirements/mysql.txt"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0


def run_session(
    outcome: Outcome, label: str, part: Part, arguments: list[str], environment: dict[str, str]
) -> None:
    own_settings = {"TEST_DATABASE_URL", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
    inherited = {name: text for name, text in os.environ.items() if name not in own_settings}
    with tempfile.NamedTemporaryFile(prefix="copydesk-counts-", suffix=".json") as report:
        told = {"TEST_SESSION": label, "TEST_REPORT": report.name}
        if not any(Path(word.partition("::")[0]).exists() for word in arguments):
            told["TEST_FILES_NAMING"] = " ".join(part.marks)
        print(f"\n=== {label}: pytest -m {part.expression!r}", flush=True)
        pytest = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile"]
        pytest += ["--no-loadscope-reorder"]  # tests/conftest.py orders the files
        process = subprocess.Popen(
            [*pytest, "-m", part.expression, *arguments],
            env=inherited | environment | told,
            stdin=subprocess.DEVNULL,
            preexec_fn=services.die_with_parent,  # noqa: PLW1509 - one thread here
        )
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        written = Path(report.name).read_text()
    told_back = json.loads(written) if written else {"counts": {}, "not_run": []}
    outcome.counts.update(told_back["counts"])
    outcome.not_run += told_back["not_run"]
    outcome.sessions.append(label)
    outcome.failed |= code not in {0, NO_TESTS_COLLECTED} or not written


def close(outcome: Outcome, seconds: float) -> int:
    """Say what was not run, then end with one line like pytest's own."""
    if not any(outcome.counts.values()) and not outcome.not_run:
        outcome.failed = True
        print("\n!!! No test ran: are the files and expressions right?", flush=True)
    failed = outcome.failed or (IN_CI and bool(outcome.not_run))
    for reason in dict.fromkeys(outcome.not_run):
        print(f"\n!!! NOT RUN: {reason}", flush=True)
    if outcome.not_run and not IN_CI:
        print("!!! The rest is no proof for these; with CI=true this run would have failed.")
    parts = [f"{outcome.counts[word]} {word}" for word in WORDS if outcome.counts[word]]
    parts.append(f"on {' and '.join(outcome.sessions) or 'nothing'} in {seconds:.1f} s")
    if outcome.not_run:
        parts.append(f"{len(set(outcome.not_run))} NOT RUN")
    print(f"\n=== {'FAILED' if failed else 'OK'}: {', '.join(parts)} ===", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
