"""OctoBot's alerts: KEY=VALUE, on lines or behind semicolons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from signals.enums import Direction, Intent, QuantityMode
from signals.parsing import copydesk, fields, foreign, strict_json, tickers
from signals.parsing.normal import Net, ParsedSignal, ParseError, Quantity

SECRET = "TOKEN"  # noqa: S105 - the name of the field
KEYS = frozenset(
    {"EXCHANGE", "SYMBOL", "SIGNAL", "ORDER_TYPE", "VOLUME", "PRICE", "STOP_PRICE", "REDUCE_ONLY"}
    | {"TAKE_PROFIT_PRICE", "TAG", "LEVERAGE", "PARAM_SIDE"}
    # Ours: an OctoBot alert says neither when nor which, and is refused without one of them.
    | {"ID", "TIME"}
)
MAX_PAIRS = 50
SIGNALS = {"buy": Intent.OPEN, "sell": Intent.OPEN, "cancel": Intent.CANCEL}
TRUTHS = {"true": True, "false": False}
UNITS: Mapping[str, QuantityMode] = {
    "": QuantityMode.BASE,
    "q": QuantityMode.NOTIONAL,
    "%": QuantityMode.PERCENT_EQUITY,
    "a%": QuantityMode.PERCENT_AVAILABLE,
    "p%": QuantityMode.PERCENT,
}
NAMES = {
    "instrument": "SYMBOL",
    "time": "TIME",
    "intent": "SIGNAL",
    "direction": "SIGNAL",
    "quantity.value": "VOLUME",
    "quantity.mode": "VOLUME",
    "reference_price": "PRICE",
    "stop_loss": "STOP_PRICE",
    "take_profit": "TAKE_PROFIT_PRICE",
}
EXAMPLE = """\
EXCHANGE={{exchange}}
SYMBOL={{ticker}}
SIGNAL=BUY
ORDER_TYPE=MARKET
VOLUME=0.1
TIME={{timenow}}
TOKEN=<secret>"""

_VOLUME = re.compile(r"(?P<number>-?[0-9.eE+]+)(?P<unit>[a-zA-Z]*%?)")


def parse(raw: bytes) -> ParsedSignal:
    """The signal of an alert; raises `ParseError` naming the first key at fault."""
    payload = _pairs(raw)
    payload.pop(SECRET, None)
    for key in payload:
        if key.startswith("TAKE_PROFIT_") and key not in KEYS:
            raise ParseError(strict_json.shown_key(key), "one take profit for the whole position")
    fields.refuse_unknown(payload, KEYS)
    kind = foreign.choice(foreign.needed(payload, "SIGNAL"), "SIGNAL", SIGNALS)
    external_id, time = foreign.given(payload, "ID"), foreign.given(payload, "TIME")
    if external_id is None and time is None:
        raise ParseError("TIME", "ID or TIME is required, such as TIME={{timenow}}")
    head = ParsedSignal(
        inst_id=tickers.instrument(foreign.needed(payload, "SYMBOL"), "SYMBOL"),
        intent=kind,
        direction=Direction.LONG,
        external_id="" if external_id is None else fields.identifier(external_id, "ID"),
        signal_at=None if time is None else fields.aware_time(time, "TIME"),
        said=foreign.said(payload),
    )
    return _cancel(payload, head) if kind == Intent.CANCEL else _order(payload, head)


def secret_in(raw: bytes) -> str:
    try:
        return _pairs(raw).get(SECRET, "")
    except ParseError:
        return ""


def _pairs(raw: bytes) -> dict[str, str]:
    """Keys in upper case with their values; the order does not matter."""
    if len(raw) > strict_json.MAX_BYTES:
        raise ParseError("body", "larger than 64 KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ParseError("body", "not UTF-8") from None
    written = [part.strip() for part in re.split(r"[\r\n;]", text) if part.strip()]
    if not 0 < len(written) <= MAX_PAIRS:
        raise ParseError("body", "must be KEY=VALUE, one on each line")
    pairs: dict[str, str] = {}
    for number, part in enumerate(written, start=1):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals):
            raise ParseError("body", f"part {number} is not KEY=VALUE")
        key = key.upper()
        if key in pairs:
            raise ParseError(strict_json.shown_key(key), "twice")
        pairs[key] = value
    return pairs


def _cancel(payload: fields.Fields, head: ParsedSignal) -> ParsedSignal:
    if foreign.given(payload, "TAG") is not None:
        raise ParseError("TAG", "orders are canceled by instrument, not by tag")
    side = foreign.given(payload, "PARAM_SIDE")
    if side is None:
        return replace(head, net=Net())
    return replace(head, direction=foreign.choice(side, "PARAM_SIDE", foreign.SIDES))


def _order(payload: fields.Fields, head: ParsedSignal) -> ParsedSignal:
    toward = foreign.choice(payload["SIGNAL"], "SIGNAL", foreign.SIDES)
    if foreign.given(payload, "PARAM_SIDE") is not None:
        raise ParseError("PARAM_SIDE", "for CANCEL only")
    foreign.only_market(payload, "ORDER_TYPE")
    if foreign.given(payload, "PRICE") is not None:
        foreign.needed(payload, "ORDER_TYPE")  # without it a price would mean a limit order
    told = foreign.given(payload, "REDUCE_ONLY")
    spot = head.inst_id.count("-") == 1
    reduces = told is not None and foreign.choice(told, "REDUCE_ONLY", TRUTHS)
    if reduces or (spot and toward == Direction.SHORT):
        return _reduction(payload, head, foreign.OPPOSITE[toward])
    quantity = _volume(payload, entering=True)
    if quantity is None:
        raise ParseError("VOLUME", "required")
    leverage = foreign.given(payload, "LEVERAGE")
    return replace(
        head,
        direction=toward,
        quantity=quantity,
        reference_price=_price(payload, "PRICE"),
        leverage=None if leverage is None else copydesk.leverage(leverage, "LEVERAGE"),
        stop_loss=_price(payload, "STOP_PRICE"),
        take_profit=_price(payload, "TAKE_PROFIT_PRICE"),
        net=Net(toward=toward),
    )


def _reduction(payload: fields.Fields, head: ParsedSignal, direction: Direction) -> ParsedSignal:
    for key in ("STOP_PRICE", "TAKE_PROFIT_PRICE"):
        if foreign.given(payload, key) is not None:
            raise ParseError(key, "not with an order that reduces the position")
    intent, quantity = foreign.exit_of(_volume(payload, entering=False))
    price = _price(payload, "PRICE")
    return replace(
        head, intent=intent, direction=direction, quantity=quantity, reference_price=price
    )


def _volume(payload: fields.Fields, *, entering: bool) -> Quantity | None:
    value = foreign.given(payload, "VOLUME")
    if value is None:
        return None
    match = _VOLUME.fullmatch(str(value))
    if match is None or match["unit"].lower() not in UNITS:
        raise ParseError("VOLUME", "must be a number, or one followed by q, %, a% or p%")
    mode = UNITS[match["unit"].lower()]
    if mode == QuantityMode.PERCENT and entering:
        raise ParseError("VOLUME", "a share of the position is for REDUCE_ONLY orders only")
    return foreign.quantity(match["number"], "VOLUME", mode)


def _price(payload: fields.Fields, key: str) -> Decimal | None:
    value = foreign.given(payload, key)
    if value is None:
        return None
    try:
        return fields.positive(value, key)
    except ParseError:
        raise ParseError(key, "must be a price above 0, not a distance") from None
