"""A leader's day at the exchange, followed in every way, undisturbed and disturbed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.chaos.scenario import CALM, Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.stage import Stage

READY_S = 240
PUSHES = ("orders", "positions", "account")
# Seconds from the first trade, and who dies: whoever took over from the last one.
DEATHS = ((20, "streams"), (60, "streams2"), (110, "streams"))


def a_day(stage: Stage) -> None:
    _followed(stage)


def a_bad_day(stage: Stage) -> None:
    """Of the pushes five in a hundred are lost and as many come twice or too late; whoever holds
    the leader's socket and the prices dies three times, and the other of two takes over."""
    _disturbed(stage, DEATHS)


def a_lonely_day(stage: Stage) -> None:
    """The same with one streams process: while it is dead nobody hears the leader or a price."""
    _disturbed(stage, [(seconds, "streams") for seconds, _ in DEATHS])


def _disturbed(stage: Stage, deaths: Sequence[tuple[int, str]]) -> None:
    def disturb() -> None:
        for channel in PUSHES:
            stage.fault("ws_drop", prob=0.05, channel=channel)
            stage.fault("ws_duplicate:1", prob=0.05, channel=channel)
            stage.fault("ws_reorder:2", prob=0.05, channel=channel)
        for seconds, name in deaths:
            timer = threading.Timer(seconds, stage.house.kill, (name,))
            timer.daemon = True
            timer.start()

    _followed(stage, disturb)


def _followed(stage: Stage, disturb: object = None) -> None:
    from signals.models import LeaderAccount
    from tests.chaos.desk import Desk
    from tests.journeys.leader.crowd import make_crowd
    from tests.journeys.leader.day import Day
    from tests.journeys.leader.judge import judge
    from trading.models import StreamLease

    crowd = make_crowd(stage.control_url)
    desk = Desk(
        crowd.tenant, crowd.source, crowd.strategies[0], crowd.accounts, crowd.keys,
        stage.house.webhook, excused=set(crowd.limit_copiers),
    )  # fmt: skip
    stage.desks.append(desk)

    def ready() -> bool:
        from accounts.tenancy import tenant_scope

        with tenant_scope(crowd.tenant):
            leader = LeaderAccount.objects.get(pk=crowd.leader.pk)
        live = StreamLease.objects.filter(state="live").count()
        return leader.link == "connected" and live >= len(crowd.keys)

    if not stage.wait(ready, READY_S, 0.5):
        raise SystemExit("nobody listens to the leader")
    stage.say("everybody listens")
    if callable(disturb):
        disturb()
    Day(stage, crowd).play()
    stage.clear_faults()
    stage.settle()
    judge(stage, crowd)


SCENARIOS = [
    Scenario(
        "L1", "a leader's day", a_day, followers=(), seconds=600, recovery_s=60, environ=CALM,
        least_accepted=0.1,
    ),
    Scenario(
        "L2", "a leader's day among lost pushes and deaths", a_bad_day, "mariadb", (), 2,
        seconds=700, recovery_s=90, environ=CALM, least_accepted=0.1, doubles=True,
    ),
    Scenario(
        "L3", "the same with one streams process", a_lonely_day, "mariadb", (), 2,
        seconds=700, recovery_s=90, environ=CALM, least_accepted=0.1,
    ),
]  # fmt: skip
