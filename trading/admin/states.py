"""How the states of the engine room look: people's word, icon, and the internal word in grey."""

from __future__ import annotations

from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.display import badge, link_to, two
from customers.enums import SIMULATED_MARKETS
from customers.models import ExchangeAccount
from trading.enums import DecisionOutcome, ExternalState, OrderState, Reason, TradingMode

_S = OrderState

# state -> kind, icon, the word that customers see
ORDER_WORDS: Final[dict[str, tuple[str, str, Any]]] = {
    _S.NEW: ("wait", "schedule", _("Waiting")),
    _S.READY: ("wait", "schedule", _("Waiting")),
    _S.SENDING: ("wait", "schedule", _("Waiting")),
    _S.LIVE: ("wait", "schedule", _("Waiting")),
    _S.PARTIALLY_FILLED: ("wait", "contrast", _("Partly filled")),
    _S.FILLED: ("ok", "check", _("Filled")),
    _S.CANCELED: ("idle", "block", _("Canceled")),
    _S.EXPIRED: ("idle", "block", _("Canceled")),
    _S.REJECTED: ("danger", "dangerous", _("Failed")),
    _S.DENIED: ("danger", "dangerous", _("Failed")),
    _S.UNKNOWN: ("unknown", "help", _("Unknown")),
    _S.MANUAL: ("unknown", "person_alert", _("Needs a person")),
}

_MODES: Final[dict[str, tuple[str, str]]] = {
    TradingMode.ACTIVE: ("ok", "play_arrow"),
    TradingMode.REDUCE_ONLY: ("warn", "arrow_downward"),
    TradingMode.HALTED: ("halted", "stop"),
    TradingMode.FLATTEN: ("danger", "vertical_align_bottom"),
}


def order_badge(state: str) -> SafeString:
    kind, icon, word = ORDER_WORDS[state]
    internal = str(OrderState(state).label).lower()
    return badge(kind, icon, word, "" if internal == str(word).lower() else internal)


def external_badge(state: str) -> SafeString:
    """The state of an order that is not ours, as the exchange tells it."""
    word = ExternalState(state).label if state in ExternalState.values else state
    known = _S.CANCELED.value if state == ExternalState.MMP_CANCELED else state
    kind, icon, shown = ORDER_WORDS.get(known, ("idle", "help", word))
    internal = str(word).lower()
    return badge(kind, icon, shown, "" if internal == str(shown).lower() else internal)


def order_kind(state: str) -> str:
    return ORDER_WORDS[state][0]


def order_icon(state: str) -> str:
    return ORDER_WORDS[state][1]


def decision_badge(outcome: str, reason: str = "") -> SafeString:
    if outcome == DecisionOutcome.COPIED and reason:
        return badge("warn", "compress", _("Copied, smaller"))
    if outcome == DecisionOutcome.COPIED:
        return badge("ok", "check", _("Copied"))
    internal = str(DecisionOutcome(outcome).label).lower()
    return badge("idle", "remove", _("Not copied"), internal if outcome == "denied" else "")


def mode_badge(mode: str) -> SafeString:
    kind, icon = _MODES[mode]
    return badge(kind, icon, TradingMode(mode).label)


def reason_words(reason: str) -> SafeString:
    """The reason in words, with its code for those who search by it."""
    if not reason:
        return format_html("{}", "")
    label = Reason(reason).label if reason in Reason.values else reason
    return format_html('<span title="{}">{}</span>', reason, label)


def whose(account: ExchangeAccount) -> SafeString:
    """The customer and the account of a row; money that is not real carries its mark."""
    link = link_to("customers_exchangeaccount", account.pk, account.label)
    if account.market in SIMULATED_MARKETS:
        link = format_html(
            '{} <span class="ic" role="img" aria-label="{}" title="{}">science</span>',
            link,
            account.get_market_display(),
            account.get_market_display(),
        )
    return two(account.customer.name, link)


def side_mark(side: str, position_side: str = "") -> SafeString:
    """Buy or sell with its arrow; the position side where the account has two."""
    rises = side in {"buy", "long"}
    words = {"buy": _("Buy"), "sell": _("Sell"), "long": _("Long"), "short": _("Short")}
    extra = f" {words[position_side]}" if position_side in {"long", "short"} else ""
    return format_html(
        '<span class="cd"><span class="side {}"><span class="ic" aria-hidden="true">{}</span>{}'
        '<span class="mut">{}</span></span></span>',
        "long" if rises else "short",
        "north_east" if rises else "south_east",
        words.get(side, side),
        extra,
    )
