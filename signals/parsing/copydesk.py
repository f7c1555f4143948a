"""Our own dialect: one JSON object, ordered by intent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from signals.enums import Direction, Intent, LeaderMarginMode, QuantityMode
from signals.parsing import fields, strict_json
from signals.parsing.normal import LeaderNumbers, ParsedSignal, ParseError, Quantity

MAX_LEVERAGE = 1000
MAX_TTL_SECONDS = 3600
MAX_PERCENT = 100

PROTECTIONS = ("stop_loss", "take_profit")
PROTECTED = frozenset({Intent.OPEN, Intent.ADD, Intent.FLIP, Intent.TARGET})
# What the parts of a signal are called here is what they are called everywhere.
NAMES: dict[str, str] = {}
EXAMPLE = """\
{
  "secret": "<secret>",
  "id": "{{timenow}} {{strategy.order.id}}",
  "time": "{{timenow}}",
  "instrument": "BTC-USDT-SWAP",
  "intent": "open",
  "direction": "long",
  "quantity": {"mode": "contracts", "value": "5"}
}"""
FIELDS = frozenset(
    {
        "id",
        "time",
        "instrument",
        "intent",
        "direction",
        "quantity",
        "reference_price",
        "leverage",
        "leader_equity",
        "margin_mode",
        "ttl_seconds",
        *PROTECTIONS,
    }
)
WITHOUT_QUANTITY = frozenset({Intent.CLOSE, Intent.CANCEL})


def parse(raw: bytes) -> ParsedSignal:
    """The signal of a payload; raises `ParseError` naming the first field at fault.

    `secret` is whom the door checks, not part of the signal: it is dropped unread.
    """
    return read({name: v for name, v in strict_json.loads(raw).items() if name != "secret"})


def secret_in(raw: bytes) -> str:
    return strict_json.text_at(raw, "secret")


def read(payload: fields.Fields) -> ParsedSignal:
    """The same of an object that strict JSON was made into, by a door that asks no secret."""
    fields.refuse_unknown(payload, FIELDS)
    external_id, time = payload.get("id"), payload.get("time")
    if external_id is None and time is None:
        raise ParseError("id", "id or time is required")
    price, lever, ttl, equity, margin_mode = (
        payload.get(name)
        for name in ("reference_price", "leverage", "ttl_seconds", "leader_equity", "margin_mode")
    )
    intent = fields.choice(fields.required(payload, "intent"), "intent", Intent)
    stop_loss, take_profit = (_protection(payload, name, intent) for name in PROTECTIONS)
    return ParsedSignal(
        external_id="" if external_id is None else fields.identifier(external_id, "id"),
        signal_at=None if time is None else fields.aware_time(time, "time"),
        inst_id=fields.instrument(fields.required(payload, "instrument"), "instrument"),
        intent=intent,
        direction=fields.choice(fields.required(payload, "direction"), "direction", Direction),
        quantity=None if intent in WITHOUT_QUANTITY else _quantity(payload, intent),
        reference_price=None if price is None else fields.positive(price, "reference_price"),
        leverage=None if lever is None else leverage(lever, "leverage"),
        leader=LeaderNumbers(
            equity=None if equity is None else fields.positive(equity, "leader_equity"),
            margin_mode=_margin_mode(margin_mode),
        ),
        take_profit=take_profit,
        stop_loss=stop_loss,
        ttl=None if ttl is None else _ttl(ttl),
    )


def _quantity(payload: fields.Fields, intent: Intent) -> Quantity:
    quantity = fields.required(payload, "quantity")
    if not isinstance(quantity, dict):
        raise ParseError("quantity", "must be an object with mode and value")
    fields.refuse_unknown(quantity, ("mode", "value"), "quantity.")
    mode = fields.choice(
        fields.required(quantity, "mode", "quantity."), "quantity.mode", QuantityMode
    )
    if mode == QuantityMode.PERCENT and intent != Intent.REDUCE:
        raise ParseError("quantity.mode", "percent is valid for reduce only")
    value = fields.required(quantity, "value", "quantity.")
    return Quantity(mode, _quantity_value(value, mode, intent))


def _quantity_value(value: object, mode: QuantityMode, intent: Intent) -> Decimal:
    path = "quantity.value"
    if intent == Intent.TARGET:
        return fields.not_negative(value, path)
    number = fields.positive(value, path)
    if mode == QuantityMode.PERCENT and number > MAX_PERCENT:
        raise ParseError(path, f"must not be above {MAX_PERCENT}")
    return number


def leverage(value: object, path: str) -> Decimal:
    """A leverage that some exchange could set."""
    number = fields.positive(value, path)
    if number > MAX_LEVERAGE:
        raise ParseError(path, f"must not be above {MAX_LEVERAGE}")
    return number


def _protection(payload: fields.Fields, name: str, intent: Intent) -> Decimal | None:
    price = payload.get(name)
    if price is None:
        return None
    if intent not in PROTECTED:
        raise ParseError(name, "valid for open, add, flip and target only")
    return fields.positive(price, name)


def _margin_mode(value: object) -> LeaderMarginMode | None:
    return None if value is None else fields.choice(value, "margin_mode", LeaderMarginMode)


def _ttl(value: object) -> timedelta:
    seconds = fields.whole_between(value, "ttl_seconds", 1, MAX_TTL_SECONDS)
    return timedelta(seconds=seconds)
