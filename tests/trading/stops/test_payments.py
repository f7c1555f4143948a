"""What is paid in and out while losses are measured, and accounts that cannot be asked about it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from customers.services import clear_keys
from tests.trading.execution.bench import Bench
from tests.trading.stops.test_losses import begun, breakers, opened, price, read, states
from trading.enums import LossMeasure, LossPeriod
from trading.models import LossState
from trading.stops import losses
from trading.stops.losses import watch_losses

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal
DRAWDOWN = {"measure": LossMeasure.DRAWDOWN, "period": LossPeriod.LIFETIME}


def later() -> int:
    """Look when the last reading of payments is a while ago."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "ASK_PAYMENTS_EVERY", timedelta(0))
        return watch_losses()


def pay(bench: Bench, account_id: int, amount: str, currency: str = "USDT") -> None:
    key = bench.opened[account_id]
    bench.ask("POST", f"/accounts/{key}/deposit", ccy=currency, amount=amount)


def test_money_paid_in_is_no_peak_that_is_then_fallen_from(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link, **DRAWDOWN)
    pay(bench, link.account_id, "500")
    read(bench, link)
    assert watch_losses() == 0
    assert states(bench)[0].peak == 500  # nobody has said yet what it is

    assert later() == 0

    (state,) = states(bench)
    assert (state.paid, state.peak, state.loss) == (500, 0, 0)
    assert breakers(bench) == []


def test_money_paid_in_does_not_make_a_peak_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "BILLS_TAKE", timedelta(0))
    link = bench.follower()
    begun(bench, link, **DRAWDOWN)
    opened(bench)
    price(bench, 61_000)  # 0.1 BTC gain 100
    read(bench, link)
    assert later() == 0
    (state,) = states(bench)
    peak = state.peak
    assert 90 < peak <= 100
    price(bench, 60_500)
    pay(bench, link.account_id, "300")
    read(bench, link)
    assert watch_losses() == 0

    assert later() == 0

    (state,) = states(bench)
    assert state.peak == peak
    assert 45 < state.loss < 55
    price(bench, 59_900)
    read(bench, link)
    assert watch_losses() == 1


def test_accounts_that_cannot_be_asked_keep_nobody_else_s_losses_from_counting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "PAYMENTS_AT_ONCE", 1)
    silent, loser = bench.follower(), bench.follower()
    begun(bench, silent, loser)
    opened(bench)
    price(bench, 58_900)
    read(bench, silent, loser)
    with tenant_scope(bench.desk.tenant):
        clear_keys(account=ExchangeAccount.objects.get(pk=silent.account_id), actor=None)

    assert watch_losses() == 1

    reached = [state.account_id for state in states(bench) if state.breached_at]
    assert reached == [loser.account_id]


def test_one_that_cannot_be_stopped_keeps_nobody_else_going(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bench.follower(), bench.follower()
    begun(bench, first, second)
    opened(bench)
    price(bench, 58_900)
    read(bench, first, second)
    real = losses.reach

    def stumbling(state: LossState, *args: Any) -> bool:
        if state.account_id == first.account_id:
            raise RuntimeError("a row that nobody foresaw")
        return real(state, *args)

    monkeypatch.setattr(losses, "reach", stumbling)
    assert watch_losses() == 1
    assert [state.breached_at is not None for state in states(bench)] == [False, True]
    monkeypatch.setattr(losses, "reach", real)
    assert watch_losses() == 1


def test_who_began_with_nothing_is_measured_by_what_was_paid_in(bench: Bench) -> None:
    link = bench.follower(usdt=0)
    pay(bench, link.account_id, "-1", "BTC")
    begun(bench, link, max_absolute=None, max_relative=D("0.01"), period=LossPeriod.LIFETIME)
    assert states(bench)[0].base == 0
    pay(bench, link.account_id, "10000")
    read(bench, link)
    assert later() == 0
    assert states(bench)[0].paid == 10_000
    opened(bench)
    price(bench, 58_900)  # 0.1 BTC lose 110
    read(bench, link)

    assert watch_losses() == 1
