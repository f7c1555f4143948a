"""Messages for the OKX Signal Bot that a TradingView strategy fills in by itself."""

from __future__ import annotations

from decimal import Decimal

from signals.enums import Stance
from signals.parsing import fields, foreign, okx_universal, strict_json, tickers
from signals.parsing.normal import Net, ParsedSignal, ParseError, Quantity

SECRET = okx_universal.SECRET
# Ours: a strategy knows them as well, and a reversal then says how much it holds afterwards.
SIZES = ("prevMarketPositionSize", "marketPositionSize")
FIELDS = okx_universal.FIELDS | {"id", "marketPosition", "prevMarketPosition", *SIZES}
NAMES = okx_universal.NAMES
EXAMPLE = """\
{
  "id": "{{strategy.order.id}}",
  "action": "{{strategy.order.action}}",
  "marketPosition": "{{strategy.market_position}}",
  "prevMarketPosition": "{{strategy.prev_market_position}}",
  "marketPositionSize": "{{strategy.market_position_size}}",
  "prevMarketPositionSize": "{{strategy.prev_market_position_size}}",
  "instrument": "{{ticker}}",
  "signalToken": "<secret>",
  "timestamp": "{{timenow}}",
  "maxLag": "60",
  "investmentType": "base",
  "amount": "{{strategy.order.contracts}}"
}"""


def parse(raw: bytes) -> ParsedSignal:
    """The signal of a payload; raises `ParseError` naming the first field at fault.

    Its `id` names an order of the script and comes again with each entry: it is a label.
    """
    payload = foreign.payload_of(raw, SECRET)
    fields.refuse_unknown(payload, FIELDS)
    okx_universal.only_market(payload)
    net, quantity = _course(payload)
    intent, direction = foreign.as_said(net)
    label = foreign.given(payload, "id")
    return ParsedSignal(
        inst_id=tickers.instrument(foreign.needed(payload, "instrument"), "instrument"),
        intent=intent,
        direction=direction,
        signal_at=fields.aware_time(foreign.needed(payload, "timestamp"), "timestamp"),
        quantity=quantity,
        ttl=foreign.patience(payload, "maxLag"),
        net=net,
        label="" if label is None else fields.identifier(label, "id"),
        said=foreign.said(payload),
    )


def secret_in(raw: bytes) -> str:
    return strict_json.text_at(raw, SECRET)


def _course(payload: fields.Fields) -> tuple[Net, Quantity | None]:
    toward = foreign.choice(foreign.needed(payload, "action"), "action", foreign.SIDES)
    after = _stance(payload, "marketPosition")
    if after is None:
        raise ParseError("marketPosition", "required")
    before = _stance(payload, "prevMarketPosition")
    net = Net(toward=toward, before=before, after=after)
    foreign.check_course(net, "action")
    if after == Stance.FLAT:
        return net, None
    quantity = okx_universal.amount(payload, entering=toward.value == after)
    if quantity is None:
        raise ParseError("amount", "required")
    size, share = _sizes(payload, net, quantity)
    return Net(toward=toward, before=before, after=after, size=size, share=share), quantity


def _stance(payload: fields.Fields, name: str) -> Stance | None:
    value = foreign.given(payload, name)
    return None if value is None else foreign.choice(value, name, foreign.STANCES)


def _sizes(
    payload: fields.Fields, net: Net, quantity: Quantity
) -> tuple[Quantity | None, Decimal | None]:
    before, after = (_size(payload, name) for name in SIZES)
    if before is None or after is None or net.before is None or net.after is None:
        return None, None
    return foreign.sizes((net.before, before), (net.after, after), quantity)


def _size(payload: fields.Fields, name: str) -> Decimal | None:
    value = foreign.given(payload, name)
    return None if value is None else fields.not_negative(value, name)
