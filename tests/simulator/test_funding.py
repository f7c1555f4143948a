"""Funding: longs pay shorts at its times, once, out of cash or isolated margin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.core import COIN, SWAP, Core
from trading.simulator.decimals import ZERO, plain
from trading.simulator.ledger import Ledger
from trading.simulator.market import FundingDue
from trading.simulator.state import Account

HOURS_8 = 8 * 3_600_000


def due(core: Core, monkeypatch: pytest.MonkeyPatch, rate: str, *inst_ids: str) -> None:
    """The next heartbeat finds one funding time of these instruments."""
    dues = [FundingDue(each, Decimal(rate), core.clock.ms()) for each in inst_ids]
    monkeypatch.setattr(core.market, "funding_due", lambda now_ms: dues)
    core.exchange.tick(moving=False)
    monkeypatch.undo()


def funding(core: Core, account: Account) -> list[Any]:
    entries = core.exchange.ledger.entries
    return [
        each for each in entries if (each["kind"], each.get("account")) == ("funding", account.key)
    ]


@pytest.mark.parametrize(
    ("side", "rate", "sign"),
    [("buy", "0.0001", -1), ("sell", "0.0001", 1), ("buy", "-0.0003", 1), ("sell", "-0.0003", -1)],
)
def test_longs_pay_when_the_rate_is_positive(
    monkeypatch: pytest.MonkeyPatch, side: str, rate: str, sign: int
) -> None:
    core = Core()
    account = core.open("holder")
    heard: list[str] = []
    core.order(account, side=side, sz="10")
    before = account.balances["USDT"]
    core.exchange.on_account = lambda _account, event: heard.append(event)

    due(core, monkeypatch, rate, SWAP)

    mark = core.market.quote(SWAP).mark
    amount = sign * Decimal("0.1") * mark * abs(Decimal(rate))
    assert account.balances["USDT"] - before == amount
    assert account.positions[(SWAP, "cross", "net")].funding == amount
    assert core.state.total("USDT") == core.state.deposited["USDT"]
    assert heard == ["funding_fee"]
    bill = account.bills[-1]
    assert (bill.kind, bill.sub_type, bill.bal_chg) == ("8", "174" if sign > 0 else "173", amount)
    entry = funding(core, account)[0]
    assert (entry["rate"], entry["amount"], entry["pos"]) == (
        rate,
        plain(amount),
        "10" if side == "buy" else "-10",
    )


def test_isolated_positions_pay_out_of_their_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core()
    account = core.open("holder", mode="long_short_mode")
    core.order(account, tdMode="isolated", posSide="long", sz="10")
    core.order(account, tdMode="isolated", posSide="short", side="sell", sz="4")
    cash = account.balances["USDT"]
    long, short = account.positions.values()
    before = long.margin, short.margin

    due(core, monkeypatch, "0.0001", SWAP)

    value = core.market.quote(SWAP).mark * Decimal("0.01") * Decimal("0.0001")
    assert (long.margin - before[0], short.margin - before[1]) == (-10 * value, 4 * value)
    assert account.balances["USDT"] == cash
    assert core.state.total("USDT") == core.state.deposited["USDT"]


def test_inverse_contracts_pay_in_the_coin(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core()
    account = core.open("holder", BTC="1")
    core.order(account, instId=COIN, sz="64")
    before = account.balances["BTC"]

    due(core, monkeypatch, "0.0001", COIN)

    paid = before - account.balances["BTC"]
    assert abs(paid - 6400 / core.market.quote(COIN).mark / 10000) < Decimal("1e-15")
    assert core.state.total("BTC") == 1


def test_only_holders_pay_and_closed_positions_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core()
    holder, gone, other = (core.open(key) for key in ("holder", "gone", "other"))
    core.order(holder)
    core.order(gone)
    core.order(gone, side="sell")
    core.order(other, instId="ETH-USDT-SWAP")

    due(core, monkeypatch, "0.0001", SWAP)

    assert [len(funding(core, each)) for each in (holder, gone, other)] == [1, 0, 0]


def test_each_time_comes_once_also_after_a_restart() -> None:
    core = Core()
    account = core.open("holder")
    core.order(account)
    core.wait(HOURS_8)
    core.exchange.tick(moving=False)
    core.exchange.tick(moving=False)
    assert len(funding(core, account)) == 1

    ledger = Ledger()
    for entry in core.exchange.ledger.entries:
        ledger.append({name: value for name, value in entry.items() if name != "seq"})
    again = Core(ledger)
    again.now = core.now + 1_000_000
    again.exchange.tick(moving=False)

    held = again.state.accounts["holder"]
    assert len(funding(again, held)) == 1
    assert held == account
    again.wait(HOURS_8)
    again.exchange.tick(moving=False)
    assert len(funding(again, held)) == 2
    assert again.state.total("USDT") == again.state.deposited["USDT"] != ZERO
