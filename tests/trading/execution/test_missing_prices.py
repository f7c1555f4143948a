"""No streams process wrote a price lately: the exchange is asked before an opening is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts.tenancy import all_tenants
from tests import factories as make
from tests.trading.copying.desk import BTC, PRICE, Desk
from tests.trading.execution.bench import Bench
from trading import tasks
from trading.models import Decision, MarketPrice, Order
from trading.sync.freshening import AGAIN_S, PATIENCE_S, forget_asked, freshen

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]

MARK = {"path": "/api/v5/public/mark-price"}
TICKER = {"path": "/api/v5/market/ticker"}
HERE = ("simulator", BTC)


def age_prices(**columns: Any) -> None:
    """As they are an hour after the last streams process died."""
    then = timezone.now() - timedelta(hours=1)
    MarketPrice.objects.update(mark_at=then, ticker_at=then, **columns)
    forget_asked()


def price() -> MarketPrice:
    return MarketPrice.objects.get(market="simulator", inst_id=BTC)


def is_fresh() -> bool:
    return not price().is_stale(timezone.now(), 10)


def say(desk: Desk, intent: str = "open", quantity: str | None = "10", **fields: Any) -> Decision:
    """A signal copied and sent as an executor does it; the decision of its one follower."""
    signal = desk.say(intent, quantity, **fields)
    tasks.copy_signal(str(signal.pk))
    (decision,) = desk.decisions(signal)
    return decision


def questions(bench: Bench, fault: int) -> int:
    rows = bench.ask("GET", "/faults")["faults"]
    return next(int(row["hits"]) for row in rows if row["id"] == fault)


def watched(bench: Bench, kind: str = "slow_body:1", **match: Any) -> int:
    """A fault that counts what meets it."""
    made: int = bench.ask("POST", "/faults", fault=kind, match=match or MARK)["id"]
    return made


def test_an_opening_is_decided_and_sent_at_the_price_that_the_exchange_tells(bench: Bench) -> None:
    bench.follower()
    age_prices(mark=Decimal(1), bid=None, ask=None)

    decision = say(bench.desk)

    assert (decision.outcome, decision.reason) == ("copied", "")
    (order,) = bench.desk.orders()
    assert bench.accepted(order) == [1]
    assert price().mark == PRICE
    assert is_fresh()
    assert price().bid is not None, "the spread is looked at as well"


def test_an_order_that_waited_while_the_prices_grew_old_leaves_all_the_same(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    age_prices()

    assert bench.send([order]) == 1

    assert bench.accepted(order) == [1]
    assert is_fresh()


def test_what_is_asked_for_is_what_the_slippage_is_judged_by(bench: Bench) -> None:
    bench.follower()
    age_prices()
    bench.ask("POST", "/prices", **{BTC: str(PRICE * 2)})

    decision = say(bench.desk)

    assert (decision.outcome, decision.reason) == ("skipped", "SLIPPAGE")


def test_both_legs_of_a_flip_are_copied(bench: Bench) -> None:
    bench.follower(pos_mode="long_short")
    say(bench.desk)
    bench.finish()
    age_prices()

    decision = say(bench.desk, "flip", "20", direction="short")
    bench.finish()

    assert (decision.outcome, decision.reason) == ("copied", "")
    assert [order.state for order in bench.desk.orders(leg="close")] == ["filled"]
    assert [order.state for order in bench.desk.orders(leg="open")] == ["filled", "filled"]


def test_without_an_answer_it_is_refused_in_time_and_not_asked_again_at_once(bench: Bench) -> None:
    bench.follower()
    age_prices()
    hits = watched(bench, "hang:20000")
    began = time.monotonic()

    first, second = say(bench.desk), say(bench.desk)

    assert [first.reason, second.reason] == ["PRICE_UNKNOWN", "PRICE_UNKNOWN"]
    assert time.monotonic() - began < PATIENCE_S + AGAIN_S
    assert questions(bench, hits) == 1


def test_a_ticker_that_is_not_told_stands_in_nobodys_way(bench: Bench) -> None:
    bench.follower()
    age_prices()
    watched(bench, "code:50001", **TICKER)

    assert say(bench.desk).outcome == "copied"


@pytest.mark.parametrize("intent", ["close", "reduce"])
def test_what_reduces_asks_for_no_price(bench: Bench, intent: str) -> None:
    bench.follower()
    say(bench.desk)
    bench.finish()
    age_prices()
    hits = watched(bench)

    decision = say(bench.desk, intent, "4")

    assert decision.outcome == "copied"
    assert (questions(bench, hits), is_fresh()) == (0, False)


def test_while_prices_are_fresh_nobody_is_asked(bench: Bench) -> None:
    bench.follower()
    hits = watched(bench)

    assert say(bench.desk).outcome == "copied"

    assert questions(bench, hits) == 0


def test_threads_that_need_the_same_price_ask_once(open_bench: Bench) -> None:
    age_prices()
    hits = watched(open_bench, "slow_body:200")

    def ask(_: int) -> None:
        freshen({HERE})
        connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(4)))

    assert questions(open_bench, hits) == 1
    assert is_fresh()


def test_a_spot_pair_has_the_mark_price_of_its_margin_market(bench: Bench) -> None:
    make.make_instrument("BTC-USDT")
    make.set_price("BTC-USDT", 1)
    age_prices()

    freshen({("simulator", "BTC-USDT"), ("simulator", "NO-SUCH-SWAP"), ("nowhere", BTC)})

    assert MarketPrice.objects.get(inst_id="BTC-USDT").mark == PRICE


def test_many_followers_cost_one_question(bench: Bench) -> None:
    for _ in range(5):
        bench.follower()
    age_prices()
    hits = watched(bench)

    signal = bench.desk.say("open", "10")
    tasks.copy_signal(str(signal.pk))

    assert {decision.outcome for decision in bench.desk.decisions(signal)} == {"copied"}
    with all_tenants("its orders"):
        assert Order.objects.filter(signal=signal).count() == 5
    assert questions(bench, hits) == 1
