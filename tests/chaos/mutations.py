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
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests import services
from tests.chaos.guards import GUARDS, Guard, find

LIMIT_S = 900
AT_ONCE = 2
TESTS_FAILED = 1
FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`killed_by` is empty when no test noticed; `words` then says what pytest said."""

    guard: Guard
    killed_by: str
    words: str
    seconds: float


def try_without(guard: Guard, weak: Sequence[str] = ()) -> Outcome:
    """Run the guard's tests without it, in a process of their own; `weak` ones do not count."""
    started = time.monotonic()
    deselected = [word for test in weak for word in ("--deselect", test)]
    arguments = ["-p", "tests.chaos.mutant", "-x", *deselected, *guard.tests]
    ran = _pytest(arguments, {"MUTANT": guard.name, **guard.environ}, guard.services)
    failed = FAILED.findall(ran.stdout)
    killed = failed[0] if failed and ran.returncode == TESTS_FAILED else ""
    words = ran.stdout[-2000:] + ran.stderr[-500:]
    return Outcome(guard, killed, words, time.monotonic() - started)


def _weak_tests(guards: Sequence[Guard]) -> list[str]:
    """Tests that fail with every guard in place: they would seem to notice everything."""
    tests = {test for guard in guards if not guard.services for test in guard.tests}
    return FAILED.findall(_pytest(sorted(tests), {}, False).stdout) if tests else []


def _pytest(
    arguments: Sequence[str], environ: Mapping[str, str], services_needed: bool
) -> subprocess.CompletedProcess[str]:
    usual = ["-q", "-p", "no:cacheprovider", *arguments]
    if services_needed:
        # Those that need MariaDB to tell anything are marked `database_long`.
        command = [sys.executable, "-m", "tests.run", "--long", "--only", "services", *usual]
    else:
        command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "--nomigrations", *usual]
    with tempfile.TemporaryDirectory(prefix="copydesk-mutant-") as folder:
        return subprocess.run(
            command,
            env={**os.environ, "VAR_DIR": folder, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            preexec_fn=services.die_with_parent,
        )


def main() -> int:
    wanted = [find(name) for name in sys.argv[1:]] or list(GUARDS)
    survivors = []
    weak = _weak_tests(wanted)
    if weak:
        sys.stdout.write(f"fail anyway and do not count: {', '.join(weak)}\n")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(partial(try_without, weak=weak), wanted):
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
