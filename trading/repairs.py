"""The steps of a repair, and how one is put on record. Safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, transaction

from trading.enums import RepairState
from trading.events import repairs_asked
from trading.models import Repair

_S = RepairState
_ENDS: Final = frozenset({_S.DONE, _S.FAILED, _S.EXPIRED})
TRANSITIONS: Final[Mapping[RepairState, frozenset[RepairState]]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.REJECTED, _S.DONE, _S.EXPIRED}),
    _S.APPROVED: _ENDS | {_S.SENT},
    _S.SENT: _ENDS,
    _S.REJECTED: frozenset(),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.EXPIRED: frozenset(),
}
FINAL: Final = frozenset(state for state, after in TRANSITIONS.items() if not after)


def holding_key(account_id: int, inst_id: str, position_side: str) -> str:
    return f"{account_id}|{inst_id}|{position_side}"


def store(repair: Repair) -> bool:
    """Insert it; False when one of the same holding is open already."""
    try:
        with transaction.atomic():
            repair.save(force_insert=True)
    except IntegrityError:
        return False
    if repair.state == RepairState.APPROVED:
        wake()
    return True


def step(repair: Repair, to: RepairState, **columns: Any) -> bool:
    """Write one step if the repair is as it was read; False when somebody else was faster."""
    if to not in TRANSITIONS[RepairState(repair.state)]:
        raise RuntimeError(f"repair {repair.pk}: {repair.state} may not become {to}")
    columns["state"] = to
    if to in FINAL:
        columns["open_key"] = None
    if not change(repair, **columns):
        return False
    if to == RepairState.APPROVED:
        wake()
    return True


def change(repair: Repair, **columns: Any) -> bool:
    """Write columns if the repair is as it was read."""
    columns["version"] = repair.version + 1
    matched: int = Repair.objects.filter(pk=repair.pk, version=repair.version).update(**columns)
    if not matched:
        return False
    for name, value in columns.items():
        setattr(repair, name, value)
    return True


def wake() -> None:
    """Have approved repairs carried out once this transaction is committed."""
    transaction.on_commit(partial(repairs_asked.send_robust, Repair))
