"""The switch is thrown in the middle of chaos: a halt holds, flatten ends flat."""

from __future__ import annotations

import json
import time
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.chaos import wire
from tests.chaos.scenario import CALM, Scenario
from tests.chaos.scenarios.kills import OFTEN, POINTS

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

DISTURBED_S = 10
FLAT_S = 30  # after the command, disturbed or not
FLATTEN_POINTS = ("canceled", "waited", "read", "verified", "closed", "marked")
IN_FLIGHT_MS = 3000 + 1000


def halts(stage: Stage) -> None:
    """A halt at any moment: afterwards nothing is accepted that was not declared in flight."""
    _disturb(stage, 0.15)
    for _ in stage.times(10):
        stage.desk.tell()
        time.sleep(stage.chance.uniform(0, stage.chance.choice((0.3, 0.6, 2))))
        _halt_and_resume(stage)
    stage.house.arm("")


def _disturb(stage: Stage, share: float) -> None:
    for fault in wire.HTTP:
        stage.fault(fault, prob=share / len(wire.HTTP) * 2, **wire.PLACE)
    stage.house.arm(";".join(f"{point}=kill:{OFTEN.get(point, 0.01)}" for point in POINTS))


def _halt_and_resume(stage: Stage) -> None:
    from trading.enums import TradingMode

    declared, since = throw(stage, TradingMode.HALTED)
    halted_ms = round(time.time() * 1000)
    time.sleep(stage.chance.uniform(2, 6))
    after = stage.control("GET", f"/ledger?after={since}&limit=100000")["entries"]
    accepted = [e for e in after if e["kind"] == "order"]
    beyond = [e["cl_ord_id"] for e in accepted if e["cl_ord_id"] not in declared]
    late = [e["cl_ord_id"] for e in accepted if e["ts"] > halted_ms + IN_FLIGHT_MS]
    stage.notes["accepted in flight"] = stage.notes.get("accepted in flight", 0) + len(accepted)
    if beyond:
        stage.breaks("accepted after a halt and not declared", *beyond)
    if late:
        stage.breaks("accepted long after a halt", *late)
    throw(stage, TradingMode.ACTIVE)


def throw(stage: Stage, mode: Any) -> tuple[set[str], int]:
    """Set the desk's switch; what it declares in flight, and where the ledger stood afterwards."""
    from django.db import transaction

    from accounts.tenancy import tenant_scope
    from trading.models import Order
    from trading.switch import set_mode
    from trading.transition import retried

    @retried
    @transaction.atomic
    def turn() -> set[str]:
        set_mode(mode=mode, reason="chaos", actor=None, tenant=stage.desk.tenant)
        with tenant_scope(stage.desk.tenant):
            flying = Order.objects.filter(state__in=("sending", "unknown"))
            return set(flying.values_list("client_order_id", flat=True))

    declared = turn()
    return declared, stage.control("GET", "/health")["entries"]


def flattens(stage: Stage) -> None:
    """Positions, unknown orders, somebody's order by hand, deaths at every step of the way out."""
    from trading.enums import TradingMode

    stage.desk.tell()
    stage.settle(30)
    _disturb(stage, 0.3)
    stage.desk.tell()
    stage.desk.tell()
    time.sleep(1.5)
    for key in list(stage.desk.keys.values())[::7]:
        _by_hand(stage, key)
    points = ";".join(f"FLATTEN.{point}=kill:0.05" for point in FLATTEN_POINTS)
    stage.house.arm(points)
    commanded = time.time()
    declared, since = throw(stage, TradingMode.FLATTEN)
    held = _positions(stage)
    stage.wait(lambda: _all_flat(stage), DISTURBED_S)
    stage.house.arm("")
    stage.clear_faults()
    undisturbed = time.time()
    flat = stage.wait(lambda: _all_flat(stage), FLAT_S - (undisturbed - commanded))
    stage.notes["flat after s"] = round(time.time() - commanded, 1)
    stage.notes["flat after the last disturbance, s"] = round(time.time() - undisturbed, 1)
    stage.notes["steps of the slowest, s"] = _slowest(stage, commanded)
    if not flat:
        stage.breaks("not flat in time", _steps(stage))
    left = {key: f"{quantity:f}" for key, quantity in _positions(stage).items() if quantity}
    if left:
        stage.breaks("not flat at the exchange", left)
    _check_turns(stage, since, held, declared)


def _by_hand(stage: Stage, key: str) -> None:
    from config.demo.http import call

    body = {
        "instId": wire.INSTRUMENT,
        "tdMode": "cross",
        "side": "buy",
        "ordType": "market",
        "sz": "2",
    }
    call("POST", f"{stage.control_url}/accounts/{key}/orders", json.dumps(body).encode())


def _positions(stage: Stage) -> dict[str, Decimal]:
    found = {}
    for key in stage.desk.keys.values():
        rows = stage.control("GET", f"/accounts/{key}")["positions"]
        found[key] = sum((Decimal(row["qty"]) for row in rows), Decimal(0))
    return found


def _steps(stage: Stage) -> dict[str, int]:
    from collections import Counter

    from accounts.tenancy import tenant_scope
    from trading.models import FlattenAccount

    with tenant_scope(stage.desk.tenant):
        return dict(Counter(FlattenAccount.objects.values_list("step", flat=True)))


def _all_flat(stage: Stage) -> bool:
    steps = _steps(stage)
    return bool(steps) and set(steps) == {"flat"}


def _slowest(stage: Stage, commanded: float) -> list[Any]:
    """When the last account took each of its steps, in seconds since the command."""
    from accounts.tenancy import tenant_scope
    from trading.models import FlattenAccount

    with tenant_scope(stage.desk.tenant):
        last = FlattenAccount.objects.order_by("-step_at").first()
    if last is None:
        return []
    steps = [(last.started_at.isoformat(), "known", 0, ""), *last.history]
    return [
        (round(datetime.fromisoformat(at).timestamp() - commanded, 1), step, words)
        for at, step, _, words in steps
    ]


def _check_turns(stage: Stage, since: int, held: dict[str, Decimal], declared: set[str]) -> None:
    """No close took a position beyond zero; opens after the switch were declared."""
    from accounts.tenancy import tenant_scope
    from tests.chaos.verdict import ledger
    from trading.models import Order

    with tenant_scope(stage.desk.tenant):
        own = dict(Order.objects.filter(flattens=True).values_list("client_order_id", "id"))
        known = set(Order.objects.values_list("client_order_id", flat=True))
    position = dict.fromkeys(held, Decimal(0))
    for entry in ledger(stage.control_url):
        if entry["kind"] == "order" and entry["seq"] > since:
            name = entry.get("cl_ord_id", "")
            if name in known and name not in own and name not in declared:
                stage.breaks("accepted after flatten and not declared", name)
        if entry["kind"] != "fill" or entry["account"] not in position:
            continue
        before = position[entry["account"]]
        signed = Decimal(entry["sz"]) * (1 if entry["side"] == "buy" else -1)
        position[entry["account"]] = before + signed
        if entry.get("cl_ord_id") in own and before * (before + signed) < 0:
            stage.breaks("turned over", entry["account"], before, signed)


SCENARIOS = [
    Scenario("C14", "halts at any moment", halts, "mariadb", (140,), 2, environ=CALM),
    Scenario("C15", "flatten during chaos", flattens, "mariadb", (100,), 2, environ=CALM),
]
