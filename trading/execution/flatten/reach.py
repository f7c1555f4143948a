"""What a flatten reaches: whose accounts, which of their orders, cycles and instruments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from customers.enums import AccountStatus, KeyStatus
from customers.models import ExchangeAccount
from trading.enums import EventSource, OrderState, OrderType, Reason, Scope
from trading.models import Cycle, FlattenRun, Order, Position, TradingState
from trading.models.orders import OPEN_STATES
from trading.transition import Change, transition

UNSENT = (OrderState.NEW, OrderState.READY)
ON_THEIR_WAY = (OrderState.SENDING, OrderState.UNKNOWN)
RESTING = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Reach:
    """The scope of a switch, as filters. Everything runs in the scope of all tenants."""

    scope: Scope
    tenant_id: int | None
    strategy_id: int | None = None
    customer_id: int | None = None
    account_id: int | None = None
    inst_id: str = ""

    @classmethod
    def of(cls, state: TradingState) -> Reach:
        return cls(
            Scope(state.scope),
            state.tenant_id,
            state.strategy_id,
            state.customer_id,
            state.account_id,
            state.inst_id,
        )

    @property
    def only_cycles(self) -> bool:
        """A strategy closes what its cycles hold, and nothing beside it."""
        return self.scope == Scope.STRATEGY

    def rows(self) -> Q:
        """Of orders and cycles, which have the same columns."""
        own = Q() if self.tenant_id is None else Q(tenant_id=self.tenant_id)
        return (
            own
            & {
                Scope.SYSTEM: Q(),
                Scope.TENANT: Q(),
                Scope.STRATEGY: Q(subscription__strategy_id=self.strategy_id),
                Scope.CUSTOMER: Q(account__customer_id=self.customer_id),
                Scope.ACCOUNT: Q(account_id=self.account_id),
                Scope.INSTRUMENT: Q(inst_id=self.inst_id),
            }[self.scope]
        )

    def covers(self, inst_id: str) -> bool:
        return self.scope != Scope.INSTRUMENT or inst_id == self.inst_id

    def accounts(self) -> Any:
        """Those that may hold something: none is left out for being paused or refused."""
        held = Position.objects.exclude(quantity=0).values("account_id")
        busy = Order.objects.filter(self.rows(), state__in=OPEN_STATES).values("account_id")
        running = Cycle.objects.filter(self.rows(), ended_at__isnull=True).values("account_id")
        own = Q() if self.tenant_id is None else Q(tenant_id=self.tenant_id)
        if self.only_cycles:
            return ExchangeAccount.objects.filter(own).filter(Q(pk__in=running) | Q(pk__in=busy))
        if self.scope == Scope.CUSTOMER:
            own &= Q(customer_id=self.customer_id)
        if self.scope == Scope.ACCOUNT:
            own &= Q(pk=self.account_id)
        usable = ~Q(key_status=KeyStatus.MISSING) & ~Q(status=AccountStatus.ARCHIVED)
        return ExchangeAccount.objects.filter(own).filter(
            usable | Q(pk__in=held) | Q(pk__in=busy) | Q(pk__in=running)
        )


def active_runs() -> list[FlattenRun]:
    rows = FlattenRun.objects.filter(ended_at__isnull=True)
    return list(rows.select_related("state", "started_by").order_by("started_at", "pk"))


def take_back(run: FlattenRun, now: datetime) -> int:
    """End what was not sent yet and ask for the cancel of what rests. In a transaction."""
    mine = Order.objects.filter(Reach.of(run.state).rows(), flattens=False)
    mine.filter(state__in=RESTING, cancel_requested=False).exclude(
        order_type=OrderType.MARKET
    ).update(cancel_requested=True)
    note = str(Reason.FLATTENING.label)
    changes = [
        Change(order, OrderState.DENIED, {"reason": Reason.FLATTENING}, note)
        for order in mine.filter(state__in=UNSENT)[:BATCH]
    ]
    return len(transition(changes, source=EventSource.ENGINE, at=now))
