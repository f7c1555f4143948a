"""What an action's next step is, given what its order or protection really is. Pure.

Nothing here reads the wording of an answer: a refusal only says that this request did nothing,
and the order itself says whether that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from trading.actions import UNSENT, shows
from trading.enums import ActionKind, ActionState, OrderState, ProtectionState
from trading.exchange.types import LookupKind, Outcome, SendOutcome
from trading.models import Action, Order, Protection

SOON = timedelta(milliseconds=300)
LATER = timedelta(seconds=1)
SLOWEST = timedelta(seconds=15)
# A cancel that was acknowledged shows within moments; one that does not is asked again.
ASK_AGAIN = timedelta(seconds=2)
MOST_ATTEMPTS = 3
NOT_FOUND_NEEDED = 3
UNARMED_FOR = timedelta(seconds=60)
IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with an action: end it, send it, or look again after a while."""

    end: ActionState | None = None
    send: bool = False
    here: bool = False
    words: str = ""
    wait: timedelta = SOON


@dataclass(frozen=True, slots=True)
class Seen:
    """An action with what is known at the moment.

    `lookup` is None before anybody asked. `is_late`: a request of it can no longer arrive.
    `answer` is that of this round's request. `is_held`: openings may not be changed now.
    """

    action: Action
    order: Order | None
    protection: Protection | None
    now: datetime
    lookup: LookupKind | None = None
    answer: SendOutcome | None = None
    is_late: bool = False
    is_held: bool = False
    is_flat: bool = False

    @property
    def is_fresh(self) -> bool:
        """Nothing of it is under way."""
        return self.action.state == ActionState.WAITING

    @property
    def did_nothing(self) -> bool:
        """The exchange turned this round's request away."""
        return self.answer is not None and self.answer.kind in (Outcome.REJECTED, Outcome.AUTH)

    @property
    def told(self) -> str:
        if self.answer is None:
            return ""
        return f"{self.answer.reason_code} {self.answer.message}".strip()


def judge(seen: Seen) -> Step:
    if seen.order is not None:
        cancels = seen.action.kind == ActionKind.CANCEL
        return _cancel(seen, seen.order) if cancels else _amend(seen, seen.order)
    assert seen.protection is not None  # noqa: S101 - an action has one or the other
    match seen.action.kind:
        case ActionKind.PROTECT:
            return _protect(seen, seen.protection)
        case ActionKind.MOVE:
            return _move(seen, seen.protection)
    return _unprotect(seen, seen.protection)


def _cancel(seen: Seen, order: Order) -> Step:
    if order.is_final:
        return _ended(order)
    if order.state in UNSENT:
        return Step(here=True)
    if order.state in IN_DOUBT:
        return Step(wait=LATER)
    return _ask_until_gone(seen)


def _amend(seen: Seen, order: Order) -> Step:
    if shows(order, seen.action) and (not seen.is_fresh or order.is_final):
        return Step(end=ActionState.DONE, words=_("The exchange shows the new terms"))
    if order.is_final:
        return Step(end=ActionState.REFUSED, words=_ended(order).words)
    if order.state in UNSENT:
        return Step(here=True)
    if order.state in IN_DOUBT:
        return Step(wait=LATER)
    if seen.is_fresh:
        return _first_amend(seen, order)
    return _not_shown_yet(seen, _first_amend(seen, order))


def _first_amend(seen: Seen, order: Order) -> Step:
    quantity = seen.action.quantity
    if quantity is not None and quantity <= order.filled_quantity:
        return Step(end=ActionState.REFUSED, words=_("That much has filled already"))
    if order.cancel_requested:
        return Step(end=ActionState.REFUSED, words=_("The order is being canceled"))
    if order.opens and seen.is_held:
        return Step(end=ActionState.REFUSED, words=_("Trading is halted"))
    return Step(send=True)


def _protect(seen: Seen, protection: Protection) -> Step:
    if not seen.is_fresh and protection.exchange_algo_id:
        return Step(end=ActionState.DONE, words=_("The exchange shows it"))
    if not protection.is_active:
        return Step(end=ActionState.REFUSED, words=protection.reason or _("It has ended"))
    if not seen.is_fresh:
        return _protect_again(seen)
    if seen.is_flat:
        return Step(end=ActionState.REFUSED, words=_("The position is gone"))
    return Step(send=True)


def _protect_again(seen: Seen) -> Step:
    """Only after proof that the exchange has none, as for an order."""
    action = seen.action
    if seen.lookup != LookupKind.NOT_FOUND:
        return Step(wait=_patience(seen))
    if seen.did_nothing and action.attempt == 1:
        return Step(end=ActionState.REFUSED, words=seen.told)
    if not seen.is_late or action.not_found_count < NOT_FOUND_NEEDED:
        return Step(wait=LATER)
    if action.attempt >= MOST_ATTEMPTS or seen.is_flat:
        return Step(end=ActionState.REFUSED, words=_("Not placed: the exchange has none"))
    return Step(send=True)


def _move(seen: Seen, protection: Protection) -> Step:
    if not protection.is_active:
        return Step(end=ActionState.REFUSED, words=_("The protection has ended"))
    if protection.state == ProtectionState.WAITING:
        return _unarmed(seen)
    if not seen.is_fresh and shows_protection(protection, seen.action):
        return Step(end=ActionState.DONE, words=_("The exchange shows the new terms"))
    return Step(send=True) if seen.is_fresh else _not_shown_yet(seen, Step(send=True))


def _unprotect(seen: Seen, protection: Protection) -> Step:
    if not protection.is_active:
        return Step(end=ActionState.DONE, words=str(protection.get_state_display()))
    if protection.state == ProtectionState.WAITING and protection.order_id is not None:
        return Step(wait=LATER)
    return _ask_until_gone(seen)


def shows_protection(protection: Protection, action: Action) -> bool:
    wanted = {
        "quantity": action.quantity,
        "take_profit": action.take_profit,
        "stop_loss": action.stop_loss,
    }
    return all(
        value is None or getattr(protection, name) == value for name, value in wanted.items()
    )


def _unarmed(seen: Seen) -> Step:
    """The exchange arms it when its order has filled; until then there is nothing to move."""
    if seen.now - seen.action.created_at > UNARMED_FOR:
        return Step(end=ActionState.REFUSED, words=_("The exchange has not armed it yet"))
    return Step(wait=LATER)


def _ask_until_gone(seen: Seen) -> Step:
    """A cancel may be repeated as often as one likes; it is done when the thing is gone."""
    if seen.is_fresh:
        return Step(send=True)
    sent_at = seen.action.sent_at
    waited = sent_at is None or seen.now - sent_at >= ASK_AGAIN
    if seen.lookup == LookupKind.FOUND and waited and seen.answer is None:
        return Step(send=True)
    return Step(wait=_patience(seen))


def _not_shown_yet(seen: Seen, again: Step) -> Step:
    """A change that does not show: refused, still on its way, or lost."""
    if seen.lookup != LookupKind.FOUND:
        return Step(wait=_patience(seen))
    if seen.did_nothing:
        return Step(end=ActionState.REFUSED, words=seen.told)
    if not seen.is_late:
        return Step(wait=SOON)
    if seen.action.attempt >= MOST_ATTEMPTS:
        return Step(end=ActionState.REFUSED, words=_("The exchange did not take it over"))
    return again


def _ended(order: Order) -> Step:
    if order.state == OrderState.FILLED:
        return Step(end=ActionState.REFUSED, words=_("The order had filled"))
    return Step(end=ActionState.DONE, words=str(order.get_state_display()))


def _patience(seen: Seen) -> timedelta:
    age = seen.now - (seen.action.sent_at or seen.now)
    return min(max(age / 8, SOON), SLOWEST)
