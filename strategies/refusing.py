"""Which terms cannot be followed, said by field before they are saved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from signals.enums import Dialect, SourceKind
from strategies.enums import (
    LEADER_SIZED,
    MARGIN_SIZED,
    LeverageMode,
    OpenOrders,
    ProtectionBasis,
    SizingMode,
)
from strategies.instrument_terms import ALLOWED, AMOUNTS, TRADED_AS, base_currency, is_amount

Refusals = dict[str, Any]

# The amount that a mode is nothing without.
NEEDED: Final[Mapping[str, tuple[str, Any]]] = {
    SizingMode.FIXED_NOTIONAL: ("fixed_notional", _("Fixed notional sizing needs an amount.")),
    SizingMode.FIXED_MARGIN: ("fixed_margin", _("Fixed margin sizing needs an amount.")),
    SizingMode.FIXED_QTY: ("fixed_quantity", _("Fixed quantity sizing needs a quantity.")),
    SizingMode.PCT_AVAILABLE: (
        "available_ratio",
        _("Sizing by the available balance needs a share of it."),
    ),
    SizingMode.FIXED_RISK: ("risk_ratio", _("Fixed risk sizing needs a risk per opening.")),
}


@dataclass(frozen=True, slots=True)
class _Effective:
    """What an account follows by where it says nothing of its own."""

    own: Any
    strategy: Any

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.own, name, None)
        return getattr(self.strategy, name) if value in (None, "") else value


def refused_terms(terms: Any) -> Refusals:
    """Of a strategy, or of what a subscription comes to."""
    errors: Refusals = {}
    needed = NEEDED.get(terms.sizing_mode)
    if needed is not None and getattr(terms, needed[0]) is None:
        errors[needed[0]] = needed[1]
    if terms.leverage_mode == LeverageMode.FIXED and terms.leverage is None:
        errors["leverage"] = _("A fixed leverage needs a number.")
    if terms.leverage_mode == LeverageMode.KEEP and terms.sizing_mode in MARGIN_SIZED:
        errors["leverage_mode"] = _(
            "This sizing is by margin, so the leverage must be known: as the leader, or fixed."
        )
    ratios = terms.take_profit_ratio or terms.stop_loss_ratio
    of_margin = terms.protection_basis == ProtectionBasis.MARGIN
    if terms.leverage_mode == LeverageMode.KEEP and ratios and of_margin:
        errors["protection_basis"] = _(
            "Of the margin, the leverage must be known: as the leader, or fixed."
        )
    if terms.reverse and terms.open_orders == OpenOrders.LIMIT:
        errors["reverse"] = _(
            "Limit copying waits for a better price than the leader's. Turned round it would be a "
            "worse one: choose one of the two."
        )
    return errors


def refused_overrides(own: Any, strategy: Any) -> Refusals:
    return refused_terms(_Effective(own, strategy))


def refused_instruments(terms: Any) -> Refusals:
    errors: Refusals = {}
    for name in ("instruments", "denied_instruments"):
        listed = getattr(terms, name, [])
        if not isinstance(listed, list) or not all(isinstance(i, str) and i for i in listed):
            errors[name] = _("A list of instrument ids, or empty for all.")
    return errors


def refused_sources(sizing_mode: str, sources: Iterable[Any]) -> Refusals:
    """Who sizes by the leader's equity must be told it: by its account, or in the message."""
    if sizing_mode not in LEADER_SIZED:
        return {}
    silent = [source for source in sources if not tells_equity(source)]
    if not silent:
        return {}
    said = _(
        "This sizing needs the leader's equity: a leader account, or messages in Copydesk JSON "
        "with leader_equity. %(source)s cannot tell it."
    )
    return {"sizing_mode": said % {"source": silent[0].name}}


def tells_equity(source: Any) -> bool:
    if source.kind == SourceKind.WEBHOOK:
        return bool(source.dialect == Dialect.COPYDESK)
    return source.kind in (SourceKind.LEADER, SourceKind.API)


def refused_instrument_terms(terms: object) -> Refusals:
    """The first thing in it that is not understood, with the instrument that it is said of."""
    if not isinstance(terms, dict):
        return {"instrument_terms": _("Terms by instrument id.")}
    for inst_id, own in terms.items():
        if not isinstance(own, dict):
            return {"instrument_terms": _("%(inst_id)s has no terms.") % {"inst_id": inst_id}}
        for name, value in own.items():
            reason = _refused_term(inst_id, name, value)
            if reason is not None:
                said = _("%(inst_id)s: %(reason)s") % {"inst_id": inst_id, "reason": reason}
                return {"instrument_terms": said}
    return {}


def _refused_term(inst_id: str, name: str, value: object) -> Any:
    if name == ALLOWED:
        return None if isinstance(value, bool) else _("allowed is yes or no.")
    if name == TRADED_AS:
        alike = isinstance(value, str) and "-" in value
        if alike and base_currency(str(value)) == base_currency(inst_id):
            return None
        return _("It can only be traded as an instrument of the same coin.")
    if name not in AMOUNTS:
        return _("%(name)s is none of these terms: %(known)s.") % {
            "name": name,
            "known": ", ".join((*AMOUNTS, TRADED_AS, ALLOWED)),
        }
    return None if is_amount(name, value) else _("%(name)s is out of range.") % {"name": name}
