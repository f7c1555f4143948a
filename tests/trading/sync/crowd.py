"""Hundreds of leaders at one simulator, and what a streams process that watches them costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from accounts.tenancy import all_tenants
from customers.enums import KeyStatus
from signals.enums import LeaderLink
from signals.models import LeaderAccount, LeaderTrade, Signal
from tests.trading.sync.leaders import make_leader
from tests.trading.sync.test_streams import environment
from tests.trading.sync.venue import Venue
from trading.models import LeaderLease

_TICKS = os.sysconf("SC_CLK_TCK")


def make_crowd(venue: Venue, count: int) -> list[LeaderAccount]:
    """That many leaders of one desk, whose keys nobody has checked yet."""
    first = make_leader(venue, key_status=KeyStatus.PENDING)
    tenant = first.tenant
    return [first] + [
        make_leader(venue, key_status=KeyStatus.PENDING, source={"tenant": tenant})
        for _ in range(count - 1)
    ]


def let_in(leaders: Sequence[LeaderAccount]) -> None:
    """Their keys are found good: from here on they are watched."""
    with all_tenants("the test lets them in"):
        rows = LeaderAccount.objects.filter(pk__in=[each.pk for each in leaders])
        rows.update(key_status=KeyStatus.VERIFIED)


def connected() -> int:
    with all_tenants("the test looks on"):
        return LeaderAccount.objects.filter(
            link=LeaderLink.CONNECTED, snapshot_at__isnull=False
        ).count()


def links() -> Counter[str]:
    with all_tenants("the test looks on"):
        return Counter(LeaderAccount.objects.order_by().values_list("link", flat=True))


def signals() -> Counter[int]:
    """How many of each leader, by its id."""
    with all_tenants("the test looks on"):
        rows = Signal.objects.order_by().values_list("source__leader", flat=True)
        return Counter(rows)


def trades_read() -> int:
    """Those that no socket told of."""
    with all_tenants("the test looks on"):
        return LeaderTrade.objects.filter(by_reading=True, is_older=False).count()


def shares() -> list[int]:
    """How many leaders each process keeps, the fewest first."""
    owners = LeaderLease.objects.exclude(owner=None).values_list("owner", flat=True)
    return sorted(Counter(owners).values())


class Streams:
    """A process of its own that keeps sockets."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def memory_kb(self) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def cpu_at_rest(self, seconds: float) -> float:
        """The part of one core that it uses."""
        before = self.cpu_s()
        time.sleep(seconds)
        return (self.cpu_s() - before) / seconds


@contextmanager
def streams_process(venue: Venue, connections_per_second: float) -> Iterator[Streams]:
    pace = str(connections_per_second)
    command = [sys.executable, "manage.py", "run_streams", "--connections-per-second", pace]
    # Fewer files than sockets: it has to ask for more.
    command = ["sh", "-c", 'ulimit -Sn 200 && exec "$@"', "sh", *command]
    with subprocess.Popen(command, env=environment(venue)) as process:
        try:
            yield Streams(process)
        finally:
            process.terminate()
            process.wait(15)
