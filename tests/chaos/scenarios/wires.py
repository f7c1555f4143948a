"""The exchange's answers go wrong: every fault at every call, storms, lies about placing."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.chaos import wire
from tests.chaos.scenario import CALM, Scenario

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

OPEN = {"intent": "open", "quantity": {"mode": "base", "value": "1"}}
REPEATS = 4
UNKNOWN_P95_S = 12
STORM_S = 60
STORM_EVERY_S = 5
DOCUMENTED = 60  # orders of an account and an instrument in two seconds
PERIOD_MS = 2000


def cross_product(stage: Stage) -> None:
    """Each follower has a fault of its own, at each kind of call in turn."""
    _still_market(stage)
    desk = stage.desk
    _with_faults(stage, wire.LEVERAGE, lambda: desk.tell(**OPEN, leverage="2"))
    stops = {"stop_loss": _price("0.97"), "take_profit": _price("1.03")}
    add = {**OPEN, "intent": "add", "leverage": "2"}
    _with_faults(stage, wire.PLACE, lambda: desk.tell(**add, **stops))
    _with_faults(stage, wire.ALGO, lambda: _protect(stage))
    _resting(stage)
    _with_faults(stage, wire.AMEND, lambda: _amend_resting(stage), rests=True)
    _with_faults(stage, wire.CANCEL, lambda: _cancel_resting(stage))
    _with_faults(stage, wire.CANCEL_ALGO, lambda: _unprotect(stage))
    _with_faults(stage, wire.PLACE, lambda: desk.tell(intent="close"))
    stage.notes["cells"] = len(wire.HTTP) * 7


def _protect(stage: Stage) -> None:
    """A stop of its own for every position."""
    from accounts.tenancy import tenant_scope
    from trading.models import Position
    from trading.protecting import protect_position

    stop = Decimal(_price("0.96"))
    with tenant_scope(stage.desk.tenant):
        for position in Position.objects.open().filter(inst_id=wire.INSTRUMENT):
            protect_position(
                position=position, take_profit=None, stop_loss=stop, reason="chaos", actor=None
            )


def _unprotect(stage: Stage) -> None:
    """Asked for one by one: the exchange itself takes away what outlives a position."""
    from accounts.tenancy import tenant_scope
    from trading.models import Protection
    from trading.protecting import cancel_protection

    with tenant_scope(stage.desk.tenant):
        for protection in Protection.objects.active():
            cancel_protection(protection=protection, reason="chaos", actor=None)


def _with_faults(stage: Stage, match: dict[str, str], act: Any, *, rests: bool = False) -> None:
    started = time.monotonic()
    for number, key in enumerate(stage.desk.keys.values()):
        fault = wire.HTTP[number % len(wire.HTTP)]
        stage.fault(fault, times=1 + number % 2, account=key, **match)
    act()
    settled = rests or stage.settle(60)
    if not settled or not stage.wait(lambda: not _acting(stage), 60):
        stage.breaks("a phase that did not settle", match["path"], stage.unfinished())
    _check_met(stage, match["path"])
    stage.clear_faults()
    stage.say(f"{match['path']}: {time.monotonic() - started:.0f} s")


def _check_met(stage: Stage, path: str) -> None:
    """A fault that no request met proves nothing."""
    rows = stage.control("GET", "/faults")["faults"]
    if unmet := [f"{row['kind']} {row['argument']}".strip() for row in rows if not row["hits"]]:
        stage.breaks("faults that nobody met", path, *unmet[:5], f"{len(unmet)} in all")


def _acting(stage: Stage) -> bool:
    from accounts.tenancy import tenant_scope
    from trading.models import Action

    with tenant_scope(stage.desk.tenant):
        return bool(Action.objects.open().exists())


def _still_market(stage: Stage) -> None:
    rows = stage.control("GET", "/market")["market"]
    last = next(row["last"] for row in rows if row["inst_id"] == wire.INSTRUMENT)
    stage.control("POST", "/prices", **{wire.INSTRUMENT: last})


def _price(times: str) -> str:
    from trading.models import MarketPrice

    mark = MarketPrice.objects.get(market="simulator", inst_id=wire.INSTRUMENT).mark
    assert mark is not None
    return f"{(mark * Decimal(times)).quantize(Decimal('0.1')):f}"


def _resting(stage: Stage) -> list[Any]:
    """Orders that rest below the market: given a price in the moment before they are marked."""
    from accounts.tenancy import tenant_scope
    from trading.enums import OrderState
    from trading.models import Order

    desk = stage.desk
    with tenant_scope(desk.tenant):
        resting = Order.objects.filter(order_type="limit", state=OrderState.LIVE)
        if found := list(resting.all()):
            return found
    # Who needs another leverage waits for it, and does not leave with its decision.
    terms = {**OPEN, "intent": "add", "leverage": "3"}
    columns = {"order_type": "limit", "price": Decimal(_price("0.99"))}
    changed = stage.change_before_sending(list(desk.keys), columns, **terms)
    with tenant_scope(desk.tenant):
        stage.wait(lambda: resting.count() == changed, 20)
        found = list(resting.all())
    if not found:
        stage.breaks("nothing rests", changed)
    return found


def _amend_resting(stage: Stage) -> None:
    from accounts.tenancy import tenant_scope
    from trading.actions import ActionRefusedError, amend_order

    price = Decimal(_price("0.985"))
    for order in _resting(stage):
        with tenant_scope(stage.desk.tenant):
            try:
                amend_order(order=order, price=price, reason="chaos", actor=None)
            except ActionRefusedError as error:
                stage.notes.setdefault("not amended", []).append(str(error))


def _cancel_resting(stage: Stage) -> None:
    from accounts.tenancy import tenant_scope
    from trading.actions import ActionRefusedError, cancel_order

    for order in _resting(stage):
        with tenant_scope(stage.desk.tenant):
            try:
                cancel_order(order=order, reason="chaos", actor=None)
            except ActionRefusedError as error:
                stage.notes.setdefault("not canceled", []).append(str(error))


def storm(stage: Stage) -> None:
    """Four calls of five are refused for being too many, under the documented limits."""
    stage.control("POST", "/limits", mode="okx")
    stage.fault("code:50011", prob=0.8)
    end = time.monotonic() + STORM_S * min(stage.scale, 1)
    while time.monotonic() < end:
        stage.desk.tell()
        time.sleep(STORM_EVERY_S)
    stage.clear_faults()
    told = time.monotonic()
    if not stage.settle(120):
        stage.breaks("the storm was not over after 120 s", stage.unfinished())
    stage.notes["resolved_s"] = round(time.monotonic() - told, 1)
    busiest = _busiest(stage)
    stage.notes["busiest account, orders in 2 s"] = busiest
    if busiest > DOCUMENTED * 1.2:
        stage.breaks("more orders than documented", busiest)


def _busiest(stage: Stage) -> int:
    """The most order requests of one account within any two seconds."""
    from tests.chaos.verdict import ledger

    calls: dict[str, list[int]] = defaultdict(list)
    for entry in ledger(stage.control_url):
        if entry["kind"] == "request" and entry.get("path") == wire.PLACE["path"]:
            calls[entry["account"]].append(entry["ts"])
    most = 0
    for times in calls.values():
        start = 0
        for place, at in enumerate(times):
            while at - times[start] >= PERIOD_MS:
                start += 1
            most = max(most, place - start + 1)
    return most


def half_placed(stage: Stage) -> None:
    """Errors that say nothing: half of the orders behind them are there."""
    for code in ("50013", "50026", "50004"):
        stage.fault({"kind": "code", "code": code, "after": True}, prob=0.2, **wire.PLACE)
        stage.fault({"kind": "code", "code": code, "after": False}, prob=0.2, **wire.PLACE)
    for _ in stage.times(10):
        stage.desk.tell()
        stage.wait(lambda: not stage.desk.is_busy(), 10)
    stage.clear_faults()
    stage.settle()
    took = _unknown_s(stage)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    stage.notes["unknown s"] = {name: _share(took, share) for name, share in shares.items()}
    p95 = _share(took, 0.95)
    if p95 > UNKNOWN_P95_S:
        stage.breaks("unknown for long", f"p95 {p95} s, at most {UNKNOWN_P95_S} s")


def _share(took: list[float], share: float) -> float:
    return round(took[int(len(took) * share)], 1) if took else 0


def _unknown_s(stage: Stage) -> list[float]:
    """How long each order was unknown, every time that it was, the shortest first."""
    from accounts.tenancy import tenant_scope
    from trading.models import OrderEvent

    since: dict[Any, Any] = {}
    took: list[float] = []
    with tenant_scope(stage.desk.tenant):
        rows = OrderEvent.objects.order_by("at", "id").values_list("order_id", "to_state", "at")
        for order, state, at in rows:
            if state == "unknown":
                since.setdefault(order, at)
            elif order in since:
                took.append((at - since.pop(order)).total_seconds())
    return sorted(took)


def sick_accounts(stage: Stage) -> None:
    """Revoked keys, no money, slow answers: the healthy ones notice nothing."""
    desk = stage.desk
    keys = list(desk.keys.items())
    tenth = max(1, len(keys) // 20)
    revoked, poor, slow = (dict(keys[i * tenth : (i + 1) * tenth]) for i in range(3))
    for key in revoked.values():
        stage.fault("code:50111", account=key)
    for key in poor.values():
        stage.fault("scode:51008", account=key, **wire.PLACE)
    for key in slow.values():
        stage.fault("slow_body:5000", account=key, **wire.PLACE)
    desk.excused |= revoked.keys()
    for _ in stage.times(12):
        desk.tell()
        stage.wait(lambda: not desk.is_busy(), 30)
    _check_sick(stage, revoked.keys(), poor.keys(), slow.keys())


def _check_sick(stage: Stage, revoked: Any, poor: Any, slow: Any) -> None:
    from accounts.tenancy import tenant_scope
    from customers.models import ExchangeAccount
    from trading.models import Order

    sick = {*revoked, *poor, *slow}
    with tenant_scope(stage.desk.tenant):
        orders = list(Order.objects.select_related("signal"))
        paused = set(ExchangeAccount.objects.exclude(status="active").values_list("pk", flat=True))
    healthy = [o for o in orders if o.account_id not in sick]
    if bad := [(o.account_id, o.state, o.reason) for o in healthy if o.state != "filled"]:
        stage.breaks("healthy accounts that were not served", *bad[:5])
    waits = sorted(
        (o.acked_at - o.signal.received_at).total_seconds() for o in healthy if o.acked_at
    )
    stage.notes["healthy p95 s"] = round(waits[int(len(waits) * 0.95)], 2)
    if paused - set(revoked):
        stage.breaks("paused without a reason", paused - set(revoked))
    reasons = {
        name: dict(Counter(o.reason for o in orders if o.account_id in accounts))
        for name, accounts in (("revoked", revoked), ("poor", poor), ("slow", slow))
    }
    stage.notes["reasons"] = reasons
    wanted = {"revoked": "KEY_INVALID", "poor": "INSUFFICIENT_MARGIN"}
    for name, reason in wanted.items():
        if reason not in reasons[name]:
            stage.breaks("the wrong reason", name, reasons[name])


SCENARIOS = [
    Scenario(
        "C6",
        "every fault at every kind of call",
        cross_product,
        followers=(len(wire.HTTP) * REPEATS,),
        # What a lost change waits for is its deadline; a shorter one proves as much.
        environ={**CALM, "ORDER_TTL_LIMIT_S": "5"},
        seconds=400,
    ),
    Scenario("C7", "50011 storm", storm, "mariadb", (120,), 2, recovery_s=120),
    Scenario(
        "C8", "errors with the order placed or not", half_placed, "mariadb", (120,), 2, environ=CALM
    ),
    Scenario("C18", "sick accounts among healthy ones", sick_accounts, "mariadb", (160,), 2),
]
