"""What became of an order, for the customer whose order it is."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.display import figure, rounded
from trading.enums import OrderCause, OrderState, Reason, Side
from trading.explaining.decisions import HELD
from trading.explaining.figures import first_that_fits, quantity
from trading.explaining.words import REASONS
from trading.models import Order

_S = OrderState
PROTECTIVE: Final = frozenset({OrderCause.TAKE_PROFIT, OrderCause.STOP_LOSS})

CHECKING: Final = gettext_lazy(
    "We sent this order and have not heard from OKX what became of it. It is being checked."
)
UNDER_WAY: Final = {
    _S.NEW: gettext_lazy("The order is waiting to be sent."),
    _S.READY: gettext_lazy("The order is waiting to be sent."),
    _S.SENDING: gettext_lazy("The order is on its way to OKX."),
    _S.UNKNOWN: CHECKING,
    _S.MANUAL: CHECKING,
    _S.LIVE: gettext_lazy("OKX has accepted the order. Nothing has filled yet."),
}
BOUGHT: Final = (
    gettext_lazy("Bought %(filled)s at %(price)s."),
    gettext_lazy("Bought %(filled)s."),
)
SOLD: Final = (
    gettext_lazy("Sold %(filled)s at %(price)s."),
    gettext_lazy("Sold %(filled)s."),
)
BOUGHT_PART: Final = (
    gettext_lazy("Bought %(part)s of %(quantity)s so far, at %(price)s."),
    gettext_lazy("Bought %(part)s of %(quantity)s so far."),
)
SOLD_PART: Final = (
    gettext_lazy("Sold %(part)s of %(quantity)s so far, at %(price)s."),
    gettext_lazy("Sold %(part)s of %(quantity)s so far."),
)


def explain_order(order: Order) -> str:
    """Waiting, partly filled, filled, canceled or failed, with the reason and OKX's own words.

    Reads nothing but the order. An outcome that nobody knows is "being checked": it is
    neither a success nor a failure. What a protection became begins with its name.
    """
    told = _told(order)
    if order.cause in PROTECTIVE:
        return _("%(cause)s: %(told)s") % {"cause": order.get_cause_display(), "told": told}
    return told


# These say themselves how much was filled.
TELLS_PART = (Reason.UNDERFILLED, Reason.UNDERFILLED_SLIPPAGE)


def _told(order: Order) -> str:
    state = OrderState(order.state)
    values = _figures(order)
    bought = order.side == Side.BUY
    if state == _S.READY and order.reason in HELD:
        return str(HELD[Reason(order.reason)])
    if state in UNDER_WAY:
        return str(UNDER_WAY[state])
    if state == _S.PARTIALLY_FILLED:
        return first_that_fits(BOUGHT_PART if bought else SOLD_PART, values)
    if state == _S.FILLED:
        return first_that_fits(BOUGHT if bought else SOLD, values)
    return _ended(order, values)


def _ended(order: Order, values: dict[str, str]) -> str:
    said = [first_that_fits(REASONS.get(order.reason, ()), values) or _why_unknown(order)]
    if order.exchange_message and order.state in (_S.REJECTED, _S.CANCELED):
        said.append(_("OKX wrote: “%(message)s”.") % {"message": order.exchange_message})
    if order.filled_quantity > 0 and order.reason not in TELLS_PART:
        said.append(first_that_fits(BOUGHT if order.side == Side.BUY else SOLD, values))
    return " ".join(said)


def _why_unknown(order: Order) -> str:
    match OrderState(order.state):
        case OrderState.REJECTED:
            return _("OKX refused the order.")
        case OrderState.CANCELED:
            return _("The order was canceled.")
        case _:
            return _("The order was not sent.")


def _figures(order: Order) -> dict[str, str]:
    values = {
        "inst_id": order.inst_id,
        "part": figure(order.filled_quantity),
        "filled": quantity(order.filled_quantity, order.inst_id),
        "quantity": quantity(order.quantity, order.inst_id),
    }
    if order.average_price is not None:
        values["price"] = rounded(order.average_price)
    if order.exchange_code:
        values["code"] = order.exchange_code
    return values
