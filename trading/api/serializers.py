"""How trades, positions, balances and decisions are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.serializers import DeskSerializer, Figure, plain
from trading.enums import OrderState
from trading.explaining import explain, explain_order
from trading.explaining.figures import exact
from trading.models import Balance, Decision, Fill, Order, OrderEvent, Position
from trading.orders import OrderWord, word_for

Numbers = dict[str, str]


class OfAccount(DeskSerializer):
    """What tells whose row it is."""

    customer_id = serializers.UUIDField(source="account.customer.uid", read_only=True)
    customer_name = serializers.CharField(source="account.customer.name", read_only=True)
    account_id = serializers.UUIDField(source="account.uid", read_only=True)
    account_label = serializers.CharField(source="account.label", read_only=True)


class FillSerializer(DeskSerializer):
    """One execution. A charged fee is negative."""

    class Meta:
        model = Fill
        fields = (
            "id", "trade_id", "side", "quantity", "price", "fee", "fee_currency", "realized_pnl",
            "liquidity", "filled_at",
        )  # fmt: skip
        read_only_fields = fields


class OrderEventSerializer(DeskSerializer):
    """A line in an order's diary."""

    class Meta:
        model = OrderEvent
        fields = ("at", "source", "from_state", "to_state", "note")
        read_only_fields = fields


class DecisionSerializer(OfAccount):
    """Why a follower was or was not copied. `explanation` says it in a sentence."""

    strategy_id = serializers.UUIDField(
        source="subscription.strategy.uid", default=None, read_only=True, allow_null=True
    )
    strategy_name = serializers.CharField(
        source="subscription.strategy.name", default=None, read_only=True, allow_null=True
    )
    instrument = serializers.CharField(source="signal.inst_id", read_only=True)
    intent = serializers.CharField(source="signal.intent", read_only=True)
    direction = serializers.CharField(source="signal.direction", read_only=True)
    explanation = serializers.SerializerMethodField()
    numbers = serializers.SerializerMethodField()

    class Meta:
        model = Decision
        fields = (
            "id", "signal_id", "customer_id", "customer_name", "account_id", "account_label",
            "strategy_id", "strategy_name", "instrument", "intent", "direction", "outcome",
            "reason", "explanation", "numbers", "decided_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_explanation(self, row: Decision) -> str:
        return explain(row)

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
    def get_numbers(self, row: Decision) -> Numbers:
        return written(row.numbers)


class TradeSerializer(OfAccount):
    """An order with its fills: what people call a trade. `status` is one of five words,
    `state` the state within. Quantities are contracts, on spot base units."""

    strategy_id = serializers.UUIDField(
        source="subscription.strategy.uid", default=None, read_only=True, allow_null=True
    )
    strategy_name = serializers.CharField(
        source="subscription.strategy.name", default=None, read_only=True, allow_null=True
    )
    instrument = serializers.CharField(source="inst_id", read_only=True)
    status = serializers.SerializerMethodField()
    explanation = serializers.SerializerMethodField()
    attempts = serializers.IntegerField(source="attempt", read_only=True)
    fills = FillSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields: tuple[str, ...] = (
            "id", "signal_id", "decision_id", "customer_id", "customer_name", "account_id",
            "account_label", "strategy_id", "strategy_name", "market", "instrument", "leg",
            "side", "position_side", "reduce_only", "order_type", "margin_mode", "leverage",
            "quantity", "price", "take_profit", "stop_loss", "reference_price", "notional", "cause",
            "status", "state", "reason",
            "explanation", "exchange_code", "exchange_message", "filled_quantity",
            "average_price", "fee", "fee_currency", "realized_pnl", "client_order_id",
            "exchange_order_id", "attempts", "created_at", "sent_at", "acked_at", "finished_at",
            "fills",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": OrderWord.values})
    def get_status(self, row: Order) -> str:
        return word_for(OrderState(row.state)).value

    def get_explanation(self, row: Order) -> str:
        return explain_order(row)


class TradeDetailSerializer(TradeSerializer):
    """A trade with the decision behind it and everything that happened to it."""

    decision = DecisionSerializer(read_only=True)
    events = OrderEventSerializer(many=True, read_only=True, source="diary")

    class Meta(TradeSerializer.Meta):
        fields = (*TradeSerializer.Meta.fields, "decision", "events")
        read_only_fields = fields


class PositionSerializer(OfAccount):
    """In contracts: signed in net mode, positive on either side in long-short mode."""

    market = serializers.CharField(source="account.market", read_only=True)
    instrument = serializers.CharField(source="inst_id", read_only=True)

    class Meta:
        model = Position
        fields = (
            "customer_id", "customer_name", "account_id", "account_label", "market", "instrument",
            "position_side", "margin_mode", "quantity", "average_price", "mark_price",
            "unrealized_pnl", "leverage", "liquidation_price", "notional", "margin_ratio",
            "exchange_updated_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class BalanceSerializer(OfAccount):
    """One currency of an account; `TOTAL` is all of it, in USD as the exchange values it. Of all
    together only equity and unrealized PnL are known."""

    market = serializers.CharField(source="account.market", read_only=True)
    cash = Figure(read_only=True, allow_null=True)
    available = Figure(read_only=True, allow_null=True)
    frozen = Figure(read_only=True, allow_null=True)

    class Meta:
        model = Balance
        fields = (
            "customer_id", "customer_name", "account_id", "account_label", "market", "currency",
            "equity", "cash", "available", "frozen", "unrealized_pnl", "exchange_updated_at",
            "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def to_representation(self, instance: Balance) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        if instance.currency == Balance.TOTAL:
            told |= dict.fromkeys(("cash", "available", "frozen"))
        return told


def written(numbers: Mapping[str, Any]) -> Numbers:
    """The numbers of a decision as text, in the order in which they came about."""
    return {name: _written(value) for name, value in numbers.items()}


def _written(value: object) -> str:
    number = exact(value)
    return str(value) if number is None else plain(number)
