"""What other systems call an instrument, as OKX calls it."""

from __future__ import annotations

import re

from signals.parsing import fields
from signals.parsing.normal import ParseError

# Longest first: BTCUSDT is not priced in USD.
QUOTES = ("USDT", "USDC", "USD", "EUR", "TRY", "BRL", "AED", "AUD", "BTC", "ETH")
PERPETUAL = ".P"

_TICKER = re.compile(r"(?:[A-Z0-9_]+:)?(?P<pair>[A-Z0-9]+)(?P<perpetual>\.P)?")
_PAIR = re.compile(r"(?P<base>[A-Z0-9]+)/(?P<quote>[A-Z0-9]+)(?::(?P<settle>[A-Z0-9]+))?")
_FAULT = "must be an OKX instrument id such as BTC-USDT-SWAP, or a ticker such as BTCUSDT.P"


def instrument(value: object, path: str) -> str:
    """The OKX id of `BTC-USDT-SWAP`, `BTCUSDT.P`, `OKX:BTCUSDT`, `BTC/USDT` or `BTC/USDT:USDT`.

    A ticker without `.P` is the spot market, as it is on TradingView.
    """
    text = fields.text(value, path).strip().upper()
    if len(text) > fields.MAX_INSTRUMENT_LETTERS:
        raise ParseError(path, f"longer than {fields.MAX_INSTRUMENT_LETTERS} letters")
    if "-" in text:
        return fields.instrument(text, path)
    if match := _PAIR.fullmatch(text):
        return _of_pair(match["base"], match["quote"], match["settle"], path)
    if match := _TICKER.fullmatch(text):
        return _of_ticker(match["pair"], bool(match["perpetual"]), path)
    raise ParseError(path, _FAULT)


def _of_pair(base: str, quote: str, settle: str | None, path: str) -> str:
    if settle is None:
        return f"{base}-{quote}"
    if settle not in (base, quote):
        raise ParseError(path, _FAULT)
    return f"{base}-{quote}-SWAP"


def _of_ticker(pair: str, perpetual: bool, path: str) -> str:
    for quote in QUOTES:
        base = pair.removesuffix(quote)
        if base and base != pair:
            return f"{base}-{quote}" + ("-SWAP" if perpetual else "")
    raise ParseError(path, _FAULT)
