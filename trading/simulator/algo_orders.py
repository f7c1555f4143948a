"""Algo orders as clients give them: place, cancel, amend, find, and what orders bring along."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trading.simulator import algo_attached, algo_checks, algo_trigger, checks
from trading.simulator.algo_amend import amended_algo, amended_attachments, refuse_loose_legs
from trading.simulator.algo_engine import AlgoEngine
from trading.simulator.algo_requests import read_algo, read_attachments
from trading.simulator.algo_state import Algo, Leg, written
from trading.simulator.codes import OkxError
from trading.simulator.decimals import plain
from trading.simulator.requests import OrderRequest, Params, flag
from trading.simulator.state import Account, Order


def place(engine: AlgoEngine, account: Account, params: Params) -> Algo:
    """Accept the algo order, or raise OkxError; it may trigger before this returns."""
    algo = read_algo(params)
    exchange = engine.exchange
    quote = exchange.market.quote(algo.inst_id)
    likely = Leg(None, "", _first_price(algo))
    request = algo_trigger.as_order(algo, likely, algo.sz or quote.instrument.minimum)
    request = replace(request, reduce_only=algo.reduce_only)
    algo.pos_side = checks.check_order(account, request, exchange.market, exchange.rules)
    algo.reduce_only = checks.is_closing(account, request)
    algo_checks.check_algo(account, algo, quote)
    algo.attached = algo_attached.named(algo.attached, exchange.ids)
    algo.account, algo.algo_id = account.key, exchange.ids.next()
    algo.c_time, algo.last = exchange.clock.ms(), quote.last
    if not quote.instrument.is_spot:
        algo.lever = plain(account.lever(algo.inst_id, algo.td_mode, algo.pos_side))
    if algo.trigger is not None and algo.trigger.trigger_px is not None:
        price = algo_trigger.price_of(quote, algo.trigger.px_type)
        algo.rising = algo.trigger.trigger_px >= price
    if algo.ord_type == "move_order_stop" and algo.active_px is None:
        algo.active, algo.extreme = True, quote.last
    accepted = engine.accept(account, algo)
    engine.rest_profit(account, accepted, strict=True)
    engine.on_algo(account, accepted)
    engine.catch_up()
    return accepted


def cancel(engine: AlgoEngine, account: Account, params: Params) -> Algo:
    algo = find(engine, account, params)
    if algo is None or algo.inst_id != params.instrument().inst_id:
        raise OkxError("51400")
    if algo.state == "effective":
        raise OkxError("51416")
    if not algo.is_live:
        raise OkxError("51400")
    engine.end(account, algo)
    engine.catch_up()
    return algo


def amend(engine: AlgoEngine, account: Account, params: Params) -> Algo:
    algo = find(engine, account, params)
    if algo is None or not algo.is_live or algo.inst_id != params.instrument().inst_id:
        raise OkxError("51527")
    cancel_on_failure = flag(params, "cxlOnFail")
    quote = engine.exchange.market.quote(algo.inst_id)
    try:
        changes = amended_algo(algo, params, quote)
    except OkxError:
        if cancel_on_failure:
            engine.end(account, algo)
            engine.catch_up()
        raise
    engine.change(account, algo, amended=True, **changes)
    engine.look_at(account, algo)
    engine.catch_up()
    return algo


def find(engine: AlgoEngine, account: Account, params: Params) -> Algo | None:
    """By `algoId`, else the latest with this `algoClOrdId`."""
    algo_id, name = params.text("algoId"), params.text("algoClOrdId")
    if algo_id:
        return account.algos.get(algo_id)
    if not name:
        raise OkxError("50015", "algoId", "algoClOrdId")
    alike = (each for each in account.algos.values() if each.algo_cl_ord_id == name)
    return max(alike, key=lambda each: int(each.algo_id), default=None)


def attach(
    engine: AlgoEngine, account: Account, request: OrderRequest, params: Params
) -> OrderRequest:
    """The order with its take profits and stop losses, checked against the market."""
    attached = read_attachments(params, request.listed, request.sz)
    if not attached:
        return request
    bringing = replace(request, attached=attached)
    quote = engine.exchange.market.quote(request.listed.inst_id)
    algo_checks.check_order_attachments(account, bringing, quote)
    return replace(bringing, attached=algo_attached.named(attached, engine.exchange.ids))


def amend_order(engine: AlgoEngine, account: Account, params: Params) -> Order:
    """Size and price of a pending order, the legs it carries, or both."""
    exchange = engine.exchange
    inst_id = params.instrument().inst_id
    order = exchange.find(account, inst_id, params)
    if order is None or not order.is_open:
        return exchange.amend(account, params)
    refuse_loose_legs(order, params)
    if not params.has("attachAlgoOrds"):
        return exchange.amend(account, params)
    attached = amended_attachments(order, params, exchange.market.quote(inst_id))
    if params.has("newSz") or params.has("newPx"):
        exchange.amend(account, params)
    exchange.record(
        {
            "kind": "attach",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "inst_id": order.inst_id,
            "ord_id": order.ord_id,
            "attached": written(attached),
            "req_id": params.text("reqId"),
        }
    )
    exchange.on_order(account, order, None)
    return order


def _first_price(algo: Algo) -> Decimal | None:
    """The price of the order this algo order will most likely become."""
    for leg in (algo.sl, algo.tp, algo.trigger):
        if leg is not None:
            return leg.ord_px
    return None
