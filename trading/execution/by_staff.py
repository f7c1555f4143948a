"""Closes by hand: one position, or all of an account, a customer or a strategy.

What is closed is what our own orders hold. What the customer holds beside it stays: to close
everything, whoever opened it, there is flatten. A cycle that staff closed has ended: what the
leader does next with that position is not followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from accounts.models import User
from customers.models import ExchangeAccount
from signals.enums import Direction
from signals.models import LeaderPosition
from signals.services import manual_source
from trading.actions import ActionRefusedError, cancel_order
from trading.enums import Leg, OrderCause, PositionSide
from trading.events import orders_entered
from trading.execution.own_orders import OwnOrder, write_own
from trading.leases import db_now
from trading.models import Cycle, Instrument, MarketPrice, Order, Position
from trading.sizing import floor_lot
from trading.sync.apply.claim import claimed
from trading.sync.truth import Compared, compare

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closable:
    """One position of ours, and what of it can be closed."""

    account: ExchangeAccount
    one: Compared
    quantity: Decimal

    @property
    def key(self) -> str:
        return f"{self.account.pk}|{self.one.inst_id}|{self.one.position_side}"

    @property
    def direction(self) -> Direction:
        if self.one.position_side != PositionSide.NET:
            return Direction(self.one.position_side)
        return Direction.LONG if self.one.three.ours > 0 else Direction.SHORT

    @property
    def theirs(self) -> Decimal:
        return self.one.three.foreign


def closable(
    accounts: Sequence[ExchangeAccount], *, subscription_ids: Collection[int] | None = None
) -> list[Closable]:
    """What our own orders hold on these accounts; with subscriptions, only for these."""
    by_id = {account.pk: account for account in accounts}
    closing = _being_closed(accounts)
    found = []
    for one in compare(accounts):
        followed = one.followed
        link = followed.subscription_id if followed else None
        if subscription_ids is not None and link not in subscription_ids:
            continue
        same = (one.three.exchange > 0) == (one.three.ours > 0)
        quantity = min(abs(one.three.exchange), abs(one.three.ours)) if same else ZERO
        quantity -= closing.get((one.account_id, one.inst_id, one.position_side), ZERO)
        if quantity > 0:
            found.append(Closable(by_id[one.account_id], one, quantity))
    return found


def _being_closed(accounts: Sequence[ExchangeAccount]) -> dict[tuple[int, str, str], Decimal]:
    """What orders on their way may still close of positions that no cycle holds.

    Closes of a cycle are sized when they leave by what it still holds; these are not, and a
    second one would sell what the customer holds beside it.
    """
    rows = Order.objects.filter(
        account__in=accounts, cycle__isnull=True, leg__in=(Leg.REDUCE, Leg.CLOSE)
    ).open()
    found: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    for account, inst_id, side, quantity, filled in rows.order_by().values_list(
        "account_id", "inst_id", "position_side", "quantity", "filled_quantity"
    ):
        found[account, inst_id, side] += quantity - filled
    return found


@retried
def close_position(
    *,
    account: ExchangeAccount,
    inst_id: str,
    position_side: str,
    once: str,
    reason: str,
    actor: User,
) -> list[UUID]:
    """Close what is ours of one holding; its orders, ready to be sent.

    `once` names the wish: repeated under the same name nothing more is written. Openings that
    still wait are taken back. Nothing is left to close: nothing is written.
    """
    with claimed(account) as now:
        place = (inst_id, position_side)
        mine = [c for c in closable([account]) if (c.one.inst_id, c.one.position_side) == place]
        _take_back(account, inst_id, position_side, reason, actor)
        if not mine:
            return []
        own = _close(mine[0], once, reason, actor)
        if own is None:
            return []
        _signal, ids = write_own(own, now)
        if ids:
            _lead_nowhere(mine[0])
            transaction.on_commit(
                partial(orders_entered.send_robust, Order, order_ids=[str(i) for i in ids])
            )
            audit.record(
                action="position.close_entered",
                obj=account,
                after={"instrument": inst_id, "contracts": f"{own.quantity.normalize():f}"},
                level=AuditLevel.NOTICE,
                reason=reason,
                actor=actor,
            )
    return ids


def cancel_all(*, account: ExchangeAccount, reason: str, actor: User) -> tuple[int, list[str]]:
    """Ask for the cancel of every order of ours that waits; how many, and why others cannot be."""
    asked, refused = 0, []
    for order in cancelable(account):
        try:
            cancel_order(order=order, reason=reason, actor=actor)
            asked += 1
        except ActionRefusedError as error:
            refused.append(str(error.reason))
    return asked, refused


def cancelable(account: ExchangeAccount) -> list[Order]:
    """Orders of ours that may still be called back, the oldest first."""
    rows = Order.objects.filter(account=account).open().order_by("created_at", "id")
    return [order for order in rows if not order.cancel_requested]


def _take_back(
    account: ExchangeAccount, inst_id: str, position_side: str, reason: str, actor: User
) -> None:
    waiting = Order.objects.filter(
        account=account,
        inst_id=inst_id,
        position_side=position_side,
        leg__in=(Leg.OPEN, Leg.ADD),
        cancel_requested=False,
    ).open()
    for order in waiting:
        with suppress(ActionRefusedError):  # it fills, and is closed by whoever looks again
            cancel_order(order=order, reason=reason, actor=actor)


def _close(what: Closable, once: str, reason: str, actor: User) -> OwnOrder | None:
    account, one = what.account, what.one
    instrument = Instrument.objects.filter(market=account.market, inst_id=one.inst_id).first()
    if instrument is None:
        return None
    quantity = floor_lot(what.quantity, instrument.lot_size)
    if quantity <= 0:
        return None
    position = (
        Position.objects.filter(
            account=account, inst_id=one.inst_id, position_side=one.position_side
        )
        .open()
        .first()
    )
    quote = MarketPrice.objects.filter(market=account.market, inst_id=one.inst_id).first()
    cycle = None
    if one.followed is not None:
        cycle = Cycle.objects.select_related("subscription").get(pk=one.followed.cycle_id)
    return OwnOrder(
        account=account,
        source=manual_source(account.tenant),
        external_id=f"close-{once}-{what.key}"[:128],
        cause=OrderCause.STAFF,
        instrument=instrument,
        position_side=PositionSide(one.position_side),
        direction=what.direction,
        leg=Leg.CLOSE,
        quantity=quantity,
        margin_mode=position.margin_mode if position else "cross",
        mark=quote.mark if quote else None,
        cycle=cycle,
        leader_after=ZERO,
        by=actor,
        numbers={"exchange": f"{one.three.exchange:f}", "ours": f"{one.three.ours:f}"},
    )


def _lead_nowhere(what: Closable) -> None:
    """What was entered by hand is led by nobody: its position ends with this."""
    followed = what.one.followed
    if followed is None or followed.subscription_id is not None:
        return
    LeaderPosition.objects.filter(
        scope_key=f"account:{what.account.pk}",
        inst_id=what.one.inst_id,
        direction=followed.direction,
    ).update(quantity=ZERO, updated_at=db_now())
