"""Play one scenario: bring the product up, disturb it, wait until it has recovered, judge.

    python -m tests.chaos.stage KEY --seed 1 --scale 1 --templates FOLDER --result FILE

`python -m tests.chaos` starts one of these for each scenario.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django

from config.demo.http import call
from tests import services
from tests.chaos import servers
from tests.chaos.scenario import Scenario, find

READY_S = 180
PATIENCE_S = 150
# Before they left, a later signal closed or replaced what they were to open.
OVERTAKEN = ("denied SUPERSEDED", "expired SUPERSEDED", "denied ALREADY_FLAT")


@dataclass
class Stage:
    """What a scenario may do to the product and its surroundings."""

    scenario: Scenario
    chance: random.Random
    scale: float
    folder: Path
    house: Any
    desks: list[Any] = field(default_factory=list)
    database: servers.Server | None = None
    redis: servers.Server | None = None
    faults: int = 0
    # What the scenario itself found broken, beside what the ledger tells.
    broken: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def desk(self) -> Any:
        return self.desks[0]

    @property
    def redis_url(self) -> str:
        return os.environ["REDIS_URL"]

    @property
    def control_url(self) -> str:
        return str(self.house.addresses["control"])

    def times(self, count: int) -> range:
        return range(max(1, round(count * self.scale)))

    def control(self, method: str, path: str, **body: Any) -> Any:
        text = json.dumps(body).encode() if method in ("POST", "PATCH") else None
        answer = call(method, self.control_url + path, text)
        assert answer.ok, (method, path, body, answer)
        return answer.json()

    def fault(
        self, fault: Any, *, prob: float = 1.0, times: int | None = None, **match: Any
    ) -> int:
        body: dict[str, Any] = {"fault": fault, "match": match, "prob": prob}
        if times is not None:
            body["times"] = times
        made: int = self.control("POST", "/faults", **body)["id"]
        return made

    def clear_faults(self) -> None:
        """End what disturbs the wire, counting what it hit."""
        self.faults += sum(row["hits"] for row in self.control("GET", "/faults")["faults"])
        self.control("DELETE", "/faults")
        self.house.note_end()

    def follow(self, followers: int, **terms: Any) -> Any:
        from tests.chaos.desk import make_desk

        count = max(2, round(followers * min(self.scale, 1)))
        desk = make_desk(self.control_url, self.house.webhook, count, **terms)
        self.desks.append(desk)
        return desk

    def settle(self, seconds: float = PATIENCE_S) -> bool:
        """Wait until every signal is copied and every order final."""
        return self.wait(lambda: not any(desk.is_busy() for desk in self.desks), seconds)

    def unfinished(self) -> dict[str, int]:
        """What is still to come, by state."""
        from accounts.tenancy import all_tenants
        from trading.models import Order

        with all_tenants("what is unfinished"):
            rows = Order.objects.open().values_list("state", "reason")
            return dict(Counter(f"{state} {reason}".strip() for state, reason in rows))

    def change_before_sending(
        self, account_ids: list[int], columns: dict[str, Any], **terms: Any
    ) -> int:
        """Tell a signal and change its orders in the moment before they are marked; how many."""
        from django.db.models import F

        from accounts.tenancy import tenant_scope
        from trading.enums import OrderState
        from trading.models import Order

        self.house.arm("S4.claimed=wait")
        signal_id = self.desk.tell(**terms)
        with tenant_scope(self.desk.tenant):
            mine = Order.objects.filter(signal_id=signal_id, account_id__in=account_ids)
            ready = mine.filter(state=OrderState.READY)
            self.wait(lambda: ready.count() == len(account_ids), 20, 0.02)
            changed: int = ready.update(version=F("version") + 1, **columns)
        self.house.arm("")
        return changed

    def twin(self, code: str) -> Any:
        """Another deployment with a copy of all that this one has, up and running."""
        from config.demo.processes import Household
        from tests.chaos.house import House
        from tests.chaos.scenarios.strangers import copy_var

        var = self.folder / "twin-var"
        copy_var(self.folder / "var", var)
        folder = self.folder / "twin"
        folder.mkdir()
        environ = {**self.house.household.environ, "VAR_DIR": str(var), "DEPLOYMENT_CODE": code}
        twin = House(folder, Household(folder, environ), self.house.addresses, self.house.seed)
        twin.start(1)
        url = f"http://127.0.0.1:{twin.web_port}/livez"
        if not self.wait(lambda: call("GET", url).ok, READY_S, 0.2):
            raise SystemExit("the other deployment did not come up")
        return twin

    def wait(self, is_so: Any, seconds: float, every: float = 0.1) -> bool:
        from tests.chaos.house import poll

        return poll(is_so, seconds, every)

    def breaks(self, promise: str, *rows: Any) -> None:
        self.broken.setdefault(promise, []).extend(map(str, rows))

    def say(self, text: str) -> None:
        sys.stderr.write(f"  {self.scenario.key}: {text}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("key")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scenario = find(asked.key)
    with _folder() as folder:
        result = _run(scenario, asked, folder)
    asked.result.write_text(json.dumps(result))


def _run(scenario: Scenario, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    started = time.monotonic()
    with _surroundings(scenario, asked.templates, folder) as (database, redis):
        from tests.chaos.house import open_house

        house = open_house(folder, {**os.environ, **scenario.environ}, asked.seed)
        chance = random.Random(f"{asked.seed} {scenario.key}")
        stage = Stage(scenario, chance, asked.scale, folder, house, [], database, redis)
        try:
            _come_up(stage)
            up = time.monotonic()
            scenario.play(stage)
            stage.house.arm("")
            stage.clear_faults()
            settled = stage.settle()
            result = _result(stage, settled)
        except BaseException:
            _keep_logs(stage)
            raise
        finally:
            house.stop()
        if result["broken"]:
            _keep_logs(stage)
    result["seconds"] = {
        "up": round(up - started),
        "all": round(time.monotonic() - started),
        "processor": round(sum(os.times()[:4])),
    }
    return result


def _come_up(stage: Stage) -> None:
    from django.conf import settings

    house, scenario = stage.house, stage.scenario
    settings.MARKETS["simulator"] |= {"rest": house.addresses["rest"], "ws": house.addresses["ws"]}
    settings.SIMULATOR_CONTROL_URL = house.addresses["control"]
    stage.control("POST", "/limits", **{"dup_clordid": "never", **scenario.limits})
    house.start(scenario.workers, scenario.doubles)
    for followers in scenario.followers:
        stage.follow(followers)
    if not stage.wait(lambda: _is_ready(stage), READY_S, 0.2):
        raise SystemExit("the product did not come up")
    stage.say(f"up: {scenario.title}")


def _is_ready(stage: Stage) -> bool:
    from django.conf import settings
    from django.utils import timezone

    from tests.chaos.wire import INSTRUMENT
    from trading.models import Heartbeat, MarketPrice, StreamLease

    price = MarketPrice.objects.filter(market="simulator", inst_id=INSTRUMENT).first()
    if price is None or price.is_stale(timezone.now(), settings.MARK_STALE_AFTER_S):
        return False
    if Heartbeat.objects.filter(kind="executor").count() < 1:
        return False
    live = StreamLease.objects.filter(state="live").count()
    if live < sum(len(desk.keys) for desk in stage.desks):
        return False
    return call("GET", f"http://127.0.0.1:{stage.house.web_port}/livez").ok


def _result(stage: Stage, settled: bool) -> dict[str, Any]:
    from tests.chaos.audit import audit
    from tests.chaos.verdict import judge

    verdict = judge(stage.desks, stage.control_url, stage.house.disturbed_at)
    broken = {**verdict.broken, **stage.broken}
    if not settled:
        broken["not settled in time"] = [f"{PATIENCE_S} s"]
    if verdict.recovery_s > stage.scenario.recovery_s:
        broken["recovery"] = [f"{verdict.recovery_s} s, at most {stage.scenario.recovery_s} s"]
    wanted = verdict.intents - sum(verdict.states.get(state, 0) for state in OVERTAKEN)
    if verdict.accepted < max(stage.scenario.least_accepted * wanted, verdict.intents / 10):
        broken["too little came to the exchange"] = [
            f"{verdict.accepted} of {verdict.intents}, {wanted} were not overtaken"
        ]
    broken |= audit(stage)
    return {
        "scenario": stage.scenario.key,
        "title": stage.scenario.title,
        "intents": verdict.intents,
        "accepted": verdict.accepted,
        "kills": stage.house.kills,
        "faults": stage.faults,
        "doubled": verdict.doubled,
        "lost": verdict.lost,
        "out_of_order": verdict.out_of_order,
        "recovery_p99_s": verdict.recovery_s,
        "states": verdict.states,
        "deaths": stage.house.deaths,
        "notes": stage.notes,
        "broken": broken,
    }


@contextmanager
def _surroundings(
    scenario: Scenario, templates: Path, folder: Path
) -> Iterator[tuple[servers.Server | None, servers.Server | None]]:
    """The database and the broker, and Django set up for them with every table made."""
    var = folder / "var"
    var.mkdir()
    os.environ |= {
        "COPYDESK_ENV": "demo",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": str(var),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        **scenario.environ,
    }
    running: list[servers.Server] = []
    template = templates / scenario.database
    try:
        database = redis = None
        if scenario.database == "mariadb":
            database, os.environ["DATABASE_URL"] = servers.mariadb(folder, template)
            redis, os.environ["REDIS_URL"] = servers.redis(folder)
            for server in (database, redis):
                running.append(server)
                server.start()
        elif template.is_dir():
            shutil.copytree(template, var, dirs_exist_ok=True)
        django.setup()
        if not template.is_dir():
            _make_template(template, database, folder)
        yield database, redis
    finally:
        for server in running:
            server.stop()


def _make_template(template: Path, database: servers.Server | None, folder: Path) -> None:
    """Make the tables once; every later scenario begins with a copy."""
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import Installation

    call_command("migrate", verbosity=0, interactive=False)
    Installation.objects.get_or_create(pk=1)
    connection.close()
    made = template.with_name(folder.name)
    if database is None:
        made.mkdir(parents=True)
        for name in ("copydesk.sqlite3", "copydesk.sqlite3-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(folder / "var" / name, made / name)
    else:
        database.stop()
        shutil.copytree(folder / "data", made)
        database.start()
    with suppress(OSError):  # another scenario was faster
        made.rename(template)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="copydesk-chaos-", dir=services.roomy_memory(), ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _keep_logs(stage: Stage) -> None:
    kept = Path("var") / "chaos" / stage.scenario.key
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in stage.folder.glob("*.log"):
        shutil.copy(log, kept)
    for log in stage.folder.glob("*.jsonl"):
        shutil.copy(log, kept)
    stage.say(f"logs kept in {kept}")


if __name__ == "__main__":
    main()
