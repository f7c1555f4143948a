"""What the product stands on goes away and comes back: the broker, the database."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import redis

from tests.chaos.scenario import Scenario

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

DOWN_S = 8


def broker(stage: Stage) -> None:
    """Redis dies, is emptied, throws everybody out, is full; signals are taken all the while."""
    for _ in stage.times(1):
        for trouble in (_death, _emptied, _thrown_out, _full):
            before = dict(stage.desk.answers)
            stage.desk.tell()
            trouble(stage)
            stage.faults += 1
            stage.house.note_end()
            refused = {
                status: count - before.get(status, 0)
                for status, count in stage.desk.answers.items()
                if status >= 300 or status == 0
            }
            if any(refused.values()):
                stage.breaks("signals refused while the broker was away", trouble.__name__, refused)
            stage.wait(lambda: not stage.desk.is_busy(), 20)


def _death(stage: Stage) -> None:
    assert stage.redis is not None
    stage.redis.kill()
    stage.house.stops += 1
    stage.desk.tell()
    time.sleep(DOWN_S)
    stage.desk.tell()
    stage.redis.start()


def _emptied(stage: Stage) -> None:
    for _ in range(3):
        _connection(stage).flushall()
        stage.desk.tell()
        time.sleep(0.5)


def _thrown_out(stage: Stage) -> None:
    for _ in range(4):
        _connection(stage).client_kill_filter(_type="normal", skipme=True)
        stage.desk.tell()
        time.sleep(1)


def _full(stage: Stage) -> None:
    connection = _connection(stage)
    connection.config_set("maxmemory", "1mb")
    stage.desk.tell()
    time.sleep(4)
    connection.config_set("maxmemory", "0")


def _connection(stage: Stage) -> Any:
    return redis.Redis.from_url(stage.redis_url)


def database(stage: Stage) -> None:
    """The database is killed in the middle of things; what it said it had, it has."""
    from django.db import connection

    for _ in stage.times(4):
        stage.desk.tell()
        time.sleep(stage.chance.uniform(0.05, 1.5))
        _database_death(stage, stage.desk.body())
        connection.close()
        stage.wait(lambda: not stage.desk.is_busy(), 20)


def _database_death(stage: Stage, body: dict[str, Any]) -> None:
    assert stage.database is not None
    stage.database.kill()
    stage.house.stops += 1
    heard = _answers_meanwhile(stage, body)
    stage.database.start()
    stage.house.note_end()
    if any(0 < status < 300 for status in heard):
        stage.breaks("a signal was taken that could not be stored", heard)
    if 503 not in heard:
        stage.breaks("the webhook did not say 503 while the database was away", heard)
    stage.wait(lambda: stage.desk.take(body), 30, 0.5)


def _answers_meanwhile(stage: Stage, body: dict[str, Any]) -> set[int]:
    heard: set[int] = set()
    end = time.monotonic() + DOWN_S

    def ask() -> None:
        while time.monotonic() < end:
            heard.add(stage.desk.post(body).status)
            time.sleep(0.5)

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return heard


SCENARIOS = [
    Scenario("C4", "broker outage", broker, "mariadb", (120,), 2, recovery_s=30),
    Scenario("C5", "database outage", database, "mariadb", (140,), 2, recovery_s=30),
]
