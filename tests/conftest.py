"""What every test session shares: what it ran on, and how it says what it could not run."""

from __future__ import annotations

import gc
import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from tests.services import find_program

NEEDS_SERVICES = "MySQL or MariaDB and Redis (run `make test`)"
NEEDS_GETTEXT = "whether every string is translated: gettext is not installed"
NEEDS_BROWSER = "the browser tests: Chromium is not installed"
NEEDS_CURL = "the guide's examples: curl is not installed"
COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
SLOW = ("browser", "services", "simulator", "slow")
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


# Marks by which `tests.run` chooses what a session runs: it reads only files that name one.
CHOSEN_BY = ("database", "database_long", "long", "services")
_NAMING = os.environ.get("TEST_FILES_NAMING", "").split()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out files that do not name what this session runs: reading all takes 20 seconds."""
    is_tests = collection_path.match("test_*.py")
    return (is_tests and not _names(collection_path, _NAMING)) or None if _NAMING else None


def pytest_report_header() -> str:
    session = os.environ.get("TEST_SESSION", "SQLite")
    return f"copydesk: {session} (SQLite library {sqlite3.sqlite_version})"


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Look at the marks of all that was read, and put what is left into order."""
    _check_marks(items)
    yield
    if hasattr(config, "workerinput"):
        _put_in_order(items)


def _put_in_order(items: list[pytest.Item]) -> None:
    """Files in the order in which two workers take them: what waits longest begins first.

    A journey begun last would leave the other worker without work. Files of one folder stay
    together, since they share what the folder starts; the last ones are many and short.
    """
    files = Counter(item.path for item in items)
    folders = Counter(item.path.parent for item in items)
    waits = {item.path for item in items if item.get_closest_marker("journey")}
    slow = {item.path.parent for item in items if any(map(item.get_closest_marker, SLOW))}

    def place(item: pytest.Item) -> tuple[bool, bool, int, Path, int, Path]:
        path, folder = item.path, item.path.parent
        calm = folder not in slow
        return path not in waits, calm, -folders[folder], folder, -files[path], path

    items.sort(key=place)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, not among all of Django and 8,000 tests again.

    A collection of the oldest generation walks a million objects that live until the end: that
    was every fifth second of a session.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this session has no service for, or fail it in CI."""
    reason = _missing_for(item)
    if reason is None:
        return
    if IN_CI:
        pytest.fail(f"Cannot run: {reason}", pytrace=False)
    pytest.skip(f"NOT RUN: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Hand the counts to tests.run and repeat what was not run where everybody reads."""
    skipped = terminalreporter.stats.get("skipped", [])
    texts = {str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)}
    not_run = sorted(text.partition("NOT RUN: ")[2] for text in texts if "NOT RUN: " in text)
    for reason in not_run:
        terminalreporter.write_line(f"NOT RUN: {reason}", red=True, bold=True)
    if path := os.environ.get("TEST_REPORT"):
        counts = {word: len(terminalreporter.stats.get(word, [])) for word in COUNTED}
        Path(path).write_text(json.dumps({"counts": counts, "not_run": not_run}))


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium, for playwright's `executable_path`."""
    path = find_program("chromium", "chromium-browser", "google-chrome")
    assert path is not None, "a test that uses chromium_path carries the browser marker"
    return path


def _names(path: Path, marks: Iterable[str]) -> bool:
    return re.search(rf"\bmark\.({'|'.join(marks)})\b", path.read_text()) is not None


def _check_marks(items: list[pytest.Item]) -> None:
    """A test whose file does not name its mark itself would be left out of the mark's session."""
    needed: dict[Path, set[str]] = {}
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        needed.setdefault(item.path, set()).update(marks.intersection(CHOSEN_BY))
    for path, marks in needed.items():
        for mark in marks:
            if not _names(path, [mark]):
                raise pytest.UsageError(f"{path} must name mark.{mark} itself: tests/conftest.py")


def _missing_for(item: pytest.Item) -> str | None:
    if item.get_closest_marker("services") and not (
        os.environ.get("REDIS_URL") and os.environ.get("DATABASE_URL", "").startswith("mysql")
    ):
        return NEEDS_SERVICES
    browsers = ("chromium", "chromium-browser", "google-chrome")
    if item.get_closest_marker("browser") and not find_program(*browsers):
        return NEEDS_BROWSER
    if item.get_closest_marker("curl") and not find_program("curl"):
        return NEEDS_CURL
    if item.get_closest_marker("gettext") and not find_program("xgettext"):
        return NEEDS_GETTEXT
    return None
