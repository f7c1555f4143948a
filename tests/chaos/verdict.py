"""What the exchange's ledger says of a scenario, counted from its raw lines by no code of ours."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from accounts.tenancy import all_tenants, tenant_scope
from config.demo.http import call
from signals.enums import SignalStatus
from signals.models import Signal
from tests.chaos.desk import Desk
from trading.enums import RESTING_TYPES, OrderCause
from trading.models import Decision, Fill, Order, Position
from trading.models.orders import OPEN_STATES

# An account in a minute's lease of a dead worker, and then the turn of 40 in every ten seconds.
SETTLED_S = 60 + 30
Entries = list[dict[str, Any]]


@dataclass
class Verdict:
    """The three columns that must be zero, and every other broken promise by its name."""

    intents: int = 0
    doubled: int = 0
    lost: int = 0
    out_of_order: int = 0
    accepted: int = 0
    recovery_s: float = 0
    broken: dict[str, list[str]] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)

    def add(self, promise: str, rows: Sequence[Any]) -> int:
        if rows:
            self.broken[promise] = [str(row) for row in rows[:10]] + [f"{len(rows)} in all"]
        return len(rows)


def judge(desks: Sequence[Desk], control: str, disturbed_at: Sequence[float]) -> Verdict:
    """Judge everything these desks ever ordered."""
    verdict = Verdict()
    orders = _orders(desks)
    # What a socket missed while its process was dead is read again by the periodic reconciling.
    foreign = tuple(desk.foreign for desk in desks if desk.foreign)
    keys = {key for desk in desks for key in desk.keys.values()}
    _eventually(lambda: _differing_fills(orders, _of(keys, ledger(control)), foreign))
    # Accounts that are excused may go on meanwhile: both sides are read at the same time.
    orders, entries = _orders(desks), _of(keys, ledger(control))
    excused = {account for desk in desks for account in desk.excused}
    mine = _without(entries, foreign)
    _count_orders(verdict, orders, mine, excused, _ids(entries) - _ids(mine))
    verdict.add("fills", _differing_fills(orders, entries, foreign))
    if not foreign:
        verdict.add("positions", _eventually(lambda: _differing_positions(desks, control)))
    for desk in desks:
        verdict.lost += verdict.add("signals not decided", _undecided(desk))
    verdict.recovery_s = _recovery(
        [order for order in orders if not _waits_for_the_leader(order, excused)],
        sorted(disturbed_at),
    )
    verdict.states = dict(Counter(f"{o.state} {o.reason}".strip() for o in orders))
    return verdict


def _orders(desks: Sequence[Desk]) -> list[Order]:
    with all_tenants("the verdict on a scenario"):
        return list(
            Order.objects.filter(tenant_id__in=[desk.tenant.pk for desk in desks])
            .select_related("signal", "account")
            .order_by("lane_at", "signal_id", "leg_number", "slice_number")
        )


def ledger(control: str, since: int = 0) -> Entries:
    entries: Entries = []
    while True:
        after = entries[-1]["seq"] if entries else since
        answer = call("GET", f"{control}/ledger?after={after}&limit=5000")
        page = answer.json()["entries"]
        if not page:
            return entries
        entries += page


def _of(keys: set[str], entries: Entries) -> Entries:
    """What concerns the followers: a leader's own trades are nobody's orders."""
    return [e for e in entries if e.get("account") in keys]


def _without(entries: Entries, foreign: tuple[str, ...]) -> Entries:
    """The ledger without the orders of other deployments."""
    return [e for e in entries if not (foreign and e.get("cl_ord_id", "").startswith(foreign))]


def _ids(entries: Entries) -> set[str]:
    """The exchange's own names of the orders among these."""
    return {entry["ord_id"] for entry in entries if entry["kind"] == "order"}


def _count_orders(
    verdict: Verdict,
    orders: Sequence[Order],
    entries: Entries,
    excused: set[int],
    others: set[str],
) -> None:
    """`others` are orders of another deployment: what they took off one of our positions is
    written down here as a trade by hand, under their name."""
    accepted = [e for e in entries if e["kind"] == "order" and e.get("cl_ord_id")]
    times = Counter((e["account"], e["cl_ord_id"]) for e in accepted)
    there = {e["ord_id"] for e in accepted}
    ours = {order.client_order_id: order for order in orders}
    named = {name for _, name in times}
    verdict.intents = len(orders)
    verdict.accepted = len(accepted)
    verdict.doubled = verdict.add("doubled", [key for key, count in times.items() if count > 1])
    lost = [
        (name, order.state, order.reason)
        for name, order in ours.items()
        if (order.exchange_order_id and order.exchange_order_id not in _known(order, there, others))
        or (name in named and not order.exchange_order_id)
    ]
    unfinished = [
        (name, order.state, order.attempt)
        for name, order in ours.items()
        if order.state in OPEN_STATES and order.account_id not in excused
    ]
    verdict.lost += verdict.add("lost", lost) + verdict.add("unfinished", unfinished)
    verdict.lost += verdict.add("nobody's", [name for name in named if name not in ours])
    verdict.out_of_order = verdict.add("out of order", _overtaken(orders, accepted))
    verdict.add("after its deadline", _late(accepted, entries))


def _known(order: Order, ours: set[str], others: set[str]) -> set[str]:
    return others if order.cause == OrderCause.EXTERNAL else ours


def _overtaken(orders: Sequence[Order], accepted: Entries) -> list[str]:
    """Lanes whose orders the exchange heard in another order than they were meant."""
    place: dict[str, int] = {}
    for number, entry in enumerate(accepted):
        place.setdefault(entry["cl_ord_id"], number)
    lanes: dict[str, dict[Any, list[int]]] = defaultdict(dict)
    for order in orders:
        if order.client_order_id in place:
            # Rungs of a ladder leave together: which of them is there first means nothing.
            alone = None if order.order_type in RESTING_TYPES else order.pk
            together = lanes[order.lane_key].setdefault(
                (order.signal_id, order.leg_number, alone), []
            )
            together.append(place[order.client_order_id])
    heard = {
        lane: [each for places in groups.values() for each in sorted(places)]
        for lane, groups in lanes.items()
    }
    return [lane for lane, places in heard.items() if places != sorted(places)]


def _late(accepted: Entries, entries: Entries) -> list[str]:
    """Accepted after the last deadline that was sent with it, or sent with none."""
    deadlines: dict[str, int] = {}
    for entry in entries:
        if entry["kind"] == "request" and entry.get("exp_time"):
            name = entry.get("cl_ord_id", "")
            deadlines[name] = max(int(entry["exp_time"]), deadlines.get(name, 0))
    return [e["cl_ord_id"] for e in accepted if e["ts"] > deadlines.get(e["cl_ord_id"], 0)]


def _differing_fills(
    orders: Sequence[Order], entries: Entries, foreign: tuple[str, ...]
) -> list[Any]:
    ids = _ids(_without(entries, foreign))
    others = _ids(entries) - ids
    theirs = Counter(
        (entry["ord_id"], entry["trade_id"], Decimal(entry["sz"]), Decimal(entry["px"]))
        for entry in entries
        if entry["kind"] == "fill" and entry["ord_id"] in ids
    )
    with all_tenants("the fills of a scenario"):
        rows = Fill.objects.filter(account_id__in={order.account_id for order in orders})
        known = Counter(
            row
            for row in rows.values_list("exchange_order_id", "trade_id", "quantity", "price")
            if row[0] not in others
        )
        held = dict(
            Order.objects.filter(id__in=[o.id for o in orders])
            .exclude(exchange_order_id="")
            .values_list("exchange_order_id", "filled_quantity")
        )
    summed: dict[str, Decimal] = defaultdict(Decimal)
    for (ord_id, _, quantity, _), count in theirs.items():
        summed[ord_id] += quantity * count
    wrong = [
        (ord_id, held[ord_id], summed[ord_id])
        for ord_id in held.keys() - others
        if held[ord_id] != summed[ord_id]
    ]
    return [*(theirs - known).elements(), *(known - theirs).elements(), *wrong]


def _differing_positions(desks: Sequence[Desk], control: str) -> list[Any]:
    """Accounts whose position at the exchange is not the sum of our fills, or not what we show."""
    wrong: list[Any] = []
    for desk in desks:
        with tenant_scope(desk.tenant):
            summed: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
            for account, inst, side, quantity in Fill.objects.values_list(
                "account_id", "inst_id", "side", "quantity"
            ):
                summed[account, inst] += quantity if side == "buy" else -quantity
            shown: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
            for account, inst, side, quantity in Position.objects.values_list(
                "account_id", "inst_id", "position_side", "quantity"
            ):
                shown[account, inst] += -quantity if side == "short" else quantity
        there = _held(desk, control)
        nothing = Decimal(0)
        for key in there.keys() | summed.keys() | shown.keys():
            three = [each.get(key, nothing) for each in (there, summed, shown)]
            if len(set(three)) > 1:
                wrong.append((*key, *(f"{each:f}" for each in three)))
    return wrong


def _held(desk: Desk, control: str) -> dict[tuple[int, str], Decimal]:
    held: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for account_id, key in desk.keys.items():
        answer = call("GET", f"{control}/accounts/{key}")
        for row in answer.json()["positions"]:
            held[account_id, row["inst_id"]] += Decimal(row["qty"])
    return held


def _undecided(desk: Desk) -> list[Any]:
    """Signals that were taken and not copied, or without a decision for each follower."""
    with tenant_scope(desk.tenant):
        signals = {str(row.pk): row for row in Signal.objects.filter(source=desk.source)}
        made = Counter(
            str(pk) for pk in Decision.objects.order_by().values_list("signal_id", flat=True)
        )
    expected = len(desk.keys)
    return [
        (pk, signals[pk].status if pk in signals else "gone", made[pk])
        for pk in desk.signals
        if pk not in signals
        or signals[pk].status not in (SignalStatus.COPIED, SignalStatus.QUARANTINED)
        or (signals[pk].status == SignalStatus.COPIED and made[pk] != expected)
    ]


def _waits_for_the_leader(order: Order, excused: set[int]) -> bool:
    """What a limit copier laid out rests until the leader ends it: nothing to recover from."""
    return order.account_id in excused and order.order_type in RESTING_TYPES


def _recovery(orders: Sequence[Order], disturbed_at: Sequence[float]) -> float:
    """99 of 100 orders that lived through a disturbance ended so soon after the last of them."""
    took = []
    for order in orders:
        if order.finished_at is None:
            continue  # told of as unfinished
        end = order.finished_at.timestamp()
        before = bisect_right(disturbed_at, end)
        if before and disturbed_at[before - 1] >= order.signal.received_at.timestamp():
            took.append(end - disturbed_at[before - 1])
    took.sort()
    return round(took[math.ceil(len(took) * 0.99) - 1], 1) if took else 0.0


def _eventually(look: Callable[[], list[Any]]) -> list[Any]:
    end = time.monotonic() + SETTLED_S
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return found
