"""Cancels and changes of what rests at the exchange: asked for here, made true by execution."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.enums import AuditLevel
from trading.enums import (
    RESTING_TYPES,
    ActionKind,
    ActionState,
    EventSource,
    LimitKind,
    OrderState,
    Reason,
)
from trading.events import actions_asked
from trading.leases import db_now
from trading.models import Action, Instrument, MarketPrice, Order
from trading.orders import why_canceled
from trading.risk import effective_limits
from trading.switch import Covered, read_switchboard
from trading.transition import Change, retried, transition

if TYPE_CHECKING:
    from accounts.models import User

UNSENT = (OrderState.NEW, OrderState.READY)
PLACED = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)

TRANSITIONS: Mapping[ActionState, frozenset[ActionState]] = {
    ActionState.WAITING: frozenset({ActionState.SENDING, ActionState.DONE, ActionState.REFUSED}),
    # Back to waiting only when the request is known never to have been looked at.
    ActionState.SENDING: frozenset(
        {ActionState.WAITING, ActionState.UNKNOWN, ActionState.DONE, ActionState.REFUSED}
    ),
    ActionState.UNKNOWN: frozenset({ActionState.SENDING, ActionState.DONE, ActionState.REFUSED}),
    ActionState.DONE: frozenset(),
    ActionState.REFUSED: frozenset(),
}
FINAL = frozenset({ActionState.DONE, ActionState.REFUSED})


class ActionRefusedError(ValueError):
    """It cannot be asked for; nothing was stored. `field` is "" when no field is at fault."""

    def __init__(self, code: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.field = code, reason, field


@retried
@transaction.atomic
def cancel_order(*, order: Order, reason: str, actor: User | None) -> Action:
    """Ask for an order to be canceled. May be repeated: an open or finished cancel is returned.

    An order that was not sent ends here. One whose outcome is unknown is canceled when it is
    known. Raises ActionRefusedError for what has ended or cannot be called back.
    """
    order = Order.objects.select_for_update().get(pk=order.pk, signal_at=order.signal_at)
    asked = Action.objects.filter(order=order, kind=ActionKind.CANCEL).order_by("-created_at")
    before: Action | None = asked.first()
    if before is not None and (before.is_open or order.is_final):
        return before
    if order.is_final:
        raise ActionRefusedError("final", _("The order has ended already."))
    if order.state in PLACED and order.order_type not in RESTING_TYPES:
        raise ActionRefusedError(
            "not_resting", _("A market order that has left cannot be called back.")
        )
    Order.objects.filter(pk=order.pk, signal_at=order.signal_at).update(cancel_requested=True)
    order.cancel_requested = True
    action = ask(kind=ActionKind.CANCEL, order=order, reason=reason, actor=actor)
    if order.state in UNSENT:
        end_unsent(order, action, db_now())
    return action


@retried
@transaction.atomic
def amend_order(
    *,
    order: Order,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    reason: str = "",
    actor: User | None,
) -> Action:
    """Ask for new terms of a resting order: less, or at another price.

    More is a decision of its own, with its own limits: enter another order. Raises
    ActionRefusedError naming the field at fault; nothing was stored then.
    """
    order = Order.objects.select_for_update().get(pk=order.pk, signal_at=order.signal_at)
    _check_amendable(order)
    _check_terms(order, quantity, price)
    action = ask(
        kind=ActionKind.AMEND, order=order, reason=reason, actor=actor,
        quantity=quantity, price=price,
    )  # fmt: skip
    if order.state in UNSENT:
        change_unsent(order, action, db_now())
    return action


def ask(
    *, kind: ActionKind, order: Order, reason: str, actor: User | None, **wanted: Decimal | None
) -> Action:
    """Store one open action of its kind for an order. Runs inside a transaction."""
    action = Action(
        tenant_id=order.tenant_id,
        kind=kind,
        account_id=order.account_id,
        order=order,
        open_key=f"order:{order.pk.hex}:{kind}",
        reason=reason[:300],
        entered_by=actor,
        created_at=db_now(),
        **wanted,
    )
    return store(action, f"order.{kind}_requested", order)


def store(action: Action, diary: str, obj: Any) -> Action:
    """Insert an open action, with its line in the diary, and announce it on commit.

    Raises ActionRefusedError when one of its kind is open already.
    """
    try:
        with transaction.atomic():
            action.save(force_insert=True)
    except IntegrityError:
        raise ActionRefusedError(
            "busy", _("The change before this one is still on its way.")
        ) from None
    wanted = {
        name: f"{value:f}"
        for name in ("quantity", "price", "take_profit", "stop_loss")
        if (value := getattr(action, name)) is not None
    }
    audit.record(
        action=diary,
        obj=obj,
        level=AuditLevel.NOTICE if action.entered_by else AuditLevel.INFO,
        after=wanted,
        reason=action.reason,
        actor=action.entered_by,
        tenant=action.tenant_id,
    )
    transaction.on_commit(partial(actions_asked.send_robust, Action, action_ids=[str(action.pk)]))
    return action


def step(action: Action, to: ActionState, result: str = "", **columns: Any) -> bool:
    """Write one step if the action is as it was read; False when somebody else was faster."""
    if to != action.state and to not in TRANSITIONS[ActionState(action.state)]:
        raise RuntimeError(f"action {action.pk}: {action.state} may not become {to}")
    if to in FINAL:
        columns |= {"open_key": None, "finished_at": db_now(), "lease_until": None}
    if result:
        columns["result"] = result[:300]
    columns |= {"state": to, "version": action.version + 1}
    matched: int = Action.objects.filter(pk=action.pk, version=action.version).update(**columns)
    if not matched:
        return False
    for name, value in columns.items():
        setattr(action, name, value)
    return True


def end_unsent(order: Order, action: Action, now: datetime) -> bool:
    """Cancel here what the exchange never saw; False when it left meanwhile."""
    by_staff = action.entered_by_id is not None
    reason = Reason.CANCELED_BY_STAFF if by_staff else why_canceled(order.reason)
    source = EventSource.STAFF if by_staff else EventSource.ENGINE
    change = Change(order, OrderState.CANCELED, {"reason": reason}, action.reason)
    if not transition([change], source=source, at=now):
        return False
    return step(action, ActionState.DONE, _("Canceled before it was sent"))


def change_unsent(order: Order, action: Action, now: datetime) -> bool:
    """Change here what the exchange never saw; False when it left meanwhile."""
    columns = wanted_terms(action)
    if not transition(
        [Change(order, OrderState(order.state), columns)], source=EventSource.STAFF, at=now
    ):
        return False
    return step(action, ActionState.DONE, _("Changed before it was sent"))


def wanted_terms(action: Action) -> dict[str, Decimal]:
    """The order's columns as the action wants them."""
    terms = {"quantity": action.quantity, "price": action.price}
    return {name: value for name, value in terms.items() if value is not None}


def shows(order: Order, action: Action) -> bool:
    return all(getattr(order, name) == value for name, value in wanted_terms(action).items())


def _check_amendable(order: Order) -> None:
    if order.is_final:
        raise ActionRefusedError("final", _("The order has ended already."))
    if order.cancel_requested:
        raise ActionRefusedError("canceling", _("The order is being canceled."))
    if order.order_type not in RESTING_TYPES:
        raise ActionRefusedError("not_resting", _("Only a limit order can be changed."))


def _check_terms(order: Order, quantity: Decimal | None, price: Decimal | None) -> None:
    rules = Instrument.objects.filter(market=order.market, inst_id=order.inst_id).first()
    if rules is None:
        raise ActionRefusedError("unknown", _("The instrument is not known in this market."))
    if quantity in (None, order.quantity) and price in (None, order.price):
        raise ActionRefusedError("same", _("Nothing would change."), "quantity")
    if quantity is not None:
        _check_quantity(order, quantity, rules)
    if price is not None and (price <= 0 or price % rules.tick_size):
        tick = f"{rules.tick_size.normalize():f}"
        raise ActionRefusedError(
            "price", _("Must be a multiple of %(tick)s.") % {"tick": tick}, "price"
        )
    if price is not None and order.opens:
        _check_collar(order, price)


def _check_collar(order: Order, price: Decimal) -> None:
    """The same distance from the mark as for an order that is placed at this price."""
    quote = MarketPrice.objects.filter(market=order.market, inst_id=order.inst_id).first()
    if quote is None or not quote.mark:
        return
    account, subscription = order.account, order.subscription
    covered = Covered(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        customer_id=account.customer_id,
        inst_id=order.inst_id,
        strategy_id=subscription.strategy_id if subscription else None,
    )
    bound = read_switchboard(order.tenant_id).limits_for(covered)
    limit = effective_limits(bound).get(LimitKind.PRICE_COLLAR)
    if limit is not None and abs(price - quote.mark) > limit.value * quote.mark:
        mark = f"{quote.mark.normalize():f}"
        raise ActionRefusedError(
            "collar", _("Too far from the mark price of %(mark)s.") % {"mark": mark}, "price"
        )


def _check_quantity(order: Order, quantity: Decimal, rules: Instrument) -> None:
    if quantity <= order.filled_quantity:
        raise ActionRefusedError(
            "filled", _("Must be more than what has filled already."), "quantity"
        )
    if quantity > order.quantity:
        raise ActionRefusedError(
            "larger", _("An order can only be made smaller: enter another one."), "quantity"
        )
    if quantity % rules.lot_size or quantity < rules.min_size:
        lot = f"{rules.lot_size.normalize():f}"
        raise ActionRefusedError(
            "lot", _("Must be a multiple of %(lot)s.") % {"lot": lot}, "quantity"
        )
