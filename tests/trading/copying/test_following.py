"""What each follower trades when the leader does something, in exact numbers."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import tenant_scope
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts, make_desk, rejected, sent
from trading.copying.cycles import settle_cycles, settle_left_over
from trading.models import Balance, Order
from trading.switch import set_limit

pytestmark = [pytest.mark.django_db, pytest.mark.database]

LONG_SHORT = {"position_mode": "long_short"}


def verdict(desk: Desk, link: Subscription) -> tuple[str, str]:
    decision = desk.last(link)
    return str(decision.outcome), str(decision.reason)


def test_an_opening_is_copied_at_each_follower_s_own_ratio(desk: Desk) -> None:
    desk.follower()
    desk.follower(follow_ratio=d("0.25"))
    desk.follower(follow_ratio=d("0.0333"))

    orders = desk.hear("open", "10")

    assert [facts(o) for o in orders] == [
        ("open", "buy", "net", "1", False),
        ("open", "buy", "net", "2.5", False),
        ("open", "buy", "net", "0.33", False),
    ]
    assert [o.notional for o in orders] == [d(600), d(1500), d(198)]
    assert [o.state for o in orders] == ["ready"] * 3
    assert [(x.outcome, x.reason) for x in desk.decisions()] == [("copied", "")] * 3
    assert desk.leader() == 10
    bases = [(c.follower_base, c.leader_base) for c in desk.cycles()]
    assert bases == [(d(1), d(10)), (d("2.5"), d(10)), (d("0.333"), d(10))]


def test_the_numbers_of_a_decision_are_kept(desk: Desk) -> None:
    link = desk.follower()

    desk.hear("open", "10")

    numbers = {name: d(value) for name, value in desk.last(link).numbers.items()}
    assert numbers == {
        "leader_before": d(0),
        "leader_after": d(10),
        "wanted": d(1),
        "lots": d(1),
        "exchange_maximum": d(10_000),
        "quantity": d(1),
        "leverage": d(1),
        "price": d(60_000),
    }


def test_a_short_sells(desk: Desk) -> None:
    desk.follower()

    (order,) = desk.hear("open", "10", direction="short")

    assert facts(order) == ("open", "sell", "net", "1", False)
    assert desk.leader("short") == 10


def test_in_long_short_mode_the_position_side_is_named(desk: Desk) -> None:
    desk.follower(account=LONG_SHORT)

    (opened,) = desk.hear("open", "10", direction="short")
    ended(opened)
    (closed,) = desk.hear("close", direction="short")

    assert facts(opened) == ("open", "sell", "short", "1", False)
    assert facts(closed) == ("close", "buy", "short", "1", False)
    assert opened.lane_key == f"{opened.account_id}|{BTC}|short"


def test_fixed_notional_opens_its_own_amount_and_then_follows_the_ratio() -> None:
    desk = make_desk(sizing_mode="FIXED_NOTIONAL", fixed_notional=d(3000))
    desk.follower()
    desk.follower(fixed_notional=d(900))

    opened = desk.hear("open", "10")
    for order in opened:
        ended(order)
    added = desk.hear("add", "10")

    assert [o.quantity for o in opened] == [d(5), d("1.5")]
    assert [o.quantity for o in added] == [d(5), d("1.5")]


def test_percent_of_equity_is_of_the_follower_s_own(desk: Desk) -> None:
    rich, unknown = desk.follower(follow_ratio=d(1)), desk.follower()
    with tenant_scope(desk.tenant):
        Balance.objects.create(
            account=rich.account, currency="USDT", equity=d(12_000), updated_at=timezone.now()
        )

    orders = desk.hear("open", "10", unit="percent_equity", quantity_mode="percent_equity")

    assert [(o.account_id, o.quantity) for o in orders] == [(rich.account_id, d(2))]
    assert verdict(desk, unknown) == ("skipped", "EQUITY_UNKNOWN")
    assert [c.unit for c in desk.cycles()] == ["percent_equity"]


def test_a_limit_makes_an_opening_smaller_and_the_rest_follows_what_was_opened(desk: Desk) -> None:
    link = desk.follower(account={"max_order_notional": d(300)})

    (opened,) = desk.hear("open", "10")
    ended(opened)
    (reduced,) = desk.hear("reduce", "4")

    assert (opened.quantity, verdict(desk, link)[0]) == (d("0.5"), "copied")
    assert desk.decisions()[0].reason == "CAPPED"
    (cycle,) = desk.cycles()
    assert (cycle.follower_base, cycle.leader_base) == (d("0.5"), d(10))
    assert facts(reduced) == ("reduce", "sell", "net", "0.2", True)


def test_what_remains_of_the_day_caps_and_then_denies(desk: Desk) -> None:
    link = desk.follower(account={"max_daily_notional": d(900)})

    first = desk.hear("open", "10")
    second = desk.hear("add", "10")
    third = desk.hear("add", "10")

    assert [o.notional for o in (*first, *second)] == [d(600), d(300)]
    assert (third, verdict(desk, link)) == ([], ("denied", "DAILY_LIMIT"))


def test_below_the_minimum_waits_for_an_add_that_lifts_it(desk: Desk) -> None:
    link = desk.follower(follow_ratio=d("0.01"))

    nothing = desk.hear("open", "0.5")
    skipped = verdict(desk, link)
    (added,) = desk.hear("add", "1.5")

    assert (nothing, skipped) == ([], ("skipped", "BELOW_MIN"))
    assert facts(added) == ("add", "buy", "net", "0.02", False)


STEPS: list[tuple[str, str, str | None, dict[str, Any], Any]] = [
    ("add", "add", "5", {}, ("add", "buy", "net", "0.5", False)),
    ("open again is an add", "open", "5", {}, ("add", "buy", "net", "0.5", False)),
    ("reduce", "reduce", "4", {}, ("reduce", "sell", "net", "0.4", True)),
    (
        "reduce by percent",
        "reduce",
        "25",
        {"quantity_mode": "percent"},
        ("reduce", "sell", "net", "0.25", True),
    ),
    ("reduce to nothing closes", "reduce", "10", {}, ("close", "sell", "net", "1", True)),
    ("reduce by more than there is", "reduce", "99", {}, ("close", "sell", "net", "1", True)),
    (
        "reduce by all percent",
        "reduce",
        "100",
        {"quantity_mode": "percent"},
        ("close", "sell", "net", "1", True),
    ),
    ("close", "close", None, {}, ("close", "sell", "net", "1", True)),
    ("target up", "target", "15", {}, ("add", "buy", "net", "0.5", False)),
    ("target down", "target", "5", {}, ("reduce", "sell", "net", "0.5", True)),
    ("target 0", "target", "0", {}, ("close", "sell", "net", "1", True)),
]


@pytest.mark.parametrize(
    ("intent", "quantity", "more", "expected"),
    [s[1:] for s in STEPS],
    ids=[s[0] for s in STEPS],
)
def test_what_follows_an_opening(
    desk: Desk, intent: str, quantity: str | None, more: dict[str, Any], expected: Any
) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)

    (order,) = desk.hear(intent, quantity, **more)

    assert facts(order) == expected


def test_a_target_that_is_reached_trades_nothing(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)

    assert desk.hear("target", "10") == []
    assert verdict(desk, link) == ("skipped", "ALREADY_AT_TARGET")


def test_a_target_from_flat_opens(desk: Desk) -> None:
    desk.follower()

    (order,) = desk.hear("target", "10")

    assert facts(order) == ("open", "buy", "net", "1", False)
    assert desk.leader() == 10


def test_the_leader_s_steps_of_the_rounding_example_are_followed_without_drift(desk: Desk) -> None:
    desk.follower(follow_ratio=d("0.13"))
    traded = []
    for target in ("1.00", "1.05", "1.10", "0.55", "0.05", "0"):
        orders = desk.hear("target", target)
        traded.append([facts(o)[0] + facts(o)[3] for o in orders])
        for order in orders:
            ended(order)

    assert traded == [["open0.13"], [], ["add0.01"], ["reduce0.07"], ["reduce0.07"], []]
    (cycle,) = desk.cycles()
    assert cycle.ended_at is not None
    assert cycle.active_key is None


def test_a_flip_in_net_mode_is_a_close_and_an_opening_that_waits_for_it(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)

    close, turn = desk.hear("flip", "20", direction="short")

    assert facts(close) == ("close", "sell", "net", "1", True)
    assert facts(turn) == ("open", "sell", "net", "2", False)
    assert (close.leg_number, turn.leg_number) == (0, 1)
    assert turn.waits_for == close.id
    assert close.lane_key == turn.lane_key
    assert close.cycle_id != turn.cycle_id
    assert (desk.leader("long"), desk.leader("short")) == (0, 20)
    keys = [c.active_key for c in desk.cycles()]
    assert keys == [None, f"{close.account_id}|{BTC}"]


def test_a_flip_in_long_short_mode_waits_across_lanes(desk: Desk) -> None:
    desk.follower(account=LONG_SHORT)
    (opened,) = desk.hear("open", "10")
    ended(opened)

    close, turn = desk.hear("flip", "20", direction="short")

    assert facts(close) == ("close", "sell", "long", "1", False)
    assert facts(turn) == ("open", "sell", "short", "2", False)
    assert turn.waits_for == close.id
    assert close.lane_key != turn.lane_key


def test_a_flip_without_a_position_only_opens(desk: Desk) -> None:
    desk.follower()

    (order,) = desk.hear("flip", "20", direction="short")

    assert facts(order) == ("open", "sell", "net", "2", False)
    assert order.waits_for is None


def test_whoever_may_only_close_is_closed_by_a_flip(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=link.pk).update(status="close_only")

    (order,) = desk.hear("flip", "20", direction="short")

    assert facts(order) == ("close", "sell", "net", "1", True)
    assert verdict(desk, link) == ("copied", "CLOSE_ONLY")
    assert [c.direction for c in desk.cycles()] == ["long"]


def test_cancel_takes_back_what_has_not_left(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")

    orders = desk.hear("cancel")

    order = desk.orders(pk=opened.pk)[0]
    assert orders == []
    assert (order.state, order.reason) == ("canceled", "CANCELED_BY_SIGNAL")
    assert verdict(desk, link) == ("copied", "CANCELED_BY_SIGNAL")
    assert desk.leader() == 10


def test_cancel_with_nothing_pending_does_nothing(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)

    desk.hear("cancel")

    assert verdict(desk, link) == ("skipped", "NOTHING_PENDING")
    assert desk.orders(pk=opened.pk)[0].state == "filled"


def test_a_cancel_asks_for_the_end_of_a_resting_order(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=opened.pk).update(order_type="limit", price=d(59_000))
    sent(opened)

    desk.hear("cancel")

    assert desk.orders(pk=opened.pk)[0].cancel_requested


def test_a_close_takes_back_an_opening_that_has_not_left(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")

    orders = desk.hear("close")

    order = desk.orders(pk=opened.pk)[0]
    assert orders == []
    assert (order.state, order.reason) == ("denied", "SUPERSEDED")
    assert verdict(desk, link) == ("skipped", "ALREADY_FLAT")
    settle_cycles([opened.pk])
    assert desk.cycles(ended_at__isnull=True) == []


def test_a_close_takes_back_what_is_being_tried_again(desk: Desk) -> None:
    """An attempt that is proved not placed leaves the order as unsent as before."""
    desk.follower()
    (opened,) = desk.hear("open", "10")
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=opened.pk).update(attempt=1)

    assert desk.hear("close") == []
    assert desk.orders(pk=opened.pk)[0].state == "denied"


def test_a_close_comes_behind_an_opening_that_has_left(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    sent(opened)

    (closing,) = desk.hear("close")

    assert facts(closing) == ("close", "sell", "net", "1", True)
    assert closing.lane_at > opened.lane_at
    assert desk.orders(pk=opened.pk)[0].state == "sending"


@pytest.mark.parametrize("end", ["rejected", "unfilled"])
def test_a_close_after_an_opening_that_came_to_nothing(desk: Desk, end: str) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    if end == "rejected":
        rejected(opened)
    else:
        ended(opened, "0")

    assert desk.cycles(ended_at__isnull=True) == []
    assert desk.hear("close") == []
    assert verdict(desk, link) == ("skipped", "NOT_IN_CYCLE")


def test_who_joined_late_is_never_closed(desk: Desk) -> None:
    first = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    late = desk.follower()

    orders = [*desk.hear("add", "10"), *desk.hear("reduce", "5"), *desk.hear("close")]

    assert {o.account_id for o in orders} == {first.account_id}
    late_words = [x for x in desk.decisions() if x.link_uid == late.uid]
    assert [(x.outcome, x.reason) for x in late_words] == [("skipped", "NOT_IN_CYCLE")] * 3


def test_who_joined_late_copies_only_what_an_opening_adds(desk: Desk) -> None:
    desk.hear("open", "10")
    desk.follower()

    (opened,) = desk.hear("open", "5")
    ended(opened)
    (reduced,) = desk.hear("target", "7.5")

    assert facts(opened) == ("open", "buy", "net", "0.5", False)
    assert facts(reduced) == ("reduce", "sell", "net", "0.25", True)


def test_spot_counts_the_fee_that_was_taken_from_what_was_bought(desk: Desk) -> None:
    make.make_instrument("BTC-USDT", lot_size=d("0.0001"), min_size=d("0.001"))
    make.set_price("BTC-USDT", 60_000)
    desk.follower()
    (opened,) = desk.hear("open", "10", inst_id="BTC-USDT")

    ended(opened, fee=d("-0.00105"), fee_currency="BTC")
    (closing,) = desk.hear("close", inst_id="BTC-USDT")

    assert (opened.quantity, opened.margin_mode, opened.leverage) == (d(1), "cash", None)
    assert facts(closing) == ("close", "sell", "net", "0.9989", False)
    ended(closing)
    (cycle,) = desk.cycles()
    assert cycle.ended_at is not None  # 0.00005 BTC stay: less than can be traded


def test_spot_cannot_be_sold_short(desk: Desk) -> None:
    make.make_instrument("BTC-USDT")
    make.set_price("BTC-USDT", 60_000)
    link = desk.follower()

    assert desk.hear("open", "10", inst_id="BTC-USDT", direction="short") == []
    assert verdict(desk, link) == ("skipped", "SHORT_NOT_POSSIBLE")
    assert desk.cycles() == []


def test_a_flip_to_short_closes_a_spot_position(desk: Desk) -> None:
    make.make_instrument("BTC-USDT")
    make.set_price("BTC-USDT", 60_000)
    link = desk.follower()
    (opened,) = desk.hear("open", "10", inst_id="BTC-USDT")
    ended(opened)

    (order,) = desk.hear("flip", "10", inst_id="BTC-USDT", direction="short")

    assert facts(order) == ("close", "sell", "net", "1", False)
    assert verdict(desk, link) == ("copied", "SHORT_NOT_POSSIBLE")


def test_large_orders_are_cut_into_slices_that_the_exchange_takes(desk: Desk) -> None:
    make.make_instrument(max_market_size=d(40))
    desk.follower(follow_ratio=d(1))
    (opened,) = desk.hear("open", "40")
    ended(opened)
    (more,) = desk.hear("add", "40")
    ended(more)

    closing = desk.hear("close")

    assert sorted((o.slice_number, o.quantity) for o in closing) == [(0, d(40)), (1, d(40))]
    assert len({o.client_order_id for o in closing}) == 2


def test_a_full_fill_and_a_close_end_the_cycle_once(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    (closing,) = desk.hear("close")
    ended(closing)
    (cycle,) = desk.cycles()

    assert settle_cycles([opened.pk, closing.pk]) == 0
    assert settle_left_over() == 0
    assert desk.cycles() == [cycle]
    assert desk.cycles()[0].ended_at == cycle.ended_at


def test_the_sweep_ends_a_cycle_whose_event_was_lost(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    (closing,) = desk.hear("close")
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=closing.pk).update(state="filled", filled_quantity=d(1))

    assert settle_left_over() == 1
    assert desk.cycles()[0].active_key is None


def test_after_an_underfill_the_follower_is_followed_by_what_it_got(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")

    ended(opened, "0.4")
    again = settle_cycles([opened.pk])
    (reduced,) = desk.hear("target", "5")

    (cycle,) = desk.cycles()
    assert (cycle.follower_base, cycle.leader_base, again) == (d("0.4"), d(10), 0)
    assert facts(reduced) == ("reduce", "sell", "net", "0.2", True)


def test_a_new_opening_may_come_before_the_old_cycle_was_settled(desk: Desk) -> None:
    """In net mode the other direction's empty cycle still has the instrument's one place."""
    desk.follower()
    (opened,) = desk.hear("open", "10")
    with tenant_scope(desk.tenant):
        Order.objects.filter(pk=opened.pk).update(state="rejected")
    desk.hear("close")

    (order,) = desk.hear("open", "10", direction="short")

    assert facts(order) == ("open", "sell", "net", "1", False)
    assert [c.active_key for c in desk.cycles(ended_at__isnull=True)] == [
        f"{order.account_id}|{BTC}"
    ]


def test_below_the_minimum_long_does_not_stand_in_the_way_of_a_short(desk: Desk) -> None:
    desk.follower(follow_ratio=d("0.001"))

    assert desk.hear("open", "5") == []
    (order,) = desk.hear("open", "100", direction="short")

    assert facts(order) == ("open", "sell", "net", "0.1", False)
    assert [c.active_key is None for c in desk.cycles()] == [True, False]


def test_leverage_is_the_smallest_of_all_caps(desk: Desk) -> None:
    with tenant_scope(desk.tenant):
        desk.strategy.max_leverage = d(20)
        desk.strategy.save()
    desk.follower()
    desk.follower(max_leverage=d(5))
    desk.follower(account={"max_leverage": d(3)})
    set_limit(kind="leverage", value=d(10), actor=None, tenant=desk.tenant)

    wanted = [o.leverage for o in desk.hear("open", "10")]
    asked = [o.leverage for o in desk.hear("add", "10", leverage=d(4))]

    assert wanted == [d(10), d(5), d(3)]
    assert asked == [d(4), d(4), d(3)]


def test_a_manual_signal_trades_its_account_alone_at_full_size(desk: Desk) -> None:
    mine, other = desk.follower(), desk.follower()

    (order,) = desk.copy(desk.hand(mine.account, "open", "2").source)

    assert facts(order) == ("open", "buy", "net", "2", False)
    assert (order.account_id, order.link_uid) == (mine.account_id, mine.account.uid)
    assert order.subscription_id is None
    assert all(x.account_id != other.account_id for x in desk.decisions())
