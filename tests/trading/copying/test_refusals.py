"""Why a follower is not copied. Every refusal is a decision with its reason, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.tenancy import tenant_scope
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy, Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts, later
from trading.enums import Scope, TradingMode
from trading.explaining import explain
from trading.models import Instrument, MarketPrice, Order, Position
from trading.switch import set_limit, set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database]

Arrange = Callable[[Desk, Subscription], Any]
ETH = "ETH-USDT-SWAP"


def told(desk: Desk, link: Subscription) -> str:
    with tenant_scope(desk.tenant):
        return explain(desk.last(link))


def put(model: Any, key: int, **values: Any) -> None:
    assert model._base_manager.filter(pk=key).update(**values) == 1


def on_account(**values: Any) -> Arrange:
    return lambda desk, link: put(ExchangeAccount, link.account_id, **values)


def on_link(**values: Any) -> Arrange:
    return lambda desk, link: put(Subscription, link.pk, **values)


def on_strategy(**values: Any) -> Arrange:
    return lambda desk, link: put(Strategy, desk.strategy.pk, **values)


def on_customer(**values: Any) -> Arrange:
    return lambda desk, link: put(Customer, link.account.customer_id, **values)


def on_price(**values: Any) -> Arrange:
    return lambda desk, link: MarketPrice.objects.filter(inst_id=BTC).update(**values)


def limit(kind: str, value: Any) -> Arrange:
    return lambda desk, link: set_limit(kind=kind, value=d(value), actor=None, tenant=desk.tenant)


def other_positions(desk: Desk, link: Subscription) -> None:
    make.make_instrument(ETH)
    put(ExchangeAccount, link.account_id, max_open_positions=1)
    Position.objects.create(
        account=link.account,
        inst_id=ETH,
        position_side="net",
        margin_mode="cross",
        quantity=d(1),
        updated_at=later(0),
    )


def unknown_here(desk: Desk, link: Subscription) -> None:
    Instrument.objects.filter(inst_id=BTC).delete()


REFUSALS: list[tuple[str, Arrange, str, str]] = [
    ("subscription paused", on_link(status="paused"), "skipped", "LINK_PAUSED"),
    ("subscription close-only", on_link(status="close_only"), "skipped", "CLOSE_ONLY"),
    ("strategy paused", on_strategy(status="paused"), "skipped", "STRATEGY_PAUSED"),
    ("instrument not listed", on_strategy(instruments=[ETH]), "skipped", "SYMBOL_NOT_ALLOWED"),
    ("instrument unknown", unknown_here, "skipped", "INSTRUMENT_UNKNOWN"),
    (
        "instrument suspended",
        lambda desk, link: Instrument.objects.filter(inst_id=BTC).update(state="suspend"),
        "skipped",
        "INSTRUMENT_SUSPENDED",
    ),
    ("customer inactive", on_customer(status="inactive"), "denied", "CUSTOMER_DISABLED"),
    ("account paused", on_account(status="paused"), "denied", "ACCOUNT_DISABLED"),
    ("key not verified", on_account(key_status="pending"), "denied", "KEY_NOT_VERIFIED"),
    ("key refused", on_account(key_status="refused"), "denied", "KEY_NOT_VERIFIED"),
    ("price old", on_price(mark_at=later(-30)), "denied", "PRICE_UNKNOWN"),
    ("price never seen", on_price(mark=None, mark_at=None), "denied", "PRICE_UNKNOWN"),
    ("day used up", limit("daily_notional", 0), "denied", "DAILY_LIMIT"),
    ("order limit leaves nothing", limit("order_notional", 5), "denied", "ORDER_NOTIONAL"),
    ("order quantity", limit("order_quantity", 0), "denied", "ORDER_QUANTITY"),
    ("position limit", limit("position_notional", 5), "denied", "POSITION_NOTIONAL"),
    ("spread", on_price(bid=d(59_000), ask=d(61_000)), "denied", "SPREAD_ABOVE_LIMIT"),
    ("desk's instrument", limit("desk_notional", 599), "denied", "DESK_NOTIONAL_ABOVE_LIMIT"),
    ("several times the leader's", limit("leader_multiple", "0.9"), "denied", "SIZE_OUT_OF"),
    ("legs", limit("legs", 0), "denied", "LEGS_ABOVE_LIMIT"),
    ("open positions", other_positions, "denied", "OPEN_POSITIONS_ABOVE_LIMIT"),
]


@pytest.mark.parametrize(
    ("arrange", "outcome", "reason"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_an_opening_is_refused(desk: Desk, arrange: Arrange, outcome: str, reason: str) -> None:
    link, signal = desk.follower(), desk.say("open", "10")
    with tenant_scope(desk.tenant):
        arrange(desk, link)

    orders = desk.copy()

    (decision,) = desk.decisions(signal)
    assert decision.outcome == outcome
    assert decision.reason.startswith(reason)
    assert (orders, desk.orders(), desk.cycles()) == ([], [], [])
    assert desk.leader() == 10  # the leader moved all the same


@pytest.mark.parametrize("mode", [TradingMode.HALTED, TradingMode.REDUCE_ONLY])
@pytest.mark.parametrize("scope", list(Scope))
def test_a_switch_bites_at_each_of_its_six_scopes(
    desk: Desk, scope: Scope, mode: TradingMode
) -> None:
    link, free = desk.follower(), make.make_tenant()
    with tenant_scope(desk.tenant):
        target: Any = {
            Scope.STRATEGY: desk.strategy,
            Scope.CUSTOMER: link.account.customer,
            Scope.ACCOUNT: link.account,
            Scope.INSTRUMENT: BTC,
        }.get(scope)
    tenant = None if scope == Scope.SYSTEM else desk.tenant
    set_mode(mode=mode, reason="test", actor=None, tenant=tenant, scope=scope, target=target)
    set_mode(mode=TradingMode.HALTED, reason="another desk", actor=None, tenant=free)

    orders = desk.hear("open", "10")

    reason = "TRADING_HALTED" if mode == TradingMode.HALTED else "REDUCE_ONLY"
    assert [(x.outcome, x.reason) for x in desk.decisions()] == [("denied", reason)]
    assert (orders, desk.cycles()) == ([], [])


def test_a_switch_of_the_installation_on_one_instrument_spares_the_others(desk: Desk) -> None:
    make.make_instrument(ETH)
    make.set_price(ETH, 3000)
    desk.follower()
    set_mode(
        mode=TradingMode.HALTED,
        reason="odd prices",
        actor=None,
        tenant=None,
        scope=Scope.INSTRUMENT,
        target=ETH,
    )

    assert desk.hear("open", "10", inst_id=ETH) == []
    assert len(desk.hear("open", "10")) == 1


@pytest.mark.parametrize(
    ("arrange", "label"),
    [
        (on_link(status="paused"), "subscription paused"),
        (on_link(status="close_only"), "close-only"),
        (on_strategy(status="paused"), "strategy paused"),
        (on_strategy(instruments=[ETH]), "instrument no longer listed"),
        (on_customer(status="inactive"), "customer inactive"),
        (on_price(mark_at=later(-30)), "price old"),
        (limit("daily_notional", 0), "day used up"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whoever_is_in_can_get_out(desk: Desk, arrange: Arrange, label: str) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    with tenant_scope(desk.tenant):
        arrange(desk, link)

    (order,) = desk.hear("close")

    assert facts(order) == ("close", "sell", "net", "1", True)


@pytest.mark.parametrize("scope", [Scope.TENANT, Scope.SYSTEM])
def test_reduce_only_lets_reductions_through(desk: Desk, scope: Scope) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    tenant = None if scope == Scope.SYSTEM else desk.tenant
    set_mode(mode=TradingMode.REDUCE_ONLY, reason="t", actor=None, tenant=tenant, scope=scope)

    assert desk.hear("add", "10") == []
    assert desk.hear("reduce", "10") == []  # the add was missed, so this is where it stands
    assert [facts(o)[3] for o in desk.hear("reduce", "5")] == ["0.5"]


def test_an_old_opening_expires_and_an_old_close_does_not(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10", signal_at=later(-59))
    ended(opened)

    late_add = desk.hear("add", "10", signal_at=later(-61))
    expired = desk.last(link)
    (closing,) = desk.hear("close", signal_at=later(-3600))

    assert (late_add, expired.outcome, expired.reason) == ([], "skipped", "EXPIRED")
    assert d(expired.numbers["limit"]) == 60
    assert closing.expires_at is None


def test_the_sender_may_be_less_patient_than_the_strategy_never_more(desk: Desk) -> None:
    link = desk.follower()

    short = desk.hear("open", "10", signal_at=later(-20), expires_at=later(-10))
    (order,) = desk.hear("open", "10", expires_at=later(600))

    assert (short, desk.decisions()[0].reason) == ([], "EXPIRED")
    assert (order.expires_at - order.signal_at).total_seconds() == pytest.approx(60)
    assert desk.last(link).outcome == "copied"


def test_net_mode_holds_one_direction(desk: Desk) -> None:
    net, hedged = desk.follower(), desk.follower(account={"position_mode": "long_short"})
    for order in desk.hear("open", "10"):
        ended(order)

    orders = desk.hear("open", "10", direction="short")

    assert [o.account_id for o in orders] == [hedged.account_id]
    assert (desk.last(net).outcome, desk.last(net).reason) == ("skipped", "POS_MODE_CONFLICT")


def second_desk_strategy(desk: Desk, link: Subscription) -> Desk:
    source = make.make_source(desk.tenant)
    strategy = make.make_strategy(source)
    make.subscribe(strategy, link.account)
    return Desk(desk.tenant, source, strategy)


def test_one_account_follows_one_strategy_per_instrument(desk: Desk) -> None:
    link = desk.follower()
    rival = second_desk_strategy(desk, link)
    (opened,) = desk.hear("open", "10")
    ended(opened)

    refused = rival.hear("open", "10")
    word = desk.decisions()[-1]
    (closing,) = desk.hear("close")
    ended(closing)
    (late,) = rival.hear("target", "11") or [None]

    assert (refused, word.outcome, word.reason) == ([], "skipped", "LINK_CONFLICT")
    assert late is None  # the rival's leader was in already: this position was not copied
    (order,) = rival.hear("open", "10")
    assert facts(order) == ("open", "buy", "net", "1", False)


def test_in_long_short_mode_two_strategies_may_hold_the_two_sides(desk: Desk) -> None:
    link = desk.follower(account={"position_mode": "long_short"})
    rival = second_desk_strategy(desk, link)
    desk.hear("open", "10")

    same_side = rival.hear("open", "10")
    (order,) = rival.hear("open", "10", direction="short")

    assert same_side == []
    assert facts(order) == ("open", "sell", "short", "1", False)


def test_a_second_source_of_the_same_strategy_neither_closes_nor_resizes(desk: Desk) -> None:
    """Each source has a leader position of its own; a cycle follows the one that began it."""
    desk.follower()
    other = make.make_source(desk.tenant)
    with tenant_scope(desk.tenant):
        desk.strategy.source_links.create(tenant=desk.tenant, source=other)
    (opened,) = desk.hear("open", "10")
    ended(opened)

    spoken = [
        *desk.hear("close", source=other),
        *desk.hear("open", "3", source=other),
        *desk.hear("target", "1", source=other),
    ]

    assert spoken == []
    reasons = [x.reason for x in desk.decisions()[1:]]
    assert reasons == ["NOT_IN_CYCLE", "LINK_CONFLICT", "NOT_IN_CYCLE"]
    assert [facts(o) for o in desk.hear("close")] == [("close", "sell", "net", "1", True)]


def test_trading_by_hand_does_not_disturb_what_is_copied(desk: Desk) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)

    assert desk.copy(desk.hand(link.account, "open", "2").source) == []
    assert desk.decisions()[-1].reason == "LINK_CONFLICT"


def test_nobody_follows_the_source(desk: Desk) -> None:
    signal = desk.say("open", "10")

    assert desk.copy() == []

    with tenant_scope(desk.tenant):
        signal.refresh_from_db()
    assert (signal.status, signal.reason) == ("copied", "NO_STRATEGY")
    assert desk.leader() == 10


def test_a_source_that_was_disabled_meanwhile_is_not_copied(desk: Desk) -> None:
    desk.follower()
    signal = desk.say("open", "10")
    with tenant_scope(desk.tenant):
        desk.source.status = "disabled"
        desk.source.save()

    assert desk.copy() == []

    with tenant_scope(desk.tenant):
        signal.refresh_from_db()
    assert (signal.status, signal.reason) == ("copied", "SOURCE_DISABLED")
    assert (desk.decisions(), desk.cycles()) == ([], [])


HOLDS = [
    ("account paused", on_account(status="paused"), "ACCOUNT_DISABLED"),
    ("key refused", on_account(key_status="refused"), "KEY_NOT_VERIFIED"),
]


@pytest.mark.parametrize(
    ("arrange", "reason"), [row[1:] for row in HOLDS], ids=[row[0] for row in HOLDS]
)
def test_a_close_that_may_not_leave_is_kept(desk: Desk, arrange: Arrange, reason: str) -> None:
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    with tenant_scope(desk.tenant):
        arrange(desk, link)

    (order,) = desk.hear("close")

    assert (order.leg, order.state, order.quantity) == ("close", "ready", opened.quantity)
    assert (desk.decisions()[-1].outcome, desk.decisions()[-1].reason) == ("copied", reason)


def test_a_close_during_a_halt_is_kept(desk: Desk) -> None:
    desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)
    set_mode(mode=TradingMode.HALTED, reason="test", actor=None, tenant=desk.tenant)

    (order,) = desk.hear("close")

    assert (order.leg, order.state) == ("close", "ready")
    assert desk.decisions()[-1].reason == "TRADING_HALTED"


def test_what_a_limit_left_is_told_with_the_limit(desk: Desk) -> None:
    link = desk.follower(account={"max_order_notional": 1_250})

    desk.hear("open", "30")

    assert told(desk, link) == (
        "Copied with 2.08 of 3 contracts: your limit per order is 1,250.00 USDT."
    )


def test_a_share_below_the_minimum_is_told_with_the_minimum(desk: Desk) -> None:
    link = desk.follower()

    desk.hear("open", "0.04")

    assert told(desk, link) == "Your share was 0.004 contracts. OKX takes at least 0.01."


def test_a_used_up_day_is_told_with_its_total(desk: Desk) -> None:
    link = desk.follower(account={"max_daily_notional": 1_000})
    desk.hear("open", "10", inst_id=BTC)

    desk.hear("add", "10")

    assert told(desk, link) == (
        "Copied with 0.66 of 1 contract: 600.00 USDT of your daily limit of "
        "1,000.00 USDT were used."
    )


def test_a_repeat_is_refused_only_where_that_is_asked_for(desk: Desk) -> None:
    link = desk.follower()
    desk.hear("open", "10")
    assert [order.leg for order in desk.hear("add", "10")] == ["add"]  # fast, and meant
    with tenant_scope(desk.tenant):
        put(Strategy, desk.strategy.pk, refuse_repeats=True)

    assert desk.hear("add", "10") == []
    assert desk.last(link).reason == "DUPLICATE_SUSPECTED"
    assert len(desk.orders()) == 2
    # Another size: the leader's twenty, and the ten that were refused.
    assert [order.quantity for order in desk.hear("add", "20")] == [3]
    with tenant_scope(desk.tenant):
        Order.objects.update(created_at=later(-3))
    assert [order.quantity for order in desk.hear("add", "10")] == [1]
