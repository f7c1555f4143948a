"""Funding, resetting and removing accounts keeps every coin, and a replay agrees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulator.test_conservation import CURRENCIES, World
from trading.simulator import upkeep
from trading.simulator.exchange import Exchange
from trading.simulator.ledger import Ledger
from trading.simulator.market import Market
from trading.simulator.requests import Params, read_order


def trade(world: World, key: str, **terms: str) -> None:
    base = {"instId": "BTC-USDT-SWAP", "tdMode": "isolated", "side": "buy", "ordType": "market"}
    order = read_order(Params(base | terms))
    world.exchange.place(world.account(key), order)


def conserved(exchange: Exchange) -> bool:
    state = exchange.state
    return all(state.total(ccy) == state.deposited.get(ccy, Decimal(0)) for ccy in CURRENCIES)


def replayed(world: World) -> Exchange:
    ledger = Ledger()
    for entry in world.exchange.ledger.entries:
        ledger.append(entry)
    return Exchange(world.exchange.clock, Market(3, world.exchange.clock.ms()), ledger)


def test_a_reset_after_losses_conserves_and_replays() -> None:
    world = World()
    trade(world, "net", sz="3")
    trade(world, "net", sz="1", ordType="limit", px="61000")
    trade(world, "hedged", sz="2", posSide="long", tdMode="cross")
    world.market.pin("BTC-USDT-SWAP", Decimal("60500"), world.exchange.clock.ms())
    trade(world, "net", sz="1.5", side="sell")

    upkeep.reset(world.exchange, world.account("net"), {"USDT": Decimal("12.5")})

    assert world.account("net").balances == {"USDT": Decimal("12.5"), "BTC": Decimal(0)}
    assert world.account("net").open_positions() == []
    assert conserved(world.exchange)
    assert replayed(world).state == world.exchange.state


def test_deposits_changes_and_the_end_of_a_key_conserve_and_replay() -> None:
    world = World()
    trade(world, "net", sz="3")
    upkeep.deposit(world.exchange, world.account("hedged"), "XRP", Decimal("0.123456789"))
    upkeep.deposit(world.exchange, world.account("hedged"), "USDT", Decimal("-3.123456789"))
    upkeep.change(world.exchange, world.account("hedged"), {"label": "x", "frozen": True})

    upkeep.remove(world.exchange, world.account("net"))

    assert list(world.exchange.state.accounts) == ["hedged"]
    assert world.account("hedged").balances["USDT"] == Decimal("1000000")
    assert conserved(world.exchange)
    again = replayed(world)
    assert again.state == world.exchange.state
    assert again.state.accounts["hedged"].frozen


def test_more_than_is_free_may_not_leave() -> None:
    world = World()
    account = world.account("net")
    trade(world, "net", sz="3", tdMode="cross")
    seq, free = world.exchange.ledger.last_seq, upkeep.free(world.exchange, account, "USDT")
    assert 0 < free < account.balances["USDT"]

    with pytest.raises(upkeep.BadUpkeepError) as refused:
        upkeep.deposit(world.exchange, account, "USDT", -free - Decimal("1e-16"))

    assert refused.value.field == "amount"
    assert world.exchange.ledger.last_seq == seq
