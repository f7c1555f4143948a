"""ccxt's own OKX with two markets, as the judge of what we build and sign by hand."""

from __future__ import annotations

from typing import Any

from ccxt.async_support.okx import okx as ccxt_okx

from trading.exchange.types import Credentials

SWAP = "BTC/USDT:USDT"
SPOT = "BTC/USDT"


def reference_okx() -> ccxt_okx:
    exchange = ccxt_okx()
    swap, spot = _market(SWAP, "BTC-USDT-SWAP", swap=True), _market(SPOT, "BTC-USDT", swap=False)
    exchange.markets = {SWAP: swap, SPOT: spot}
    exchange.markets_by_id = {"BTC-USDT-SWAP": [swap], "BTC-USDT": [spot]}
    exchange.symbols = [SWAP, SPOT]
    exchange.ids = ["BTC-USDT-SWAP", "BTC-USDT"]
    exchange.currencies = {}
    return exchange


def signed_by(
    exchange: ccxt_okx, who: Credentials, path: str, method: str, params: Any, timestamp: str
) -> dict[str, Any]:
    exchange.apiKey, exchange.secret, exchange.password = who.api_key, who.secret, who.passphrase
    exchange.iso8601 = lambda _timestamp: timestamp
    signed: dict[str, Any] = exchange.sign(path, ["private"], method, params)
    return signed


def _market(symbol: str, inst_id: str, *, swap: bool) -> dict[str, Any]:
    return {
        "id": inst_id,
        "symbol": symbol,
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT" if swap else None,
        "type": "swap" if swap else "spot",
        "spot": not swap,
        "margin": False,
        "swap": swap,
        "future": False,
        "option": False,
        "contract": swap,
        "linear": swap or None,
        "inverse": False if swap else None,
        "contractSize": 0.01 if swap else None,
        "active": True,
        "precision": {"amount": 0.01, "price": 0.1},
        "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
        "info": {},
    }
