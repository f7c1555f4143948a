"""Take profits and stop losses: what orders bring along, and what an opening must wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import audit
from accounts.enums import AuditLevel
from accounts.questions import Given, Question
from trading.enums import ProtectionState, Side
from trading.models import Order, Protection
from trading.models.protections import ACTIVE
from trading.orders import client_algo_id
from trading.outgoing import Outgoing


def protections_of(orders: Iterable[tuple[Outgoing, UUID]]) -> list[Protection]:
    """The protections these new orders bring along, waiting for them to fill. Not saved yet.

    Each order comes with the uid of its link.
    """
    return [
        Protection(
            tenant_id=order.tenant_id,
            account_id=order.account_id,
            inst_id=order.inst_id,
            side=Side.SELL if order.side == Side.BUY else Side.BUY,
            position_side=order.position_side,
            margin_mode=order.margin_mode,
            link_uid=link_uid,
            cycle_id=order.cycle_id,
            order_id=order.id,
            client_algo_id=algo_id_of(order.client_order_id),
            take_profit=order.take_profit,
            stop_loss=order.stop_loss,
            quantity=order.quantity,
            state=ProtectionState.WAITING,
            created_at=order.created_at,
        )
        for order, link_uid in orders
        if order.take_profit is not None or order.stop_loss is not None
    ]


def algo_id_of(identity: str) -> str:
    """The algo client id that belongs to an identity, the same at every attempt."""
    return client_algo_id(
        deployment_code=settings.DEPLOYMENT_CODE,
        key=settings.ORDER_ID_KEY.encode(),
        identity=identity,
    )


def towards_market(price: Decimal | None, tick: Decimal, *, above: bool) -> Decimal | None:
    """The price on the tick, rounded to the side that is reached earlier."""
    if price is None or tick <= 0:
        return price
    rounding = ROUND_FLOOR if above else ROUND_CEILING
    return (price / tick).to_integral_value(rounding=rounding) * tick


_STANDING = Question(
    lambda: (
        Protection.objects.active()
        .filter(account_id__among=Given("accounts"), inst_id__among=Given("inst_ids"))
        .order_by()
        .values_list("account_id", "inst_id", "position_side", "cycle_id")
    )
)


def lingering(orders: Sequence[Order | Outgoing]) -> set[UUID]:
    """Of these orders, the openings that a stop of an earlier cycle would hit. One query.

    A protection ends with its cycle; until the exchange has confirmed that, nothing is opened
    on the same side of the same instrument.
    """
    opening = [order for order in orders if order.opens]
    if not opening:
        return set()
    left = _STANDING.ask(
        accounts={order.account_id for order in opening},
        inst_ids={order.inst_id for order in opening},
    )
    if not left:
        return set()
    return {
        order.id
        for order in opening
        for account, inst_id, side, cycle in left
        if (account, inst_id, side) == (order.account_id, order.inst_id, order.position_side)
        and cycle is not None
        and cycle != order.cycle_id
    }


def write_protection(protection: Protection, columns: Mapping[str, Any], *, at: datetime) -> bool:
    """Write what is known of a protection; one that has ended stays as it ended.

    False when another writer was faster or nothing would change. Runs in a transaction.
    """
    if not protection.is_active:
        return False
    wanted = {name: v for name, v in columns.items() if getattr(protection, name) != v}
    if not wanted:
        return False
    ends = "state" in wanted and wanted["state"] not in ACTIVE
    if ends:
        wanted["finished_at"] = at
    matched: int = Protection.objects.filter(pk=protection.pk, version=protection.version).update(
        version=protection.version + 1, **wanted
    )
    if not matched:
        return False
    protection.version += 1
    for name, value in wanted.items():
        setattr(protection, name, value)
    if ends:
        _tell_end(protection)
    return True


def end_protection(
    protection: Protection, state: ProtectionState, words: str, *, at: datetime
) -> bool:
    return write_protection(protection, {"state": state, "reason": words[:300]}, at=at)


def _tell_end(protection: Protection) -> None:
    """A stop that failed leaves a position open that somebody believes to be protected."""
    level = {
        ProtectionState.FAILED: AuditLevel.CRITICAL,
        ProtectionState.TRIGGERED: AuditLevel.NOTICE,
    }.get(ProtectionState(protection.state), AuditLevel.INFO)
    prices = {
        name: f"{price.normalize():f}"
        for name in ("take_profit", "stop_loss")
        if (price := getattr(protection, name)) is not None
    }
    audit.record(
        action=f"protection.{protection.state}",
        obj=protection,
        level=level,
        after={"instrument": protection.inst_id, **prices},
        reason=f"{protection.exchange_code} {protection.reason}".strip(),
        tenant=protection.tenant_id,
    )
