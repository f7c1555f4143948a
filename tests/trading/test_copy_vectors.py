"""The worked numbers of the specification of following, each under its paragraph's name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from signals.enums import Unit
from strategies.enums import MinSizePolicy, OverMaxPolicy, SizingMode
from trading.enums import Reason
from trading.sizing import (
    Caps,
    CycleBase,
    InstrumentRules,
    LeaderNumbers,
    SizingRequest,
    SizingTerms,
    Traded,
    affordable_share,
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
    rebase_after_fill,
    target_quantity,
)

D = Decimal
# A contract is a hundredth of a coin; a lot a hundredth of a contract.
BTC = InstrumentRules("BTC-USDT-SWAP", D("0.01"), D("0.01"), D("0.01"), D("0.1"))
# One contract is one coin, so that the numbers of the sources read as they were printed.
COIN = InstrumentRules("ETH-USDT-SWAP", D(1), D("0.01"), D("0.01"), D("0.01"))
INVERSE = InstrumentRules("BTC-USD-SWAP", D(100), D(1), D(1), D("0.1"), inverse=True)


def terms(mode: SizingMode, amount: str | None = None, **more: object) -> SizingTerms:
    return replace(SizingTerms(mode, amount=None if amount is None else D(amount)), **more)


def opening(how: SizingTerms, held: str, rules: InstrumentRules = COIN, **k: object) -> Decimal:
    """What is ordered when the leader opens so much."""
    return plan_open(replace(SizingRequest(how, rules, D(0), D(held)), **k)).quantity


def refused(how: SizingTerms, **known: object) -> Reason:
    result = plan_open(replace(SizingRequest(how, COIN, D(0), D(1)), **known))
    assert result.quantity == 0
    assert result.base is None
    return result.reason


# 3.2: sizing modes


def test_fixed_ratio_opens_a_tenth_of_one_coin() -> None:
    assert opening(terms(SizingMode.FIXED_RATIO, ratio=D("0.1")), "1") == D("0.1")


def test_equity_proportional_takes_the_leaders_share_of_equity() -> None:
    """10,000 of equity and a position of 1,000: 10 %, so 100 on 1,000."""
    how = terms(SizingMode.EQUITY_PROPORTIONAL)
    leader = LeaderNumbers(equity=D(10_000))

    assert opening(how, "10", equity=D(1_000), leader=leader, price=D(100)) == D(1)


def test_equity_proportional_with_a_multiplier_of_two() -> None:
    """1 ETH x 5000/1000 x 2 = 10 ETH."""
    how = terms(SizingMode.EQUITY_PROPORTIONAL, multiplier=D(2))

    assert opening(how, "1", equity=D(5_000), leader=LeaderNumbers(equity=D(1_000))) == D(10)


def test_equity_beyond_the_allocated_capital_does_not_count() -> None:
    how = terms(SizingMode.EQUITY_PROPORTIONAL, allocated_capital=D(500))

    assert opening(how, "10", equity=D(9_000), leader=LeaderNumbers(equity=D(10_000))) == D("0.5")


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"leader": LeaderNumbers(equity=D(1))}, Reason.EQUITY_UNKNOWN),
        ({"equity": D(1)}, Reason.LEADER_EQUITY_UNKNOWN),
        ({"equity": D(1), "leader": LeaderNumbers(equity=D(0))}, Reason.LEADER_EQUITY_UNKNOWN),
    ],
)
def test_equity_proportional_needs_both_equities(known: dict[str, object], reason: Reason) -> None:
    assert refused(terms(SizingMode.EQUITY_PROPORTIONAL), **known) == reason


def test_margin_proportional_check_value_of_c() -> None:
    top, bottom = affordable_share(D("0.01"), D(20))

    assert (top / bottom).quantize(D("0.0001")) == D("0.8153")


def test_margin_proportional_puts_up_the_leaders_share_of_margin() -> None:
    """The leader puts up 10 x 100 / 5 = 200 of 2,000: a tenth. A tenth of 1,000 at 20 times is
    2,000 worth of contracts."""
    how = terms(SizingMode.MARGIN_PROPORTIONAL, slippage=D("0.01"))
    leader = LeaderNumbers(equity=D(2_000), leverage=D(5), price=D(100))
    known = {"equity": D(1_000), "leverage": D(20), "price": D(100), "leader": leader}

    assert opening(how, "10", available=D(1_000), **known) == D(20)
    # c x 100 available = 81.5294 of margin: that is all there is.
    assert opening(how, "10", available=D(100), **known) == D("16.30")


def test_margin_proportional_needs_the_leaders_leverage() -> None:
    known = {"equity": D(1), "available": D(1), "leverage": D(1), "price": D(1)}
    how = terms(SizingMode.MARGIN_PROPORTIONAL)

    assert refused(how, leader=LeaderNumbers(equity=D(1)), **known) == Reason.LEADER_EQUITY_UNKNOWN


def test_fixed_notional_is_the_amount_whatever_the_leader_trades() -> None:
    assert opening(terms(SizingMode.FIXED_NOTIONAL, "500"), "77", price=D(100)) == D(5)


def test_fixed_margin_of_twenty_at_ten_times() -> None:
    how = terms(SizingMode.FIXED_MARGIN, "20")

    assert opening(how, "77", price=D(100), leverage=D(10)) == D(2)


def test_fixed_quantity() -> None:
    assert opening(terms(SizingMode.FIXED_QTY, "0.37"), "77") == D("0.37")


def test_a_share_of_the_available_balance() -> None:
    """12 % of 1,000 available at 5 times is 600 worth."""
    how = terms(SizingMode.PCT_AVAILABLE, "0.12")

    assert opening(how, "1", available=D(1_000), leverage=D(5), price=D(100)) == D(6)
    assert refused(how, leverage=D(5), price=D(100)) == Reason.EQUITY_UNKNOWN


def test_a_signal_in_percent_of_the_available_balance() -> None:
    """`VOLUME=12a%` beside `2%` of all: the strategy's ratio is kept at 1."""
    how = terms(SizingMode.FIXED_RATIO, ratio=D(1))
    known = {"equity": D(9_000), "available": D(1_000), "leverage": D(5), "price": D(100)}

    assert opening(how, "12", unit=Unit.PERCENT_AVAILABLE, **known) == D(6)
    assert opening(how, "2", unit=Unit.PERCENT_EQUITY, **known) == D("1.80")


def test_fixed_risk_loses_the_share_at_the_stop() -> None:
    """1 % of 10,000 is 100; each contract loses 4 between 100 and 96."""
    how = terms(SizingMode.FIXED_RISK, "0.01")

    assert opening(how, "1", equity=D(10_000), price=D(100), stop_loss=D(96)) == D(25)
    assert opening(how, "1", equity=D(10_000), price=D(100), stop_loss=D(104)) == D(25)
    no_stop = {"equity": D(10_000), "price": D(100)}
    assert refused(how, **no_stop) == Reason.STOP_LOSS_MISSING
    assert refused(how, stop_loss=D(100), **no_stop) == Reason.STOP_LOSS_MISSING


def test_fixed_risk_of_an_inverse_contract() -> None:
    """100 USD a contract lose 100 x (1/95 - 1/100) coins: 5.26 USD at the price of 100."""
    how = terms(SizingMode.FIXED_RISK, "0.01")
    known = {"equity": D(10_000), "price": D(100), "stop_loss": D(95)}

    assert opening(how, "1", INVERSE, **known) == D(19)


def test_caps_bind_in_the_order_of_the_specification() -> None:
    caps = Caps(
        max_order_notional=D(900), remaining_allocation=D(80), remaining_daily_notional=D(700),
        remaining_exposure=D(600), max_position_notional=D(500),
    )  # fmt: skip
    result = plan_open(
        SizingRequest(
            terms(SizingMode.FIXED_QTY, "10"),
            COIN,
            D(0),
            D(1),
            price=D(100),
            caps=caps,
            leverage=D(10),
        )
    )

    names = [name for name, _ in result.steps]
    assert names == [
        "wanted", "lots", "order_notional", "allocation", "daily_notional", "exposure",
        "position_notional", "quantity",
    ]  # fmt: skip
    assert dict(result.steps)["allocation"] == D(8)
    assert (result.quantity, result.reason) == (D(5), Reason.POSITION_NOTIONAL_ABOVE_LIMIT)


def test_the_allocation_counts_margin() -> None:
    """Three positions of 20 fit into 60; the fourth does not."""
    how = terms(SizingMode.FIXED_MARGIN, "20")
    known = {"price": D(100), "leverage": D(10)}

    for used, quantity in (("0", "2"), ("40", "2"), ("50", "1"), ("60", "0")):
        caps = Caps(remaining_allocation=D(60) - D(used))
        assert opening(how, "1", caps=caps, **known) == D(quantity)
    full = SizingRequest(how, COIN, D(0), D(1), caps=Caps(remaining_allocation=D(0)), **known)
    assert plan_open(full).reason == Reason.ALLOCATION_FULL


def test_all_positions_together_stay_within_their_multiple_of_equity() -> None:
    caps = Caps(remaining_exposure=D(250))
    request = SizingRequest(
        terms(SizingMode.FIXED_NOTIONAL, "400"), COIN, D(0), D(1), price=D(100), caps=caps
    )
    result = plan_open(request)

    assert (result.quantity, result.reason) == (D("2.5"), Reason.EXPOSURE_ABOVE_LIMIT)
    assert result.base == CycleBase(D("2.5"), D(1))


def test_an_amount_for_each_signal_is_bought_again_and_then_followed_in_proportion() -> None:
    how = terms(SizingMode.FIXED_NOTIONAL, "100", per_signal=True)
    asked = SizingRequest(how, COIN, D(0), D(1), price=D(100))
    opened = plan_open(asked)
    again = plan_add(
        replace(
            asked,
            base=opened.base,
            leader_before=D(1),
            leader_after=D(9),
            price=D(50),
            follower_position=D(1),
        )
    )
    assert (opened.quantity, again.quantity) == (D(1), D(2))
    assert again.base == CycleBase(D(3), D(9))

    reduced = plan_reduce(
        replace(
            asked, base=again.base, leader_before=D(9), leader_after=D(3), follower_position=D(3)
        )
    )
    assert reduced.quantity == D(2)


def test_without_it_additions_follow_the_position() -> None:
    how = terms(SizingMode.FIXED_NOTIONAL, "100")
    asked = SizingRequest(how, COIN, D(0), D(1), price=D(100))
    base = plan_open(asked).base
    added = replace(asked, base=base, leader_before=D(1), leader_after=D(3))

    assert plan_add(replace(added, follower_position=D(1))).quantity == D(2)


def test_a_ratio_is_of_the_same_coins_where_the_contracts_differ() -> None:
    """10 contracts of 0.01 coins are a tenth of a coin, whatever ours are counted in."""
    how = terms(SizingMode.FIXED_RATIO, ratio=D(1))
    leader = LeaderNumbers(traded=Traded(BTC, D(100)))

    assert opening(how, "10", COIN, price=D(101), leader=leader) == D("0.1")
    # One inverse contract is 100 USD: 5 x 0.01 coins at 10,000 are 500 USD.
    dear = LeaderNumbers(traded=Traded(BTC, D(10_000)))
    assert opening(how, "5", INVERSE, price=D(10_001), leader=dear) == D(5)


# 3.3: minimum and maximum


@pytest.mark.parametrize(
    ("wanted", "policy", "floor", "ordered"),
    [
        ("0.009", MinSizePolicy.SKIP, "0.5", "0"),
        ("0.005", MinSizePolicy.ROUND_UP, "0.5", "0.01"),
        ("0.0049", MinSizePolicy.ROUND_UP, "0.5", "0"),
        ("0.0079", MinSizePolicy.ROUND_UP, "0.8", "0"),
        ("0.008", MinSizePolicy.ROUND_UP, "0.8", "0.01"),
    ],
)
@pytest.mark.parametrize("mode", [SizingMode.FIXED_QTY, SizingMode.FIXED_NOTIONAL])
def test_below_the_minimum(
    mode: SizingMode, wanted: str, policy: MinSizePolicy, floor: str, ordered: str
) -> None:
    how = terms(mode, wanted, min_policy=policy, round_up_floor=D(floor))

    assert opening(how, "1", price=D(1)) == D(ordered)


def test_rounding_up_never_breaks_a_cap() -> None:
    how = terms(SizingMode.FIXED_QTY, "0.009", min_policy=MinSizePolicy.ROUND_UP)
    caps = Caps(max_order_notional=D("0.5"))
    result = plan_open(SizingRequest(how, COIN, D(0), D(1), price=D(100), caps=caps))

    assert (result.quantity, result.reason) == (0, Reason.BELOW_MIN)


@pytest.mark.parametrize(
    ("policy", "ordered"), [(OverMaxPolicy.SCALE_DOWN, "2"), (OverMaxPolicy.SKIP, "0")]
)
def test_four_lots_against_a_maximum_of_two(policy: OverMaxPolicy, ordered: str) -> None:
    rules = replace(COIN, max_market_size=D(2))
    how = terms(SizingMode.FIXED_QTY, "4", over_max_policy=policy)

    assert opening(how, "1", rules) == D(ordered)


# 3.10 and decision 16: one formula


def test_the_cycle_of_3_10() -> None:
    asked = SizingRequest(terms(SizingMode.FIXED_RATIO, ratio=D("0.13")), BTC, D(0), D(1))
    opened = plan_open(asked)
    assert (opened.quantity, opened.base) == (D("0.13"), CycleBase(D("0.13"), D(1)))

    def moved(before: str, after: str, held: str) -> SizingRequest:
        return replace(
            asked, base=opened.base, leader_before=D(before), leader_after=D(after),
            follower_position=D(held),
        )  # fmt: skip

    same = plan_add(moved("1.00", "1.05", "0.13"))
    assert (same.quantity, same.reason) == (0, Reason.ALREADY_AT_TARGET)
    assert plan_add(moved("1.05", "1.10", "0.13")).quantity == D("0.01")
    assert plan_reduce(moved("1.10", "0.55", "0.14")).quantity == D("0.07")
    dust = plan_reduce(moved("0.55", "0.05", "0.07"))
    assert (dust.quantity, dust.reason) == (D("0.07"), Reason.CLOSED_BELOW_MIN)
    flat = plan_close(moved("0.05", "0", "0"))
    assert (flat.quantity, flat.reason) == (0, Reason.ALREADY_FLAT)


@pytest.mark.parametrize(
    ("leader_before", "leader_after", "held", "closed"),
    [("1", "0.8", "0.6", "0.12"), ("1000", "800", "100", "20")],
)
def test_the_close_proportions_of_3_10(
    leader_before: str, leader_after: str, held: str, closed: str
) -> None:
    asked = SizingRequest(
        terms(SizingMode.FIXED_RATIO), COIN, D(leader_before), D(leader_after),
        base=CycleBase(D(held), D(leader_before)), follower_position=D(held),
    )  # fmt: skip

    assert plan_reduce(asked).quantity == D(closed)


def test_decision_16_k_of_0_13_comes_back_down() -> None:
    assert target_quantity(CycleBase(D("0.13"), D(1)), D("1.05"), BTC) == D("0.13")
    assert target_quantity(CycleBase(D("0.13"), D(1)), D("1.00"), BTC) == D("0.13")


def test_decision_16_a_third_stays_while_the_leader_stays() -> None:
    assert target_quantity(CycleBase(D("0.01"), D("0.03")), D("0.03"), BTC) == D("0.01")


def test_decision_16_after_a_cap_a_reduction_is_of_what_was_got() -> None:
    base = rebase_after_fill(CycleBase(D("0.13"), D(1)), D("0.05"), D(1))
    asked = SizingRequest(
        terms(SizingMode.FIXED_RATIO), BTC, D(1), D("0.5"), base=base, follower_position=D("0.05")
    )
    reduced = plan_reduce(asked)

    assert D("0.05") - reduced.quantity == D("0.02")
    # Never a buy for a leader's reduction, however little is held.
    assert plan_reduce(replace(asked, follower_position=D("0.01"))).quantity == 0
