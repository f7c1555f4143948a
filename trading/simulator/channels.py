"""WebSocket channels: which URL offers them, what arguments they take, what they match."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from trading.simulator.codes import OkxError
from trading.simulator.instruments import BY_ID, INST_TYPES, of_type
from trading.simulator.rows_market import BARS

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
SILENT: Final = frozenset(("liquidation-warning", "account-greeks"))
QUIET: Final = frozenset(("status", "liquidation-orders", "adl-warning", "estimated-price"))
CANDLES: Final = frozenset(f"candle{bar}" for bar in BARS)
PRICE_CANDLES: Final = frozenset(
    f"{kind}-{each}" for kind in ("mark-price", "index") for each in CANDLES
)
BUSINESS: Final = CANDLES | PRICE_CANDLES | {"trades-all"}
SILENT_BUSINESS: Final = frozenset(("orders-algo", "algo-advance"))
TIERED: Final = frozenset(("fills", "books-l2-tbt", "books50-l2-tbt"))

MARKET: Final = PUBLIC | BUSINESS
MOVING: Final = MARKET - {"instruments"}

_SWAPS_ONLY: Final = frozenset(("funding-rate", "open-interest"))
_OFFERED: Final = {
    "public": PUBLIC | QUIET | {"books-l2-tbt", "books50-l2-tbt"},
    "private": PRIVATE | SILENT | {"fills"},
    "business": BUSINESS | SILENT_BUSINESS,
}
_TYPED: Final = frozenset(("orders", "positions", "liquidation-warning", "orders-algo"))


@dataclass(frozen=True, slots=True)
class Subscription:
    """One argument of a subscribe call; `arg` is echoed exactly as it was sent."""

    arg: dict[str, Any]
    channel: str
    inst_type: str
    inst_family: str
    inst_id: str
    ccy: str
    periodic: bool

    @property
    def name(self) -> str:
        """What makes two subscriptions the same one; extra parameters do not."""
        named = (self.channel, self.inst_type, self.inst_family, self.inst_id, self.ccy)
        return json.dumps(named)

    def matches(self, inst_id: str) -> bool:
        listed = BY_ID[inst_id]
        return (
            self.inst_type in ("", "ANY", listed.inst_type)
            and self.inst_family in ("", listed.family)
            and self.inst_id in ("", inst_id)
        )


def needs_login(url: str, channel: str) -> bool:
    return url == "private" or (url == "business" and channel in SILENT_BUSINESS)


def read_subscription(url: str, arg: Any) -> Subscription:
    """A channel of this URL with arguments that make sense, or OkxError."""
    if not isinstance(arg, dict):
        raise OkxError("60013")
    values = {name: _text(arg, name) for name in _NAMES}
    channel = values["channel"]
    if not channel:
        raise OkxError("60027", "channel")
    if channel not in _OFFERED[url]:
        raise _unknown(values)
    if values["uly"]:
        raise OkxError("64000")
    if channel in TIERED:
        raise OkxError("64003")
    _check_instrument(values)
    return Subscription(
        arg=arg,
        channel=channel,
        inst_type=values["instType"],
        inst_family=values["instFamily"],
        inst_id=values["instId"],
        ccy=values["ccy"],
        periodic=_is_periodic(arg.get("extraParams")),
    )


def public_instruments(subscription: Subscription) -> list[str]:
    """The instruments a public subscription is about."""
    if subscription.channel == "instruments":
        return [each.inst_id for each in of_type(subscription.inst_type)]
    return [subscription.inst_id]


_NAMES: Final = ("channel", "instType", "instFamily", "instId", "ccy", "uly")


def _check_instrument(values: dict[str, str]) -> None:
    channel, inst_type, inst_id = values["channel"], values["instType"], values["instId"]
    if channel == "instruments" or channel in _TYPED:
        if not inst_type:
            raise OkxError("60027", "instType")
        allowed = INST_TYPES if channel == "instruments" else (*INST_TYPES, "ANY")
        if inst_type not in allowed:
            raise _unknown(values)
    elif channel in MARKET and not inst_id:
        raise OkxError("60027", "instId")
    if inst_id and inst_id not in BY_ID:
        raise _unknown(values)
    if channel in _SWAPS_ONLY and BY_ID[inst_id].is_spot:
        raise _unknown(values)
    if channel.startswith("index-") and not BY_ID[inst_id].is_spot:
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


def _is_periodic(extra: Any) -> bool:
    """`extraParams` is JSON inside a string; updateInterval 0 means events only."""
    if not isinstance(extra, str) or not extra:
        return True
    try:
        read = json.loads(extra)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(read, dict) and str(read.get("updateInterval")) == "0")
