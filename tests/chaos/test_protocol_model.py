"""Random faults on the wire, random deaths of the process: nothing doubled, lost or out of order.

`make chaos` runs more seeds (CHAOS_SEEDS). A failure names its seed.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest

from accounts.tenancy import all_tenants
from signals.models import Signal
from tests.chaos.ledger_check import violations
from tests.trading.execution.bench import LOOKUP, PLACE, Bench, stumble
from trading import tasks
from trading.copying.cycles import settle_cycles
from trading.faults import InjectedFaultError
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.simulator, pytest.mark.slow]

SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "1")))
PATIENCE_S = 60
ON_THE_WIRE: list[Any] = [
    "drop_before",
    "drop_after_accept",
    "rst_after_accept",
    "truncate",
    "html_200",
    "data_empty",
    "http:502",
    {"kind": "http", "status": 504, "after": True},
    "code:50011",
    "code:50026",
    {"kind": "code", "code": "50004", "after": True},
    "late_accept:200",
    "late_accept:900",
    "redirect:307",
]
DEATHS = ("S2.claimed", "S2.mid_chunk", "S4.claimed", "S5.before_commit", "S5.marked")
DEATHS += ("S7.before_record", "S7.recorded", "R.asked", "R.before_adopt")
STORY = [
    ("open", "10", "long"),
    ("add", "4", "long"),
    ("reduce", "6", "long"),
    ("flip", "12", "short"),
    ("close", None, "short"),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_doubled_lost_or_out_of_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, settings: Any, seed: int
) -> None:
    settings.GRACE_S = 0.35
    bench.ask("POST", "/limits", dup_clordid="never", read_lag_ms=150)
    chance = random.Random(seed)
    random.seed(seed)
    for ratio in ("0.1", "0.2", "0.07", "0.11"):
        bench.follower(follow_ratio=ratio)
    for fault in chance.sample(ON_THE_WIRE, len(ON_THE_WIRE)):
        bench.ask("POST", "/faults", fault=fault, match=PLACE, prob=0.03, times=30)
    bench.ask("POST", "/faults", fault="code:50026", match=LOOKUP, prob=0.1, times=60)
    stumble(monkeypatch, ";".join(f"{point}=raise:0.05" for point in DEATHS))
    story, until = list(STORY), time.monotonic() + PATIENCE_S

    while story or _is_busy(bench):
        assert time.monotonic() < until, (seed, violations(bench))
        if story and (chance.random() < 0.15 or not bench.unfinished()):
            intent, quantity, direction = story.pop(0)
            bench.desk.say(intent, quantity, direction=direction)
        _work(chance)
    stumble(monkeypatch, "")
    tasks.sweep_orders()

    assert violations(bench) == {}, f"seed {seed}"
    assert len(bench.desk.decisions()) == 4 * len(STORY)
    assert any(attempt.outcome != "ack" for attempt in bench.attempts_of_all())


def _is_busy(bench: Bench) -> bool:
    with all_tenants("look for work"):
        return Signal.objects.waiting().exists() or bool(bench.unfinished())


def _work(chance: random.Random) -> None:
    """One round of a process that may die anywhere."""
    try:
        tasks.sweep_orders()
        with all_tenants("events of finished orders"):
            ids = list(Order.objects.values_list("id", flat=True))
        if chance.random() < 0.5:
            tasks.follow_up([str(order_id) for order_id in ids])
        settle_cycles(ids)
    except InjectedFaultError:
        pass
    time.sleep(0.02)
