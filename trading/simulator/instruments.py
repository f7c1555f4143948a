"""The listed instruments: contract sizes, steps and limits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trading.simulator.decimals import EXACT, divide, plain, round_money
from trading.simulator.tiers import Tier, tiers_of

INST_TYPES: Final = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")


@dataclass(frozen=True, slots=True)
class Instrument:
    inst_id: str
    inst_id_code: int
    base: str
    quote: str
    settle: str
    ct_val: Decimal
    lot: Decimal
    tick: Decimal
    minimum: Decimal
    max_lever: int
    max_market: Decimal
    max_limit: Decimal
    mmr: Decimal
    first_price: Decimal
    list_time: str

    @property
    def is_spot(self) -> bool:
        return not self.settle

    @property
    def inst_type(self) -> str:
        return "SPOT" if self.is_spot else "SWAP"

    @property
    def is_inverse(self) -> bool:
        return self.settle == self.base

    @property
    def family(self) -> str:
        return f"{self.base}-{self.quote}"

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Signed worth in the settlement (spot: quote) currency.

        Inverse contracts have the opposite sign, so that profit is always
        the value given back minus the value taken.
        """
        if self.is_spot:
            return quantity * price
        if self.is_inverse:
            return -divide(quantity * self.ct_val, price)
        return quantity * self.ct_val * price

    def currency_volume(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What OKX calls volCcy: coins of a contract, quote money of a spot pair."""
        if self.is_inverse:
            return divide(quantity * self.ct_val, price)
        return quantity * (price if self.is_spot else self.ct_val)

    def price_of(self, quantity: Decimal, value: Decimal) -> Decimal:
        """The price at which `quantity` has this `value`.

        Values of inverse contracts are rounded: what that adds behind the tick is no price.
        """
        if self.is_inverse:
            price = divide(-quantity * self.ct_val, value)
            return price.quantize(self.tick.scaleb(-5), context=EXACT)
        return divide(value, quantity * self.ct_val)

    def usd_notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        if self.is_inverse:
            return abs(quantity) * self.ct_val
        return round_money(abs(quantity) * self.ct_val * price)


def _swap(code: int, name: str, sizes: str, lever: int, price: str) -> Instrument:
    base, quote, _ = name.split("-")
    ct_val, lot, tick, max_market, mmr = (Decimal(part) for part in sizes.split())
    return Instrument(
        inst_id=name,
        inst_id_code=code,
        base=base,
        quote=quote,
        settle=base if quote == "USD" else quote,
        ct_val=ct_val,
        lot=lot,
        tick=tick,
        minimum=lot,
        max_lever=lever,
        max_market=max_market,
        max_limit=Decimal(100_000_000),
        mmr=mmr,
        first_price=Decimal(price),
        list_time="1573557408000",
    )


def _spot(code: int, name: str, sizes: str, price: str) -> Instrument:
    base, quote = name.split("-")
    lot, tick, minimum = (Decimal(part) for part in sizes.split())
    return Instrument(
        inst_id=name,
        inst_id_code=code,
        base=base,
        quote=quote,
        settle="",
        ct_val=Decimal(1),
        lot=lot,
        tick=tick,
        minimum=minimum,
        max_lever=10,
        max_market=Decimal(1_000_000),
        max_limit=Decimal(9_999_999_999),
        mmr=Decimal(0),
        first_price=Decimal(price),
        list_time="1606468572000",
    )


# Swap sizes: contract value, lot, tick, largest market order, maintenance rate.
# Spot sizes: lot, tick, minimum.
_LISTED: Final = (
    _swap(10459, "BTC-USDT-SWAP", "0.01 0.01 0.1 12000 0.004", 100, "64000"),
    _swap(10461, "ETH-USDT-SWAP", "0.1 0.01 0.01 20000 0.004", 100, "3400"),
    _swap(10463, "SOL-USDT-SWAP", "1 0.01 0.01 30000 0.0065", 50, "148"),
    _swap(10465, "XRP-USDT-SWAP", "100 0.01 0.0001 20000 0.0065", 50, "0.5821"),
    _swap(10467, "DOGE-USDT-SWAP", "1000 0.01 0.00001 15000 0.0065", 50, "0.12764"),
    _swap(10469, "LTC-USDT-SWAP", "1 0.1 0.01 20000 0.01", 50, "84.6"),
    _swap(10471, "ADA-USDT-SWAP", "100 0.1 0.0001 10000 0.01", 50, "0.4417"),
    _swap(10473, "LINK-USDT-SWAP", "1 0.1 0.001 20000 0.01", 50, "13.842"),
    _swap(10475, "AVAX-USDT-SWAP", "1 1 0.001 10000 0.01", 50, "27.315"),
    _swap(10477, "BNB-USDT-SWAP", "0.01 1 0.1 30000 0.01", 50, "588.4"),
    _swap(10479, "BTC-USD-SWAP", "100 1 0.1 20000 0.004", 100, "64010"),
    _spot(20001, "BTC-USDT", "0.00000001 0.1 0.00001", "64000"),
    _spot(20003, "ETH-USDT", "0.000001 0.01 0.0001", "3400"),
    _spot(20005, "SOL-USDT", "0.000001 0.01 0.01", "148"),
    _spot(20007, "XRP-USDT", "0.000001 0.0001 1", "0.5821"),
    _spot(20009, "DOGE-USDT", "0.000001 0.00001 10", "0.12764"),
    _spot(20011, "LTC-USDT", "0.000001 0.01 0.01", "84.6"),
)

BY_ID: Final = {listed.inst_id: listed for listed in _LISTED}
BY_CODE: Final = {str(listed.inst_id_code): listed for listed in _LISTED}
CURRENCIES: Final = ("USDT", "BTC", "ETH", "SOL", "XRP", "DOGE", "LTC")


# Indexes are named like spot pairs; one follows the pair, or the contract when there is none.
INDEXES: Final = {listed.family: BY_ID.get(listed.family, listed) for listed in BY_ID.values()}


def of_type(inst_type: str) -> list[Instrument]:
    """Listed instruments of a type; margin, futures and options are not listed."""
    return [listed for listed in _LISTED if listed.inst_type == inst_type]


def tier_for(listed: Instrument, size: Decimal) -> Tier:
    """The tier of a position of this many contracts; above the last one the last."""
    every = tiers_of(listed)
    return next((tier for tier in every if abs(size) <= tier.max_size), every[-1])


def largest_at(listed: Instrument, lever: Decimal) -> Decimal:
    """The most contracts a position may have at this leverage."""
    fitting = [tier.max_size for tier in tiers_of(listed) if tier.max_lever >= lever]
    return fitting[-1] if fitting else Decimal(0)


def instrument_row(listed: Instrument, state: str = "live", expires: str = "") -> dict[str, Any]:
    spot = listed.is_spot
    huge = "9999999999.0000000000000000"
    largest = plain(listed.max_market)
    return {
        "alias": "",
        "auctionEndTime": "",
        "baseCcy": listed.base if spot else "",
        "category": "1",
        "contTdSwTime": "",
        "ctMult": "" if spot else "1",
        "ctType": "" if spot else ("inverse" if listed.is_inverse else "linear"),
        "ctVal": "" if spot else plain(listed.ct_val),
        "ctValCcy": "" if spot else ("USD" if listed.is_inverse else listed.base),
        "expTime": expires,
        "futureSettlement": False,
        "groupId": "1",
        "instCategory": "1",
        "instFamily": "" if spot else listed.family,
        "instId": listed.inst_id,
        "instIdCode": listed.inst_id_code,
        "instType": listed.inst_type,
        "lever": str(listed.max_lever),
        "listTime": listed.list_time,
        "lotSz": plain(listed.lot),
        "maxIcebergSz": huge if spot else plain(listed.max_limit),
        "maxLmtAmt": "1000000" if spot else "20000000",
        "maxLmtSz": plain(listed.max_limit),
        "maxMktAmt": largest if spot else "",
        "maxMktSz": largest,
        "maxStopSz": largest,
        "maxTriggerSz": huge if spot else plain(listed.max_limit),
        "maxTwapSz": huge if spot else plain(listed.max_limit),
        "minSz": plain(listed.minimum),
        "openType": "call_auction" if spot else "",
        "optType": "",
        "preMktSwTime": "",
        "quoteCcy": listed.quote if spot else "",
        "ruleType": "normal",
        "settleCcy": listed.settle,
        "state": state,
        "stk": "",
        "tickSz": plain(listed.tick),
        "tradeQuoteCcyList": [listed.quote] if spot else [],
        "uly": "" if spot else listed.family,
        "upcChg": [],
    }


def account_instrument_row(
    listed: Instrument, state: str = "live", expires: str = ""
) -> dict[str, Any]:
    """The private variant: no alias and category, with the platform's position limits."""
    row = instrument_row(listed, state, expires)
    del row["alias"], row["category"]
    limits = {
        "elp": "0",
        "maxPlatOICoinLmt": "",
        "maxPlatOILmt": "1000000000",
        "posLmtAmt": "2500000",
        "posLmtPct": "30",
    }
    return row | limits
