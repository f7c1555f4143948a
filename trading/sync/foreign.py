"""What somebody else did on an account: the link pauses, people are told, nothing is touched.

A customer who closed our position by hand did close it: the order is written into the cycle it
took from, so that a later close of the leader sells nothing that is no longer there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from customers.models import ExchangeAccount
from strategies.enums import SubscriptionStatus
from strategies.models import Subscription
from strategies.services import pause_subscription
from trading.enums import DriftClass, RepairAction, RepairState, Scope, TradingMode
from trading.events import orders_finished
from trading.models import Order, Repair
from trading.repairs import change, holding_key, store
from trading.switch import TwoPersonsError, WouldLoosenError, set_mode
from trading.sync.apply.by_hand import ByHand, adopt_by_hand
from trading.sync.truth import Compared

_PAUSES = (SubscriptionStatus.ACTIVE, SubscriptionStatus.CLOSE_ONLY)


@dataclass(frozen=True, slots=True)
class Found:
    """A repair in the words of the diary."""

    account: str
    inst_id: str
    kind: str
    exchange: Decimal
    ours: Decimal
    target: Decimal

    @classmethod
    def of(cls, row: Repair) -> Found:
        return cls(str(row.account), row.inst_id, row.kind, row.exchange, row.ours, row.target)

    @property
    def told(self) -> dict[str, str]:
        numbers = {"exchange": self.exchange, "ours": self.ours, "target": self.target}
        named = {"account": self.account, "instrument": self.inst_id, "class": str(self.kind)}
        return {**named, **{name: f"{value.normalize():f}" for name, value in numbers.items()}}


def take_note(
    account: ExchangeAccount, one: Compared, now: datetime, *, explained: bool
) -> Repair | None:
    """Put on record that somebody else traded here. Needs the claim; None when it is there."""
    followed = one.followed
    row = Repair(
        account=account,
        subscription_id=followed.subscription_id if followed else None,
        cycle_id=followed.cycle_id if followed else None,
        inst_id=one.inst_id,
        position_side=one.position_side,
        open_key=holding_key(one.account_id, one.inst_id, one.position_side),
        kind=DriftClass.FOREIGN,
        exchange=one.three.exchange,
        ours=one.three.ours,
        target=one.three.target,
        action=RepairAction.FOLLOW,
        state=RepairState.PROPOSED,
        created_at=now,
        seen_at=now,
    )
    adopted = adopt_by_hand(account, one, now)
    if one.is_left_to_customer and explained and adopted:
        _announce([order.order_id for order in adopted])
        return None  # it was left to them to close
    row.evidence = {
        "external": f"{one.external:f}",
        "accepted": f"{one.evidence.accepted:f}",
        "explained": explained,
        "orders": [order.told for order in adopted],
    }
    if (before := _pause(followed.subscription_id if followed else None)) is not None:
        row.evidence["link_was"] = before
    concerns_us = followed is not None or one.three.ours != 0
    if concerns_us and not explained:
        _reduce_only(account, one)
    if not store(row):
        return None
    audit.record(
        action="repair.foreign" if concerns_us else "repair.external_position",
        obj=row,
        after=Found.of(row).told,
        level=AuditLevel.CRITICAL if concerns_us else AuditLevel.NOTICE,
        reason="" if explained else "No order that we know of explains it.",
    )
    _announce([order.order_id for order in adopted])
    return row


def take_more_note(account: ExchangeAccount, row: Repair, one: Compared, now: datetime) -> None:
    """What was closed by hand after that, while a person has not decided yet. Needs the claim."""
    adopted = adopt_by_hand(account, one, now)
    if not adopted:
        return
    told = [*row.evidence.get("orders", []), *(order.told for order in adopted)]
    change(row, evidence={**row.evidence, "orders": told}, seen_at=now)
    _announce([order.order_id for order in adopted])


def _pause(subscription_id: int | None) -> str | None:
    """Pause the link and say what it was; None when there is nothing to pause.

    One that is being stopped opens nothing as it is, and pausing would call its end off.
    """
    if subscription_id is None:
        return None
    link = Subscription.objects.get(pk=subscription_id)
    if link.status not in _PAUSES or link.ending:
        return None
    with suppress(ValidationError):  # stopped at this moment: it follows nothing any more
        pause_subscription(
            subscription=link, actor=None, reason="Somebody else traded on this position."
        )
        return str(link.status)
    return None


def _reduce_only(account: ExchangeAccount, one: Compared) -> None:
    """Nothing explains what is there: until a person has looked, nothing more is opened."""
    with suppress(WouldLoosenError, TwoPersonsError):  # stricter already
        set_mode(
            mode=TradingMode.REDUCE_ONLY,
            reason=f"{one.inst_id}: what is held is not explained by any order.",
            actor=None,
            tenant=account.tenant,
            scope=Scope.ACCOUNT,
            target=account,
            may_loosen=False,
        )


def _announce(order_ids: Sequence[UUID]) -> None:
    if order_ids:
        transaction.on_commit(
            partial(orders_finished.send_robust, Order, order_ids=list(order_ids))
        )


__all__ = ["ByHand", "Found", "take_more_note", "take_note"]
