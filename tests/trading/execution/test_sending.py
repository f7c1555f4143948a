"""An order goes out once, and what became of it is written down as it was said."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from accounts.tenancy import all_tenants
from tests import factories as make
from tests.trading.copying.desk import BTC, d, facts
from tests.trading.execution.bench import LOOKUP, Bench, diary, put
from trading.execution import sweep
from trading.models import Fill

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


def test_an_order_is_placed_acknowledged_and_found_filled(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()

    sent = bench.send([order])
    placed = bench.now(order)
    bench.finish()

    done = bench.now(order)
    (there,) = bench.entries(kind="order", cl_ord_id=order.client_order_id)
    (fill,) = bench.entries(kind="fill", cl_ord_id=order.client_order_id)
    assert (sent, placed.state, placed.exchange_order_id) == (1, "live", there["ord_id"])
    assert (there["sz"], there["side"], there["td_mode"]) == ("1", "buy", "cross")
    assert (done.state, done.filled_quantity, done.average_price) == ("filled", d(1), d(fill["px"]))
    assert (done.fee, done.fee_currency) == (d(fill["fee"]), "USDT")
    assert (done.reason, done.attempt, done.claim_token, done.lease_until) == ("", 1, None, None)
    assert done.sent_at <= done.acked_at <= done.finished_at
    assert bench.steps(order) == ["ready", "sending", "live", "filled"]
    (attempt,) = bench.attempts(order)
    assert (attempt.number, attempt.outcome, attempt.http_status) == (1, "ack", 200)
    (request,) = bench.requests(order)
    assert request["exp_time"] == str(attempt.exp_at_ms)  # as it was marked, not made anew
    assert attempt.finished_at is not None


def test_a_close_reduces_only_and_ends_flat(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    bench.send([order])
    bench.finish()

    (closing,) = bench.desk.hear("close")
    bench.send([closing])
    bench.finish()

    (there,) = bench.entries(kind="order", cl_ord_id=closing.client_order_id)
    assert (there["side"], there["sz"], there["reduce_only"]) == ("sell", "1", True)
    assert bench.now(closing).state == "filled"
    (cycle,) = bench.desk.cycles()
    assert cycle.ended_at is not None


@pytest.mark.parametrize("code", ["51023", "51169"])
def test_a_close_that_finds_nothing_says_so_and_an_opening_is_refused(
    bench: Bench, code: str
) -> None:
    link = bench.follower()
    (order,) = bench.open()
    bench.send([order])
    bench.finish()
    bench.fault(f"scode:{code}", link)
    (closing,) = bench.desk.hear("close")
    bench.send([closing])
    bench.fault(f"scode:{code}", bench.follower())
    (opening,) = bench.open()
    bench.send([opening])

    assert (bench.now(closing).state, bench.now(closing).reason) == ("rejected", "ALREADY_FLAT")
    assert (bench.now(opening).state, bench.now(opening).reason) == (
        "rejected",
        "EXCHANGE_REJECTED",
    )


def test_both_sides_of_a_long_short_account(bench: Bench) -> None:
    bench.follower(pos_mode="long_short")

    long, short = *bench.open(), *bench.open(direction="short")
    bench.send([long, short])
    bench.finish()

    sides = [(e["side"], e["pos_side"], e["sz"]) for e in bench.entries(kind="order")]
    assert sorted(sides) == [("buy", "long", "1"), ("sell", "short", "1")]


Case = tuple[Any, str, str, str, str, int]
# fault -> state, reason, code, the attempt's outcome, and whether the exchange has the order
OUTCOMES: dict[str, Case] = {
    "accepted": (None, "live", "", "", "ack", 1),
    "no money": ("scode:51008", "rejected", "INSUFFICIENT_MARGIN", "51008", "rejected", 0),
    "bad size": ("scode:51121", "rejected", "EXCHANGE_REJECTED", "51121", "rejected", 0),
    "refused, outer 0": (
        {"kind": "scode", "code": "51008", "outer": "0"},
        "rejected",
        "INSUFFICIENT_MARGIN",
        "51008",
        "rejected",
        0,
    ),
    "refused, outer 2": (
        {"kind": "scode", "code": "51008", "outer": "2"},
        "rejected",
        "INSUFFICIENT_MARGIN",
        "51008",
        "rejected",
        0,
    ),
    "rate limit": ("code:50011", "ready", "", "50011", "not_placed", 0),
    "sub-account limit": ("code:50061", "ready", "", "50061", "not_placed", 0),
    "our clock": ("code:50102", "ready", "", "50102", "not_placed", 0),
    "our deadline": ("code:50036", "ready", "", "50036", "not_placed", 0),
    "timeout there": ("code:50004", "unknown", "UNKNOWN_RESULT", "50004", "unknown", 0),
    "timeout, placed": (
        {"kind": "code", "code": "50004", "after": True},
        "unknown",
        "UNKNOWN_RESULT",
        "50004",
        "unknown",
        1,
    ),
    "system error": ("code:50026", "unknown", "UNKNOWN_RESULT", "50026", "unknown", 0),
    "busy": ("code:50013", "unknown", "UNKNOWN_RESULT", "50013", "unknown", 0),
    "order timed out": ("scode:51149", "unknown", "UNKNOWN_RESULT", "51149", "unknown", 0),
    "not listed": ("scode:59999", "unknown", "UNKNOWN_RESULT", "59999", "unknown", 0),
    "duplicate": ("scode:51016", "unknown", "UNKNOWN_RESULT", "51016", "duplicate", 0),
    "dropped before": ("drop_before", "unknown", "UNKNOWN_RESULT", "", "unknown", 0),
    "dropped after": ("drop_after_accept", "unknown", "UNKNOWN_RESULT", "", "unknown", 1),
    "reset after": ("rst_after_accept", "unknown", "UNKNOWN_RESULT", "", "unknown", 1),
    "truncated": ("truncate", "unknown", "UNKNOWN_RESULT", "", "unknown", 1),
    "a page": ("html_200", "unknown", "UNKNOWN_RESULT", "", "unknown", 1),
    "nothing": ("empty_200", "unknown", "UNKNOWN_RESULT", "", "unknown", 1),
    "no rows": ("data_empty", "unknown", "UNKNOWN_RESULT", "0", "unknown", 1),
    "502": ("http:502", "unknown", "UNKNOWN_RESULT", "", "unknown", 0),
    "504 after": (
        {"kind": "http", "status": 504, "after": True},
        "unknown",
        "UNKNOWN_RESULT",
        "",
        "unknown",
        1,
    ),
    "redirect": ("redirect:307", "unknown", "UNKNOWN_RESULT", "", "unknown", 0),
    "late, in time": ("late_accept:150", "unknown", "UNKNOWN_RESULT", "50004", "unknown", 0),
    "late, too late": ("late_accept:900", "unknown", "UNKNOWN_RESULT", "50004", "unknown", 0),
}


def test_every_outcome_of_a_send_and_its_end(bench: Bench, settings: Any) -> None:
    """All at once: each account has its own fault and holds up nobody else."""
    settings.BREAKER_FEWEST_SENDS = 1000  # so many without an answer would stop the market
    bench.ask("POST", "/limits", dup_clordid="never")  # a double would be accepted
    links = {label: bench.follower() for label in OUTCOMES}
    for label, (fault, *_) in OUTCOMES.items():
        if fault is not None:
            bench.fault(fault, links[label])
    by_account = {order.account_id: order for order in bench.open()}
    orders = {label: by_account[link.account_id] for label, link in links.items()}

    assert bench.send(orders.values()) == len(OUTCOMES)

    seen = {}
    for label, order in orders.items():
        now, (attempt,) = bench.now(order), bench.attempts(order)
        code = now.exchange_code if now.state != "live" else ""
        seen[label] = (str(now.state), str(now.reason), code, str(attempt.outcome))
        assert attempt.finished_at is not None
        assert (now.claim_token, now.lease_until) == (None, None)
    assert seen == {label: case[1:5] for label, case in OUTCOMES.items()}
    there = dict(zip(orders, bench.accepted(*orders.values()), strict=True))
    there["late, in time"] = 0  # by now it may have landed
    assert there == {label: case[5] for label, case in OUTCOMES.items()}

    bench.finish()

    ends = {label: (str(bench.now(o).state), *bench.accepted(o)) for label, o in orders.items()}
    assert ends == {
        label: ("rejected", 0) if case[1] == "rejected" else ("filled", 1)
        for label, case in OUTCOMES.items()
    }
    assert diary("order.doubled") == []
    # What was sent again went under the same name, with the deadline of its own attempt.
    for order in orders.values():
        attempts = bench.attempts(order)
        # One whose turn under a limit would have come too late was never written.
        deadlines = [str(one.exp_at_ms) for one in attempts if one.code != "RATE_LIMITED"]
        assert [request["exp_time"] for request in bench.requests(order)] == deadlines


def test_the_words_of_the_exchange_are_kept(bench: Bench) -> None:
    link = bench.follower(usdt=10)
    (order,) = bench.open()

    bench.send([order])

    done = bench.now(order)
    assert (done.state, done.exchange_code, done.reason) == (
        "rejected",
        "51008",
        "INSUFFICIENT_MARGIN",
    )
    assert "margin" in done.exchange_message.lower()
    (attempt,) = bench.attempts(order)
    assert (attempt.code, attempt.message) == (done.exchange_code, done.exchange_message)
    assert "a-secret" not in attempt.excerpt
    assert bench.opened[link.account_id] not in attempt.excerpt


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("50105", "KEY_INVALID"),
        ("50110", "IP_NOT_ALLOWED"),
        ("50111", "KEY_INVALID"),
        ("50113", "KEY_INVALID"),
        ("50119", "KEY_INVALID"),
    ],
)
def test_a_key_that_is_refused_pauses_its_account_and_nobody_else(
    bench: Bench, code: str, reason: str
) -> None:
    bad, good = bench.follower(), bench.follower()
    bench.fault(f"code:{code}", bad)
    first, second = bench.open()

    bench.send([first, second])
    bench.finish()

    assert (bench.now(first).state, bench.now(first).reason) == ("rejected", reason)
    assert bench.now(second).state == "filled"
    assert bench.now(first).account.status == "paused"
    assert code in bench.now(first).account.paused_reason
    assert bench.now(second).account.status == "active"
    (entry,) = diary("key.refused_by_exchange")
    assert (entry.level, entry.object_id) == ("critical", str(bad.account_id))
    assert good.account_id != bad.account_id
    assert [o.account_id for o in bench.desk.hear("add", "10")] == [good.account_id]


def test_a_secret_that_is_wrong_for_real(bench: Bench) -> None:
    wrong, right = bench.follower(), bench.follower()
    account = wrong.account
    account.api_secret = "not-the-secret"
    with all_tenants("change a secret behind the desk's back"):
        account.save()

    first, second = bench.open()
    bench.send([first, second])

    assert (bench.now(first).state, bench.now(first).exchange_code) == ("rejected", "50113")
    assert bench.accepted(first, second) == [0, 1]
    assert right.account_id == second.account_id


@pytest.mark.parametrize("lost", ["no key", "a key sealed for another row"])
def test_an_account_without_a_readable_key_holds_up_nobody(bench: Bench, lost: str) -> None:
    mine, _ = bench.follower(), bench.follower()
    first, second = bench.open()
    if lost == "no key":
        put(mine.account, api_key=None)
    else:
        with connection.cursor() as cursor:
            columns = "api_secret FROM customers_exchangeaccount WHERE id = %s"
            cursor.execute(f"SELECT {columns}", [second.account_id])
            sealed = cursor.fetchone()
            statement = "UPDATE customers_exchangeaccount SET api_secret = %s WHERE id = %s"
            cursor.execute(statement, [*sealed, first.account_id])

    bench.send([first, second])

    assert (bench.now(first).state, bench.now(first).reason) == ("denied", "KEY_NOT_VERIFIED")
    assert bench.now(second).state == "live"
    assert bench.accepted(first, second) == [0, 1]


def test_a_failed_reading_never_counts_as_not_found(bench: Bench) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    bench.fault("code:50026", link, times=1000, **LOOKUP)
    (order,) = bench.open()
    bench.send([order])

    bench.sweep_for(1.6)

    waiting = bench.now(order)
    assert (waiting.state, waiting.not_found_count) == ("unknown", 0)
    assert len(bench.requests(order)) == 1
    bench.ask("DELETE", "/faults")
    bench.finish()
    assert (bench.now(order).state, bench.accepted(order)) == ("filled", [1])


def test_absence_is_proved_by_three_looks_and_by_the_lists(bench: Bench) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()
    bench.send([order])
    deadline = bench.now(order).exp_at_ms

    counts, began = set(), time.monotonic()
    while bench.now(order).state == "unknown":
        sweep()
        counts.add(bench.now(order).not_found_count)
        assert time.monotonic() - began < 10
    resent_at = time.time() * 1000

    assert {0, 1, 2} <= counts
    assert resent_at > deadline + 300  # skew and grace
    looked = [e["path"].partition("?")[0] for e in bench.entries(kind="request", method="GET")]
    assert looked.count("/api/v5/trade/order") >= 3
    for path in ("orders-pending", "orders-history", "fills"):
        assert any(p.startswith(f"/api/v5/trade/{path}") for p in looked)
    bench.finish()
    assert bench.accepted(order) == [1]
    assert bench.attempt_words(order) == ["unknown", "ack"]


def test_what_a_list_still_shows_is_not_sent_again(bench: Bench) -> None:
    """The single query lags behind: the order is there all the same."""
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    bench.fault("code:51603", link, times=1000, **LOOKUP)
    (order,) = bench.open()
    bench.send([order])

    bench.sweep_until(lambda: bench.now(order).not_found_count >= 3)

    assert (bench.now(order).state, bench.accepted(order)) == ("unknown", [1])
    assert len(bench.requests(order)) == 1
    bench.ask("DELETE", "/faults")
    bench.finish()
    assert (bench.now(order).state, bench.accepted(order)) == ("filled", [1])


@pytest.mark.parametrize("path", ["orders-pending", "orders-history", "fills"])
def test_without_a_list_there_is_no_proof(bench: Bench, path: str) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    bench.fault("code:50026", link, times=1000, path=f"/api/v5/trade/{path}", method="GET")
    (order,) = bench.open()
    bench.send([order])

    bench.sweep_for(1.5)

    assert (bench.now(order).state, len(bench.requests(order))) == ("unknown", 1)


def test_an_opening_that_is_proved_absent_too_late_expires(bench: Bench) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()
    bench.send([order])
    with all_tenants("the time is over"):
        type(order).objects.filter(pk=order.pk).update(expires_at=order.created_at)

    bench.finish()

    assert (bench.now(order).state, bench.now(order).reason) == ("expired", "EXPIRED")
    assert bench.accepted(order) == [0]


def test_a_close_is_sent_until_it_is_placed(bench: Bench) -> None:
    link = bench.follower()
    (order,) = bench.open()
    bench.send([order])
    bench.finish()
    (closing,) = bench.desk.hear("close")
    for _ in range(4):  # more than an opening would be tried
        bench.fault("code:50011", link)

    bench.send([closing])
    bench.finish()

    # Some of its turns may have come too late under the limit, and were not sent at all.
    assert (bench.now(closing).state, bench.now(closing).attempt >= 5) == ("filled", True)
    assert bench.accepted(closing) == [1]


def test_the_leader_left_while_the_opening_was_unknown(bench: Bench) -> None:
    """Proved absent, it is not placed only to be closed again."""
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()
    bench.send([order])

    (closing,) = bench.desk.hear("close")
    bench.finish()

    assert (bench.now(order).state, bench.now(order).reason) == ("expired", "SUPERSEDED")
    assert (bench.now(closing).state, bench.now(closing).reason) == ("denied", "ALREADY_FLAT")
    assert bench.accepted(order, closing) == [0, 0]


def test_a_spot_purchase_and_its_sale(bench: Bench) -> None:
    make.make_instrument(
        "BTC-USDT", lot_size=d("0.00000001"), min_size=d("0.00001"), max_market_size=None
    )
    make.set_price("BTC-USDT", 60_000)
    bench.follower(follow_ratio=d("0.01"))

    (order,) = bench.open("10", inst_id="BTC-USDT")
    bench.send([order])
    bench.finish()
    (closing,) = bench.desk.hear("close", inst_id="BTC-USDT")
    bench.send([closing])
    bench.finish()

    bought, sold = bench.now(order), bench.now(closing)
    assert (bought.filled_quantity, bought.fee_currency) == (d("0.1"), "BTC")
    assert bought.fee < 0
    assert sold.filled_quantity == d("0.1") + bought.fee
    assert facts(sold)[:2] == ("close", "sell")


def test_fills_and_positions_of_the_ledger_agree_with_ours(bench: Bench) -> None:
    for ratio in ("0.1", "0.2", "0.3"):
        bench.follower(follow_ratio=d(ratio))
    for intent, quantity in (("open", "10"), ("add", "5"), ("reduce", "6")):
        bench.send(bench.desk.hear(intent, quantity))
        bench.finish()

    ours: dict[str, Any] = {}
    for order in bench.desk.orders():
        ours[order.client_order_id] = (order.exchange_order_id, order.filled_quantity, order.fee)
    theirs = {
        e["cl_ord_id"]: (e["ord_id"], d(e["sz"]), d(e["fee"])) for e in bench.entries(kind="fill")
    }
    assert ours == theirs
    assert [o.filled_quantity for o in bench.desk.orders(leg="reduce")] == [
        d("0.6"),
        d("1.2"),
        d("1.8"),
    ]
    with all_tenants("count fills"):
        assert Fill.objects.filter(inst_id=BTC).count() == 0  # they come by the private channel
