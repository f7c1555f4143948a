"""What follows from the differences of a reading: nothing yet, a proposal, or a repair by itself.

Everything here is written in the transaction of the reading, under the account's claim. What
must be traded is carried out elsewhere, by orders like all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from accounts import audit
from accounts.enums import AuditLevel
from customers.models import ExchangeAccount
from trading.comparing import (
    Remedy,
    is_explained,
    may_increase_alone,
    remedy_of,
    worst_price,
)
from trading.enums import DriftClass, RepairState
from trading.models import MarketPrice, Protection, ReconcileRun, Repair
from trading.models.protections import ProtectionQuerySet
from trading.repairs import change, holding_key, step, store
from trading.sync.foreign import Found, take_more_note, take_note
from trading.sync.truth import Compared

MOST_ALONE: Final = 2
ALONE_WITHIN: Final = timedelta(hours=1)
_LOOK_BACK: Final = timedelta(minutes=10)
_AS_IT_SHOULD_BE = (DriftClass.CLEAN, DriftClass.EXPLAINED)
# How many readings in a row must say the same, and over how long.
_TWICE, _OFTEN = (2, timedelta(seconds=5)), (3, timedelta(seconds=60))
_ONCE = (1, timedelta(0))


@dataclass(frozen=True, slots=True)
class _Account:
    """One account at the moment of one reading."""

    account: ExchangeAccount
    now: datetime
    runs: Sequence[ReconcileRun]
    open: dict[str, Repair]


def propose(account: ExchangeAccount, compared: Sequence[Compared], now: datetime) -> int:
    """Put on record what is to be done; how many differences a second reading must confirm."""
    open_rows = {row.open_key: row for row in Repair.objects.filter(account=account).open()}
    noteworthy = [one for one in compared if one.kind not in _AS_IT_SHOULD_BE]
    if not open_rows and not noteworthy:
        return 0
    since = now - _LOOK_BACK
    runs = ReconcileRun.objects.filter(account=account, ok=True, started_at__gte=since)
    here = _Account(account, now, list(runs.order_by("-started_at")[:50]), open_rows)
    seen = {holding_key(one.account_id, one.inst_id, one.position_side) for one in compared}
    for key, row in open_rows.items():
        if key not in seen:
            _let_go(row, now)
    return sum(_look_at(here, one) for one in compared)


def _look_at(here: _Account, one: Compared) -> bool:
    """True when it must be seen once more before anything is done."""
    row = here.open.get(holding_key(one.account_id, one.inst_id, one.position_side))
    if one.kind == DriftClass.IN_FLIGHT:
        return False
    if one.kind in _AS_IT_SHOULD_BE:
        if row is not None:
            _let_go(row, here.now)
        return False
    if row is not None and row.kind == DriftClass.FOREIGN != one.kind:
        return False  # a person decides about the account's whole holding first
    if not _is_confirmed(here, one):
        _look_at_stops(here, one)
        return row is None or row.kind != one.kind
    _act(here, row, one)
    return False


def _act(here: _Account, row: Repair | None, one: Compared) -> None:
    """It is confirmed: put it on record, or keep what is on record as things are now."""
    if row is not None and row.kind == one.kind == DriftClass.FOREIGN:
        take_more_note(here.account, row, one, here.now)
    elif one.kind == DriftClass.FOREIGN:
        if row is None or _gives_way(row, here.now):
            explained = is_explained(one.three, one.evidence)
            take_note(here.account, one, here.now, explained=explained)
    elif row is not None:
        _refresh(here, row, one)
    else:
        _create(here, one)


def _gives_way(row: Repair, now: datetime) -> bool:
    """What was proposed before somebody else traded here is history. What is being carried out
    ends by itself, and the next reading looks again."""
    if row.state != RepairState.PROPOSED:
        return False
    words = "Somebody else traded here meanwhile."
    return step(row, RepairState.EXPIRED, finished_at=now, result=words)


def _is_confirmed(here: _Account, one: Compared) -> bool:
    times, span = _needs(here, one)
    row, since, count = one.row, here.now, 1
    for run in here.runs:
        if row not in run.drifts:
            break
        count, since = count + 1, run.started_at
    return count >= times and here.now - since >= span


def _needs(here: _Account, one: Compared) -> tuple[int, timedelta]:
    if one.kind == DriftClass.FOREIGN:
        if not is_explained(one.three, one.evidence):
            return _OFTEN
        # The fill of a stop that was triggered is read before the order that it became.
        return _TWICE if _stops(here, one).exists() else _ONCE
    return _OFTEN if one.kind == DriftClass.LEDGER_DRIFT else _TWICE


def _stops(here: _Account, one: Compared) -> ProtectionQuerySet:
    found: ProtectionQuerySet = Protection.objects.active().filter(
        account=here.account, inst_id=one.inst_id, position_side=one.position_side
    )
    return found


def _look_at_stops(here: _Account, one: Compared) -> None:
    """Have them looked up at once: one of them may be what somebody else seems to have done."""
    if one.kind == DriftClass.FOREIGN:
        _stops(here, one).update(checked_at=None)


def _create(here: _Account, one: Compared) -> None:
    remedy, worst, alone = _plan(here, one)
    too_many = alone and _is_too_many(here, one)
    alone = alone and not too_many
    followed = one.followed
    row = Repair(
        account=here.account,
        subscription_id=followed.subscription_id if followed else None,
        cycle_id=followed.cycle_id if followed else None,
        inst_id=one.inst_id,
        position_side=one.position_side,
        open_key=holding_key(one.account_id, one.inst_id, one.position_side),
        kind=one.kind,
        exchange=one.three.exchange,
        ours=one.three.ours,
        target=one.three.target,
        evidence=_evidence(here, one, too_many=too_many),
        action=remedy.action,
        quantity=remedy.quantity,
        worst_price=worst,
        automatic=alone,
        state=RepairState.APPROVED if alone else RepairState.PROPOSED,
        created_at=here.now,
        seen_at=here.now,
        decided_at=here.now if alone else None,
    )
    if store(row):
        _tell(row, too_many=too_many)


def _refresh(here: _Account, row: Repair, one: Compared) -> None:
    """Keep an undecided one as things are now; what may be done alone by now is done."""
    if row.state != RepairState.PROPOSED:
        return
    remedy, worst, alone = _plan(here, one)
    columns = {
        "kind": one.kind,
        "exchange": one.three.exchange,
        "ours": one.three.ours,
        "target": one.three.target,
        "action": remedy.action,
        "quantity": remedy.quantity,
        "worst_price": worst,
        "seen_at": here.now,
    }
    if alone and not _is_too_many(here, one):
        step(row, RepairState.APPROVED, automatic=True, decided_at=here.now, **columns)
    else:
        change(row, **columns)


def _let_go(row: Repair, now: datetime) -> None:
    """The difference is gone. What somebody else did stays until a person has looked at it."""
    if row.state != RepairState.PROPOSED or "link_was" in row.evidence:
        return
    step(row, RepairState.EXPIRED, finished_at=now, result="The difference is gone.")


def _plan(here: _Account, one: Compared) -> tuple[Remedy, Decimal | None, bool]:
    """What is to be done, at what price at worst, and whether without asking."""
    remedy = remedy_of(one.kind, one.three)
    if one.kind not in (DriftClass.UNDER, DriftClass.MISSING) or one.followed is None:
        return remedy, None, remedy.alone
    entry, slippage = one.followed.leader_entry, one.followed.max_slippage
    if slippage is None:
        slippage = settings.REPAIR_MAX_SLIPPAGE
    buys = one.followed.direction == "long"
    quote = MarketPrice.objects.filter(market=here.account.market, inst_id=one.inst_id).first()
    alone = may_increase_alone(
        age=here.now - one.followed.begun_at,
        window=timedelta(seconds=settings.REPAIR_WINDOW_S),
        price=quote.mark if quote else None,
        leader_entry=entry,
        max_slippage=slippage,
        buys=buys,
    )
    worst = worst_price(entry, slippage, buys=buys) if entry else None
    return remedy, worst, alone and one.three.foreign == 0


def _is_too_many(here: _Account, one: Compared) -> bool:
    lately = Repair.objects.filter(
        account=here.account,
        inst_id=one.inst_id,
        position_side=one.position_side,
        automatic=True,
        decided_at__gt=here.now - ALONE_WITHIN,
    )
    return int(lately.count()) >= MOST_ALONE


def _evidence(here: _Account, one: Compared, *, too_many: bool) -> dict[str, object]:
    seen: dict[str, object] = {
        "readings": 1 + sum(one.row in run.drifts for run in here.runs),
        "external": f"{one.external:f}",
        "accepted": f"{one.evidence.accepted:f}",
    }
    if one.followed is not None:
        seen["leader"] = f"{one.followed.leader:f}"
        entry = one.followed.leader_entry
        seen["leader_entry"] = "" if entry is None else f"{entry:f}"
        seen["begun_at"] = one.followed.begun_at.isoformat()
    if too_many:
        seen["too_many"] = True
    return seen


def _tell(row: Repair, *, too_many: bool) -> None:
    action, level = "repair.proposed", AuditLevel.WARNING
    if too_many:
        action, level = "repair.too_many", AuditLevel.CRITICAL
    elif row.kind == DriftClass.WRONG_SIDE:
        action, level = "repair.wrong_side", AuditLevel.CRITICAL
    elif row.automatic:
        action = "repair.begun"
    audit.record(action=action, obj=row, after=Found.of(row).told, level=level)
