"""Tiers, margin moved by hand, and sizes that are truly the largest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.core import COIN, SPOT, SWAP, Core
from trading.simulator.capacity import Wish, closable_sizes, largest
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.margin_moves import move_margin
from trading.simulator.requests import Params
from trading.simulator.rows_account import closed_row, position_row
from trading.simulator.settings import set_leverage
from trading.simulator.state import Account

ISOLATED = (SWAP, "isolated", "net")
CROSS_COIN = (COIN, "cross", "net")


def lever(core: Core, account: Account, value: str, mode: str = "cross", inst: str = SWAP) -> str:
    body = {"instId": inst, "mgnMode": mode, "lever": value}
    return attempt(lambda: set_leverage(core.exchange, account, Params(body)))


def move(core: Core, account: Account, kind: str, amount: str, side: str = "net") -> str:
    body = {"instId": SWAP, "posSide": side, "type": kind, "amt": amount}
    return attempt(lambda: move_margin(core.exchange, account, Params(body)))


def attempt(call: Any) -> str:
    try:
        call()
    except OkxError as error:
        return error.code
    return "0"


def test_the_leverage_bounds_the_position() -> None:
    """At 100 BTC positions end with 2 million USD: 3,125 contracts at 640."""
    core = Core()
    account = core.open("large", USDT="1000000")
    lever(core, account, "100")
    core.order(account, sz="3000")
    core.order(account, px="60000", sz="100")

    assert core.refused(account, sz="26") == "51004"
    assert core.refused(account, px="60000", sz="26") == "51004"
    assert core.refused(account, side="sell", sz="6126") == "51004"
    assert core.order(account, sz="25").state == "filled"


def test_a_large_position_bounds_the_leverage() -> None:
    core = Core()
    account = core.open("large", USDT="1000000")
    lever(core, account, "20")
    core.order(account, sz="5000")

    assert lever(core, account, "76") == "59106"
    assert account.lever(SWAP, "cross", "net") == 20
    assert lever(core, account, "75") == "0"


def test_margin_is_added_and_taken_back() -> None:
    core = Core()
    account = core.open("mover")
    lever(core, account, "10", "isolated")
    core.order(account, sz="10", tdMode="isolated")
    position = account.positions[ISOLATED]
    cash, margin = account.balances["USDT"], position.margin

    codes = [
        move(core, account, "add", "100"),
        move(core, account, "add", "100000"),
        move(core, account, "reduce", "100.1"),
        move(core, account, "reduce", "99"),
        move(core, account, "reduce", "99", side="long"),
        move(core, account, "add", "0"),
        move(core, account, "lend", "1"),
    ]

    assert codes == ["0", "59200", "59301", "0", "59300", "51000", "51000"]
    assert (account.balances["USDT"], position.margin) == (cash - 1, margin + 1)
    assert core.state.total("USDT") == core.state.deposited["USDT"]
    assert [bill.sub_type for bill in account.bills][-2:] == ["160", "161"]


def test_the_leverage_that_is_set_already_moves_no_margin() -> None:
    core = Core()
    account = core.open("mover")
    lever(core, account, "10", "isolated")
    core.order(account, tdMode="isolated", sz="10")
    assert move(core, account, "add", "50") == "0"
    held, cash = account.positions[ISOLATED].margin, account.balances["USDT"]

    assert lever(core, account, "10", "isolated") == "0"

    assert (account.positions[ISOLATED].margin, account.balances["USDT"]) == (held, cash)


def test_average_prices_of_inverse_contracts_agree_with_the_profit() -> None:
    """Coins are averaged, not prices: 7 contracts each of 100 USD at three prices."""
    core = Core()
    account = core.open("coin", BTC="1")
    shown = []
    for price in ("64000.1", "60000.3", "51234.7"):
        core.pin(price, COIN)
        core.order(account, instId=COIN, sz="7")
        shown.append(position_row(account, account.positions[CROSS_COIN], core.market)["avgPx"])
    core.order(account, instId=COIN, sz="21", side="sell")

    row = closed_row(account, account.closed[-1])

    coins = sum(700 / Decimal(price) for price in ("64000.2", "60000.4", "51234.8"))
    opened, closed = Decimal(row["openAvgPx"]), Decimal(row["closeAvgPx"])
    assert (shown[0], shown[2]) == ("64000.2", row["openAvgPx"])
    assert abs(opened - 2100 / coins) < Decimal("0.000001")
    assert abs(2100 / opened - 2100 / closed - Decimal(row["pnl"])) < Decimal("1e-12")
    assert closed == Decimal("51234.6")


def test_margin_stays_while_closing_orders_rest() -> None:
    core = Core()
    account = core.open("mover")
    core.order(account, sz="10", tdMode="isolated")
    move(core, account, "add", "100")
    core.order(account, side="sell", px="65000", sz="10", tdMode="isolated", reduceOnly="true")

    assert move(core, account, "reduce", "1") == "59302"


def test_a_higher_leverage_does_not_give_back_what_a_loss_needs() -> None:
    core = Core()
    account = core.open("loser")
    lever(core, account, "10", "isolated")
    core.order(account, sz="10", tdMode="isolated")
    core.pin("63500")

    assert lever(core, account, "100", "isolated") == "59108"
    assert lever(core, account, "20", "isolated") == "0"
    assert account.positions[ISOLATED].qty == 10


def test_unrealized_profit_pays_no_isolated_margin() -> None:
    core = Core()
    account = core.open("winner", USDT="3000")
    lever(core, account, "10")
    lever(core, account, "10", "isolated")
    core.order(account, sz="40")
    core.pin("67000")

    assert core.refused(account, tdMode="isolated", sz="50") == "51008"
    assert core.order(account, sz="10").state == "filled"


def test_what_may_be_closed_is_told_without_what_rests() -> None:
    core = Core()
    account = core.open("closer")
    core.order(account, sz="10")
    core.order(account, side="sell", px="65000", sz="4", reduceOnly="true")

    assert closable_sizes(account, BY_ID[SWAP], "cross") == (ZERO, 6)


wishes = st.tuples(
    st.sampled_from((SWAP, COIN, "LTC-USDT-SWAP", SPOT)),
    st.sampled_from(("buy", "sell")),
    st.sampled_from((None, -300, -1, 1, 300)),
    st.integers(1, 60),
    st.integers(-30, 30),
    st.sampled_from((0, 1, 2)),
    st.sampled_from(("cross", "isolated")),
    st.sampled_from((300, 4000, 90_000, 3_000_000)),
)


@settings(max_examples=150, deadline=None)
@given(wishes)
def test_the_largest_size_passes_and_one_lot_more_does_not(wish: Any) -> None:
    inst_id, side, ticks, leverage, held, resting, mode, money = wish
    core = Core()
    coins = plain(Decimal(money) / 64000)
    account = core.open("asker", USDT=str(money), BTC=coins)
    listed = BY_ID[inst_id]
    last = core.market.quote(inst_id).last
    px = None if ticks is None else last + ticks * listed.tick
    if listed.is_spot:
        mode = "cash"
    else:
        lever(core, account, str(min(leverage, listed.max_lever)), mode, inst_id)
        before = {"instId": inst_id, "tdMode": mode, "sz": plain(abs(held) * listed.lot)}
        if held:
            attempt(lambda: core.order(account, side="buy" if held > 0 else "sell", **before))
        far = plain(last - 500 * listed.tick)
        for _ in range(resting):
            attempt(lambda: core.order(account, **{**before, "sz": plain(listed.lot)}, px=far))

    size = largest(core.exchange, account, Wish(listed, mode, side, px))

    terms = {"instId": inst_id, "tdMode": mode, "side": side, "tgtCcy": "base_ccy"}
    if px is not None:
        terms["px"] = plain(px)
    more = core.refused(account, **terms, sz=plain(size + listed.lot), banAmend="true")
    assert more in ("51008", "51004", "51202", "51201", "51020")
    if size >= listed.minimum and more not in ("51202", "51201"):
        core.order(account, **terms, sz=plain(size), banAmend="true")
        assert account.balances["USDT"] >= 0
        assert account.balances["BTC"] >= 0
