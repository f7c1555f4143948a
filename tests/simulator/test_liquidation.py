"""Warning at 300 %, liquidation at 100 %, losses covered by the insurance fund."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.core import COIN, SPOT, SWAP, Core, told
from trading.simulator import margin, risk
from trading.simulator.decimals import ZERO, floor_to, plain
from trading.simulator.requests import Params
from trading.simulator.rows_account import detail_row, position_row
from trading.simulator.settings import set_leverage
from trading.simulator.state import Account, Position

CROSS = (SWAP, "cross", "net")
ISOLATED = (SWAP, "isolated", "net")


def lever(core: Core, account: Account, value: str, **terms: str) -> None:
    body = {"instId": SWAP, "mgnMode": "cross", "lever": value, **terms}
    set_leverage(core.exchange, account, Params(body))


def leveraged(core: Core, key: str = "risky", money: str = "1000", **terms: Any) -> Account:
    """Holds 50 contracts (about 32,000 USDT) with 1,000 USDT."""
    account = core.open(key, USDT=money)
    lever(core, account, "50", mgnMode=terms.get("tdMode", "cross"))
    core.order(account, **{"sz": "50", **terms})
    return account


def forced(core: Core, account: Account) -> list[tuple[str, str, str]]:
    return [
        (order.category, order.side, plain(order.filled))
        for order in account.orders.values()
        if order.category != "normal"
    ]


def balanced(core: Core) -> None:
    for ccy in ("USDT", "BTC"):
        assert core.state.total(ccy) == core.state.deposited.get(ccy, ZERO)


def warnings(core: Core) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []

    def hear(account: Account, position: Position) -> None:
        heard.append((account.key, position.inst_id))

    core.exchange.on_warning = hear
    return heard


def test_the_warning_comes_once_and_again_after_a_recovery() -> None:
    core = Core()
    heard = warnings(core)
    account = leveraged(core)
    counts = []

    for price in ("64000", "62800", "62700", "63900", "62800"):
        core.pin(price)
        counts.append(len(heard))

    assert counts == [0, 1, 1, 1, 2]
    assert set(heard) == {("risky", SWAP)}
    assert forced(core, account) == []


def test_the_ratio_that_is_shown_is_the_one_that_is_judged() -> None:
    core = Core()
    heard = warnings(core)
    account = leveraged(core)
    price = Decimal(64000)

    while not forced(core, account):
        view = margin.funds(account, "USDT", core.market)
        shown = Decimal(detail_row(account, view, core.market)["mgnRatio"])
        row = position_row(account, account.positions[CROSS], core.market)
        assert Decimal(row["mgnRatio"]) == shown > 1
        assert bool(heard) == (shown <= 3)
        price -= 25
        core.pin(plain(price))

    assert heard
    balanced(core)


def test_liquidation_cancels_orders_closes_the_position_and_leaves_no_debt() -> None:
    core = Core()
    account = leveraged(core)
    resting = core.order(account, px="61000", sz="0.01")
    spot = core.order(account, instId=SPOT, px="61000", sz="0.00001")
    coin = core.open("other")

    core.pin("62200")

    assert [told(each)[:2] for each in (resting, spot)] == [("canceled", "3")] * 2
    assert forced(core, account) == [("full_liquidation", "sell", "50")]
    assert all(fill.trade_id.startswith("-") for fill in account.fills[1:])
    assert account.positions[CROSS].qty == 0
    assert account.balances["USDT"] > 0
    assert [bill.kind for bill in account.bills][-1] == "5"
    assert coin.balances == {"USDT": 100000}
    balanced(core)


@pytest.mark.parametrize(("side", "price"), [("buy", "50000"), ("sell", "80000")])
def test_after_a_gap_the_insurance_fund_takes_the_loss(side: str, price: str) -> None:
    core = Core()
    account = leveraged(core, side=side)
    house = core.state.house.get("USDT", ZERO)

    core.pin(price)

    left = account.balances["USDT"]
    assert account.positions[CROSS].qty == 0
    assert ZERO <= left < Decimal("0.2") * 50 * Decimal("0.01")
    assert core.state.house["USDT"] - house == pytest.approx(
        Decimal(1000) - Decimal("16") - left, abs=Decimal(1)
    )
    balanced(core)


def test_what_the_book_does_not_take_above_bankruptcy_goes_to_the_exchange() -> None:
    core = Core()
    account = core.open("risky", USDT="40000")
    lever(core, account, "75")
    core.market.quotes[SWAP].depth._lots = 10**9
    core.order(account, sz="3000")
    core.market.quotes[SWAP].depth._lots = 2

    core.pin("62980")

    prices = [fill.px for fill in account.fills[1:]]
    assert len(prices) > 2
    assert prices[-1] == min(prices) == account.orders[account.fills[-1].ord_id].px
    assert account.balances["USDT"] >= 0
    balanced(core)


def test_a_large_position_is_reduced_tier_by_tier_first() -> None:
    """12 million USD are in the fourth tier; the third is enough."""
    core = Core()
    account = core.open("large", USDT="1000000")
    lever(core, account, "40")
    core.market.quotes[SWAP].depth._lots = 10**9
    core.order(account, sz="12000")
    core.order(account, sz="8000")

    core.pin("59650")

    assert [category for category, _, _ in forced(core, account)] == ["partial_liquidation"]
    assert account.positions[CROSS].qty == 15625
    health = margin.cross_health(account, "USDT", core.market)
    assert health.ratio is not None
    assert health.ratio > 1
    balanced(core)


def test_an_isolated_position_falls_alone() -> None:
    core = Core()
    account = core.open("careful", USDT="50000")
    lever(core, account, "50", mgnMode="isolated")
    core.order(account, sz="50", tdMode="isolated")
    core.order(account, sz="1")
    cash = account.balances["USDT"]
    closing = core.order(
        account, sz="50", side="sell", px="65000", tdMode="isolated", reduceOnly="true"
    )

    core.pin("60000")

    assert told(closing)[:2] == ("canceled", "3")
    assert account.positions[ISOLATED].qty == account.positions[ISOLATED].margin == 0
    assert account.positions[CROSS].qty == 1
    assert ZERO <= account.balances["USDT"] - cash < Decimal("0.2")
    balanced(core)


def test_an_inverse_position_is_liquidated_in_its_coin() -> None:
    core = Core()
    account = core.open("coin", BTC="0.03")
    lever(core, account, "50", instId=COIN)
    core.order(account, instId=COIN, sz="200")

    core.pin("55000", COIN)

    assert account.positions[(COIN, "cross", "net")].qty == 0
    assert ZERO <= account.balances["BTC"] < Decimal("0.00001")
    balanced(core)


def test_a_debt_without_positions_is_covered() -> None:
    core = Core()
    account = leveraged(core)
    core.market.pin(SWAP, Decimal(50000), core.clock.ms())
    core.order(account, side="sell", sz="50")
    assert account.balances["USDT"] < 0

    core.exchange.follow([])

    assert account.balances["USDT"] == 0
    balanced(core)


def test_only_accounts_that_a_price_may_have_reached_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = Core()
    for number in range(50):
        leveraged(core, f"safe{number}", money="100000")
    core.pin("64000")
    judged: list[Any] = []
    judge = core.exchange._risk._judge
    monkeypatch.setattr(
        core.exchange._risk, "_judge", lambda each: (judged.append(each), judge(each))
    )

    for price in ("63999", "63000", "62000", "66000"):
        core.pin(price)

    assert judged == []


def test_a_crash_liquidates_so_many_at_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk, "MOST_AT_ONCE", 2)
    core = Core()
    accounts = [leveraged(core, f"risky{number}") for number in range(5)]
    counts = []

    core.pin("62200")
    for _ in range(4):
        counts.append(sum(bool(forced(core, each)) for each in accounts))
        core.exchange.tick(moving=False)

    assert counts == [2, 4, 5, 5]
    assert all(len(forced(core, each)) == 1 for each in accounts)
    balanced(core)


def step_down(core: Core, price: Decimal, *, until: Decimal) -> Decimal:
    """Pin lower and lower; the first price at which somebody is liquidated."""
    while price >= until:
        core.pin(plain(price))
        if any(forced(core, each) for each in core.state.accounts.values()):
            return price
        price -= Decimal("0.1")
    raise AssertionError("nobody was liquidated")


@pytest.mark.parametrize(
    "others",
    [
        [],
        [{"instId": "ETH-USDT-SWAP", "sz": "20"}],
        [{"side": "sell", "sz": "40", "posSide": "short"}],
        [{"tdMode": "isolated", "sz": "1", "side": "sell", "posSide": "short"}],
    ],
)
def test_liquidation_comes_at_the_price_that_is_shown(others: list[dict[str, str]]) -> None:
    """Whatever else the account holds: at most a tick after the shown price, never before it."""
    core = Core()
    hedged = any("posSide" in each for each in others)
    account = core.open("a", USDT="4000", mode="long_short_mode" if hedged else "net_mode")
    lever(core, account, "50")
    core.order(account, sz="60", **({"posSide": "long"} if hedged else {}))
    for each in others:
        core.order(account, **each)
    (position,) = [each for each in account.open_positions() if each.qty == 60]

    shown = margin.liquidation_price(account, position, core.market)

    assert shown is not None
    fell = step_down(core, floor_to(shown, Decimal("0.1")) + 1, until=shown - 2)
    assert shown - Decimal("0.1") <= fell <= shown
