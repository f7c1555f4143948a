"""Which limit of each kind binds a whole desk, and who set it: the smallest of those that apply."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from trading.enums import LimitKind, Scope
from trading.models import Limit
from trading.switch import ceilings

WHOLE = (Scope.SYSTEM, Scope.TENANT)


@dataclass(frozen=True)
class Bound:
    """`value` None: nothing bounds it. `narrower` counts limits of one strategy, account, …"""

    kind: LimitKind
    value: Decimal | None = None
    whose: str = ""
    by: str = ""
    at: datetime | None = None
    narrower: int = 0


def in_force() -> list[Bound]:
    """One line for each kind, of the open desk; one query."""
    best = {
        limit.kind: Bound(limit.kind, limit.value, str(Scope.SYSTEM.label), _("settings"))
        for limit in ceilings()
    }
    narrower: Counter[str] = Counter()
    rows: Any = Limit.objects.filter(is_active=True).select_related("changed_by")
    for row in rows:
        # One of a single instrument binds less than a desk, whoever set it.
        if row.scope not in WHOLE:
            narrower[row.kind] += 1
            continue
        kind = LimitKind(row.kind)
        known = best.get(kind)
        if known is None or known.value is None or row.value < known.value:
            by = str(row.changed_by or "")
            best[kind] = Bound(kind, row.value, str(Scope(row.scope).label), by, row.changed_at)
    return [_with(best.get(kind, Bound(kind)), narrower[kind]) for kind in LimitKind]


def _with(bound: Bound, narrower: int) -> Bound:
    return Bound(bound.kind, bound.value, bound.whose, bound.by, bound.at, narrower)
