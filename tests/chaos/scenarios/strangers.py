"""Others at work: a second deployment on the same keys, two beats, poison among the orders."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

from tests.chaos.scenario import Scenario

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

TWIN_CODE = "tw"


def two_deployments(stage: Stage) -> None:
    """A copy of everything but its code runs on the same keys; this one runs two of each job."""
    twin = stage.twin(TWIN_CODE)
    try:
        for _ in stage.times(6):
            body = stage.desk.body()
            stage.desk.take(body)
            stage.desk.post(body, base=twin.webhook)
            stage.wait(lambda: not stage.desk.is_busy(), 20)
        heard = stage.wait(lambda: _alarmed(stage), 60, 0.5)
    finally:
        twin.stop()
    if not heard:
        stage.breaks("nobody was told of the other deployment", "order.foreign_deployment")
    stage.desk.foreign = TWIN_CODE


def _alarmed(stage: Stage) -> bool:
    from accounts.models import AuditEntry
    from accounts.tenancy import all_tenants

    with all_tenants("the alarm"):
        return AuditEntry.objects.filter(action="order.foreign_deployment").exists()


def poison(stage: Stage) -> None:
    """A signal that kills whoever reads it, and accounts whose every order fails in our hands."""
    from accounts.tenancy import all_tenants
    from customers.models import ExchangeAccount

    stage.desk.tell()
    stage.settle(30)
    sick = stage.desk.accounts[:3]
    with all_tenants("something is written wrong"):
        ids = [account.pk for account in sick]
        ExchangeAccount.objects.filter(pk__in=ids).update(market="nowhere")
    stage.desk.excused |= {account.pk for account in sick}
    for _ in stage.times(5):
        stage.desk.tell()
        stage.wait(lambda: not _others_busy(stage), 20)
        if _others_busy(stage):
            stage.breaks("others waited for the poisoned ones", stage.unfinished())
    with all_tenants("it is written right again"):
        ExchangeAccount.objects.filter(pk__in=ids).update(market="simulator")
    _unsendable_orders(stage)
    _deadly_signal(stage)


def _unsendable_orders(stage: Stage) -> None:
    """Orders of which every look at them fails, among those of everybody else."""
    from accounts.tenancy import tenant_scope
    from trading.enums import Leg, OrderState
    from trading.models import Order

    stage.settle(30)
    sick = [account.pk for account in stage.desk.accounts[3:6]]
    # Who needs another leverage waits for it, and does not leave with its decision.
    terms = {"intent": "add", "quantity": {"mode": "base", "value": "0.5"}, "leverage": "3"}
    changed = stage.change_before_sending(sick, {"leg": "nonsense"}, **terms)
    stage.desk.excused |= set(sick)
    if not stage.wait(lambda: not _others_busy(stage), 30):
        stage.breaks("others waited for unsendable orders", stage.unfinished())
    with tenant_scope(stage.desk.tenant):
        aside = Order.objects.filter(leg="nonsense", state=OrderState.MANUAL, reason="POISON")
        if not changed or not stage.wait(lambda: aside.count() == changed, 60):
            stage.breaks("unsendable orders were not set aside", changed, stage.unfinished())
        Order.objects.filter(leg="nonsense").update(leg=Leg.ADD)


def _others_busy(stage: Stage) -> bool:
    from accounts.tenancy import tenant_scope
    from signals.models import Signal
    from trading.models import Order

    desk = stage.desk
    with tenant_scope(desk.tenant):
        waiting = Signal.objects.filter(source=desk.source).waiting().exists()
        others = Order.objects.open().exclude(account_id__in=desk.excused)
        return waiting or bool(others.exists())


def _deadly_signal(stage: Stage) -> None:
    from accounts.tenancy import tenant_scope
    from signals.models import Signal

    stage.house.arm("S2.claimed=kill")
    victim = stage.desk.tell()
    stage.desk.poisoned.add(victim)

    def is_aside() -> bool:
        with tenant_scope(stage.desk.tenant):
            return bool(Signal.objects.get(pk=victim).status == "quarantined")

    if not stage.wait(is_aside, 150, 0.5):
        stage.breaks("not quarantined", victim)
    stage.house.arm("")
    stage.house.note_end()
    stage.desk.tell()


def copied_database(source: Any, target: Any) -> None:
    """A whole copy of a SQLite file that others write to."""
    with sqlite3.connect(source) as there, sqlite3.connect(target) as here:
        there.backup(here)


def copy_var(source: Any, target: Any) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("broker", "*.sqlite3*"))
    copied_database(source / "copydesk.sqlite3", target / "copydesk.sqlite3")


SCENARIOS = [
    Scenario(
        "C16",
        "two deployments, two beats",
        two_deployments,
        followers=(60,),
        recovery_s=60,
        doubles=True,
    ),
    Scenario("C17", "poison", poison, followers=(100,), seconds=330, recovery_s=60),
]
