"""What our own books forget when a paper account begins again at the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from customers.models import ExchangeAccount
from signals.models import LeaderPosition
from trading.enums import EventSource, OrderState
from trading.events import account_touched
from trading.leases import db_now
from trading.models import Cycle, Order
from trading.transition import Change, retried, transition

if TYPE_CHECKING:
    from accounts.models import User

# An order that is just being sent is left to its sender, who learns what became of it.
_AT_THE_SIMULATOR: Final = (
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
    OrderState.MANUAL,
)


@retried
@transaction.atomic
def start_over(
    *,
    account_id: int,
    action: str,
    since: datetime,
    balances: Mapping[str, str],
    actor: User | None,
    reason: str = "",
) -> None:
    """Cycles end, waiting orders are canceled, fills before `since` explain nothing any more.

    Positions and balances follow when the account is read again, which is asked for on commit.
    May be repeated. The account's desk must be open.
    """
    account = ExchangeAccount.objects.select_for_update().get(pk=account_id)
    before = dict(account.paper_balances)
    account.paper_balances = dict(balances)
    account.books_since = since
    account.initial_balance = _worth(balances)
    account.save(update_fields=["paper_balances", "books_since", "initial_balance", "updated_at"])
    now = db_now()
    orders = Order.objects.filter(account=account, state__in=_AT_THE_SIMULATOR)
    note = "the simulated account began again"
    transition(
        [Change(order, OrderState.CANCELED, note=note) for order in orders],
        source=EventSource.STAFF,
        at=now,
    )
    cycles = Cycle.objects.filter(account=account, ended_at__isnull=True)
    ended = cycles.update(ended_at=now, active_key=None)
    # What a person led here by hand is flat as well.
    leads = LeaderPosition.objects.filter(scope_key=f"account:{account.pk}")
    leads.exclude(quantity=0).update(quantity=Decimal(0), updated_at=now)
    audit.record(
        action=action,
        obj=account,
        before={"balances": before},
        after={"balances": dict(balances), "cycles_ended": ended},
        level=AuditLevel.WARNING,
        reason=reason,
        actor=actor,
    )
    announce = partial(account_touched.send_robust, ExchangeAccount, account_id=account.pk)
    transaction.on_commit(announce)


def _worth(balances: Mapping[str, str]) -> Decimal | None:
    """Nothing but USDT is worth what it says; else the next check of the key asks."""
    return Decimal(balances["USDT"]) if set(balances) == {"USDT"} else None
