"""A leader's news and readings against its books, without a socket: what is told, and once."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from signals.enums import (
    ApprovalRule,
    LeaderMarginMode,
    SignalStatus,
    SourceKind,
    SourceStatus,
)
from signals.models import LeaderAccount, LeaderHolding, LeaderPosition, Signal, SignalSource
from tests.factories import make_instrument, make_source
from tests.trading.sync.leaders import fresh, holdings, positions, signals_of, stops, told
from tests.trading.sync.rows import BTC, balance, position
from tests.trading.sync.rows import fill as fill_report
from trading.copying import copy_source
from trading.exchange.algos import AlgoReport, AlgoState, AlgoType
from trading.exchange.protection import Trigger
from trading.exchange.types import (
    FillReport,
    InstrumentType,
    MarginMode,
    PositionReport,
    PositionSide,
    Side,
)
from trading.sync.leaders.evidence import Evidence
from trading.sync.leaders.moves import Trade
from trading.sync.leaders.reading import Reading
from trading.sync.leaders.settling import Verdict, before_reading, settle
from trading.sync.leaders.taking import News, Taken, take_news

pytestmark = [pytest.mark.django_db, pytest.mark.database]

CROSS = LeaderMarginMode.CROSS


class Exchange:
    """What the exchange has on record of one leader, in net mode."""

    def __init__(self) -> None:
        self.fills: list[FillReport] = []
        self.held = Decimal(0)
        self.start = timezone.now() - timedelta(seconds=20)

    def trades(self, quantity: int, *, price: int = 60_000) -> Trade:
        """The leader buys, or sells what is below zero."""
        number = len(self.fills) + 1
        report = fill_report(
            None,
            number,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=Decimal(abs(quantity)),
            price=Decimal(price),
            trade_id=str(number),
            exchange_order_id=f"9{number}",
            filled_at=self.start + timedelta(milliseconds=100 * number),
            realized_pnl=Decimal(1 if self.held * quantity < 0 else 0),
        )
        self.fills.append(report)
        self.held += quantity
        return Trade(report, margin_mode=CROSS)

    def position(self, **fields: Any) -> PositionReport:
        at = self.fills[-1].filled_at if self.fills else self.start
        return position(quantity=self.held, updated_at=at, **fields)

    def reading(self, *, at: datetime | None = None, **fields: Any) -> Reading:
        held = (self.position(),) if self.held else ()
        values: dict[str, Any] = {
            "since": self.start - timedelta(minutes=2),
            "read_at": at or timezone.now(),
            "trades": tuple(Trade(each) for each in reversed(self.fills)),
            "positions": held,
            "balance": replace(balance(50_000), updated_at=timezone.now()),
        }
        return Reading(**values | fields)


def make_leader(**fields: Any) -> LeaderAccount:
    make_instrument(BTC)
    source = make_source(kind=SourceKind.LEADER, secret="", **fields)
    with tenant_scope(source.tenant_id):
        return LeaderAccount.objects.create(source=source)


def read(leader: LeaderAccount, reading: Reading, evidence: Evidence | None = None) -> Verdict:
    return settle(leader.pk, leader.tenant_id, reading, evidence or Evidence())


def hear(leader: LeaderAccount, *trades: Trade, positions: Any = ()) -> Taken:
    return take_news(leader.pk, leader.tenant_id, News(trades, tuple(positions)))


def begun(exchange: Exchange, **fields: Any) -> LeaderAccount:
    leader = make_leader(**fields)
    assert read(leader, exchange.reading()) is Verdict.SETTLED
    return leader


def copied(leader: LeaderAccount) -> dict[str, Decimal]:
    """Where the signals lead once they are copied."""
    for _ in copy_source(leader.source_id):
        pass
    return positions(leader)


def diary(leader: LeaderAccount) -> list[str]:
    with tenant_scope(leader.tenant_id):
        return list(AuditEntry.objects.order_by("at", "pk").values_list("action", flat=True))


def test_what_a_leader_held_before_is_written_down_and_not_told() -> None:
    exchange = Exchange()
    exchange.trades(5)

    leader = begun(exchange)

    assert told(leader) == []
    assert holdings(leader) == {("long", "cross"): Decimal(5)}
    assert positions(leader) == {"long": Decimal(5)}
    assert fresh(leader).equity == Decimal(50_000)
    assert "leader.followed" in diary(leader)


def test_what_it_does_with_that_afterwards_is_told_as_what_it_is() -> None:
    exchange = Exchange()
    exchange.trades(5)
    leader = begun(exchange)

    hear(leader, exchange.trades(1))
    hear(leader, exchange.trades(-2))
    hear(leader, exchange.trades(-4))

    assert told(leader) == [("add", "long", "1"), ("reduce", "long", "2"), ("close", "long", "")]
    assert copied(leader) == {}


def test_a_trade_heard_twice_and_read_once_more_is_told_once() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    opened = exchange.trades(3)

    hear(leader, opened, opened)
    hear(leader, opened)
    read(leader, exchange.reading())

    assert told(leader) == [("open", "long", "3")]


def test_a_reading_tells_of_what_the_socket_missed_in_the_order_of_the_trades() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    for quantity in (2, -4, -3, 2):
        exchange.trades(quantity)

    assert read(leader, exchange.reading()) is Verdict.SETTLED

    assert told(leader) == [
        ("open", "long", "3"),
        ("add", "long", "2"),
        ("reduce", "long", "4"),
        ("flip", "short", "2"),
        ("close", "short", ""),
    ]
    signals = signals_of(leader)
    assert [each.signal_at for each in signals] == [each.filled_at for each in exchange.fills]
    assert not any(each.has_gap for each in signals)


def test_trades_of_one_push_are_told_in_their_order_however_they_came() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    trades = [exchange.trades(quantity) for quantity in (3, 1, -4)]

    hear(leader, *reversed(trades))

    assert told(leader) == [("open", "long", "3"), ("add", "long", "1"), ("close", "long", "")]


def test_fills_of_one_order_that_came_together_are_told_together() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    prices = (60_000, 60_010, 60_030)
    parts = [
        exchange.trades(quantity, price=price)
        for quantity, price in zip((1, 2, 1), prices, strict=True)
    ]
    parts = [replace(each, fill=replace(each.fill, exchange_order_id="91")) for each in parts]
    exchange.fills = [each.fill for each in parts]

    hear(leader, *parts)
    hear(leader, *parts)
    read(leader, exchange.reading())

    assert told(leader) == [("open", "long", "4")]
    only = signals_of(leader)[0]
    assert only.reference_price == only.leader_entry == Decimal("60012.5")
    assert only.external_id == parts[-1].key
    assert holdings(leader) == {("long", "cross"): Decimal(4)}


def test_an_order_that_turned_the_position_in_parts_is_a_reversal() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    parts = [exchange.trades(quantity) for quantity in (-2, -1, -2)]
    parts = [replace(each, fill=replace(each.fill, exchange_order_id="99")) for each in parts]

    hear(leader, *parts, positions=[exchange.position()])

    assert told(leader) == [("open", "long", "3"), ("flip", "short", "2")]


def test_a_close_that_overtakes_its_opening_opens_nothing() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    _opened, closed = exchange.trades(3), exchange.trades(-3)

    taken = hear(leader, closed)
    assert (taken.told, taken.parked) == (0, (closed,))
    read(leader, exchange.reading())

    assert told(leader) == [("open", "long", "3"), ("close", "long", "")]


def test_what_follows_a_doubtful_trade_waits_with_it() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(2))
    _missed, closed, opened = exchange.trades(1), exchange.trades(-3), exchange.trades(-1)

    taken = hear(leader, closed, opened)

    assert (taken.told, taken.parked) == (0, (closed, opened))
    read(leader, exchange.reading())
    assert told(leader) == [
        ("open", "long", "2"),
        ("add", "long", "1"),
        ("close", "long", ""),
        ("open", "short", "1"),
    ]


def test_a_reversal_whose_position_came_along_is_told_at_once() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    turned = exchange.trades(-5)

    taken = hear(leader, turned, positions=[exchange.position()])

    assert taken == Taken(1)
    assert told(leader)[-1] == ("flip", "short", "2")


def test_a_position_that_no_trade_explains_asks_for_a_reading() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    exchange.trades(2)

    assert hear(leader, positions=[exchange.position()]).differs
    assert told(leader) == [("open", "long", "3")]


def test_a_position_older_than_the_trade_says_nothing() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    old = exchange.position()
    late = exchange.trades(2)
    late = replace(late, fill=replace(late.fill, filled_at=old.updated_at + timedelta(seconds=2)))
    hear(leader, late)

    assert not hear(leader, positions=[old]).differs


def test_the_exchanges_own_average_is_taken() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    opened = exchange.trades(3)

    hear(
        leader,
        opened,
        positions=[exchange.position(average_price=Decimal("60000.5"), leverage=Decimal(7))],
    )
    hear(leader, exchange.trades(3, price=60_001))

    assert [each.leader_entry for each in signals_of(leader)] == [
        Decimal(60_000),
        Decimal("60000.75"),
    ]


def test_a_reading_older_than_what_was_heard_concludes_nothing() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    stale = exchange.reading()
    hear(leader, exchange.trades(3))

    assert read(leader, stale) is Verdict.AGAIN
    assert told(leader) == [("open", "long", "3")]
    assert holdings(leader) == {("long", "cross"): Decimal(3)}


def test_a_trade_that_no_reading_has_does_not_stop_the_readings_for_ever() -> None:
    exchange = Exchange()
    exchange.start -= timedelta(minutes=1)
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    late = exchange.reading(trades=())

    assert late.read_at - exchange.fills[-1].filled_at > timedelta(seconds=31)
    assert read(leader, late) is Verdict.SETTLED


def vanish(exchange: Exchange, quantity: int = 0) -> None:
    """The position is another, and no trade says why: delivered, transferred, or lost to us."""
    exchange.held = Decimal(quantity)


def test_a_position_that_vanished_is_followed_when_it_is_certain() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    vanish(exchange)
    evidence = Evidence()

    verdicts = [read(leader, exchange.reading(), evidence) for _ in range(4)]

    assert verdicts == [Verdict.WAITING] * 4
    assert told(leader) == [("open", "long", "3")]
    for seen in evidence.seen.values():
        seen.since -= timedelta(seconds=21)
    assert read(leader, exchange.reading(), evidence) is Verdict.SETTLED
    assert told(leader) == [("open", "long", "3"), ("target", "long", "0")]
    last = signals_of(leader)[-1]
    assert last.has_gap
    assert "no trade says why" in last.reason_text
    assert "signal.gap" in diary(leader)
    assert holdings(leader) == copied(leader) == {}


def test_what_it_has_more_than_is_known_is_told_once_with_its_own_time() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    vanish(exchange, 5)
    evidence = Evidence()
    read(leader, exchange.reading(), evidence)
    for seen in evidence.seen.values():
        seen.since -= timedelta(seconds=6)

    read(leader, exchange.reading(), evidence)
    read(leader, exchange.reading(), evidence)

    assert told(leader) == [("open", "long", "3"), ("target", "long", "5")]
    assert signals_of(leader)[-1].signal_at == exchange.fills[-1].filled_at


def test_a_reading_that_tells_no_stops_does_not_say_that_there_are_none() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    with tenant_scope(leader.tenant_id):
        LeaderHolding.objects.filter(leader=leader).update(stop_loss=59_000)
    vanish(exchange, 5)
    evidence = Evidence()
    read(leader, exchange.reading(), evidence)
    for seen in evidence.seen.values():
        seen.since -= timedelta(seconds=6)
    read(leader, exchange.reading(), evidence)
    assert holdings(leader) == {("long", "cross"): Decimal(5)}
    assert stops(leader) == (None, 59_000)

    read(leader, exchange.reading(algos=()))
    assert stops(leader) == (None, None)


def stop(size: int | None, loss: int, profit: int | None = None) -> AlgoReport:
    return AlgoReport(
        inst_id=BTC,
        inst_type=InstrumentType.SWAP,
        client_algo_id="",
        exchange_algo_id="1",
        algo_type=AlgoType.CONDITIONAL,
        state=AlgoState.LIVE,
        side=Side.SELL,
        position_side=PositionSide.NET,
        margin_mode=MarginMode.CROSS,
        quantity=None if size is None else Decimal(size),
        take_profit=None if profit is None else Trigger(Decimal(profit)),
        stop_loss=Trigger(Decimal(loss)),
        reduce_only=True,
        exchange_order_ids=(),
        actual_side="",
        actual_quantity=Decimal(0),
        actual_price=None,
        fail_code="",
        created_at=timezone.now(),
        updated_at=None,
        triggered_at=None,
    )


@pytest.mark.parametrize(
    ("algos", "for_all"),
    [
        ((), True),
        ((stop(None, 59_000),), True),
        ((stop(3, 59_000),), True),
        ((stop(2, 59_000), stop(1, 59_000)), True),
        ((stop(2, 59_000),), False),
        ((stop(2, 59_000), stop(1, 58_000)), False),
        ((stop(3, 59_000), stop(1, 59_000, 61_000)), False),
    ],
)
def test_only_stops_for_the_whole_position_count_for_followers(
    algos: tuple[AlgoReport, ...], for_all: bool
) -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))

    read(leader, exchange.reading(algos=algos))

    with tenant_scope(leader.tenant_id):
        (row,) = LeaderHolding.objects.filter(leader=leader, quantity__gt=0)
        assert row.stops_for_all is for_all
    hear(leader, exchange.trades(1))
    with tenant_scope(leader.tenant_id):
        row.refresh_from_db()
        assert (row.quantity, row.stops_for_all) == (4, False)


def test_a_position_that_turned_unheard_is_closed_before_the_other_is_opened() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    vanish(exchange, -2)
    evidence = Evidence()
    for _ in range(5):
        read(leader, exchange.reading(), evidence)
        for seen in evidence.seen.values():
            seen.since -= timedelta(seconds=10)

    assert told(leader)[1:] == [("target", "long", "0"), ("target", "short", "2")]
    assert copied(leader) == {"short": Decimal(2)}


# What people decide.


def test_the_trades_of_a_disabled_source_are_refused_and_not_lost() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    copied(leader)
    set_source(leader, status=SourceStatus.DISABLED)

    hear(leader, exchange.trades(-1))

    assert signals_of(leader)[-1].status == SignalStatus.REFUSED
    assert holdings(leader) == {("long", "cross"): Decimal(2)}


def test_followers_come_down_to_a_leader_who_reduced_while_its_source_was_disabled() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    copied(leader)
    set_source(leader, status=SourceStatus.DISABLED)
    hear(leader, exchange.trades(-1))
    read(leader, exchange.reading())
    assert copied(leader) == {"long": Decimal(3)}
    set_source(leader, status=SourceStatus.ENABLED)

    for _ in range(3):
        read(leader, exchange.reading())

    signals = [each for each in signals_of(leader) if each.status != SignalStatus.REFUSED]
    assert [(each.intent, each.quantity) for each in signals[1:]] == [("target", Decimal(2))]
    assert copied(leader) == {"long": Decimal(2)}
    assert diary(leader).count("leader.drift") == 1


def test_what_a_leader_opened_while_its_source_was_disabled_is_not_bought_late() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    set_source(leader, status=SourceStatus.DISABLED)
    hear(leader, exchange.trades(3))
    set_source(leader, status=SourceStatus.ENABLED)

    for _ in range(3):
        read(leader, exchange.reading())
    hear(leader, exchange.trades(1))

    signals = [each for each in signals_of(leader) if each.status != SignalStatus.REFUSED]
    assert [(each.intent, each.quantity) for each in signals] == [("add", Decimal(1))]
    assert copied(leader) == {"long": Decimal(4)}


def test_a_rejected_addition_is_not_bought_by_the_next_check() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(2))
    copied(leader)
    set_source(leader, approval=ApprovalRule.OPENINGS)
    hear(leader, exchange.trades(2))
    with tenant_scope(leader.tenant_id):
        Signal.objects.filter(status=SignalStatus.HELD).update(status=SignalStatus.REFUSED)

    for _ in range(4):
        read(leader, exchange.reading())
    hear(leader, exchange.trades(-1))

    last = signals_of(leader)[-1]
    # A quarter of what it holds, and so of what was copied.
    assert (last.intent, last.quantity_mode, last.quantity) == ("reduce", "percent", Decimal(25))
    assert copied(leader) == {"long": Decimal("1.5")}
    assert diary(leader).count("leader.drift") == 1


def set_source(leader: LeaderAccount, **fields: Any) -> None:
    with tenant_scope(leader.tenant_id):
        SignalSource.objects.filter(pk=leader.source_id).update(**fields)


def test_a_lost_copy_is_found_and_mended() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    copied(leader)
    hear(leader, exchange.trades(-3))
    with tenant_scope(leader.tenant_id):
        Signal.objects.filter(intent="close").update(status=SignalStatus.QUARANTINED)

    for _ in range(3):
        read(leader, exchange.reading())

    assert told(leader)[-1] == ("target", "long", "0")
    assert copied(leader) == {}


def test_what_is_on_its_way_is_no_drift() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))

    for _ in range(3):
        read(leader, exchange.reading())

    assert told(leader) == [("open", "long", "3")]
    assert fresh(leader).drifts == {}


def test_a_reading_says_from_when_on_and_what_is_known() -> None:
    exchange = Exchange()
    leader = make_leader()
    assert before_reading(leader.pk, leader.tenant_id).since is None
    read(leader, exchange.reading())
    opened = exchange.trades(3)
    hear(leader, opened)

    before = before_reading(leader.pk, leader.tenant_id)

    assert before.known == {opened.key}
    assert before.since is not None
    assert timedelta(seconds=119) < timezone.now() - before.since < timedelta(seconds=180)


def test_a_clock_of_ours_that_is_behind_loses_no_close() -> None:
    exchange = Exchange()
    leader = begun(exchange)
    hear(leader, exchange.trades(3))
    closed = exchange.trades(-3)
    ahead = replace(closed.fill, filled_at=timezone.now() + timedelta(minutes=3))

    hear(leader, replace(closed, fill=ahead))

    assert told(leader)[-1] == ("close", "long", "")
    assert signals_of(leader)[-1].status == SignalStatus.ACCEPTED


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_socket_does_the_end_is_the_exchanges(seed: int) -> None:
    """A twentieth of the pushes dropped, a twentieth doubled, neighbours exchanged, readings in
    between: in the end what was copied is what the leader holds, by its own trades alone."""
    chance = random.Random(seed)
    exchange = Exchange()
    leader = begun(exchange)
    pushes = []
    for _ in range(40):
        quantity = chance.choice([-5, -3, -2, -1, 1, 2, 3, 4])
        pushes.append((exchange.trades(quantity), exchange.position(), len(exchange.fills)))
    order = list(pushes)
    for place in range(len(order) - 1):
        if chance.random() < 0.1:
            order[place], order[place + 1] = order[place + 1], order[place]
    for trade, at, _count in order:
        times = 0 if chance.random() < 0.05 else 2 if chance.random() < 0.05 else 1
        for _ in range(times):
            taken = hear(leader, trade, positions=[at])
            if taken.parked or taken.differs:
                read(leader, exchange.reading())

    assert read(leader, exchange.reading()) is Verdict.SETTLED

    side = "long" if exchange.held > 0 else "short"
    expected = {side: abs(exchange.held)} if exchange.held else {}
    assert {name for name, _ in holdings(leader)} == set(expected)
    assert copied(leader) == expected
    assert not any(each.has_gap for each in signals_of(leader))
    with tenant_scope(leader.tenant_id):
        assert LeaderPosition.objects.filter(quantity__lt=0).count() == 0
