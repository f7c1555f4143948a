"""Memory keeps the newest part of an account's past; what is open is never forgotten."""

from __future__ import annotations

from tests.simulator.core import SWAP, Core
from trading.simulator.exchange import Exchange
from trading.simulator.ledger import Ledger


def test_the_oldest_ended_orders_are_forgotten() -> None:
    core = Core()
    core.state.kept = 10
    account = core.open("a")
    resting = core.order(account, px="60000", clOrdId="rests")
    made = [core.order(account, side=side, clOrdId=f"n{at}") for at in range(20) for side in SIDES]

    assert account.orders[resting.ord_id] is resting
    assert list(account.orders)[1:] == [each.ord_id for each in made[-10:]]
    assert account.by_client_id.keys() == {
        (SWAP, "rests"),
        *((SWAP, f"n{at}") for at in range(15, 20)),
    }
    assert account.client_ids == {"rests", *(f"n{at}" for at in range(15, 20))}
    assert 10 <= len(account.fills) <= 12
    assert 10 <= len(account.closed) <= 12


def test_names_of_forgotten_orders_stay_taken_where_a_name_is_used_once_only() -> None:
    core = Core()
    core.state.kept, core.state.keeps_names = 2, True
    core.exchange.rules.dup_clordid = "ever"
    account = core.open("a")
    for at in range(6):
        core.order(account, clOrdId=f"n{at}")

    assert (SWAP, "n0") not in account.by_client_id
    assert core.refused(account, clOrdId="n0") == "51016"


def test_a_replay_keeps_as_much_as_it_is_told() -> None:
    ledger = Ledger()
    core = Core(ledger)
    account = core.open("a")
    for _ in range(10):
        for side in SIDES:
            core.order(account, side=side)

    again = Exchange(core.clock, core.market, ledger, history=4).state.accounts["a"]

    assert list(again.orders) == list(account.orders)[-4:]
    assert again.balances == account.balances
    assert len(again.bills) == 4


SIDES = ("buy", "sell")
