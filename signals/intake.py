"""The one way a signal enters: judged, stored once, announced."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from accounts.fields import hash_identity
from signals.enums import (
    ApprovalRule,
    Dialect,
    Direction,
    Intent,
    SignalReason,
    SignalStatus,
    SourceStatus,
    Stance,
    Unit,
)
from signals.holding import hold
from signals.looked_up import once
from signals.models import LeaderPosition, Signal, SignalSource
from signals.parsing import LeaderNumbers, ParsedSignal, ParseError, Quantity, name_in
from signals.ports import InstrumentFacts, market_book
from signals.protection import check_protection, is_protected
from signals.quantities import in_unit, needs_price
from signals.standing import (
    Move,
    Standing,
    apply,
    read_standing,
    settle,
    standing_after,
    stated_by,
)
from signals.storing import (
    Call,
    Judged,
    NonceReplayed,
    RateExceeded,
    Received,
    prune_nonces,
    store,
)

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import ExchangeAccount

__all__ = [
    "Call",
    "Judged",
    "NonceReplayed",
    "RateExceeded",
    "Received",
    "dedupe_hash_of",
    "judge",
    "judge_unreadable",
    "prune_nonces",
    "read_as",
    "receive_signal",
    "refuse",
    "store",
]

CLOCK_TOLERANCE = timedelta(seconds=5)
REFERENCE_PRICE_AGE = timedelta(seconds=60)
REDUCTIONS = frozenset({Intent.REDUCE, Intent.CLOSE, Intent.CANCEL})


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: SignalReason, field: str, words: str) -> None:
        super().__init__(reason, field, words)
        self.reason, self.field, self.words = reason, field, words


def receive_signal(  # noqa: PLR0913 - a signal's whole origin
    *,
    source: SignalSource,
    parsed: ParsedSignal,
    raw: str,
    received_at: datetime,
    nonce_hash: str | None = None,
    created_by: User | None = None,
    account: ExchangeAccount | None = None,
) -> Received:
    """Store a signal once per source, accepted or refused, and announce an accepted one.

    The scope of the source's tenant must be open. May be repeated: the same id, or without
    one the same content and time, is a duplicate. A refused signal leaves its id free.
    Raises NonceReplayed and RateExceeded, having stored nothing.
    """
    call = Call(source, raw, received_at, nonce_hash, created_by, account)
    return store(judge(call, parsed))


def judge(call: Call, parsed: ParsedSignal) -> Judged:
    """The signal that this call is to become, accepted or refused. Stores nothing."""
    signal, known_as = _signal(call, parsed), dedupe_hash_of(parsed)
    try:
        _judge(signal, call, parsed)
    except _Refusal as refusal:
        _mark_refused(signal, refusal)
        return Judged(call, signal, known_as)
    signal.dedupe_hash = known_as
    held = _hold(signal, call.source)
    _judged_together(signal).extend([signal] if held is None else [signal, held])
    return Judged(call, signal, known_as, held)


def read_as(call: Call, parsed: ParsedSignal) -> Signal:
    """The signal that this call would become, whoever would have to approve it. Stores nothing.

    Raises ParseError naming the field at fault.
    """
    signal = _signal(call, parsed)
    try:
        _judge(signal, call, parsed)
    except _Refusal as refusal:
        raise ParseError(refusal.field, refusal.words) from refusal
    return signal


def judge_unreadable(call: Call, error: ParseError) -> Judged:
    """The refused signal of an authentic payload that is none, with the field at fault."""
    signal = Signal(
        tenant_id=call.source.tenant_id,
        source=call.source,
        created_by=call.created_by,
        raw=call.raw,
        signal_at=call.received_at,
        received_at=call.received_at,
    )
    _mark_refused(signal, _Refusal(SignalReason.INVALID, error.field, error.reason))
    return Judged(call, signal, None)


def refuse(
    *,
    source: SignalSource,
    error: ParseError,
    raw: str,
    received_at: datetime,
    nonce_hash: str | None = None,
    created_by: User | None = None,
) -> Received:
    """Store an authentic payload that is no signal, with the field at fault and the reason."""
    call = Call(source, raw, received_at, nonce_hash, created_by)
    return store(judge_unreadable(call, error))


def dedupe_hash_of(parsed: ParsedSignal) -> str:
    """What makes two deliveries one signal: the sender's id, else all it says and its time."""
    if parsed.external_id:
        return hash_identity(f"id:{parsed.external_id}")
    if parsed.signal_at is None:
        raise ParseError("id", "id or time is required")
    if parsed.said:
        return hash_identity(f"said:{parsed.said}")
    quantity = parsed.quantity
    said = (
        parsed.signal_at.isoformat(),
        parsed.inst_id,
        parsed.intent,
        parsed.direction,
        *(("", "") if quantity is None else (quantity.mode, _written(quantity.value))),
        _written(parsed.reference_price),
        _written(parsed.leverage),
        "" if parsed.ttl is None else str(int(parsed.ttl.total_seconds())),
        *(
            f"{name}={_written(price)}"
            for name, price in (("tp", parsed.take_profit), ("sl", parsed.stop_loss))
            if price is not None
        ),
        *_told_of_leader(parsed.leader),
    )
    return hash_identity("content:" + "|".join(map(str, said)))


def _told_of_leader(leader: LeaderNumbers) -> list[str]:
    """What was said of the leader; nothing where nothing was, as it always was."""
    equity, mode = leader.equity, leader.margin_mode
    return [f"eq={_written(equity)}"] * (equity is not None) + [f"mm={mode}"] * (mode is not None)


def _signal(call: Call, parsed: ParsedSignal) -> Signal:
    """The row of a signal as it was sent; what it means is filled in by `_judge`."""
    signal_at = parsed.signal_at or call.received_at
    quantity = parsed.quantity
    return Signal(
        tenant_id=call.source.tenant_id,
        source=call.source,
        external_id=parsed.external_id or parsed.label,
        inst_id=parsed.inst_id,
        intent=parsed.intent,
        direction=parsed.direction,
        quantity_mode="" if quantity is None else quantity.mode,
        quantity_value=None if quantity is None else quantity.value,
        reference_price=parsed.reference_price,
        leverage=parsed.leverage,
        leader_equity=parsed.leader.equity,
        leader_entry=parsed.leader.entry,
        margin_mode=parsed.leader.margin_mode or "",
        has_gap=bool(parsed.gap),
        reason_text=parsed.gap[:300],
        take_profit=parsed.take_profit,
        stop_loss=parsed.stop_loss,
        account=call.account,
        created_by=call.created_by,
        raw=call.raw,
        signal_at=signal_at,
        received_at=call.received_at,
        expires_at=None if parsed.ttl is None else signal_at + parsed.ttl,
    )


def _judge(signal: Signal, call: Call, parsed: ParsedSignal) -> None:
    """Fill in price, quantity and unit, or raise _Refusal. Age alone refuses nothing here:
    how old an opening may be is each strategy's own rule, and closes never expire."""
    if call.source.status == SourceStatus.DISABLED or not call.source.tenant.is_active:
        raise _Refusal(SignalReason.SOURCE_DISABLED, "source", "the source is disabled")
    if parsed.signal_at and parsed.signal_at > call.received_at + CLOCK_TOLERANCE:
        raise _Refusal(SignalReason.CLOCK_SKEW, "time", "in the future")
    try:
        instrument = _instrument(call, parsed)
        if parsed.quantity is not None:
            signal.reference_price = _reference_price(call, parsed, instrument)
        if parsed.net is not None:
            _settle(signal, parsed, instrument)
        elif parsed.quantity is not None:
            signal.quantity, unit = in_unit(parsed.quantity, instrument, signal.reference_price)
            signal.unit = _agreed_unit(signal, unit)
        _check_spot(signal, instrument)
        if is_protected(parsed):
            price = signal.reference_price or _mark_price(call, parsed)
            check_protection(parsed, instrument, price)
    except ParseError as error:
        raise _Refusal(SignalReason.INVALID, error.field, error.reason) from error


def _instrument(call: Call, parsed: ParsedSignal) -> InstrumentFacts:
    market = _market(call)
    instrument = once(
        ("instrument", market, parsed.inst_id),
        lambda: market_book().instrument(market, parsed.inst_id),
    )
    if instrument is None:
        raise ParseError("instrument", "not listed in this market")
    return instrument


def _check_spot(signal: Signal, instrument: InstrumentFacts) -> None:
    if instrument.spot and signal.direction == Direction.SHORT:
        raise ParseError("direction", "spot cannot be short")
    if instrument.spot and signal.intent == Intent.FLIP:
        raise ParseError("intent", "spot cannot be reversed")


def _settle(signal: Signal, parsed: ParsedSignal, instrument: InstrumentFacts) -> None:
    """What the sender's order means beside the position that we know it to have."""
    assert parsed.net is not None  # noqa: S101 - asked before

    def counted(quantity: Quantity) -> tuple[Decimal, Unit | None]:
        return in_unit(quantity, instrument, signal.reference_price)

    standing = _standing(signal)
    stated = stated_by(parsed.net, parsed.quantity, counted)
    move = settle(stated, standing)
    if is_protected(parsed) and move.intent in REDUCTIONS:
        field = "stop_loss" if parsed.stop_loss is not None else "take_profit"
        raise ParseError(field, "not with an order that reduces the position")
    apply(signal, move)
    signal.stated = stated.as_json()
    if move.quantity is not None:
        signal.unit = _agreed_unit(signal, None if move.is_percent else stated.unit)
    if move.gap:
        signal.reason_text = _gap_words(stated.before, standing.side, move)


def _hold(signal: Signal, source: SignalSource) -> Signal | None:
    if source.approval == ApprovalRule.NONE:
        return None
    standing = _standing(signal) if signal.intent == Intent.TARGET else Standing()
    return hold(signal, source, standing)


def _standing(signal: Signal) -> Standing:
    """The position that this source has by all that came before."""
    key = (signal.source_id, signal.inst_id)
    standing = once(("standing", *key), lambda: read_standing(*key))
    return standing_after(standing, _judged_together(signal))


def _judged_together(signal: Signal) -> list[Signal]:
    """What was judged before this one and will be stored together with it: nobody can read it."""
    return once(("judged", signal.source_id, signal.inst_id), list[Signal])


def _gap_words(before: Stance | None, known: Stance, move: Move) -> str:
    words = f"came from {before}, was known to be {known}: follows where the sender is"
    if move.intent == Intent.CLOSE and move.quantity is None:
        return f"{words}, and opens nothing"
    return words


def _reference_price(
    call: Call, parsed: ParsedSignal, instrument: InstrumentFacts
) -> Decimal | None:
    if parsed.reference_price is not None or not needs_price(parsed.quantity, instrument):
        return parsed.reference_price
    return _mark_price(call, parsed)


def _mark_price(call: Call, parsed: ParsedSignal) -> Decimal | None:
    market = _market(call)
    mark = once(
        ("mark", market, parsed.inst_id),
        lambda: market_book().mark_price(market, parsed.inst_id),
    )
    if mark is None:
        return None
    # What takes something off is counted by an old price rather than not at all.
    is_fresh = call.received_at - mark.at <= REFERENCE_PRICE_AGE
    return mark.price if is_fresh or parsed.intent in REDUCTIONS else None


def _agreed_unit(signal: Signal, unit: Unit | None) -> Unit:
    """The unit to count in: a running position's, which the signal must not contradict."""

    def read() -> LeaderPosition | None:
        whose = LeaderPosition.objects.filter(
            source=signal.source,
            account=signal.account,
            inst_id=signal.inst_id,
            direction=signal.direction,
        )
        found: LeaderPosition | None = whose.first()
        return found

    position = once(
        ("position", signal.source_id, signal.account_id, signal.inst_id, signal.direction), read
    )
    if position is None or position.quantity == 0:
        return unit or Unit.CONTRACTS
    running = Unit(position.unit)
    if unit is None or signal.quantity == 0:  # percent of the position, or flat
        return running
    if unit != running:
        raise ParseError("quantity.mode", f"the open position is counted in {running.value}")
    return unit


def _market(call: Call) -> str:
    return call.account.market if call.account is not None else call.source.market


def _mark_refused(signal: Signal, refusal: _Refusal) -> None:
    signal.status, signal.has_gap = SignalStatus.REFUSED, False
    signal.reason = refusal.reason
    signal.refused_field = name_in(Dialect(signal.source.dialect), refusal.field)[:80]
    signal.reason_text = refusal.words[:300]


def _written(value: Decimal | None) -> str:
    """One spelling per number: 5, 5.0 and 5E+0 are the same quantity."""
    text = "" if value is None else format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
