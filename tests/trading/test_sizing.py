from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from signals.enums import Unit
from strategies.enums import MinSizePolicy, OverMaxPolicy, SizingMode
from trading.enums import Leg, Reason
from trading.sizing import (
    Caps,
    CycleBase,
    InstrumentRules,
    SizingRequest,
    SizingTerms,
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
    rebase_after_fill,
    resize_at_send,
    target_quantity,
)

D = Decimal
BTC = InstrumentRules("BTC-USDT-SWAP", D("0.01"), D("0.01"), D("0.01"), D("0.1"))
INVERSE = InstrumentRules("BTC-USD-SWAP", D(100), D(1), D(1), D("0.1"), inverse=True)
SPOT = InstrumentRules("BTC-USDT", D(1), D("0.00000001"), D("0.00001"), D("0.1"), spot=True)
RATIO = SizingTerms(SizingMode.FIXED_RATIO, ratio=D("0.13"))
NOTIONAL = SizingTerms(SizingMode.FIXED_NOTIONAL, amount=D(100))


def request(before: str, after: str, **known: object) -> SizingRequest:
    asked = SizingRequest(RATIO, BTC, D(before), D(after))
    return replace(asked, **known)


def base(follower: str, leader: str) -> CycleBase:
    return CycleBase(D(follower), D(leader))


@pytest.mark.parametrize(
    ("label", "pair", "leader", "target"),
    [
        ("opens", base("0.13", "1"), "1.00", "0.13"),
        ("add within a lot", base("0.13", "1"), "1.05", "0.13"),
        ("add over a lot", base("0.13", "1"), "1.10", "0.14"),
        ("half closed", base("0.13", "1"), "0.55", "0.07"),
        ("less than a lot", base("0.13", "1"), "0.05", "0"),
        ("flat", base("0.13", "1"), "0", "0"),
        ("k 0.13 comes back", base("0.1365", "1.05"), "1.00", "0.13"),
        ("a third loses no lot", base("0.01", "0.03"), "0.03", "0.01"),
        ("after a cap", base("0.05", "1"), "0.50", "0.02"),
        ("a sixth of three", base("3.333333333333333334", "1"), "3", "10"),
        ("given up", base("0", "1"), "2", "0"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)
def test_target_follows_the_pair(label: str, pair: CycleBase, leader: str, target: str) -> None:
    assert target_quantity(pair, D(leader), BTC) == D(target), label


def test_one_cycle_from_flat_to_flat() -> None:
    opened = plan_open(request("0", "1.00"))
    assert (opened.quantity, opened.reason, opened.capped) == (D("0.13"), Reason.NONE, False)
    assert opened.base == base("0.13", "1")
    following = {"base": opened.base}

    same = plan_add(request("1.00", "1.05", follower_position=D("0.13"), **following))
    assert (same.quantity, same.reason) == (0, Reason.ALREADY_AT_TARGET)

    added = plan_add(request("1.05", "1.10", follower_position=D("0.13"), **following))
    assert (added.quantity, added.reason, added.base) == (D("0.01"), Reason.NONE, None)

    reduced = plan_reduce(request("1.10", "0.55", follower_position=D("0.14"), **following))
    assert (reduced.quantity, reduced.reason) == (D("0.07"), Reason.NONE)

    dust = plan_reduce(request("0.55", "0.05", follower_position=D("0.07"), **following))
    assert (dust.quantity, dust.reason) == (D("0.07"), Reason.CLOSED_BELOW_MIN)

    flat = plan_close(request("0.05", "0", **following))
    assert (flat.quantity, flat.reason) == (0, Reason.ALREADY_FLAT)


@pytest.mark.parametrize(
    ("label", "known", "quantity", "follower_base"),
    [
        ("ratio of contracts", {}, "0.13", "0.13"),
        ("ratio needs no price", {"price": None}, "0.13", "0.13"),
        (
            "own amount",
            {"terms": NOTIONAL, "price": D(1000)},
            "10",
            "10",
        ),
        (
            "own amount, not ending",
            {"terms": NOTIONAL, "price": D(3000)},
            "3.33",
            "3.333333333333333334",
        ),
        (
            "own amount, inverse needs no price",
            {"terms": NOTIONAL, "rules": INVERSE},
            "1",
            "1",
        ),
        (
            "percent of equity",
            {
                "unit": Unit.PERCENT_EQUITY,
                "leader_after": D(5),
                "equity": D(10_000),
                "price": D(1000),
                "terms": replace(RATIO, ratio=D("0.1")),
            },
            "5",
            "5",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)
def test_opening_quantity(
    label: str, known: dict[str, object], quantity: str, follower_base: str
) -> None:
    result = plan_open(request("0", "1", **known))

    assert result.quantity == D(quantity), label
    assert result.base is not None
    assert result.base.follower_base == D(follower_base)
    assert result.steps[0] == ("wanted", D(follower_base))
    assert result.steps[-1] == ("quantity", D(quantity))


@pytest.mark.parametrize(
    ("label", "known", "reason"),
    [
        ("amount, no price", {"terms": NOTIONAL}, Reason.PRICE_UNKNOWN),
        ("notional limit, no price", {"caps": Caps(D(100))}, Reason.PRICE_UNKNOWN),
        (
            "percent, no equity",
            {"unit": Unit.PERCENT_EQUITY, "price": D(1)},
            Reason.EQUITY_UNKNOWN,
        ),
        ("percent, no price", {"unit": Unit.PERCENT_EQUITY, "equity": D(1)}, Reason.PRICE_UNKNOWN),
        ("leader is flat", {"leader_after": D(0)}, Reason.ALREADY_FLAT),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)
def test_opening_that_cannot_be_sized(label: str, known: dict[str, object], reason: Reason) -> None:
    result = plan_open(request("0", "1", **known))

    assert (result.quantity, result.base, result.reason) == (0, None, reason), label


def test_own_amount_follows_the_position_ratio_after_opening() -> None:
    opened = plan_open(request("0", "2", terms=NOTIONAL, price=D(1000)))
    assert opened.quantity == 10

    doubled = request("2", "4", terms=NOTIONAL, base=opened.base, follower_position=D(10))
    assert plan_add(doubled).quantity == 10

    halved = request("4", "1", terms=NOTIONAL, base=opened.base, follower_position=D(20))
    assert plan_reduce(halved).quantity == 15


def test_opening_below_the_minimum_is_made_up_by_a_later_add() -> None:
    opened = plan_open(request("0", "0.05"))
    assert (opened.quantity, opened.reason) == (0, Reason.BELOW_MIN)
    assert opened.base == base("0.0065", "0.05")

    added = plan_add(request("0.05", "0.10", base=opened.base))
    assert (added.quantity, added.reason, added.base) == (D("0.01"), Reason.NONE, None)

    still = plan_add(request("0.05", "0.06", base=opened.base))
    assert (still.quantity, still.reason) == (0, Reason.BELOW_MIN)


@pytest.mark.parametrize(
    ("label", "leader", "caps", "quantity", "reason"),
    [
        ("at half the minimum", "0.05", Caps(), "0.01", Reason.NONE),
        ("below half", "0.03", Caps(), "0", Reason.BELOW_MIN),
        ("a limit forbids it", "0.05", Caps(D("0.09")), "0", Reason.BELOW_MIN),
        ("a limit allows it", "0.05", Caps(D("0.10")), "0.01", Reason.NONE),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)
def test_rounding_up_to_the_minimum(
    label: str, leader: str, caps: Caps, quantity: str, reason: Reason
) -> None:
    terms = replace(RATIO, ratio=D("0.1"), min_policy=MinSizePolicy.ROUND_UP)

    result = plan_open(request("0", leader, terms=terms, caps=caps, price=D(1000)))

    assert (result.quantity, result.reason, result.capped) == (D(quantity), reason, False), label
    assert result.base == CycleBase(D("0.1") * D(leader), D(leader))


def test_a_rounded_up_position_stays_while_the_leader_does() -> None:
    terms = replace(RATIO, ratio=D("0.2"), min_policy=MinSizePolicy.ROUND_UP)
    opened = plan_open(request("0", "0.03", terms=terms))
    assert opened.quantity == D("0.01")

    held = request("0.03", "0.03", terms=terms, base=opened.base, follower_position=D("0.01"))

    assert plan_add(held).reason == Reason.ALREADY_AT_TARGET
    assert plan_reduce(held).reason == Reason.ALREADY_AT_TARGET


PRICED = {"price": D(1000), "terms": replace(RATIO, ratio=D(1))}


@pytest.mark.parametrize(
    ("label", "caps", "quantity", "reason"),
    [
        ("no limit", Caps(), "1", Reason.NONE),
        ("not met", Caps(D(10), D(10), D(10), D(1)), "1", Reason.NONE),
        ("order", Caps(max_order_notional=D(5)), "0.5", Reason.ORDER_NOTIONAL_ABOVE_LIMIT),
        ("floors", Caps(max_order_notional=D("5.09")), "0.5", Reason.ORDER_NOTIONAL_ABOVE_LIMIT),
        ("day", Caps(remaining_daily_notional=D(4)), "0.4", Reason.DAILY_LIMIT),
        (
            "position",
            Caps(max_position_notional=D(3)),
            "0.3",
            Reason.POSITION_NOTIONAL_ABOVE_LIMIT,
        ),
        ("contracts", Caps(max_order_quantity=D("0.2")), "0.2", Reason.ORDER_QUANTITY_ABOVE_LIMIT),
        ("the tightest names it", Caps(D(5), D(2), D(3)), "0.2", Reason.DAILY_LIMIT),
    ],
)
def test_a_limit_makes_an_opening_smaller(
    label: str, caps: Caps, quantity: str, reason: Reason
) -> None:
    result = plan_open(request("0", "1", caps=caps, **PRICED))

    assert (result.quantity, result.reason) == (D(quantity), reason), label
    assert result.capped == (reason != Reason.NONE)
    assert result.base == CycleBase(D(quantity), D(1))


def test_a_capped_cycle_goes_on_by_the_position_ratio() -> None:
    opened = plan_open(request("0", "1.00", caps=Caps(max_order_quantity=D("0.05"))))
    assert (opened.quantity, opened.base) == (D("0.05"), base("0.05", "1"))

    reduced = plan_reduce(request("1", "0.5", base=opened.base, follower_position=D("0.05")))

    assert reduced.quantity == D("0.03")  # leaves 0.02, and never buys up to 0.065


def test_a_capped_add_rebases_on_what_is_expected() -> None:
    asked = request("1", "2", base=base("1", "1"), follower_position=D("0.6"), **PRICED)

    result = plan_add(
        replace(asked, follower_pending=D("0.4"), caps=Caps(max_order_quantity=D("0.5")))
    )

    assert (result.quantity, result.capped) == (D("0.5"), True)
    assert result.base == base("1.5", "2")


def test_the_position_limit_counts_what_is_held_and_pending() -> None:
    asked = request("1", "2", base=base("1", "1"), follower_position=D("0.6"), **PRICED)

    result = plan_add(
        replace(asked, follower_pending=D("0.4"), caps=Caps(max_position_notional=D(12)))
    )

    assert (result.quantity, result.reason) == (D("0.2"), Reason.POSITION_NOTIONAL_ABOVE_LIMIT)


def test_an_opening_that_a_limit_leaves_nothing_of_opens_no_cycle() -> None:
    result = plan_open(request("0", "1", caps=Caps(remaining_daily_notional=D(-1)), **PRICED))

    assert (result.quantity, result.base) == (0, None)
    assert (result.reason, result.capped) == (Reason.DAILY_LIMIT, True)


def test_an_add_that_a_limit_leaves_nothing_of_keeps_the_position() -> None:
    asked = request("1", "2", base=base("1", "1"), follower_position=D(1), **PRICED)

    result = plan_add(replace(asked, caps=Caps(remaining_daily_notional=D(0))))

    assert (result.quantity, result.reason) == (0, Reason.DAILY_LIMIT)
    assert result.base == base("1", "2")


@pytest.mark.parametrize(
    ("label", "policy", "limit_order", "quantity", "reason"),
    [
        ("made smaller", OverMaxPolicy.SCALE_DOWN, False, "2", Reason.ABOVE_MAX),
        ("skipped", OverMaxPolicy.SKIP, False, "0", Reason.ABOVE_MAX),
        ("limit orders have their own maximum", OverMaxPolicy.SKIP, True, "4", Reason.NONE),
    ],
)
def test_above_the_exchange_maximum(
    label: str, policy: OverMaxPolicy, limit_order: bool, quantity: str, reason: Reason
) -> None:
    rules = replace(BTC, max_market_size=D("2.005"), max_limit_size=D(10))
    terms = replace(RATIO, ratio=D(1), over_max_policy=policy)

    result = plan_open(request("0", "4", rules=rules, terms=terms, limit_order=limit_order))

    assert (result.quantity, result.reason) == (D(quantity), reason), label


@pytest.mark.parametrize("plan", [plan_add, plan_reduce])
def test_a_position_that_was_not_copied_is_left_alone(plan: object) -> None:
    assert plan(request("1", "2")).reason == Reason.NOT_IN_CYCLE  # type: ignore[operator]


def test_a_cycle_that_was_given_up_is_not_added_to() -> None:
    assert plan_add(request("1", "2", base=base("0", "1"))).reason == Reason.NOT_IN_CYCLE


def test_pending_orders_count_as_if_they_were_filled() -> None:
    pending = request("1", "2", base=base("1", "1"), follower_pending=D(1))
    assert plan_add(pending).quantity == 1

    reduction = replace(pending, leader_before=D(2), leader_after=D("0.5"))
    assert plan_reduce(reduction).quantity == D("0.5")


def test_a_close_covers_an_open_that_is_still_on_its_way() -> None:
    assert plan_close(request("1", "0", follower_pending=D("0.13"))).quantity == D("0.13")


def test_a_close_does_not_rely_on_pending_reductions() -> None:
    asked = request("1", "0", follower_position=D("0.13"), follower_pending=D("-0.13"))

    assert plan_close(asked).quantity == D("0.13")


def test_an_add_never_sells() -> None:
    asked = request("1", "1.01", base=base("0.13", "1"), follower_position=D("0.50"))

    assert plan_add(asked).reason == Reason.ALREADY_AT_TARGET


def test_a_reduction_too_small_to_send_waits_for_the_next() -> None:
    asked = request("1", "0.999999", rules=SPOT, base=base("1", "1"), follower_position=D(1))
    assert plan_reduce(asked).reason == Reason.BELOW_MIN

    later = replace(asked, leader_before=D("0.999999"), leader_after=D("0.99"))
    assert plan_reduce(later).quantity == D("0.01")


@pytest.mark.parametrize(
    ("label", "leg", "leader", "filled", "quantity"),
    [
        ("close takes what is filled", Leg.CLOSE, "0", "0.08", "0.08"),
        ("close of nothing", Leg.CLOSE, "0", "0", "0"),
        ("reduce to the target", Leg.REDUCE, "0.55", "0.14", "0.07"),
        ("reduce after an underfill", Leg.REDUCE, "0.55", "0.09", "0.02"),
        ("already below the target", Leg.REDUCE, "0.55", "0.06", "0"),
        ("nothing filled", Leg.REDUCE, "0.55", "0", "0"),
        ("remainder below the minimum", Leg.REDUCE, "0.05", "0.07", "0.07"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)
def test_resized_from_the_filled_position(
    label: str, leg: Leg, leader: str, filled: str, quantity: str
) -> None:
    resized = resize_at_send(base("0.13", "1"), D(leader), D(filled), BTC, leg)

    assert resized == D(quantity), label


def test_only_exits_are_resized() -> None:
    with pytest.raises(ValueError, match="not sized"):
        resize_at_send(base("1", "1"), D(1), D(1), BTC, Leg.OPEN)


def test_an_underfill_rebases_on_what_was_filled() -> None:
    assert rebase_after_fill(base("0.13", "1"), D("0.05"), D(2)) == base("0.05", "2")
    assert rebase_after_fill(base("0.13", "1"), D("0.05"), D(0)) == base("0.13", "1")
