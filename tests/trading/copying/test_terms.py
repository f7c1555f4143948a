"""Every follower in its own way: mapped, turned, margined, levered, and within its own capital."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import tenant_scope
from strategies.enums import LeverageMode, MarginChoice, SizingMode
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, facts, later, make_desk
from trading.models import Balance, Order, Position

pytestmark = [pytest.mark.django_db, pytest.mark.database]
USDC = "BTC-USDC-SWAP"
INVERSE = "BTC-USD-SWAP"
MARKET: dict[str, Any] = {"open_orders": "market"}


@pytest.fixture
def desk() -> Desk:
    return make_desk(**MARKET)


def verdict(desk: Desk, link: Subscription) -> tuple[str, str]:
    last = desk.last(link)
    return last.outcome, last.reason


def funds(
    desk: Desk, link: Subscription, equity: Any, available: Any = None, at: Any = None
) -> None:
    values = {"equity": d(equity), "available": d(equity if available is None else available)}
    with tenant_scope(desk.tenant):
        Balance.objects.update_or_create(
            account=link.account,
            currency="USDT",
            defaults=values | {"updated_at": at or timezone.now()},
        )


def holds(desk: Desk, link: Subscription, **fields: Any) -> None:
    usual = {"inst_id": BTC, "position_side": "net", "margin_mode": "cross", "quantity": d(1)}
    with tenant_scope(desk.tenant):
        Position.objects.create(account=link.account, updated_at=timezone.now(), **usual | fields)


def orders_of(desk: Desk, link: Subscription) -> list[Order]:
    return desk.orders(link_uid=link.uid)


# reverse


def test_reverse_sells_what_the_leader_buys_and_closes_with_it(desk: Desk) -> None:
    link = desk.follower(reverse=True)

    (opened,) = desk.hear("open", "10", take_profit=d(66_000), stop_loss=d(57_000))
    ended(opened)
    (reduced,) = desk.hear("reduce", "4")
    ended(reduced)
    (closed,) = desk.hear("close")
    ended(closed)

    assert facts(opened) == ("open", "sell", "net", "1", False)
    assert (opened.take_profit, opened.stop_loss) == (d(57_000), d(66_000))
    assert facts(reduced) == ("reduce", "buy", "net", "0.4", True)
    assert facts(closed) == ("close", "buy", "net", "0.6", True)
    (cycle,) = desk.cycles(link_uid=link.uid)
    assert (cycle.direction, cycle.leader_direction, cycle.is_reversed) == ("short", "long", True)
    assert cycle.ended_at is not None
    assert desk.last(link).numbers["reversed"] == "yes"


def test_a_leaders_reversal_turned_round(desk: Desk) -> None:
    desk.follower(reverse=True, account={"position_mode": "long_short"})
    ended(desk.hear("open", "10")[0])

    close, opened = desk.hear("flip", "20", direction="short")

    assert facts(close) == ("close", "buy", "short", "1", False)
    assert facts(opened) == ("open", "buy", "long", "2", False)


def test_what_runs_goes_on_as_it_was_turned_when_it_began(desk: Desk) -> None:
    link = desk.follower(reverse=True)
    ended(desk.hear("open", "10")[0])
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=link.pk).update(reverse=False)

    (closed,) = desk.hear("close")
    ended(closed)
    (opened,) = desk.hear("open", "10")

    assert facts(closed) == ("close", "buy", "net", "1", True)
    assert facts(opened) == ("open", "buy", "net", "1", False)


# symbol map and lists


def test_an_instrument_is_traded_as_another_with_as_many_coins(desk: Desk) -> None:
    make.make_instrument(USDC, contract_value=d("0.001"), settle_currency="USDC")
    make.set_price(USDC, 60_010)
    link = desk.follower(instrument_terms={BTC: {"traded_as": USDC}})
    plain = desk.follower()

    first, second = desk.hear("open", "10")
    ended(first)
    ended(second)
    (closed, _) = desk.hear("close")

    assert (first.inst_id, first.quantity) == (USDC, d(10))
    assert (second.inst_id, second.quantity) == (BTC, d(1))
    assert (closed.inst_id, facts(closed)) == (USDC, ("close", "sell", "net", "10", True))
    assert desk.last(link).numbers["traded_as"] == USDC
    assert "traded_as" not in desk.last(plain).numbers
    (cycle,) = desk.cycles(link_uid=link.uid)
    assert (cycle.inst_id, cycle.leader_inst_id) == (USDC, BTC)


def test_a_map_that_changed_meanwhile_still_closes_what_was_opened(desk: Desk) -> None:
    make.make_instrument(USDC, settle_currency="USDC")
    make.set_price(USDC, 60_000)
    link = desk.follower(instrument_terms={BTC: {"traded_as": USDC}})
    ended(desk.hear("open", "10")[0])
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=link.pk).update(instrument_terms={})

    (closed,) = desk.hear("close")

    assert (closed.inst_id, closed.leg) == (USDC, "close")


def test_lists_deny_and_terms_by_instrument_count_before_the_others(desk: Desk) -> None:
    denied = desk.follower(denied_instruments=[BTC])
    barred = desk.follower(instrument_terms={BTC: {"allowed": False}})
    own = desk.follower(follow_ratio=d("0.5"), instrument_terms={BTC: {"follow_ratio": "0.3"}})
    general = desk.follower(follow_ratio=d("0.5"))
    with tenant_scope(desk.tenant):
        desk.strategy.instrument_terms = {BTC: {"follow_ratio": "0.2"}}
        desk.strategy.save()
    neither = desk.follower()

    orders = desk.hear("open", "10")

    sizes = {order.account_id: order.quantity for order in orders}
    assert sizes == {
        own.account_id: d(3), general.account_id: d(5), neither.account_id: d(2)
    }  # fmt: skip
    for link in (denied, barred):
        assert verdict(desk, link) == ("skipped", "SYMBOL_NOT_ALLOWED")


# margin and leverage


def test_the_leaders_margin_mode_is_copied_and_kept_until_the_close(desk: Desk) -> None:
    desk.follower(margin_mode=MarginChoice.COPY)

    (opened,) = desk.hear("open", "10", margin_mode="isolated")
    ended(opened)
    (closed,) = desk.hear("close")

    assert (opened.margin_mode, closed.margin_mode) == ("isolated", "isolated")


def test_a_changed_margin_mode_does_not_close_another_position(desk: Desk) -> None:
    link = desk.follower(margin_mode=MarginChoice.ISOLATED)
    ended(desk.hear("open", "10")[0])
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=link.pk).update(margin_mode="cross")

    (closed,) = desk.hear("close")

    assert closed.margin_mode == "isolated"


def test_a_position_in_the_other_margin_mode_is_not_opened_beside(desk: Desk) -> None:
    link = desk.follower(margin_mode=MarginChoice.ISOLATED)
    hedged = desk.follower(
        margin_mode=MarginChoice.ISOLATED, account={"position_mode": "long_short"}
    )
    holds(desk, link)
    holds(desk, hedged, position_side="short")

    orders = desk.hear("open", "10")

    assert verdict(desk, link) == ("skipped", "MGN_MODE_CONFLICT")
    assert [o.account_id for o in orders] == [hedged.account_id]  # the other side is none of it


@pytest.mark.parametrize(
    ("terms", "leader", "times", "keeps"),
    [
        ({"leverage_mode": LeverageMode.FOLLOW}, 7, 7, False),
        ({"leverage_mode": LeverageMode.FOLLOW}, 50, 20, False),
        ({"leverage_mode": LeverageMode.FIXED, "leverage": Decimal(3)}, 7, 3, False),
        ({"leverage_mode": LeverageMode.FIXED, "leverage": Decimal(90)}, 7, 20, False),
        ({"leverage_mode": LeverageMode.KEEP}, 7, 20, True),
        ({"leverage_mode": LeverageMode.KEEP, "max_leverage": Decimal(4)}, 7, 4, True),
        ({"instrument_terms": {BTC: {"max_leverage": "2"}}}, 7, 2, False),
    ],
)
def test_leverage(terms: dict[str, Any], leader: int, times: int, keeps: bool) -> None:
    desk = make_desk(max_leverage=d(20), **MARKET)
    desk.follower(**terms)

    (order,) = desk.hear("open", "10", leverage=d(leader))

    assert (order.leverage, order.keeps_leverage) == (d(times), keeps)


# sizes by what accounts have


def test_equity_proportional_reads_both_equities(desk: Desk) -> None:
    link = desk.follower(sizing_mode=SizingMode.EQUITY_PROPORTIONAL)
    silent = desk.follower(sizing_mode=SizingMode.EQUITY_PROPORTIONAL)
    stale = desk.follower(sizing_mode=SizingMode.EQUITY_PROPORTIONAL)
    funds(desk, link, 2_000)
    funds(desk, stale, 2_000, at=later(-61))

    (order,) = desk.hear("open", "10", leader_equity=d(10_000))

    assert (order.account_id, order.quantity) == (link.account_id, d(2))
    numbers = desk.last(link).numbers
    assert (numbers["equity"], numbers["leader_equity"]) == ("2000", "10000")
    assert numbers["sizing"] == "EQUITY_PROPORTIONAL"
    for one in (silent, stale):
        assert verdict(desk, one) == ("skipped", "EQUITY_UNKNOWN")


def test_a_fresh_reading_of_the_whole_account_says_that_nothing_changed(desk: Desk) -> None:
    link = desk.follower(sizing_mode=SizingMode.EQUITY_PROPORTIONAL)
    funds(desk, link, 2_000, at=later(-3_600))
    with tenant_scope(desk.tenant):
        Balance.objects.create(
            account=link.account, currency="TOTAL", equity=d(2_000), updated_at=timezone.now()
        )

    (order,) = desk.hear("open", "10", leader_equity=d(10_000))

    assert order.quantity == d(2)


def test_a_leader_that_does_not_tell_its_equity_is_not_copied_by_it(desk: Desk) -> None:
    link = desk.follower(sizing_mode=SizingMode.EQUITY_PROPORTIONAL)
    funds(desk, link, 2_000)

    assert desk.hear("open", "10") == []
    assert verdict(desk, link) == ("skipped", "LEADER_EQUITY_UNKNOWN")


def test_every_other_mode_through_the_whole_corridor() -> None:
    desk = make_desk(max_leverage=d(10), **MARKET)
    links = {
        "margin": desk.follower(sizing_mode=SizingMode.MARGIN_PROPORTIONAL),
        "fixed margin": desk.follower(sizing_mode=SizingMode.FIXED_MARGIN, fixed_margin=d(120)),
        "quantity": desk.follower(sizing_mode=SizingMode.FIXED_QTY, fixed_quantity=d("0.7")),
        "available": desk.follower(sizing_mode=SizingMode.PCT_AVAILABLE, available_ratio=d("0.1")),
        "risk": desk.follower(sizing_mode=SizingMode.FIXED_RISK, risk_ratio=d("0.01")),
    }
    for link in links.values():
        funds(desk, link, 6_000, 3_000)

    orders = desk.hear("open", "10", leverage=d(5), leader_equity=d(12_000), stop_loss=d(57_000))

    sizes = {order.account_id: order.quantity for order in orders}
    # The leader puts up 6,000 / 5 = 1,200 of 12,000: a tenth of 6,000 at 5 times is 3,000 worth.
    assert {name: sizes[link.account_id] for name, link in links.items()} == {
        "margin": d(5), "fixed margin": d(1), "quantity": d("0.7"), "available": d("2.5"),
        "risk": d(2),
    }  # fmt: skip


def test_a_risk_turned_round_is_measured_to_the_leaders_take_profit() -> None:
    desk = make_desk(sizing_mode=SizingMode.FIXED_RISK, risk_ratio=d("0.01"), **MARKET)
    straight, turned = desk.follower(), desk.follower(reverse=True)
    for link in (straight, turned):
        funds(desk, link, 6_000)

    orders = desk.hear("open", "10", take_profit=d(66_000), stop_loss=d(57_000))

    assert [order.quantity for order in orders] == [d(2), d(1)]
    desk.hear("close")
    assert desk.hear("open", "10", direction="long", inst_id=BTC) == []
    assert verdict(desk, straight)[1] in ("STOP_LOSS_MISSING", "NOT_IN_CYCLE")


def test_allocated_capital_bounds_the_margin_of_all_that_is_copied() -> None:
    desk = make_desk(max_leverage=d(10), **MARKET)
    make.make_instrument("ETH-USDT-SWAP", contract_value=d("0.1"))
    make.set_price("ETH-USDT-SWAP", 3_000)
    link = desk.follower(allocated_capital=d(90))

    (first,) = desk.hear("open", "10", leverage=d(10))  # 600 worth, 60 of margin
    eth = {"inst_id": "ETH-USDT-SWAP", "reference_price": d(3_000), "leverage": d(10)}
    (second,) = desk.hear("open", "20", **eth)  # 600 worth: 30 are left

    assert (first.quantity, second.quantity) == (d(1), d(1))
    numbers = desk.last(link).numbers
    assert (numbers["capped_by"], numbers["limit"], numbers["used"]) == (
        "ALLOCATION_FULL",
        "90",
        "60",
    )
    assert desk.hear("add", "20", **eth) == []
    assert verdict(desk, link) == ("denied", "ALLOCATION_FULL")
    ended(first)
    ended(second)
    ended(desk.hear("close")[0])
    (again,) = desk.hear("add", "20", **eth)  # what was closed is free again
    assert again.quantity == d("0.5")


def test_margin_at_the_accounts_own_leverage_is_counted_as_if_there_were_none() -> None:
    desk = make_desk(max_leverage=d(10), leverage_mode=LeverageMode.KEEP, **MARKET)
    make.make_instrument("ETH-USDT-SWAP", contract_value=d("0.1"))
    make.set_price("ETH-USDT-SWAP", 3_000)
    link = desk.follower(allocated_capital=d(900))

    (first,) = desk.hear("open", "10")  # 600 worth
    (second,) = desk.hear("open", "20", inst_id="ETH-USDT-SWAP", reference_price=d(3_000))

    assert (first.quantity, second.quantity) == (d(1), d(1))  # 300 of 600 worth
    assert desk.last(link).numbers["used"] == "600"


def test_a_risk_is_not_measured_to_a_stop_in_another_instrument(desk: Desk) -> None:
    make.make_instrument(USDC)
    make.set_price(USDC, 60_000)
    terms = {BTC: {"traded_as": USDC}}
    risk: dict[str, Any] = {"sizing_mode": SizingMode.FIXED_RISK, "risk_ratio": d("0.01")}
    mapped, own = desk.follower(instrument_terms=terms, **risk), desk.follower(**risk)
    for link in (mapped, own):
        with tenant_scope(desk.tenant):
            values = {"equity": d(10_000), "available": d(10_000), "updated_at": timezone.now()}
            for currency in ("USDT", "USDC"):
                Balance.objects.create(account=link.account, currency=currency, **values)

    (order,) = desk.hear("open", "10", stop_loss=d(59_000))

    assert (order.account_id, order.stop_loss) == (own.account_id, d(59_000))
    assert verdict(desk, mapped)[1] == "STOP_LOSS_MISSING"


def test_exposure_is_of_all_positions_of_the_account(desk: Desk) -> None:
    link = desk.follower(max_account_leverage=d(2))
    unknown = desk.follower(max_account_leverage=d(2))
    funds(desk, link, 1_000)
    holds(desk, link, inst_id="ETH-USDT-SWAP", notional=d(1_700))

    (order,) = desk.hear("open", "10")

    assert (order.account_id, order.quantity) == (link.account_id, d("0.5"))
    assert desk.last(link).numbers["capped_by"] == "EXPOSURE_ABOVE_LIMIT"
    assert verdict(desk, unknown) == ("skipped", "EQUITY_UNKNOWN")
    assert desk.hear("add", "90") == []  # the order on its way counts


def test_an_amount_for_each_addition() -> None:
    desk = make_desk(
        sizing_mode=SizingMode.FIXED_NOTIONAL, fixed_notional=d(600), per_signal=True, **MARKET
    )
    desk.follower()

    (opened,) = desk.hear("open", "10")
    ended(opened)
    (added,) = desk.hear("add", "1")
    ended(added)
    (reduced,) = desk.hear("reduce", "5.5")

    assert (opened.quantity, added.quantity, reduced.quantity) == (d(1), d(1), d(1))


def test_closes_need_none_of_it(desk: Desk) -> None:
    link = desk.follower(sizing_mode=SizingMode.EQUITY_PROPORTIONAL)
    funds(desk, link, 2_000)
    ended(desk.hear("open", "10", leader_equity=d(10_000))[0])
    with tenant_scope(desk.tenant):
        Balance.objects.all().delete()
        Subscription.objects.filter(pk=link.pk).update(
            max_account_leverage=d("0.01"), allocated_capital=d("0.01"), denied_instruments=[BTC]
        )

    (closed,) = desk.hear("close")

    assert facts(closed) == ("close", "sell", "net", "2", True)
