"""Orders, every attempt to send them, what happened to them, and their fills.

These tables will be partitioned by month: no database-level foreign key to or from
them, and every unique key contains the partition column, which never changes. One index
per question: a signal writes into all of them for every account that follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField, uuid7
from accounts.roles import Ability, may
from accounts.tenancy import PartitionedTenantModel, TenantManager, TenantModel, TenantQuerySet
from customers.enums import Market
from customers.models import ExchangeAccount
from signals.models import Signal
from strategies.enums import MarginMode
from strategies.models import Subscription
from trading.enums import (
    FINAL_STATES,
    AttemptOutcome,
    EventSource,
    ExternalState,
    Leg,
    OrderCause,
    OrderState,
    OrderType,
    PositionSide,
    Reason,
    Side,
)
from trading.models.decisions import Cycle, Decision

if TYPE_CHECKING:
    from accounts.models import User

OPEN_STATES = tuple(s for s in OrderState.values if s not in FINAL_STATES)


def loose_key(
    to: Any, verbose: Any, *, null: bool = False, related: str = "+", indexed: bool = True
) -> Any:
    """A foreign key that the database does not know: its table is partitioned.

    Not `indexed` where another index of the table begins with it, or nobody asks by it alone.
    """
    return models.ForeignKey(
        to,
        verbose_name=verbose,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=indexed,
        null=null,
        related_name=related,
    )


# What is traded on spot has none: the exchange calls it cash.
MARGIN_MODES = [*MarginMode.choices, ("cash", _("Cash"))]


class OrderQuerySet(TenantQuerySet["Order"]):
    def open(self) -> OrderQuerySet:
        return self.filter(state__in=OPEN_STATES)

    def visible_to(self, user: User) -> OrderQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Order(PartitionedTenantModel):
    """One instruction to the exchange, sent exactly once whatever happens on the way."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    signal_at = models.DateTimeField(_("signal time"), editable=False)

    # identity
    signal = loose_key(Signal, _("signal"), related="orders", indexed=False)
    decision = loose_key(Decision, _("decision"), related="orders", indexed=False)
    subscription = loose_key(
        Subscription, _("subscription"), null=True, related="orders", indexed=False
    )
    account = loose_key(ExchangeAccount, _("account"), related="orders", indexed=False)
    cycle = loose_key(Cycle, _("cycle"), null=True, related="orders", indexed=False)
    cause = models.CharField(
        _("cause"), max_length=12, choices=OrderCause, default=OrderCause.SIGNAL
    )
    link_uid = models.UUIDField(editable=False)
    leg = models.CharField(_("leg"), max_length=8, choices=Leg)
    leg_number = models.PositiveSmallIntegerField(default=0)
    slice_number = models.PositiveSmallIntegerField(default=0)
    client_order_id = models.CharField(_("client order id"), max_length=32)
    exchange_order_id = models.CharField(_("exchange order id"), max_length=40, blank=True)

    # lane
    lane_key = models.CharField(max_length=80, editable=False)
    lane_at = models.DateTimeField(editable=False)
    waits_for = models.UUIDField(null=True, editable=False)

    # terms
    market = models.CharField(_("market"), max_length=16, choices=Market)
    inst_id = models.CharField(_("instrument"), max_length=40)
    side = models.CharField(_("side"), max_length=8, choices=Side)
    position_side = models.CharField(_("position side"), max_length=8, choices=PositionSide)
    reduce_only = models.BooleanField(_("reduce-only"), default=False)
    order_type = models.CharField(_("type"), max_length=16, choices=OrderType)
    margin_mode = models.CharField(_("margin mode"), max_length=16, choices=MARGIN_MODES)
    leverage = ExactDecimalField(_("leverage"), null=True)
    keeps_leverage = models.BooleanField(
        _("keeps the leverage"),
        default=False,
        help_text=_("The account's own is kept where it is no higher than this one."),
    )
    quantity = ExactDecimalField(_("quantity"), help_text=_("Contracts; base units on spot."))
    price = ExactDecimalField(_("price"), null=True)
    reference_price = ExactDecimalField(_("reference price"), null=True)
    max_slippage = ExactDecimalField(
        _("maximum slippage"),
        null=True,
        help_text=_("How much worse than the reference price it may get; empty where nothing is."),
    )
    notional = ExactDecimalField(_("notional"), null=True)
    leader_after = ExactDecimalField(null=True, editable=False)
    take_profit = ExactDecimalField(_("take profit"), null=True)
    stop_loss = ExactDecimalField(_("stop loss"), null=True)

    # state
    state = models.CharField(_("state"), max_length=20, choices=OrderState, default=OrderState.NEW)
    reason = models.CharField(_("reason"), max_length=40, choices=Reason, blank=True)
    exchange_code = models.CharField(_("exchange code"), max_length=16, blank=True)
    exchange_message = models.CharField(_("exchange message"), max_length=300, blank=True)
    filled_quantity = ExactDecimalField(_("filled"), default=0)
    average_price = ExactDecimalField(_("average price"), null=True)
    fee = ExactDecimalField(_("fee"), default=0)
    fee_currency = models.CharField(max_length=20, blank=True)
    realized_pnl = ExactDecimalField(_("realized PnL"), default=0)
    attempt = models.PositiveSmallIntegerField(_("attempts"), default=0)
    not_found_count = models.PositiveSmallIntegerField(default=0, editable=False)
    claims = models.PositiveSmallIntegerField(default=0, editable=False)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    flattens = models.BooleanField(_("closes for flatten"), default=False, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    version = models.PositiveIntegerField(default=0, editable=False)
    # Which write the row is from: of rows written together, it tells which really were.
    write_token = models.BigIntegerField(default=0, editable=False)

    # times
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), null=True)
    not_before = models.DateTimeField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    exp_at_ms = models.PositiveBigIntegerField(_("exchange deadline (ms)"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    acked_at = models.DateTimeField(_("acknowledged"), null=True)
    last_not_found_at = models.DateTimeField(null=True, editable=False)
    exchange_updated_at = models.DateTimeField(_("exchange time"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(OrderQuerySet)()

    class Meta(PartitionedTenantModel.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ("-created_at", "-id")
        constraints = (
            # also: the orders of a signal, and of one of its decisions
            models.UniqueConstraint(
                fields=("signal", "link_uid", "leg_number", "slice_number", "signal_at"),
                name="order_once_per_signal",
            ),
            # also: a report that names our id
            models.UniqueConstraint(
                fields=("account", "client_order_id", "signal_at"), name="order_client_id_once"
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="order_quantity_not_zero"),
        )
        indexes = (
            # head of a lane
            models.Index(fields=("lane_key", "lane_at"), name="order_lane"),
            # sweeps: unfinished orders by state
            models.Index(fields=("state", "lease_until"), name="order_unfinished"),
            # the lists of a desk and of an account
            models.Index(fields=("tenant", "created_at"), name="order_of_tenant"),
            models.Index(fields=("account", "created_at"), name="order_of_account"),
            # what a cycle holds
            models.Index(fields=("cycle",), name="order_of_cycle"),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.side} {self.quantity.normalize():f}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def opens(self) -> bool:
        """True when the order may enlarge a position."""
        return self.leg in (Leg.OPEN, Leg.ADD)

    @property
    def sends(self) -> list[OrderAttempt]:
        """Every request to place it, the first one first; the last may still be on its way."""
        rows = list(self.attempts.order_by("number"))
        if (
            self.state == OrderState.SENDING
            and self.exp_at_ms is not None
            and self.attempt not in {row.number for row in rows}
        ):
            on_its_way = OrderAttempt(
                tenant_id=self.tenant_id,
                signal_at=self.signal_at,
                order_id=self.pk,
                number=self.attempt,
                exp_at_ms=self.exp_at_ms,
                started_at=self.sent_at or self.created_at,
            )
            rows.append(on_its_way)
        return rows

    @property
    def diary(self) -> list[OrderEvent]:
        """What happened to it, the oldest first.

        In what state it was made is told by what it became; only what was made in another way
        has a row for that.
        """
        lines = list(self.events.all())
        if lines and not lines[0].from_state:
            return lines
        made = OrderEvent(
            tenant_id=self.tenant_id,
            signal_at=self.signal_at,
            order_id=self.pk,
            at=self.created_at,
            source=EventSource.ENGINE,
            to_state=lines[0].from_state if lines else self.state,
        )
        return [made, *lines]


class OrderAttempt(PartitionedTenantModel):
    """One request to place the order.

    While it is being sent, the order's mark is its record (`Order.sends`). The row is written when
    the order leaves that state, with the answer or without.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    signal_at = models.DateTimeField(editable=False)
    order = loose_key(Order, _("order"), related="attempts", indexed=False)
    number = models.PositiveSmallIntegerField(_("attempt"))
    exp_at_ms = models.PositiveBigIntegerField(_("exchange deadline (ms)"))
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=AttemptOutcome, default=AttemptOutcome.PENDING
    )
    http_status = models.PositiveSmallIntegerField(_("HTTP"), null=True)
    code = models.CharField(_("code"), max_length=16, blank=True)
    message = models.CharField(_("message"), max_length=300, blank=True)
    excerpt = models.CharField(_("answer"), max_length=500, blank=True)

    class Meta(PartitionedTenantModel.Meta):
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("order", "number", "signal_at"), name="attempt_once"),
        )

    def __str__(self) -> str:
        return f"{self.number}: {self.outcome}"


class OrderEvent(PartitionedTenantModel):
    """A step in an order's diary; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    signal_at = models.DateTimeField(editable=False)
    order = loose_key(Order, _("order"), related="events", indexed=False)
    at = models.DateTimeField(_("at"))
    source = models.CharField(_("heard from"), max_length=8, choices=EventSource)
    from_state = models.CharField(_("from"), max_length=20, choices=OrderState, blank=True)
    to_state = models.CharField(_("to"), max_length=20, choices=OrderState)
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta(PartitionedTenantModel.Meta):
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        ordering = ("at", "id")
        indexes = (models.Index(fields=("order", "at"), name="event_of_order"),)

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class FillQuerySet(TenantQuerySet["Fill"]):
    def visible_to(self, user: User) -> FillQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(account__customer__portal_user=user, account__is_shadow=False)


class Fill(PartitionedTenantModel):
    """One execution. The same fill may be heard twice, from either side, and is kept once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    filled_at = models.DateTimeField(_("filled"), help_text=_("The exchange's fillTime."))
    account = loose_key(ExchangeAccount, _("account"), related="fills", indexed=False)
    order = loose_key(Order, _("order"), null=True, related="fills", indexed=False)
    inst_id = models.CharField(_("instrument"), max_length=40)
    trade_id = models.CharField(_("trade id"), max_length=40)
    exchange_order_id = models.CharField(_("exchange order id"), max_length=40)
    side = models.CharField(_("side"), max_length=8, choices=Side)
    position_side = models.CharField(_("position side"), max_length=8, choices=PositionSide)
    quantity = ExactDecimalField(_("quantity"))
    price = ExactDecimalField(_("price"))
    fee = ExactDecimalField(_("fee"), default=0, help_text=_("Negative is charged."))
    fee_currency = models.CharField(_("fee currency"), max_length=20, blank=True)
    realized_pnl = ExactDecimalField(_("realized PnL"), default=0)
    liquidity = models.CharField(_("liquidity"), max_length=8, blank=True)
    received_at = models.DateTimeField(_("received"))

    objects: ClassVar[Any] = TenantManager.from_queryset(FillQuerySet)()

    class Meta(PartitionedTenantModel.Meta):
        verbose_name = _("fill")
        verbose_name_plural = _("fills")
        ordering = ("-filled_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("account", "inst_id", "trade_id", "exchange_order_id", "filled_at"),
                name="fill_once",
            ),
        )
        indexes = (
            models.Index(fields=("tenant", "filled_at"), name="fill_of_tenant"),
            models.Index(fields=("order",), name="fill_of_order"),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.side} {self.quantity.normalize():f} @ {self.price:f}"


class ExternalOrder(TenantModel):
    """An order on the account that is not ours: recorded, never touched."""

    account = models.ForeignKey(
        ExchangeAccount, verbose_name=_("account"), on_delete=models.PROTECT, related_name="+"
    )
    exchange_order_id = models.CharField(_("exchange order id"), max_length=40)
    client_order_id = models.CharField(_("client order id"), max_length=32, blank=True)
    foreign_deployment = models.BooleanField(_("from another Copydesk"), default=False)
    inst_id = models.CharField(_("instrument"), max_length=40)
    side = models.CharField(_("side"), max_length=8, choices=Side)
    quantity = ExactDecimalField(_("quantity"))
    filled_quantity = ExactDecimalField(_("filled"), default=0)
    state = models.CharField(_("state"), max_length=20, choices=ExternalState)
    seen_at = models.DateTimeField(_("seen"))

    class Meta(TenantModel.Meta):
        verbose_name = _("external order")
        verbose_name_plural = _("external orders")
        ordering = ("-seen_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "exchange_order_id"), name="external_order_once"
            ),
        )
        indexes = (models.Index(fields=("seen_at",), name="external_order_recent"),)

    def __str__(self) -> str:
        return f"{self.inst_id} {self.side} {self.quantity.normalize():f}"
