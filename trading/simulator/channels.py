"""WebSocket channels: which URL offers them, what arguments they take, what they match."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from trading.simulator.bars import BARS
from trading.simulator.codes import OkxError
from trading.simulator.instruments import BY_ID, INDEXES, INST_TYPES

PUBLIC: Final = frozenset(
    (
        "tickers",
        "books",
        "books5",
        "bbo-tbt",
        "trades",
        "mark-price",
        "instruments",
        "price-limit",
        "index-tickers",
        "funding-rate",
        "open-interest",
    )
)
PRIVATE: Final = frozenset(("orders", "positions", "account", "balance_and_position"))
RISKS: Final = frozenset(("liquidation-warning", "account-greeks"))
NOTICES: Final = frozenset(("status", "liquidation-orders", "adl-warning", "estimated-price"))
CANDLES: Final = frozenset(f"candle{bar}" for bar in BARS)
PRICE_CANDLES: Final = frozenset(
    f"{kind}-{each}" for kind in ("mark-price", "index") for each in CANDLES
)
BUSINESS: Final = CANDLES | PRICE_CANDLES | {"trades-all"}
ALGO: Final = frozenset(("orders-algo", "algo-advance"))
DEEP_BOOKS: Final = frozenset(("books-l2-tbt", "books50-l2-tbt"))
TIERED: Final = DEEP_BOOKS | {"fills"}

MARKET: Final = PUBLIC | BUSINESS
MOVING: Final = MARKET - {"instruments"}
COUNTED: Final = PRIVATE | RISKS
FOR_ACCOUNTS: Final = PRIVATE | RISKS | ALGO

_SWAPS_ONLY: Final = frozenset(("funding-rate", "open-interest"))
OFFERED: Final = {
    "public": PUBLIC | NOTICES | DEEP_BOOKS,
    "private": PRIVATE | RISKS | {"fills"},
    "business": BUSINESS | ALGO,
}
_TYPED: Final = frozenset(("orders", "positions", "liquidation-warning", *ALGO))
_BY_TYPE: Final = frozenset(("instruments", "liquidation-orders", "adl-warning"))
_NAMES: Final = ("channel", "instType", "instFamily", "instId", "ccy")
_REGULAR_MS: Final = 5000
_LONGEST_VALUE: Final = 100
_INTERVALS: Final = {
    "positions": {"0": 0, "2000": 2000, "3000": 3000, "4000": 4000},
    "account": {"0": 0},
}

SubscriptionName = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One argument of a subscribe call, shared by all who sent the same.

    `arg` is what pushes repeat of it, as JSON; `interval_ms` is how often the whole
    is pushed besides the events, 0 for never.
    """

    channel: str
    inst_type: str
    inst_family: str
    inst_id: str
    ccy: str
    arg: str
    interval_ms: int

    @property
    def name(self) -> SubscriptionName:
        """What makes two subscriptions the same one; extra parameters do not."""
        return (self.channel, self.inst_type, self.inst_family, self.inst_id, self.ccy)

    @property
    def subject(self) -> str:
        """What a public channel is about."""
        return self.inst_type if self.channel in _BY_TYPE else self.inst_id

    def matches(self, inst_id: str) -> bool:
        """An instrument that is named decides, whatever family stands beside it."""
        listed = BY_ID[inst_id]
        if self.inst_type not in ("", "ANY", listed.inst_type):
            return False
        if self.inst_id:
            return self.inst_id == inst_id
        return self.inst_family in ("", listed.family)


def needs_login(channel: str) -> bool:
    return channel in FOR_ACCOUNTS


def read_subscription(url: str, arg: Any) -> Subscription:
    """A channel of this URL with arguments that make sense, or OkxError."""
    if not isinstance(arg, dict):
        raise OkxError("60013")
    values = {name: _text(arg, name) for name in (*_NAMES, "uly")}
    channel = values["channel"]
    if not channel:
        raise OkxError("60027", "channel")
    if max(map(len, values.values())) > _LONGEST_VALUE:
        raise OkxError("60013")
    if channel not in OFFERED[url]:
        raise _elsewhere(url, values)
    if values.pop("uly"):
        raise OkxError("64000")
    _check_instrument(values)
    interval = _interval_ms(channel, arg.get("extraParams"))
    return _subscription(*values.values(), interval_ms=interval)


@lru_cache(maxsize=10_000)
def _subscription(*values: str, interval_ms: int) -> Subscription:
    given = {name: value for name, value in zip(_NAMES, values, strict=True) if value}
    arg = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    channel, inst_type, inst_family, inst_id, ccy = values
    return Subscription(channel, inst_type, inst_family, inst_id, ccy, arg, interval_ms)


def _elsewhere(url: str, values: dict[str, str]) -> OkxError:
    """Where the channel went: 64001 to the business URL, 64002 from it, else 60018."""
    channel = values["channel"]
    if channel in OFFERED["business"]:
        return OkxError("64001")
    if url == "business" and channel in OFFERED["public"] | OFFERED["private"]:
        return OkxError("64002")
    return _unknown(values)


def _check_instrument(values: dict[str, str]) -> None:
    channel, inst_type, inst_id = values["channel"], values["instType"], values["instId"]
    if channel in _BY_TYPE or channel in _TYPED:
        if not inst_type:
            raise OkxError("60027", "instType")
        allowed = INST_TYPES if channel in _BY_TYPE else (*INST_TYPES, "ANY")
        if inst_type not in allowed:
            raise _unknown(values)
    elif channel in MARKET and not inst_id:
        raise OkxError("60027", "instId")
    known: Container[str] = INDEXES if channel.startswith("index-") else BY_ID
    if inst_id and inst_id not in known:
        raise _unknown(values)
    if channel in _SWAPS_ONLY and BY_ID[inst_id].is_spot:
        raise _unknown(values)


def _unknown(values: dict[str, str]) -> OkxError:
    named = ",".join(f"{name}:{value}" for name, value in values.items() if value)
    return OkxError("60018", named)


def _text(arg: dict[str, Any], name: str) -> str:
    value = arg.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise OkxError("60013")
    return value


def _interval_ms(channel: str, extra: Any) -> int:
    """`extraParams` is JSON inside a string; values that are not listed mean the regular one."""
    if channel not in _INTERVALS:
        return 0
    if extra is None or extra == "":
        return _REGULAR_MS
    try:
        read = json.loads(extra) if isinstance(extra, str) else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise OkxError("60033", "extraParams")
    return _INTERVALS[channel].get(str(read.get("updateInterval")), _REGULAR_MS)
