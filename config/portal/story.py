"""What happened to a signal on its way to a customer, and what the outcome means for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.display import latency
from signals.enums import Intent
from trading.enums import DecisionOutcome, OrderState, Reason
from trading.explaining import explain_order
from trading.models import Decision, Order


@dataclass(frozen=True)
class Step:
    """One line of the timeline; `after` is counted from the signal."""

    kind: str
    icon: str
    title: str
    text: str
    at: datetime | None
    after: str = ""


def story(decision: Decision, orders: Sequence[Order]) -> list[Step]:
    """From the signal to the last news of each order."""
    signal = decision.signal
    start = signal.signal_at
    steps = [
        Step("wait", "broadcast", _("The signal was given"), str(signal.source.name), start),
        Step("wait", "inbox", _("We received it"), "", signal.received_at,
             _after(start, signal.received_at)),
        Step("wait", "calculator", _("We decided"), "", decision.decided_at,
             _after(start, decision.decided_at)),
    ]  # fmt: skip
    for order in orders:
        at = order.finished_at or order.acked_at or order.sent_at
        kind, icon = LOOKS.get(order.state, ("wait", "clock"))
        steps.append(Step(kind, icon, _("Your order"), explain_order(order), at, _after(start, at)))
    if not orders:
        steps.append(
            Step("idle", "dash-lg", _("No order was made"), _("Nothing was sent to OKX."), None)
        )
    return steps


LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    OrderState.FILLED: ("ok", "check-lg"),
    OrderState.CANCELED: ("idle", "slash-circle"),
    OrderState.EXPIRED: ("idle", "slash-circle"),
    OrderState.REJECTED: ("danger", "x-octagon"),
    OrderState.DENIED: ("danger", "x-octagon"),
    OrderState.PARTIALLY_FILLED: ("wait", "circle-half"),
}

_OUT_IS_FREE: Final[Any] = gettext_lazy(
    "Closing is never blocked by this: when the leader reduces or closes, what you hold follows."
)
_NOTHING_SENT: Final[Any] = gettext_lazy(
    "No order was sent to OKX and nothing was charged. What you hold stays as it is."
)
_LATER_ADDS: Final[Any] = gettext_lazy(
    "You do not hold this position, so the leader's changes to it are not copied until it is "
    "opened anew."
)
_SMALL: Final[Any] = gettext_lazy(
    "The position is still followed: when the leader adds and your share is large enough, "
    "you are in."
)
_DAY: Final[Any] = gettext_lazy(
    "The limit counts orders that open or add. It starts again with the desk's next day."
)
_DESK: Final[Any] = gettext_lazy("Your desk can change this for you.")
_HALT: Final[Any] = gettext_lazy("Positions stay open while trading is halted.")
_CHANGEABLE: Final = frozenset(
    {
        Reason.SYMBOL_NOT_ALLOWED, Reason.CUSTOMER_DISABLED, Reason.ACCOUNT_DISABLED,
        Reason.KEY_NOT_VERIFIED, Reason.LINK_PAUSED, Reason.STRATEGY_PAUSED, Reason.CLOSE_ONLY,
        Reason.ORDER_NOTIONAL_ABOVE_LIMIT, Reason.POSITION_NOTIONAL_ABOVE_LIMIT,
        Reason.ORDER_QUANTITY_ABOVE_LIMIT, Reason.DAILY_LIMIT, Reason.OPEN_POSITIONS_ABOVE_LIMIT,
        Reason.LEVERAGE_ABOVE_LIMIT, Reason.CAPPED,
    }
)  # fmt: skip
# These stop reductions as well, so nothing may be promised about closing.
_STOPS_ALL: Final = frozenset(
    {
        Reason.TRADING_HALTED, Reason.FLATTENING, Reason.ACCOUNT_DISABLED,
        Reason.KEY_NOT_VERIFIED, Reason.POISON,
    }
)  # fmt: skip
_ABOUT_HOLDING: Final = frozenset(
    {Reason.NOT_IN_CYCLE, Reason.ALREADY_FLAT, Reason.ALREADY_AT_TARGET, Reason.NOTHING_PENDING}
)


def meaning(decision: Decision) -> list[str]:
    """What follows for the customer, in one sentence each."""
    reason = decision.reason
    said: list[Any] = []
    if decision.outcome != DecisionOutcome.COPIED:
        said.append(_NOTHING_SENT)
        if reason == Reason.BELOW_MIN:
            said.append(_SMALL)
        elif decision.signal.intent == Intent.OPEN and reason not in _ABOUT_HOLDING:
            said.append(_LATER_ADDS)
        elif reason not in _STOPS_ALL | _ABOUT_HOLDING:
            said.append(_OUT_IS_FREE)
    if reason == Reason.TRADING_HALTED:
        said.append(_HALT)
    if reason == Reason.DAILY_LIMIT or "DAILY_LIMIT" in decision.numbers.values():
        said.append(_DAY)
    if reason in _CHANGEABLE:
        said.append(_DESK)
    return [str(text) for text in said]


def _after(start: datetime, at: datetime | None) -> str:
    return "" if at is None or at < start else f"+{latency(at - start)}"
