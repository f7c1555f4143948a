"""Reading what clients send: absent values, order requests and their format checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from trading.simulator.algo_state import Attached, Origin
from trading.simulator.codes import OkxError, missing, parameter
from trading.simulator.decimals import is_multiple, parse_number, parse_whole, plain
from trading.simulator.instruments import BY_CODE, BY_ID, Instrument

ORDER_TYPES: Final = ("market", "limit", "post_only", "fok", "ioc", "optimal_limit_ioc")
PRICED_TYPES: Final = ("limit", "post_only", "fok", "ioc")

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII)
_LONGEST_NUMBER: Final = 26
_DEEPEST: Final = 32
_LONGEST_EXPONENT: Final = 3


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed order; whether the account may place it is checked later."""

    listed: Instrument
    td_mode: str
    side: str
    pos_side: str
    ord_type: str
    sz: Decimal
    px: Decimal | None
    cl_ord_id: str
    tag: str
    ccy: str
    tgt_ccy: str
    reduce_only: bool
    amend_px: bool
    attached: tuple[Attached, ...] = ()
    origin: Origin | None = None
    ban_amend: bool = False
    stp_mode: str = "cancel_maker"


class Numeral(str):
    """A JSON number, kept as the text it was written in."""

    __slots__ = ()


class Params:
    """One request's parameters: empty strings and nulls count as absent."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """The value as text, `""` when absent; objects and lists are refused."""
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            raise parameter(name)
        return value

    def needed(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def chosen(self, name: str, *allowed: str) -> str:
        """A needed value out of a closed list."""
        value = self.needed(name)
        if value not in allowed:
            raise parameter(name)
        return value

    def has(self, name: str) -> bool:
        return self._values.get(name) not in (None, "", [], {})

    def raw(self, name: str) -> Any:
        return self._values.get(name)

    def ms(self, name: str) -> int | None:
        value = self.text(name)
        if not value:
            return None
        number = parse_whole(value)
        if number is None:
            raise parameter(name)
        return number

    def instrument(self) -> Instrument:
        """By `instIdCode` or `instId`; the code wins when both are given."""
        code = self.text("instIdCode")
        listed = BY_CODE.get(code) if code else BY_ID.get(self.needed("instId"))
        if listed is None:
            raise OkxError("51001")
        return listed


def decode(text: str | bytes) -> Any:
    """JSON with every number kept as its text, or ValueError.

    Most bodies hold no numbers, and the faster reader then says the same.
    """
    try:
        read = orjson.loads(text)
        if not _holds_numbers(read):
            return read
    except ValueError:
        pass  # what it refuses, such as half of a surrogate pair, the other one may take
    try:
        read = _EXACT_JSON.decode(text if isinstance(text, str) else _text(text))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _holds_numbers(read)
    return read


def _text(data: bytes) -> str:
    return data.decode(json.detect_encoding(data), "surrogatepass")


def _holds_numbers(value: Any, levels: int = _DEEPEST) -> bool:
    """Texts first: they are what almost everything is. Too many levels are ValueError,
    since what is read here must also be written somewhere."""
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return False
    if not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        inside: Iterable[Any] = value.values()
    elif isinstance(value, list):
        inside = value
    else:
        return True
    # All of them, so that the depth of each is looked at.
    found = [_holds_numbers(each, levels - 1) for each in inside if type(each) is not str]
    return any(found)


def read_order(params: Params) -> OrderRequest:
    """Check the form of one order, in the order a client fills it in."""
    listed = params.instrument()
    ord_type = params.chosen("ordType", *ORDER_TYPES)
    side = params.chosen("side", "buy", "sell")
    px = _price(params, listed, ord_type)
    return OrderRequest(
        listed=listed,
        td_mode=trade_mode(params, listed),
        side=side,
        pos_side=position_side(params),
        ord_type=ord_type,
        sz=_size(params),
        px=px,
        cl_ord_id=client_id(params),
        tag=tag_of(params),
        ccy=params.text("ccy"),
        tgt_ccy=target_currency(params, listed, ord_type, side),
        reduce_only=flag(params, "reduceOnly"),
        amend_px=params.text("pxAmendType") == "1",
        ban_amend=flag(params, "banAmend"),
        stp_mode=_stp_mode(params),
    )


def client_id(params: Params) -> str:
    return client_word(params, "clOrdId")


def client_word(params: Params, name: str) -> str:
    """A name given by the client: up to 32 letters and digits, or nothing."""
    return _word(params, name, _CLIENT_ID)


def flag(params: Params, name: str) -> bool:
    value = params.text(name).lower()
    if value not in ("", "true", "false"):
        raise parameter(name)
    return value == "true"


def check_size(listed: Instrument, size: Decimal) -> None:
    """A multiple of the lot, and not under the minimum."""
    if not is_multiple(size, listed.lot):
        raise OkxError("51121")
    if size < listed.minimum:
        raise OkxError("51020")


def check_price(listed: Instrument, price: Decimal) -> None:
    if not is_multiple(price, listed.tick):
        raise OkxError("51150")


def tag_of(params: Params) -> str:
    return _word(params, "tag", _TAG)


def _word(params: Params, name: str, pattern: re.Pattern[str]) -> str:
    value = params.text(name)
    if value and not pattern.fullmatch(value):
        raise parameter(name)
    return value


def trade_mode(params: Params, listed: Instrument) -> str:
    """Spot pairs trade with `cash`, in account modes 3 and 4 with `cross`."""
    allowed = ("cash", "cross") if listed.is_spot else ("cross", "isolated")
    return params.chosen("tdMode", *allowed)


def position_side(params: Params) -> str:
    value = params.text("posSide")
    if value not in ("", "net", "long", "short"):
        raise parameter("posSide")
    return value


def _stp_mode(params: Params) -> str:
    value = params.text("stpMode") or "cancel_maker"
    if value not in ("cancel_maker", "cancel_taker", "cancel_both"):
        raise parameter("stpMode")
    return value


def _size(params: Params) -> Decimal:
    size = parse_number(params.needed("sz"))
    if size is None or size == 0:
        raise parameter("sz")
    return size


def _price(params: Params, listed: Instrument, ord_type: str) -> Decimal | None:
    if ord_type not in PRICED_TYPES:
        return None
    text = params.text("px")
    if not text:
        raise OkxError("51204")
    price = parse_number(text)
    if price is None or price == 0:
        raise parameter("px")
    check_price(listed, price)
    return price


def target_currency(params: Params, listed: Instrument, ord_type: str, side: str) -> str:
    """Only spot market orders have one: buys count quote money unless told otherwise."""
    value = params.text("tgtCcy")
    if value not in ("", "base_ccy", "quote_ccy"):
        raise parameter("tgtCcy")
    if not listed.is_spot or ord_type != "market":
        return ""
    return value or ("quote_ccy" if side == "buy" else "base_ccy")


def _numeral(text: str) -> Numeral:
    """Many clients write small numbers as `1e-05`; a JSON number means its value."""
    mantissa, _, exponent = text.lower().partition("e")
    if not exponent or len(mantissa) > _LONGEST_NUMBER or len(exponent) > _LONGEST_EXPONENT:
        return Numeral(text)
    return Numeral(plain(Decimal(text)))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_EXACT_JSON: Final = json.JSONDecoder(
    parse_float=_numeral, parse_int=Numeral, parse_constant=_refuse
)
