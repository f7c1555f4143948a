"""Openings that filled a moment ago and are not among the positions yet.

The exchange tells of a fill and of the position it makes in two messages. What filled between them
is neither on its way any more nor held, and a limit that counts only these would let too much pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Max, Q
from django.db.models.functions import Coalesce

from trading.enums import FINAL_STATES, Leg
from trading.models import Fill, Position

ZERO = Decimal(0)
# The message of the position follows within milliseconds; later than this nobody waits for it.
WINDOW = timedelta(seconds=10)


class JustFilled(NamedTuple):
    """One execution. `notional` is its part of what its order was counted for, `is_final` says
    whether the rest of that order is no longer on its way."""

    tenant_id: int
    account_id: int
    market: str
    inst_id: str
    side: str
    position_side: str
    notional: Decimal
    is_final: bool


def read_just_filled(where: Q, now: datetime) -> list[JustFilled]:
    """Executions of openings that the positions do not contain yet.

    `where` are conditions on fills. On spot nothing is a position. One query, and a second where
    something filled within the window.
    """
    fills = (
        Fill.objects.filter(where, filled_at__gte=now - WINDOW, order__leg__in=(Leg.OPEN, Leg.ADD))
        .exclude(order__margin_mode="cash")
        .order_by()
    )
    rows = list(
        fills.values_list(
            "account_id", "inst_id", "order__position_side", "filled_at", "quantity",
            "tenant_id", "order__market", "order__side", "order__state", "order__quantity",
            "order__notional",
        )
    )  # fmt: skip
    if not rows:
        return []
    known = _known({row[0] for row in rows}, {row[1] for row in rows})
    return [
        JustFilled(
            tenant, account, market, inst, side, position_side,
            (notional or ZERO) * filled / whole if whole else ZERO, state in FINAL_STATES,
        )
        for account, inst, position_side, at, filled, tenant, market, side, state, whole, notional
        in rows
        if (heard := known.get((account, inst, position_side))) is None or heard < at
    ]  # fmt: skip


def _known(accounts: set[int], inst_ids: set[str]) -> dict[tuple[int, str, str], datetime]:
    """Of when the last news of each position is."""
    rows = (
        Position.objects.filter(account_id__in=accounts, inst_id__in=inst_ids)
        .order_by()
        .values_list("account_id", "inst_id", "position_side")
        .annotate(at=Max(Coalesce("exchange_updated_at", "updated_at")))
    )
    return {(account, inst, side): at for account, inst, side, at in rows}
