"""Placing, moving and taking away protections: asked for here, made true by execution."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from signals.enums import Direction
from strategies.enums import MarginMode
from trading.actions import ActionRefusedError, store
from trading.enums import ActionKind, PositionSide, ProtectionState, Side
from trading.leases import db_now
from trading.models import Action, Cycle, Instrument, Position, Protection
from trading.protections import algo_id_of
from trading.transition import retried

if TYPE_CHECKING:
    from accounts.models import User


@retried
@transaction.atomic
def protect_position(  # noqa: PLR0913 - the fields of a form
    *,
    position: Position,
    take_profit: Decimal | None,
    stop_loss: Decimal | None,
    quantity: Decimal | None = None,
    reason: str = "",
    actor: User | None,
    identity: str = "",
) -> Protection:
    """Ask for a take profit, a stop loss or both on an open position.

    Without a quantity it is for all that is held. What may be sent twice gives its own
    `identity`: the same one is answered with the first one's protection. Raises
    ActionRefusedError naming the field at fault; nothing was stored then.
    """
    name = algo_id_of(identity or uuid.uuid4().hex)
    first: Protection | None = Protection.objects.filter(
        account_id=position.account_id, client_algo_id=name
    ).first()
    if first is not None:
        return first
    position = Position.objects.select_for_update().select_related("account").get(pk=position.pk)
    held = abs(position.quantity)
    size = held if quantity is None else quantity
    _check_position(position)
    _check_size(position, size)
    _check_prices(position, take_profit, stop_loss)
    cycle = _cycle_of(position)
    protection = Protection(
        tenant_id=position.tenant_id,
        account=position.account,
        inst_id=position.inst_id,
        side=Side.SELL if is_long(position) else Side.BUY,
        position_side=position.position_side,
        margin_mode=position.margin_mode,
        link_uid=cycle.link_uid if cycle else position.account.uid,
        cycle=cycle,
        client_algo_id=name,
        take_profit=take_profit,
        stop_loss=stop_loss,
        quantity=size,
        state=ProtectionState.WAITING,
        entered_by=actor,
        created_at=db_now(),
    )
    protection.save(force_insert=True)
    _ask(protection, ActionKind.PROTECT, reason, actor)
    return protection


@retried
@transaction.atomic
def move_protection(
    *,
    protection: Protection,
    take_profit: Decimal | None = None,
    stop_loss: Decimal | None = None,
    quantity: Decimal | None = None,
    reason: str = "",
    actor: User | None,
) -> Action:
    """Ask for other prices or another size; what is None stays. Raises ActionRefusedError."""
    protection = Protection.objects.select_for_update().get(pk=protection.pk)
    _check_active(protection)
    position = _position_of(protection)
    for field, price in (("take_profit", take_profit), ("stop_loss", stop_loss)):
        if price is not None and getattr(protection, field) is None:
            raise ActionRefusedError(
                "none", _("It has none: place another protection instead."), field
            )
    if quantity is not None:
        _check_size(position, quantity)
    if take_profit is not None or stop_loss is not None:
        _check_prices(position, take_profit, stop_loss)
    elif quantity is None:
        raise ActionRefusedError("same", _("Nothing would change."), "stop_loss")
    wanted = {"take_profit": take_profit, "stop_loss": stop_loss, "quantity": quantity}
    return _ask(protection, ActionKind.MOVE, reason, actor, **wanted)


@retried
@transaction.atomic
def cancel_protection(*, protection: Protection, reason: str, actor: User | None) -> Action:
    """Ask for a protection to be taken away. May be repeated: an open request is returned."""
    protection = Protection.objects.select_for_update().get(pk=protection.pk)
    asked = Action.objects.filter(protection=protection, kind=ActionKind.UNPROTECT)
    before: Action | None = asked.order_by("-created_at").first()
    if before is not None and (before.is_open or not protection.is_active):
        return before
    _check_active(protection)
    return _ask(protection, ActionKind.UNPROTECT, reason, actor)


@retried
@transaction.atomic
def release_protection(protection: Protection, words: str) -> bool:
    """Ask for what outlived its position to be taken away; False when that is asked already."""
    try:
        _ask(protection, ActionKind.UNPROTECT, words, None)
    except ActionRefusedError:
        return False
    return True


@retried
@transaction.atomic
def fit_protection(protection: Protection, size: Decimal) -> bool:
    """Ask for a size that is held; False while another change is on its way."""
    words = _("Less is held than it would close")
    try:
        if size > 0:
            _ask(protection, ActionKind.MOVE, words, None, quantity=size)
        else:
            _ask(protection, ActionKind.UNPROTECT, words, None)
    except ActionRefusedError:
        return False
    return True


def is_long(position: Position) -> bool:
    if position.position_side == PositionSide.NET:
        return bool(position.quantity > 0)
    return bool(position.position_side == PositionSide.LONG)


def _ask(
    protection: Protection,
    kind: ActionKind,
    reason: str,
    actor: User | None,
    **wanted: Decimal | None,
) -> Action:
    action = Action(
        tenant_id=protection.tenant_id,
        kind=kind,
        account_id=protection.account_id,
        protection=protection,
        open_key=f"protection:{protection.pk.hex}:{kind}",
        reason=reason[:300],
        entered_by=actor,
        created_at=db_now(),
        **wanted,
    )
    return store(action, f"protection.{kind}_requested", protection)


def _cycle_of(position: Position) -> Cycle | None:
    direction = Direction.LONG if is_long(position) else Direction.SHORT
    running = Cycle.objects.filter(
        account_id=position.account_id,
        inst_id=position.inst_id,
        direction=direction,
        ended_at__isnull=True,
    )
    found: Cycle | None = running.order_by("-opened_at").first()
    return found


def _position_of(protection: Protection) -> Position:
    found: Position | None = (
        Position.objects.filter(
            account_id=protection.account_id,
            inst_id=protection.inst_id,
            position_side=protection.position_side,
            margin_mode=protection.margin_mode,
        )
        .select_related("account")
        .first()
    )
    if found is None:
        raise ActionRefusedError("flat", _("The position is gone."))
    return found


def _check_active(protection: Protection) -> None:
    if not protection.is_active:
        raise ActionRefusedError("final", _("The protection has ended already."))


def _check_position(position: Position) -> None:
    if position.quantity == 0:
        raise ActionRefusedError("flat", _("The position is gone."))
    if position.margin_mode not in MarginMode.values:
        raise ActionRefusedError("spot", _("Spot cannot be protected."))


def _rules(position: Position) -> Instrument:
    rules = Instrument.objects.filter(
        market=position.account.market, inst_id=position.inst_id
    ).first()
    if rules is None or rules.is_spot:
        raise ActionRefusedError("unknown", _("This instrument cannot be protected."))
    return rules


def _check_size(position: Position, size: Decimal) -> None:
    rules = _rules(position)
    if size <= 0 or size > abs(position.quantity):
        raise ActionRefusedError("size", _("Must not be more than is held."), "quantity")
    if size % rules.lot_size or size < rules.min_size:
        lot = f"{rules.lot_size.normalize():f}"
        raise ActionRefusedError(
            "lot", _("Must be a multiple of %(lot)s.") % {"lot": lot}, "quantity"
        )


def _check_prices(
    position: Position, take_profit: Decimal | None, stop_loss: Decimal | None
) -> None:
    if take_profit is None and stop_loss is None:
        raise ActionRefusedError("empty", _("Needs a take profit or a stop loss."), "stop_loss")
    tick, rising = _rules(position).tick_size, is_long(position)
    for field, price, above in (
        ("take_profit", take_profit, rising),
        ("stop_loss", stop_loss, not rising),
    ):
        if price is None:
            continue
        if price <= 0 or price % tick:
            raise ActionRefusedError(
                "tick",
                _("Must be a multiple of %(tick)s.") % {"tick": f"{tick.normalize():f}"},
                field,
            )
        mark = position.mark_price
        if mark is not None and (price == mark or (price > mark) != above):
            words = (
                _("Must be above the mark price.") if above else _("Must be below the mark price.")
            )
            raise ActionRefusedError("side", words, field)
