"""Private account endpoints: how much may be ordered, borrowed, moved or withdrawn."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.simulator import capacity
from trading.simulator.buying_power import available
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import ZERO, divide, floor_to, parse_number, plain
from trading.simulator.instruments import Instrument
from trading.simulator.margin import funds, notional
from trading.simulator.requests import flag
from trading.simulator.routing import (
    Call,
    Route,
    Routes,
    instrument_type,
    instruments_asked,
    one_instrument,
    several,
)
from trading.simulator.rows_account import held_currencies
from trading.simulator.state import Position
from trading.simulator.upkeep import free

Row = dict[str, Any]


def _max_size(call: Call) -> list[Any]:
    found = instruments_asked(call.params, 5)
    mode = call.params.chosen("tdMode", "cash", "cross", "isolated")
    return [_max_size_row(call, listed, mode) for listed in found]


def _max_size_row(call: Call, listed: Instrument, mode: str) -> Row:
    """What an order at `px`, without it a market order, may have: one lot more is refused."""
    price = parse_number(call.params.text("px")) if call.params.has("px") else None
    if call.params.has("px") and not price:
        raise parameter("px")
    exchange, account = call.venue.exchange, call.account
    buy, sell = (
        capacity.largest(exchange, account, capacity.Wish(listed, mode, side, price))
        for side in ("buy", "sell")
    )
    ccy = listed.base if listed.is_spot else listed.settle
    return {"ccy": ccy, "instId": listed.inst_id, "maxBuy": plain(buy), "maxSell": plain(sell)}


def _max_avail_size(call: Call) -> list[Any]:
    """Money for orders that open, or with `reduceOnly` the contracts that may be closed."""
    found = instruments_asked(call.params, 5)
    mode = call.params.chosen("tdMode", "cash", "cross", "isolated")
    closing = flag(call.params, "reduceOnly")
    made = []
    for listed in found:
        exchange, account = call.venue.exchange, call.account
        if closing and not listed.is_spot:
            buy, sell = capacity.closable_sizes(account, listed, mode)
        else:
            buy = available(exchange, account, listed.settle or listed.quote, mode)
            sell = available(exchange, account, listed.settle or listed.base, mode)
        row = {"instId": listed.inst_id, "availBuy": plain(buy), "availSell": plain(sell)}
        made.append(row)
    return made


def _max_withdrawal(call: Call) -> list[Any]:
    held = several(call.params, "ccy", 20) or held_currencies(call.account)
    made = []
    for ccy in held:
        amount = plain(free(call.venue.exchange, call.account, ccy))
        amounts = {"maxWd": amount, "maxWdEx": amount}
        made.append({"ccy": ccy, **amounts, "spotOffsetMaxWd": "", "spotOffsetMaxWdEx": ""})
    return made


def _max_loan(call: Call) -> list[Any]:
    """Nothing is lent here: both sides of a spot pair say so."""
    found = instruments_asked(call.params, 5)
    mode = call.params.chosen("mgnMode", "cross", "isolated")
    if not all(listed.is_spot for listed in found):
        raise parameter("instId")
    return [
        {
            "instId": listed.inst_id,
            "mgnMode": mode,
            "mgnCcy": call.params.text("mgnCcy"),
            "maxLoan": "0",
            "ccy": ccy,
            "side": side,
        }
        for listed in found
        for ccy, side in ((listed.base, "sell"), (listed.quote, "buy"))
    ]


def _adjusted_leverage(call: Call) -> list[Any]:
    """What another leverage would bind and allow, at the mark price."""
    params = call.params
    inst_type = instrument_type(params)
    mode = params.chosen("mgnMode", "cross", "isolated")
    wanted = parse_number(params.needed("lever"))
    listed = one_instrument(params)
    if inst_type != listed.inst_type or listed.is_spot:
        raise parameter("instType")
    if wanted is None:
        raise parameter("lever")
    if wanted > listed.max_lever:
        raise OkxError("59102")
    if wanted < 1:
        raise OkxError("59105", "1")
    return [_adjusted_row(call, listed, mode, wanted)]


def _adjusted_row(call: Call, listed: Instrument, mode: str, wanted: Decimal) -> Row:
    account, market = call.account, call.venue.market
    key = (listed.inst_id, mode)
    held = [each for each in account.open_positions() if (each.inst_id, each.mgn_mode) == key]
    bound = sum((_bound(call, each) for each in held), ZERO)
    needed = sum((divide(_worth(call, each), wanted) for each in held), ZERO)
    left = max(funds(account, listed.settle, market).available + bound - needed, ZERO)
    one = abs(listed.value(Decimal(1), market.quote(listed.inst_id).mark))
    return {
        "estAvailQuoteTrans": "",
        "estAvailTrans": plain(left),
        "estLiqPx": "",
        "estMaxAmt": plain(floor_to(divide(left * wanted, one), listed.lot)),
        "estMgn": plain(needed),
        "estQuoteMaxAmt": "",
        "estQuoteMgn": "",
        "existOrd": any((each.inst_id, each.td_mode) == key for each in account.pending.values()),
        "maxLever": str(listed.max_lever),
        "minLever": "1",
    }


def _worth(call: Call, position: Position) -> Decimal:
    """What margin is counted on: isolated margin on the entry value, cross on the mark."""
    if position.mgn_mode == "isolated":
        return abs(position.cost)
    return notional(position, call.venue.market)


def _bound(call: Call, position: Position) -> Decimal:
    if position.mgn_mode == "isolated":
        return position.margin
    lever = call.account.lever(position.inst_id, position.mgn_mode, position.pos_side)
    return divide(_worth(call, position), lever)


def _get(handler: Any, limit: int) -> Route:
    return Route(handler, limit, "uid", private=True)


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/account/max-size"): _get(_max_size, 20),
    ("GET", "/api/v5/account/max-avail-size"): _get(_max_avail_size, 20),
    ("GET", "/api/v5/account/max-withdrawal"): _get(_max_withdrawal, 20),
    ("GET", "/api/v5/account/max-loan"): _get(_max_loan, 20),
    ("GET", "/api/v5/account/adjust-leverage-info"): _get(_adjusted_leverage, 5),
}
