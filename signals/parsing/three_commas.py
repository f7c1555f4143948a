"""Messages for the 3Commas Signal Bot, of a TradingView strategy or of any alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signals.enums import Direction, Intent, QuantityMode, Stance
from signals.parsing import fields, foreign, strict_json, tickers
from signals.parsing.normal import Net, ParsedSignal, ParseError, Quantity

SECRET = "secret"  # noqa: S105 - the name of the field
ENTRIES: Mapping[str, tuple[bool, Direction]] = {
    "enter_long": (True, Direction.LONG),
    "exit_long": (False, Direction.LONG),
    "enter_short": (True, Direction.SHORT),
    "exit_short": (False, Direction.SHORT),
}
# What may be named; the entries and exits are looked at first.
ACTIONS: Mapping[str, Direction] = {
    **foreign.SIDES,
    **{name: d for name, (_, d) in ENTRIES.items()},
}
UNITS: Mapping[str, QuantityMode] = {
    "base": QuantityMode.BASE,
    "quote": QuantityMode.NOTIONAL,
    "margin_percent": QuantityMode.PERCENT_EQUITY,
    "position_percent": QuantityMode.PERCENT,
}
# 3Commas reads nothing that it does not describe. What would protect a position is another matter.
PROTECTIONS = ("stop_loss", "take_profit")
NAMES = {
    "instrument": "tv_instrument",
    "time": "timestamp",
    "intent": "action",
    "direction": "action",
    "quantity.value": "order.amount",
    "quantity.mode": "order.currency_type",
    "reference_price": "trigger_price",
}
EXAMPLE = """\
{
  "secret": "<secret>",
  "max_lag": "60",
  "timestamp": "{{timenow}}",
  "trigger_price": "{{close}}",
  "tv_exchange": "{{exchange}}",
  "tv_instrument": "{{ticker}}",
  "action": "{{strategy.order.action}}",
  "strategy_info": {
    "market_position": "{{strategy.market_position}}",
    "market_position_size": "{{strategy.market_position_size}}",
    "prev_market_position": "{{strategy.prev_market_position}}",
    "prev_market_position_size": "{{strategy.prev_market_position_size}}"
  },
  "order": {
    "amount": "{{strategy.order.contracts}}",
    "currency_type": "base"
  }
}"""


def parse(raw: bytes) -> ParsedSignal:
    """The signal of a payload; raises `ParseError` naming the first field at fault."""
    payload = foreign.payload_of(raw, SECRET)
    for name in PROTECTIONS:
        if foreign.given(payload, name) is not None:
            raise ParseError(name, "not read in this format: set it for the strategy")
    action = foreign.needed(payload, "action")
    if isinstance(action, str) and action.strip().lower() in ENTRIES:
        course = _entry_or_exit(payload, *ENTRIES[action.strip().lower()])
    else:
        course = _strategy(payload, foreign.choice(action, "action", ACTIONS))
    price = foreign.given(payload, "trigger_price")
    return ParsedSignal(
        inst_id=tickers.instrument(foreign.needed(payload, "tv_instrument"), "tv_instrument"),
        signal_at=fields.aware_time(foreign.needed(payload, "timestamp"), "timestamp"),
        reference_price=None if price is None else fields.positive(price, "trigger_price"),
        ttl=foreign.patience(payload, "max_lag"),
        said=foreign.said(payload),
        **course,
    )


def secret_in(raw: bytes) -> str:
    return strict_json.text_at(raw, SECRET)


def _entry_or_exit(payload: fields.Fields, enters: bool, direction: Direction) -> dict[str, Any]:
    quantity = _quantity(payload, entering=enters)
    if enters:
        if quantity is None:
            raise ParseError("order.amount", "required")
        return {"intent": Intent.OPEN, "direction": direction, "quantity": quantity}
    intent, left = foreign.exit_of(quantity)
    return {"intent": intent, "direction": direction, "quantity": left}


def _strategy(payload: fields.Fields, toward: Direction) -> dict[str, Any]:
    info = foreign.object_in(payload, "strategy_info")
    before, after = _stance(info, "prev_market_position"), _stance(info, "market_position")
    net = Net(toward=toward, before=before, after=after)
    foreign.check_course(net, "action")
    intent, direction = foreign.as_said(net)
    quantity = None
    if after != Stance.FLAT:
        quantity = _quantity(payload, entering=toward == direction)
        if quantity is None:
            raise ParseError("order.amount", "required")
        held, left = (_size(info, n) for n in ("prev_market_position_size", "market_position_size"))
        size, share = foreign.sizes((before, held), (after, left), quantity)
        net = Net(toward=toward, before=before, after=after, size=size, share=share)
    return {"intent": intent, "direction": direction, "quantity": quantity, "net": net}


def _stance(info: fields.Fields, name: str) -> Stance:
    path = f"strategy_info.{name}"
    return foreign.choice(foreign.needed(info, name, "strategy_info."), path, foreign.STANCES)


def _size(info: fields.Fields, name: str) -> Any:
    value = foreign.needed(info, name, "strategy_info.")
    return fields.not_negative(value, f"strategy_info.{name}")


def _quantity(payload: fields.Fields, *, entering: bool) -> Quantity | None:
    order = foreign.object_in(payload, "order")
    foreign.only_market(order, "order_type", "order.")
    value = foreign.given(order, "amount")
    if value is None:
        return None
    unit = foreign.needed(order, "currency_type", "order.")
    mode = foreign.choice(unit, "order.currency_type", UNITS)
    if mode == QuantityMode.PERCENT and entering:
        raise ParseError("order.currency_type", "a share of the position is for exits only")
    return foreign.quantity(value, "order.amount", mode)
