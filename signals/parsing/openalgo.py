"""OpenAlgo's smart orders: the position that is wanted, with its sign."""

from __future__ import annotations

from decimal import Decimal

from signals.enums import Direction, Intent, QuantityMode, Stance
from signals.parsing import fields, foreign, strict_json, tickers
from signals.parsing.normal import Net, ParsedSignal, ParseError, Quantity

SECRET = "apikey"  # noqa: S105 - the name of the field
FIELDS = frozenset(
    {"strategy", "symbol", "exchange", "action", "product", "pricetype", "price_type", "quantity"}
    | {"position_size", "price", "trigger_price", "disclosed_quantity"}
    # Ours: a smart order says neither when nor which, and is refused without one of them.
    | {"id", "timestamp"}
)
NAMES = {
    "instrument": "symbol",
    "time": "timestamp",
    "intent": "position_size",
    "direction": "position_size",
    "quantity.value": "position_size",
    "quantity.mode": "position_size",
}
EXAMPLE = """\
{
  "apikey": "<secret>",
  "strategy": "TradingView",
  "symbol": "{{ticker}}",
  "action": "{{strategy.order.action}}",
  "pricetype": "MARKET",
  "quantity": "{{strategy.order.contracts}}",
  "position_size": "{{strategy.position_size}}",
  "timestamp": "{{timenow}}"
}"""


def parse(raw: bytes) -> ParsedSignal:
    """The signal of a payload; raises `ParseError` naming the first field at fault.

    `position_size` alone decides, in contracts: below zero is short, 0 is flat, always. `action`
    and `quantity` say how the sender got there and are not needed.
    """
    payload = foreign.payload_of(raw, SECRET)
    fields.refuse_unknown(payload, FIELDS)
    for name in ("pricetype", "price_type"):
        foreign.only_market(payload, name)
    if foreign.given(payload, "action") is not None:
        foreign.choice(payload["action"], "action", foreign.SIDES)
    external_id, time = foreign.given(payload, "id"), foreign.given(payload, "timestamp")
    if external_id is None and time is None:
        raise ParseError("timestamp", 'id or timestamp is required, such as "{{timenow}}"')
    wanted = fields.decimal(foreign.needed(payload, "position_size"), "position_size")
    direction = Direction.SHORT if wanted < 0 else Direction.LONG
    return ParsedSignal(
        inst_id=tickers.instrument(foreign.needed(payload, "symbol"), "symbol"),
        intent=Intent.TARGET if wanted else Intent.CLOSE,
        direction=direction,
        external_id="" if external_id is None else fields.identifier(external_id, "id"),
        signal_at=None if time is None else fields.aware_time(time, "timestamp"),
        quantity=_quantity(wanted),
        net=Net(after=Stance(direction.value) if wanted else Stance.FLAT, size=_quantity(wanted)),
        said=foreign.said(payload),
    )


def secret_in(raw: bytes) -> str:
    return strict_json.text_at(raw, SECRET)


def _quantity(wanted: Decimal) -> Quantity | None:
    return Quantity(QuantityMode.CONTRACTS, abs(wanted)) if wanted else None
