"""How a link follows one of the leader's instruments: its strategy's terms, and its own.

The most specific word counts: what a subscription says of the instrument, what it says, what
its strategy says of the instrument, what that says. Of what is a limit, the strictest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from strategies.enums import (
    LeverageMode,
    MarginChoice,
    MinSizePolicy,
    OverMaxPolicy,
    SizingMode,
)
from strategies.instrument_terms import ALLOWED, TRADED_AS, amount_of
from strategies.models import Strategy
from strategies.refusing import NEEDED
from trading.sizing import SizingTerms

# What a subscription may say otherwise, in the order of `Following.of`.
CHOICES: Final = (
    "sizing_mode", "min_size_policy", "over_max_policy", "margin_mode", "leverage_mode",
)  # fmt: skip
AMOUNTS: Final = (
    "follow_ratio", "equity_multiplier", "fixed_notional", "fixed_margin", "fixed_quantity",
    "available_ratio", "risk_ratio", "leverage",
)  # fmt: skip
LIMITS: Final = ("max_leverage", "allocated_capital", "max_account_leverage")
COLUMNS: Final = (
    *CHOICES, *AMOUNTS, *LIMITS, "reverse", "denied_instruments", "instrument_terms",
)  # fmt: skip
_PLAIN: Final = len(COLUMNS) - 2  # what can be compared; the last two are lists and mappings

LeverageCaps = tuple[tuple[str, Decimal | None], ...]


class Following(NamedTuple):
    """What holds for one instrument. `inst_id` is what the follower trades for it."""

    sizing: SizingTerms
    inst_id: str
    allowed: bool
    reverse: bool
    margin_mode: MarginChoice
    leverage_mode: LeverageMode
    leverage: Decimal | None
    max_exposure: Decimal | None
    leverage_caps: LeverageCaps


def by_hand(inst_id: str) -> Following:
    """What staff trade for an account is traded as it was said."""
    return Following(
        sizing=SizingTerms(mode=SizingMode.FIXED_RATIO, ratio=Decimal(1)),
        inst_id=inst_id,
        allowed=True,
        reverse=False,
        margin_mode=MarginChoice.CROSS,
        leverage_mode=LeverageMode.FOLLOW,
        leverage=None,
        max_exposure=None,
        leverage_caps=(),
    )


class StrategyFollowing:
    """Works it out for the followers of one strategy, once for all who say the same."""

    def __init__(self, strategy: Strategy, inst_id: str) -> None:
        self._strategy, self._inst_id = strategy, inst_id
        self._terms: Mapping[str, Any] = strategy.instrument_terms.get(inst_id, {})
        self._found: dict[tuple[Any, ...], Following] = {}

    def of(self, own: tuple[Any, ...], slippage: Decimal | None) -> Following:
        """`own` are the values of `COLUMNS` of a subscription."""
        denied, terms = own[_PLAIN], own[_PLAIN + 1].get(self._inst_id)
        key = (
            own[:_PLAIN],
            slippage,
            tuple(denied) if denied else (),
            tuple(terms.items()) if terms else (),
        )
        found = self._found.get(key)
        if found is None:
            said = dict(zip(COLUMNS, own, strict=True))
            found = self._found[key] = self._following(said, terms or {}, slippage)
        return found

    def _following(
        self, said: Mapping[str, Any], terms: Mapping[str, Any], slippage: Decimal | None
    ) -> Following:
        strategy = self._strategy
        amounts = {name: self._amount(name, said, terms) for name in AMOUNTS}
        chosen = {name: said[name] or getattr(strategy, name) for name in CHOICES}
        mode = SizingMode(chosen["sizing_mode"])
        needed = NEEDED.get(mode)
        inst_id = terms.get(TRADED_AS) or self._terms.get(TRADED_AS) or self._inst_id
        sizing = SizingTerms(
            mode=mode,
            ratio=amounts["follow_ratio"] or Decimal(0),
            amount=amounts[needed[0]] if needed else None,
            multiplier=amounts["equity_multiplier"] or Decimal(0),
            per_signal=strategy.per_signal,
            allocated_capital=_strictest(strategy.allocated_capital, said["allocated_capital"]),
            slippage=Decimal(0) if slippage is None else slippage,
            min_policy=MinSizePolicy(chosen["min_size_policy"]),
            round_up_floor=strategy.round_up_floor,
            over_max_policy=OverMaxPolicy(chosen["over_max_policy"]),
        )
        exposures = (strategy.max_account_leverage, said["max_account_leverage"])
        return Following(
            sizing=sizing,
            inst_id=inst_id,
            allowed=self._allows(inst_id, said, terms),
            reverse=strategy.reverse if said["reverse"] is None else said["reverse"],
            margin_mode=MarginChoice(chosen["margin_mode"]),
            leverage_mode=LeverageMode(chosen["leverage_mode"]),
            leverage=amounts["leverage"],
            max_exposure=_strictest(*exposures),
            leverage_caps=(
                ("strategy", _strictest(strategy.max_leverage, _cap(self._terms))),
                ("subscription", _strictest(said["max_leverage"], _cap(terms))),
            ),
        )

    def _amount(
        self, name: str, said: Mapping[str, Any], terms: Mapping[str, Any]
    ) -> Decimal | None:
        sources = (
            amount_of(terms, name),
            said[name],
            amount_of(self._terms, name),
            getattr(self._strategy, name),
        )
        return next((value for value in sources if value is not None), None)

    def _allows(self, inst_id: str, said: Mapping[str, Any], terms: Mapping[str, Any]) -> bool:
        """By the leader's instrument as well as by the follower's: either may be barred."""
        barred = {*self._strategy.denied_instruments, *said["denied_instruments"]}
        if barred & {self._inst_id, inst_id}:
            return False
        if False in (terms.get(ALLOWED), self._terms.get(ALLOWED)):
            return False
        return self._strategy.trades(self._inst_id)


def _cap(terms: Mapping[str, Any]) -> Decimal | None:
    return amount_of(terms, "max_leverage")


def _strictest(*limits: Decimal | None) -> Decimal | None:
    return min((limit for limit in limits if limit is not None), default=None)
