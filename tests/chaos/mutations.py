"""Take away one guard at a time and see that a test notices.

    python -m tests.chaos.mutations [NAME ...]

Prints each guard and the test that died without it; ends with 1 when one was not missed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests import services
from tests.chaos.guards import GUARDS, Guard, find

LIMIT_S = 400
AT_ONCE = 2
TESTS_FAILED = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """`killed_by` is empty when no test noticed; `words` then says what pytest said."""

    guard: Guard
    killed_by: str
    words: str
    seconds: float


def try_without(guard: Guard) -> Outcome:
    """Run the guard's tests without it, in a process of their own."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="copydesk-mutant-") as folder:
        environ = os.environ | {"MUTANT": guard.name, "VAR_DIR": folder, **guard.environ}
        ran = subprocess.run(
            _command(guard),
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            preexec_fn=services.die_with_parent,
        )
    failed = re.search(r"^FAILED (\S+)", ran.stdout, re.MULTILINE)
    killed = failed.group(1) if failed and ran.returncode == TESTS_FAILED else ""
    words = ran.stdout[-2000:] + ran.stderr[-500:]
    return Outcome(guard, killed, words, time.monotonic() - started)


def _command(guard: Guard) -> list[str]:
    arguments = ["-p", "tests.chaos.mutant", "-x", "-q", "-p", "no:cacheprovider", *guard.tests]
    if guard.services:
        return [sys.executable, "-m", "tests.run", "--only", "services", *arguments]
    return [sys.executable, "-m", "pytest", "-p", "no:xdist", "--nomigrations", *arguments]


def main() -> int:
    wanted = [find(name) for name in sys.argv[1:]] or list(GUARDS)
    survivors = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(try_without, wanted):
            told = outcome.killed_by or "NOBODY NOTICED"
            sys.stdout.write(f"{outcome.guard.name:<44} {outcome.seconds:5.1f} s  {told}\n")
            sys.stdout.flush()
            if not outcome.killed_by:
                survivors.append(outcome.guard.name)
                sys.stdout.write(outcome.words)
    sys.stdout.write(f"{len(wanted) - len(survivors)} of {len(wanted)} guards are missed\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
