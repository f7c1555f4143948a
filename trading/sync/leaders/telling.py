"""A leader's steps in normal form, handed to the one intake."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

from signals.enums import Direction, Intent, LeaderMarginMode, QuantityMode
from signals.intake import receive_signal
from signals.models import LeaderAccount
from signals.parsing import LeaderNumbers, ParsedSignal, Quantity
from signals.standing import read_standing
from trading.sync.leaders.moves import Step, Trade

# A reversal that waits for approval is divided, and its second half comes a moment later.
BETWEEN = timedelta(microseconds=2)
HUNDRED = Decimal(100)
PLACES = Decimal(1).scaleb(-18)
ENTRY_PLACES = Decimal(1).scaleb(-12)


@dataclass(frozen=True, slots=True)
class Gap:
    """A position that nothing explains: followed to where it is, and never past it."""

    inst_id: str
    direction: Direction
    before: Decimal
    after: Decimal
    name: str
    words: str
    at: datetime
    entry: Decimal | None = None


class Teller:
    """Tells of one leader. Every signal is received later than the one before: they are copied
    in that order. Belongs to the transaction in which the leader's books change."""

    def __init__(self, leader: LeaderAccount, now: datetime) -> None:
        self._leader = leader
        self._at = now if leader.said_at is None else max(now, leader.said_at + BETWEEN)
        self.told = 0

    def step(self, trade: Trade, step: Step, margin_mode: LeaderMarginMode, part: int = 0) -> None:
        """What one fill meant. The second direction of one fill is another signal."""
        fill = trade.fill
        opens = step.intent in (Intent.OPEN, Intent.FLIP, Intent.ADD)
        parsed = ParsedSignal(
            inst_id=fill.inst_id,
            intent=step.intent,
            direction=step.direction,
            external_id=trade.key if part == 0 else f"{trade.key}:{part}",
            signal_at=min(fill.filled_at, self._at),
            quantity=self._quantity(fill.inst_id, step),
            reference_price=fill.price,
            leverage=trade.leverage if opens else None,
            take_profit=_ahead(trade.take_profit, fill.price, step, above=True),
            stop_loss=_ahead(trade.stop_loss, fill.price, step, above=False),
            leader=LeaderNumbers(self._leader.equity, _rounded(step.entry), margin_mode),
        )
        self._tell(parsed, _raw_of(trade, step))

    def gap(self, gap: Gap, margin_mode: LeaderMarginMode | None) -> None:
        """Where the leader is by what the exchange says, without a trade that we know of."""
        grown = gap.after > gap.before
        parsed = ParsedSignal(
            inst_id=gap.inst_id,
            intent=Intent.TARGET,
            direction=gap.direction,
            external_id=gap.name,
            # How old an opening may be is measured from when the leader had it.
            signal_at=min(gap.at, self._at) if grown else self._at,
            quantity=Quantity(QuantityMode.CONTRACTS, gap.after),
            reference_price=_rounded(gap.entry) if grown else None,
            leader=LeaderNumbers(self._leader.equity, _rounded(gap.entry), margin_mode),
            gap=gap.words,
        )
        self._tell(parsed, json.dumps({"before": f"{gap.before:f}", "after": f"{gap.after:f}"}))

    def _tell(self, parsed: ParsedSignal, raw: str) -> None:
        receive_signal(source=self._leader.source, parsed=parsed, raw=raw, received_at=self._at)
        self._leader.said_at = self._at
        self._at += BETWEEN
        self.told += 1

    def _quantity(self, inst_id: str, step: Step) -> Quantity | None:
        """Contracts; a share where what was copied is not what the leader held."""
        if step.intent == Intent.CLOSE:
            return None
        if step.intent == Intent.FLIP:
            return Quantity(QuantityMode.CONTRACTS, step.after)
        if step.intent == Intent.REDUCE:
            copied = read_standing(self._leader.source_id, inst_id).of(step.direction)
            if copied.quantity != step.before:
                share = (step.size * HUNDRED / step.before).quantize(PLACES, ROUND_UP)
                return Quantity(QuantityMode.PERCENT, share)
        return Quantity(QuantityMode.CONTRACTS, step.size)


def _ahead(
    price: Decimal | None, fill_price: Decimal, step: Step, *, above: bool
) -> Decimal | None:
    """What protects the opening; what could not is left out, or the opening would be refused."""
    if price is None or step.intent not in (Intent.OPEN, Intent.FLIP, Intent.ADD):
        return None
    rises = above == (step.direction == Direction.LONG)
    return price if (price > fill_price if rises else price < fill_price) else None


def _rounded(price: Decimal | None) -> Decimal | None:
    return None if price is None else price.quantize(ENTRY_PLACES)


def _raw_of(trade: Trade, step: Step) -> str:
    """What was heard, for whoever asks why."""
    fill = trade.fill
    return json.dumps(
        {
            "instId": fill.inst_id,
            "tradeId": fill.trade_id,
            "ordId": fill.exchange_order_id,
            "side": fill.side.value,
            "posSide": fill.position_side.value,
            "fillSz": f"{fill.quantity:f}",
            "fillPx": f"{fill.price:f}",
            "fillTime": fill.filled_at.isoformat(),
            "position_before": f"{step.before:f}",
            "position_after": f"{step.after:f}",
        }
    )
