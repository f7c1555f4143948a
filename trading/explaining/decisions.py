"""A decision in plain words, and a signal as a title."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.display import figure, rounded
from signals.enums import Direction, Intent
from signals.models import Signal
from trading.enums import DecisionOutcome, Reason
from trading.explaining.figures import (
    exact,
    first_that_fits,
    money,
    number,
    percent,
    quantity,
    word,
)
from trading.explaining.words import CAPPED_BY, REASONS
from trading.models import Decision

# What only stands in the way for a time: the reduction is decided and waits.
HELD: Final = {
    Reason.TRADING_HALTED: gettext_lazy(
        "Trading is halted. The reduction waits and is sent as soon as it may be."
    ),
    Reason.ACCOUNT_DISABLED: gettext_lazy(
        "Your exchange account is paused. The reduction waits and is sent as soon as it may be."
    ),
    Reason.KEY_NOT_VERIFIED: gettext_lazy(
        "Your API key is not verified. The reduction waits and is sent as soon as it may be."
    ),
}

COPIED: Final = (
    gettext_lazy("Copied: closed %(closed)s, then ordered %(quantity)s the other way."),
    gettext_lazy("Copied as an order of %(quantity)s, at a price of about %(price)s."),
    gettext_lazy("Copied as an order of %(quantity)s."),
    gettext_lazy("This signal was copied."),
)

_I, _D = Intent, Direction
TITLES: Final[Mapping[tuple[str, str], Any]] = {
    (_I.OPEN, _D.LONG): gettext_lazy("Open long %(inst_id)s"),
    (_I.OPEN, _D.SHORT): gettext_lazy("Open short %(inst_id)s"),
    (_I.ADD, _D.LONG): gettext_lazy("Add to long %(inst_id)s"),
    (_I.ADD, _D.SHORT): gettext_lazy("Add to short %(inst_id)s"),
    (_I.REDUCE, _D.LONG): gettext_lazy("Reduce long %(inst_id)s"),
    (_I.REDUCE, _D.SHORT): gettext_lazy("Reduce short %(inst_id)s"),
    (_I.CLOSE, _D.LONG): gettext_lazy("Close long %(inst_id)s"),
    (_I.CLOSE, _D.SHORT): gettext_lazy("Close short %(inst_id)s"),
    (_I.FLIP, _D.LONG): gettext_lazy("Reverse to long %(inst_id)s"),
    (_I.FLIP, _D.SHORT): gettext_lazy("Reverse to short %(inst_id)s"),
    (_I.TARGET, _D.LONG): gettext_lazy("Hold long %(inst_id)s"),
    (_I.TARGET, _D.SHORT): gettext_lazy("Hold short %(inst_id)s"),
    (_I.CANCEL, _D.LONG): gettext_lazy("Cancel the waiting long order in %(inst_id)s"),
    (_I.CANCEL, _D.SHORT): gettext_lazy("Cancel the waiting short order in %(inst_id)s"),
}


def explain(decision: Decision) -> str:
    """Why this follower was copied, copied smaller or not copied, in the active language.

    Reads the decision and its signal, which a list selects along with it.
    """
    values = figures(decision.numbers, decision.signal.inst_id)
    reason = decision.reason
    if decision.outcome != DecisionOutcome.COPIED:
        return _refused(reason, values)
    if reason == Reason.NONE:
        return first_that_fits(COPIED, values)
    if reason == Reason.CAPPED:
        texts = CAPPED_BY.get(word(decision.numbers, "capped_by"), ())
        return first_that_fits((*texts, *REASONS[Reason.CAPPED]), values)
    if "open.reason" in decision.numbers:
        return _("The old position is closed and not reversed. %(why)s") % {
            "why": _refused(reason, values)
        }
    if reason in HELD:
        return str(HELD[Reason(reason)])
    return _refused(reason, values)


def instruction(signal: Signal) -> str:
    """What a signal says, as a title: "Open long BTC-USDT-SWAP"."""
    title = TITLES.get((signal.intent, signal.direction))
    if title is None:
        return signal.inst_id or _("Unreadable signal")
    return str(title) % {"inst_id": signal.inst_id}


def figures(numbers: Mapping[str, Any], inst_id: str) -> dict[str, str]:
    """The stored numbers as the texts name them; those that are not known are missing."""

    def known(name: str) -> Decimal | None:
        return number(numbers, name)

    used, value = known("used"), known("order_value")
    plain = {
        "limit": known("limit"),
        "min": known("min_size"),
        "max": known("max_size"),
        "price": known("price"),
        "part": known("quantity"),
        "leverage": known("leverage"),
        "positions": known("open_positions"),
        "waiting": known("waiting_orders"),
        "worse": percent(known("slippage")),
        "worse_limit": percent(known("limit")),
    }
    seconds = {"age": known("signal_age_seconds"), "mark_age": known("mark_age_seconds")}
    amounts = {
        "limit_money": known("limit"),
        "used": used,
        "value": value,
        "total": None if used is None or value is None else used + value,
    }
    sizes = {
        "share": _share(numbers),
        "lots": known("lots"),
        "quantity": known("quantity"),
        "closed": exact(numbers.get("close.quantity")),
    }
    return {
        "inst_id": inst_id,
        **{name: figure(v) for name, v in plain.items() if v is not None},
        **{name: rounded(v, 1) for name, v in seconds.items() if v is not None},
        **{name: money(v, inst_id) for name, v in amounts.items() if v is not None},
        **{name: quantity(v, inst_id) for name, v in sizes.items() if v is not None},
    }


def _share(numbers: Mapping[str, Any]) -> Decimal | None:
    """What would have been ordered: an opening's exact share, a reduction's difference."""
    wanted = number(numbers, "wanted")
    expected, target = number(numbers, "expected"), number(numbers, "target")
    if wanted is not None or expected is None or target is None:
        return wanted
    return expected - target


def _refused(reason: str, values: Mapping[str, str]) -> str:
    texts = REASONS.get(reason, ())
    return first_that_fits(texts, values) or _("This signal was not copied.")
