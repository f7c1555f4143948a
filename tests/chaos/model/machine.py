"""The protocol as a state machine: hypothesis decides what happens, and when, and to whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import time_machine
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts.models import Installation
from accounts.tenancy import all_tenants
from tests import factories as make
from tests.chaos.model import promises
from tests.chaos.model.venue import PRICE, Held, Venue, VenueClient
from tests.trading.copying.desk import BTC, make_desk
from tests.trading.execution.bench import forget_everything
from trading import faults
from trading.copying import copy_source
from trading.copying.cycles import settle_cycles
from trading.enums import EventSource, OrderState, TradingMode
from trading.exchange.runner import ExchangeLoop
from trading.execution import send_orders, sweep
from trading.faults import InjectedFaultError
from trading.models import Order
from trading.switch import set_mode
from trading.sync.apply import apply_orders
from trading.sync.reconcile import reconcile_account

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
FOLLOWERS = 2
MOODS = ("ok", "ok", "slowly", "lost", "unheard", "late", "limited", "refused")
POINTS = (
    "S2.claimed",
    "S2.mid_chunk",
    "S2.chunk_committed",
    "S4.claimed",
    "S5.before_commit",
    "S5.marked",
    "S7.before_record",
    "S7.recorded",
    "S8.before_commit",
    "R.asked",
    "R.before_adopt",
)
DRAIN_ROUNDS = 60
moods = st.lists(st.sampled_from(MOODS), max_size=5)
nth = st.integers(0, 30)


class Protocol(RuleBasedStateMachine):
    """Every step calls the product's own functions; only the exchange and the clock are ours."""

    patch: ClassVar[Any]  # pytest's monkeypatch

    def __init__(self) -> None:
        super().__init__()
        self.clock = time_machine.travel(START, tick=False)
        self.time = self.clock.start()
        self.world = transaction.atomic()
        self.world.__enter__()
        self.venue = Venue(lambda: round(datetime.now(UTC).timestamp() * 1000))
        client = VenueClient(self.venue)
        self.patch.setattr(ExchangeLoop, "client_for", lambda _loop, _endpoint: client)
        self.plan: dict[str, Any] = {}
        self.patch.setattr(faults, "_plan", lambda: self.plan)
        forget_everything()
        Installation.objects.get_or_create(pk=1)
        self.desk = make_desk()
        self.held_long = {"long": False, "short": False}
        self.mode = TradingMode.ACTIVE
        # What may still be accepted since the switch was turned, and how much was before.
        self.declared: set[str] = set()
        self.before = 0
        self.checked = 0

    @initialize()
    def followers(self) -> None:
        self.keys = {}
        for number in range(FOLLOWERS):
            key = f"key-{number}"
            account = make.make_account(make.make_customer(self.desk.tenant), api_key=key)
            make.subscribe(self.desk.strategy, account, follow_ratio=Decimal("0.1"))
            self.keys[key] = account

    # What people and programs do.

    @rule(
        intent=st.sampled_from(("open", "add", "reduce", "close", "flip")),
        direction=st.sampled_from(("long", "short")),
        quantity=st.sampled_from(("10", "4", "25")),
    )
    def signal(self, intent: str, direction: str, quantity: str) -> None:
        wanted = None if intent == "close" else quantity
        self.desk.say(intent, wanted, direction=direction)

    @rule(faring=moods, rests=st.booleans())
    def copy(self, faring: list[str], rests: bool) -> None:
        """A process copies what waits and sends it; some orders are limits that may rest."""
        self.venue.moods.extend(faring)
        try:
            for orders in copy_source(self.desk.source.pk):
                if rests:
                    self._make_limits(orders[:1])
                send_orders([order.id for order in orders])
        except InjectedFaultError:
            self._restart()
        self.venue.moods.clear()

    @rule(faring=moods, reading=st.lists(st.sampled_from(("ok", "fail")), max_size=4))
    def sweep(self, faring: list[str], reading: list[str]) -> None:
        self.venue.moods.extend(faring)
        self.venue.reads.extend(reading)
        self._sweep()
        self.venue.moods.clear()
        self.venue.reads.clear()

    @rule(point=st.sampled_from(POINTS))
    def kill(self, point: str) -> None:
        """Whoever comes to this point next dies there."""
        self.plan = faults.parse(f"{point}=raise")

    @rule()
    def restart(self) -> None:
        self._restart()

    @rule(seconds=st.sampled_from((0.2, 0.6, 1.2, 3.5, 6)))
    def advance_clock(self, seconds: float) -> None:
        self.time.shift(timedelta(seconds=seconds))
        make.set_price(BTC, PRICE)

    @rule()
    def cancel(self) -> None:
        """Somebody wants every resting order gone."""
        with all_tenants("a person cancels"):
            resting = Order.objects.filter(
                state__in=(OrderState.LIVE, OrderState.PARTIALLY_FILLED),
                order_type__in=("limit", "post_only"),
            )
            resting.update(cancel_requested=True)

    @precondition(lambda self: self.mode == TradingMode.ACTIVE)
    @rule(mode=st.sampled_from((TradingMode.HALTED, TradingMode.REDUCE_ONLY)))
    def halt(self, mode: TradingMode) -> None:
        self._turn(mode)

    @precondition(lambda self: self.mode in (TradingMode.HALTED, TradingMode.REDUCE_ONLY))
    @rule()
    def resume(self) -> None:
        self._turn(TradingMode.ACTIVE)

    @precondition(lambda self: self.mode != TradingMode.FLATTEN and len(self.venue.accepted) > 5)
    @rule()
    def flatten(self) -> None:
        self._turn(TradingMode.FLATTEN)

    # What the exchange does.

    @precondition(lambda self: bool(self.venue.in_flight))
    @rule(which=nth)
    def late_accept(self, which: int) -> None:
        """A request that was given up arrives after all."""
        self.venue.arrive(self.venue.in_flight.pop(which % len(self.venue.in_flight)))

    @precondition(lambda self: bool(self.venue.open()))
    @rule(which=nth, share=st.sampled_from(("0.3", "1")))
    def fill(self, which: int, share: str) -> None:
        held = self.venue.open()[which % len(self.venue.open())]
        lot = Decimal("0.01")
        self.venue.fill(held, max((held.request.quantity * Decimal(share)).quantize(lot), lot))

    @precondition(lambda self: bool(self.venue.pushes))
    @rule(which=nth)
    def ws_event(self, which: int) -> None:
        """News, in any order and as often as it likes."""
        account, report = self.venue.pushes[which % len(self.venue.pushes)]
        self._hear(account, report)

    # What must hold.

    @invariant()
    def nothing_is_doubled_or_overtaken(self) -> None:
        if len(self.venue.accepted) != self.checked:
            self.checked = len(self.venue.accepted)
            promises.once_and_in_order(self.venue.accepted)
            promises.only_declared(self._since_the_switch(), self.mode, self.declared)

    @invariant()
    def fills_are_never_made_up(self) -> None:
        promises.no_fill_of_nobody(self.venue.accepted)

    def teardown(self) -> None:
        try:
            self._drain()
            promises.books_agree(self.venue.accepted, self.keys.values())
            promises.positions_agree(self.venue, self.keys)
            if self.mode == TradingMode.FLATTEN:
                promises.is_flat(self.venue, self.keys)
        finally:
            transaction.set_rollback(True)
            self.world.__exit__(None, None, None)
            self.clock.stop()
            forget_everything()

    def _drain(self) -> None:
        """Everybody is well again: what is unfinished must finish."""
        self.plan = {}
        if self.mode in (TradingMode.HALTED, TradingMode.REDUCE_ONLY):
            self._turn(TradingMode.ACTIVE)
        for _ in range(DRAIN_ROUNDS):
            while self.venue.in_flight:
                self.venue.arrive(self.venue.in_flight.pop())
            for held in self.venue.open():
                self.venue.fill(held, held.request.quantity)
            for orders in copy_source(self.desk.source.pk):
                send_orders([order.id for order in orders])
            self._sweep()
            self.cancel()
            for key, account in self.keys.items():
                reconcile_account(account.pk, cause="the end of an example")
                del key
            self.time.shift(timedelta(seconds=1.5))
            make.set_price(BTC, PRICE)
            promises.once_and_in_order(self.venue.accepted)
            if not promises.unfinished():
                return
        raise AssertionError(f"unfinished: {promises.unfinished()}")

    def _sweep(self) -> None:
        try:
            sweep()
            with all_tenants("cycles of orders that ended"):
                settle_cycles(Order.objects.values_list("id", flat=True))
        except InjectedFaultError:
            self._restart()

    def _restart(self) -> None:
        self.plan = {}
        forget_everything()

    def _turn(self, mode: TradingMode) -> None:
        with all_tenants("what is in flight when the switch is turned"):
            flying = Order.objects.filter(state__in=(OrderState.SENDING, OrderState.UNKNOWN))
            self.declared = set(flying.values_list("client_order_id", flat=True))
        self.mode, self.before = mode, len(self.venue.accepted)
        set_mode(mode=mode, reason="the model says so", actor=None, tenant=self.desk.tenant)

    def _since_the_switch(self) -> list[Held]:
        return self.venue.accepted[self.before :]

    def _make_limits(self, orders: list[Order]) -> None:
        with all_tenants("a limit order"):
            Order.objects.filter(id__in=[o.id for o in orders], state=OrderState.READY).update(
                order_type="limit", price=PRICE
            )

    def _hear(self, key: str, report: Any) -> None:
        try:
            apply_orders(self.keys[key], [report], source=EventSource.STREAM)
        except InjectedFaultError:
            self._restart()
