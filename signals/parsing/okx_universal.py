"""Messages for the OKX Signal Bot that any alert can send: ENTER_LONG, EXIT_LONG and so on."""

from __future__ import annotations

from collections.abc import Mapping

from signals.enums import Direction, Intent, QuantityMode
from signals.parsing import fields, foreign, strict_json, tickers
from signals.parsing.normal import ParsedSignal, ParseError, Quantity

SECRET = "signalToken"  # noqa: S105 - the name of the field
FIELDS = frozenset(
    {"action", "instrument", "timestamp", "maxLag", "investmentType", "amount", "orderType"}
    | {"orderPriceOffset"}
)
ACTIONS: Mapping[str, tuple[bool, Direction]] = {
    "enter_long": (True, Direction.LONG),
    "exit_long": (False, Direction.LONG),
    "enter_short": (True, Direction.SHORT),
    "exit_short": (False, Direction.SHORT),
}
UNITS: Mapping[str, QuantityMode | None] = {
    "base": QuantityMode.BASE,
    "contract": QuantityMode.CONTRACTS,
    "percentage_balance": QuantityMode.PERCENT_EQUITY,
    "percentage_investment": QuantityMode.PERCENT_EQUITY,
    "percentage_position": QuantityMode.PERCENT,
    "margin": None,
}
NAMES = {
    "time": "timestamp",
    "intent": "action",
    "direction": "action",
    "quantity.value": "amount",
    "quantity.mode": "investmentType",
}
EXAMPLE = """\
{
  "action": "ENTER_LONG",
  "instrument": "{{ticker}}",
  "signalToken": "<secret>",
  "timestamp": "{{timenow}}",
  "maxLag": "60",
  "orderType": "market",
  "investmentType": "base",
  "amount": "0.1"
}"""


def parse(raw: bytes) -> ParsedSignal:
    """The signal of a payload; raises `ParseError` naming the first field at fault."""
    payload = foreign.payload_of(raw, SECRET)
    fields.refuse_unknown(payload, FIELDS)
    enters, direction = foreign.choice(foreign.needed(payload, "action"), "action", ACTIONS)
    only_market(payload)
    quantity = amount(payload, entering=enters)
    if enters:
        intent = Intent.OPEN
        if quantity is None:
            raise ParseError("amount", "required")
    else:
        intent, quantity = foreign.exit_of(quantity)
    return ParsedSignal(
        inst_id=tickers.instrument(foreign.needed(payload, "instrument"), "instrument"),
        intent=intent,
        direction=direction,
        signal_at=fields.aware_time(foreign.needed(payload, "timestamp"), "timestamp"),
        quantity=quantity,
        ttl=foreign.patience(payload, "maxLag"),
        said=foreign.said(payload),
    )


def secret_in(raw: bytes) -> str:
    return strict_json.text_at(raw, SECRET)


def only_market(payload: fields.Fields) -> None:
    foreign.only_market(payload, "orderType")
    if foreign.given(payload, "orderPriceOffset") is not None:
        raise ParseError("orderPriceOffset", foreign.ONLY_MARKET)


def amount(payload: fields.Fields, *, entering: bool) -> Quantity | None:
    """How much is entered or left; None where nothing is said of it."""
    value = foreign.given(payload, "amount")
    if value is None:
        return None
    kind = foreign.needed(payload, "investmentType")
    mode = foreign.choice(kind, "investmentType", UNITS)
    if mode is None:
        raise ParseError("investmentType", "a margin says how much only with a bot's own leverage")
    if mode == QuantityMode.PERCENT and entering:
        raise ParseError("investmentType", "a share of the position is for exits only")
    return foreign.quantity(value, "amount", mode)
