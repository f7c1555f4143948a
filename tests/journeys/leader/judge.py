"""Three numbers for every follower and instrument: the exchange's, our books', the target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from accounts.tenancy import tenant_scope
from signals.models import LeaderPosition, Signal
from tests.journeys.leader.crowd import A_LITTLE, Crowd
from trading.models import Cycle, Decision, Fill, Instrument, Order

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

Where = tuple[int, str]  # account, instrument
ZERO = Decimal(0)
READ_S = 90


def standing(stage: Stage, crowd: Crowd) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What the leader holds at the exchange, and what we followed it to; signed, by instrument."""
    there = {i: q for (_, i), q in _held(stage.control, {0: crowd.leader_key}).items() if q}
    known: dict[str, Decimal] = defaultdict(Decimal)
    with tenant_scope(crowd.tenant):
        rows = LeaderPosition.objects.filter(source=crowd.source)
        for inst_id, direction, quantity in rows.values_list("inst_id", "direction", "quantity"):
            known[inst_id] += quantity if direction == "long" else -quantity
    return there, {inst_id: quantity for inst_id, quantity in known.items() if quantity}


def judge(stage: Stage, crowd: Crowd) -> None:
    """Tell the stage what does not agree."""
    there, known = standing(stage, crowd)
    if there != known:
        stage.breaks("the leader's position", there, known)
    # A fill whose push was lost is read with the next reconciliation.
    stage.wait(lambda: not _differing(stage, crowd), READ_S, 1)
    held, books = _held(stage.control, crowd.keys), _books(crowd)
    targets, resting = _targets(crowd, known), _resting(crowd)
    for key in sorted(held.keys() | books.keys() | targets.keys()):
        x, d, t = (each.get(key, ZERO) for each in (held, books, targets))
        if x != d:
            stage.breaks("our books are not the exchange's", (*key, x, d))
        if key[0] in crowd.limit_copiers:
            _judge_resting(stage, key, (x, t, resting.get(key, ZERO)))
        elif x != t:
            stage.breaks("not the target", (*key, x, t))
        if x and t and (x > 0) != (t > 0):
            stage.breaks("on the wrong side", (*key, x, t))
    _judge_decisions(stage, crowd)
    _judge_ends(stage, crowd, held)
    stage.notes |= {
        "leader": {inst_id: f"{quantity:f}" for inst_id, quantity in there.items()},
        "positions": sum(1 for quantity in held.values() if quantity),
        "followers in position": len({account for (account, _), q in held.items() if q}),
        "ends": _ends(crowd, held),
    }


def _ends(crowd: Crowd, held: dict[Where, Decimal]) -> dict[str, dict[str, str]]:
    """What each follower holds in the end, by its place in the crowd."""
    places = {account.pk: str(place) for place, account in enumerate(crowd.accounts)}
    ends: dict[str, dict[str, str]] = {place: {} for place in places.values()}
    for (account, inst_id), quantity in sorted(held.items()):
        if quantity:
            ends[places[account]][inst_id] = f"{quantity:f}"
    return ends


def _judge_ends(stage: Stage, crowd: Crowd, held: dict[Where, Decimal]) -> None:
    """However the day went: whoever must hold something holds what a calm day gives him."""
    ends = crowd.ends()
    for key, wanted in ends.items():
        if abs(held.get(key, ZERO) - wanted) > A_LITTLE * abs(wanted):
            stage.breaks("not the end of a calm day", (*key, held.get(key, ZERO), wanted))
    for key, quantity in held.items():
        if quantity and key not in ends and key[0] not in crowd.limit_copiers:
            stage.breaks("holds what it should not", (*key, quantity))


def _differing(stage: Stage, crowd: Crowd) -> list[Where]:
    held, books = _held(stage.control, crowd.keys), _books(crowd)
    return [key for key in held.keys() | books.keys() if held[key] != books[key]]


def _held(control: Callable[..., Any], keys: dict[int, str]) -> dict[Where, Decimal]:
    held: dict[Where, Decimal] = defaultdict(Decimal)
    for account, key in keys.items():
        for row in control("GET", f"/accounts/{key}")["positions"]:
            held[account, row["inst_id"]] += Decimal(row["qty"])
    return held


def _books(crowd: Crowd) -> dict[Where, Decimal]:
    books: dict[Where, Decimal] = defaultdict(Decimal)
    with tenant_scope(crowd.tenant):
        rows = Fill.objects.values_list("account_id", "inst_id", "side", "quantity")
        for account, inst_id, side, quantity in rows:
            books[account, inst_id] += quantity if side == "buy" else -quantity
    return books


def _targets(crowd: Crowd, leader: dict[str, Decimal]) -> dict[Where, Decimal]:
    """`floor_lot(F_base * L / L_base)` of every running cycle, worked out once more here."""
    targets: dict[Where, Decimal] = defaultdict(Decimal)
    with tenant_scope(crowd.tenant):
        lots = dict(Instrument.objects.values_list("inst_id", "lot_size"))
        least = dict(Instrument.objects.values_list("inst_id", "min_size"))
        for cycle in Cycle.objects.filter(ended_at__isnull=True):
            position = abs(leader.get(cycle.inst_id, ZERO))
            if cycle.leader_base <= 0:
                continue
            lot = lots[cycle.inst_id]
            exact = cycle.follower_base * position / cycle.leader_base
            target = exact // lot * lot
            if target < least[cycle.inst_id]:
                continue
            sign = 1 if cycle.direction == "long" else -1
            targets[cycle.account_id, cycle.inst_id] += sign * target
    return targets


def _resting(crowd: Crowd) -> dict[Where, Decimal]:
    resting: dict[Where, Decimal] = defaultdict(Decimal)
    with tenant_scope(crowd.tenant):
        rows = Order.objects.open().values_list("account_id", "inst_id", "side", "quantity")
        for account, inst_id, side, quantity in rows:
            resting[account, inst_id] += quantity if side == "buy" else -quantity
    return resting


def _judge_resting(stage: Stage, key: Where, numbers: tuple[Decimal, Decimal, Decimal]) -> None:
    """Who waits for a better price may hold less than the target: never more, nor may what still
    waits make it more."""
    held, target, resting = numbers
    if held and resting and (held > 0) != (resting > 0):
        stage.breaks("a limit copier's orders are on the other side", (*key, *numbers))
    if abs(held + resting) > abs(target):
        stage.breaks("a limit copier holds and waits for too much", (*key, *numbers))


def _judge_decisions(stage: Stage, crowd: Crowd) -> None:
    """One for every follower and signal, and a reason for each that was not copied."""
    with tenant_scope(crowd.tenant):
        signals = {str(row.pk): row for row in Signal.objects.filter(source=crowd.source)}
        made: dict[str, int] = defaultdict(int)
        reasons: dict[str, int] = defaultdict(int)
        for signal, outcome, reason in Decision.objects.values_list(
            "signal_id", "outcome", "reason"
        ):
            made[str(signal)] += 1
            reasons[f"{outcome} {reason}".strip()] += 1
            if outcome != "copied" and not reason:
                stage.breaks("not copied, and no reason", signal)
    for pk, signal in signals.items():
        if signal.status == "copied" and made[pk] != len(crowd.keys):
            stage.breaks("decisions of a signal", (pk, made[pk], len(crowd.keys)))
        if signal.status != "copied":
            stage.breaks("a signal that was not copied", (pk, signal.status, signal.reason))
    stage.notes["decisions"] = dict(reasons)
    stage.notes["signals"] = len(signals)
