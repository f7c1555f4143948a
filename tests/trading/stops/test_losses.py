"""A loss limit that is reached stops openings, closes when it says so, and tells people once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from strategies.models import Subscription
from tests.trading.copying.desk import BTC
from tests.trading.execution.bench import Bench, diary
from trading.breakers import reset_breaker
from trading.copying import ending
from trading.enums import LossAction, LossMeasure, LossPeriod, LossScope
from trading.leases import db_now
from trading.models import Breaker, LossLimit, LossState, Order
from trading.stops.losses import watch_desk, watch_losses
from trading.stops.rules import set_loss_limit
from trading.sync.reconcile import reconcile_account

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal


def limit(bench: Bench, **terms: Any) -> LossLimit:
    known: dict[str, Any] = {
        "scope": LossScope.TENANT,
        "period": LossPeriod.DAY,
        "clock": "utc",
        "measure": LossMeasure.EQUITY,
        "max_absolute": D(100),
    }
    with tenant_scope(bench.desk.tenant):
        return set_loss_limit(LossLimit(**known | terms), actor=None)


def read(bench: Bench, *links: Subscription) -> None:
    for link in links:
        reconcile_account(link.account_id, cause="test")


def price(bench: Bench, value: int) -> None:
    bench.ask("POST", "/prices", **{BTC: str(value)})


def opened(bench: Bench, quantity: str = "100") -> None:
    """A tenth each: at 100 contracts of the leader, 0.1 BTC."""
    bench.send(bench.open(quantity))
    bench.finish()


def states(bench: Bench) -> list[LossState]:
    with tenant_scope(bench.desk.tenant):
        return list(LossState.objects.select_related("limit").order_by("account_id", "pk"))


def breakers(bench: Bench) -> list[tuple[str, str]]:
    with tenant_scope(bench.desk.tenant):
        return list(Breaker.objects.order_by("pk").values_list("cause", "state"))


def look(bench: Bench, *links: Subscription) -> int:
    read(bench, *links)
    return watch_losses()


def denied(orders: list[Order], bench: Bench, link: Subscription) -> bool:
    mine = [order for order in orders if order.account_id == link.account_id]
    decision = bench.desk.last(link)
    return not mine and (decision.outcome, decision.reason) == ("denied", "LOSS_LIMIT")


def begun(bench: Bench, *links: Subscription, **terms: Any) -> LossLimit:
    """Accounts that were read, and a limit that has begun to count."""
    read(bench, *links)
    made = limit(bench, **terms)
    assert watch_losses() == 0
    return made


def test_a_daily_loss_stops_openings_of_that_account_and_lets_closes_go_on(bench: Bench) -> None:
    loser, other = bench.follower(), bench.follower(follow_ratio=D("0.01"))
    begun(bench, loser, other)
    opened(bench)
    price(bench, 59_500)  # 0.1 BTC lose 50
    assert look(bench, loser, other) == 0
    assert [round(s.used, 1) for s in states(bench)] == [D("0.5"), D("0.1")]

    price(bench, 58_900)
    assert look(bench, loser, other) == 1
    assert watch_losses() == 0  # once

    late = bench.desk.hear("add", "10")
    assert denied(late, bench, loser)
    assert [order.account_id for order in late] == [other.account_id]
    bench.send(late)
    bench.finish()
    (told,) = diary("loss_limit.reached")
    assert told.level == "critical"
    assert "USDT of at most 100.00 USDT" in told.reason
    closes = bench.desk.hear("close")
    bench.send(closes)
    bench.finish()
    assert {bench.now(order).state for order in closes} == {"filled"}
    assert {order.account_id for order in closes} == {loser.account_id, other.account_id}


def test_it_bites_orders_that_were_decided_before_it_was_reached(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link)
    opened(bench)
    (waiting,) = bench.desk.hear("add", "10")
    price(bench, 58_900)
    assert look(bench, link) == 1

    assert bench.send([waiting]) == 0

    after = bench.now(waiting)
    assert (after.state, after.reason) == ("denied", "LOSS_LIMIT")


def test_what_was_paid_out_is_no_loss_and_what_was_paid_in_hides_none(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link)
    opened(bench)
    key = bench.opened[link.account_id]
    bench.ask("POST", f"/accounts/{key}/deposit", ccy="USDT", amount="-500")
    assert look(bench, link) == 0
    assert states(bench)[0].paid == D(-500)
    assert breakers(bench) == []

    bench.ask("POST", f"/accounts/{key}/deposit", ccy="USDT", amount="400")
    price(bench, 58_900)
    read(bench, link)
    with tenant_scope(bench.desk.tenant):
        later = db_now() + timedelta(minutes=6)  # asked every five where nothing seems lost
        if later.date() == db_now().date():
            assert watch_desk(bench.desk.tenant, later) == 1


def test_nothing_is_called_a_loss_while_payments_cannot_be_read(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link)
    opened(bench)
    price(bench, 58_900)
    read(bench, link)
    bench.fault("drop_before", times=50, path="/api/v5/account/bills-archive")
    assert watch_losses() == 0
    assert breakers(bench) == []
    bench.ask("DELETE", "/faults")
    assert watch_losses() == 1


@pytest.mark.parametrize("action", [LossAction.HOLD, LossAction.STOP])
def test_it_closes_what_the_following_holds_by_the_usual_road(
    bench: Bench, action: LossAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AGAIN_AFTER", timedelta(0))
    link, other = bench.follower(), bench.follower(follow_ratio=D("0.01"))
    begun(bench, link, other, close_positions=True, action=action)
    opened(bench)
    price(bench, 58_900)
    assert look(bench, link, other) == 1
    ending.end_followings()

    bench.send(bench.desk.copy())
    bench.finish()
    ending.end_followings()

    with all_tenants("look"):
        closed = Order.objects.filter(leg="close")
        assert [(order.account_id, order.state) for order in closed] == [
            (link.account_id, "filled")
        ]
        link.refresh_from_db()
    assert link.status == ("stopped" if action == LossAction.STOP else "active")
    watch_losses()
    with all_tenants("nothing is closed twice"):
        assert Order.objects.filter(leg="close").count() == 1


def test_close_only_stays_until_somebody_resumes(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link, action=LossAction.CLOSE_ONLY)
    opened(bench)
    price(bench, 58_900)
    assert look(bench, link) == 1
    with all_tenants("look"):
        link.refresh_from_db()
    assert link.status == "close_only"
    assert [entry.level for entry in diary("subscription.close_only")] != []


def test_a_following_is_measured_by_its_own_trades(bench: Bench) -> None:
    """Its limit stops it alone: the account's other trades go on, and do not count."""
    link = bench.follower()
    begun(bench, link, scope=LossScope.SUBSCRIPTION, subscription=link, measure="realized")
    opened(bench)
    price(bench, 58_900)
    assert look(bench, link) == 0  # nothing is realized yet
    bench.send(bench.desk.hear("close"))
    bench.finish()
    assert look(bench, link) == 1

    (state,) = states(bench)
    assert D(110) < state.loss < D(125)  # 0.1 BTC x 1,100, and the fees
    assert denied(bench.open("10"), bench, link)
    with all_tenants("look"):
        (breaker,) = Breaker.objects.all()
    assert breaker.subscription_id == link.pk
    with all_tenants("by hand"):
        account = link.account
    by_hand = bench.desk.copy(bench.desk.hand(account, "open", "1").source)
    assert len(by_hand) == 1


def test_the_next_period_begins_anew(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link)
    opened(bench)
    price(bench, 58_900)
    assert look(bench, link) == 1
    assert breakers(bench) == [("loss_limit", "open")]

    with tenant_scope(bench.desk.tenant):
        tomorrow = (db_now() + timedelta(days=1)).replace(hour=0, minute=0, second=5)
        assert watch_desk(bench.desk.tenant, tomorrow) == 0

    assert breakers(bench) == [("loss_limit", "closed")]
    (state,) = states(bench)
    assert (state.breached_at, state.loss) == (None, 0)


def test_a_person_lets_go_and_what_was_lost_counts_no_longer(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link)
    opened(bench)
    price(bench, 58_900)
    assert look(bench, link) == 1
    with all_tenants("by hand"):
        (breaker,) = Breaker.objects.all()
        owner = AuditEntry.objects.first() and None
    with pytest.raises(ValidationError):
        reset_breaker(breaker, reason=" ", actor=owner)
    assert reset_breaker(breaker, reason="Agreed with the customer", actor=owner)

    assert watch_losses() == 0
    assert breakers(bench) == [("loss_limit", "closed")]
    (state,) = states(bench)
    assert (state.breached_at, state.loss) == (None, 0)
    price(bench, 57_700)
    assert look(bench, link) == 1
    assert breakers(bench) == [("loss_limit", "open")]
    assert len(diary("loss_limit.reached")) == 2


def test_the_strictest_limit_stops_first_and_one_that_is_loosened_lets_go(bench: Bench) -> None:
    link = bench.follower()
    begun(bench, link)
    strict = limit(bench, scope=LossScope.ACCOUNT, account=link.account, max_absolute=D(40))
    assert watch_losses() == 0
    opened(bench)
    price(bench, 59_500)
    assert look(bench, link) == 1
    with tenant_scope(bench.desk.tenant):
        strict.refresh_from_db()
        strict.max_absolute = D(90)
        with pytest.raises(ValidationError) as refusal:
            set_loss_limit(strict, actor=None)
        assert "reason" in refusal.value.message_dict
        with pytest.raises(ValidationError):
            set_loss_limit(strict, actor=None, reason="Agreed", may_loosen=False)
        set_loss_limit(strict, actor=None, reason="Agreed")
        assert watch_losses() == 0
    assert breakers(bench) == [("loss_limit", "closed")]
    assert bench.desk.hear("add", "10")


def test_an_account_nobody_has_read_is_not_measured(bench: Bench) -> None:
    bench.follower()
    limit(bench)
    assert watch_losses() == 0
    assert states(bench) == []
