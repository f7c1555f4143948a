"""How strategies and subscriptions are told, and what binding a customer takes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.serializers import DeskInput, DeskSerializer, Figure, ReasonInput, RowField
from customers.models import Customer, ExchangeAccount
from strategies.enums import CloseType, CopyExisting, ProtectionBasis
from strategies.models import Strategy, Subscription

PROTECTION: Final = (
    "take_profit_ratio", "stop_loss_ratio", "protection_basis", "mirror_protection",
)  # fmt: skip
TERMS: Final = (
    "follow_ratio", "fixed_notional", "max_leverage", "max_slippage", "copy_existing", *PROTECTION,
)  # fmt: skip


AMOUNTS: Final = (
    "equity_multiplier", "fixed_margin", "fixed_quantity", "available_ratio", "risk_ratio",
    "leverage", "allocated_capital", "max_account_leverage",
)  # fmt: skip
CHOICES: Final = ("leverage_mode", "reverse", "denied_instruments", "instrument_terms")


class StrategySerializer(DeskSerializer):
    """`instruments` empty means all."""

    id = serializers.UUIDField(source="uid", read_only=True)
    source_ids = serializers.SerializerMethodField()
    instruments = serializers.ListField(child=serializers.CharField(), read_only=True)
    denied_instruments = serializers.ListField(child=serializers.CharField(), read_only=True)
    instrument_terms = serializers.JSONField(
        read_only=True, help_text="By the leader's instrument: what counts there instead."
    )

    class Meta:
        model = Strategy
        fields = (
            "id", "name", "status", "source_ids", "instruments", "sizing_mode", "follow_ratio",
            "fixed_notional", "min_size_policy", "over_max_policy", "margin_mode", "max_leverage",
            "max_age_seconds", "open_orders", "max_slippage", "flip_policy", "discount_min",
            "discount_max", "rungs", "max_orders", "post_only", "ttl_hours", "created_at",
            "updated_at", *PROTECTION, *AMOUNTS, *CHOICES, "per_signal", "round_up_floor",
        )  # fmt: skip
        read_only_fields = fields

    def get_source_ids(self, row: Strategy) -> list[str]:
        return [str(source.uid) for source in row.sources.all()]


class SubscriptionSerializer(DeskSerializer):
    """One account following one strategy. Terms that are null are the strategy's."""

    id = serializers.UUIDField(source="uid", read_only=True)
    strategy_id = serializers.UUIDField(source="strategy.uid", read_only=True)
    strategy_name = serializers.CharField(source="strategy.name", read_only=True)
    customer_id = serializers.UUIDField(source="account.customer.uid", read_only=True)
    customer_name = serializers.CharField(source="account.customer.name", read_only=True)
    account_id = serializers.UUIDField(source="account.uid", read_only=True)
    account_label = serializers.CharField(source="account.label", read_only=True)
    denied_instruments = serializers.ListField(child=serializers.CharField(), read_only=True)
    instrument_terms = serializers.JSONField(
        read_only=True, help_text="By the leader's instrument: what counts there instead."
    )

    reverse = serializers.BooleanField(read_only=True, allow_null=True)

    class Meta:
        model = Subscription
        fields = (
            "id", "strategy_id", "strategy_name", "customer_id", "customer_name", "account_id",
            "account_label", "status", "ending", "ending_at", "started_at", "copy_existing",
            "is_shadow", "follow_ratio", "fixed_notional", "max_leverage",
            "max_slippage", *PROTECTION, *AMOUNTS, *CHOICES, "sizing_mode", "min_size_policy",
            "over_max_policy", "margin_mode", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class BindInput(DeskInput):
    """Whom to bind: all open accounts of a customer, or one account; and their own terms."""

    customer_id = RowField(Customer.objects.visible_to, required=False)
    account_id = RowField(
        lambda user: ExchangeAccount.objects.visible_to(user).select_related("customer"),
        required=False,
    )
    follow_ratio = Figure(required=False, allow_null=True, least=Decimal("0.0001"))
    fixed_notional = Figure(required=False, allow_null=True, least=Decimal("0.01"))
    max_leverage = Figure(required=False, allow_null=True, least=Decimal(1))
    max_slippage = Figure(required=False, allow_null=True, least=Decimal("0.0001"))
    take_profit_ratio = Figure(required=False, allow_null=True, least=Decimal(0))
    stop_loss_ratio = Figure(required=False, allow_null=True, least=Decimal(0))
    protection_basis = serializers.ChoiceField(
        choices=ProtectionBasis.choices, required=False, allow_blank=True
    )
    mirror_protection = serializers.BooleanField(required=False, allow_null=True, default=None)
    copy_existing = serializers.ChoiceField(choices=CopyExisting.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = {"customer_id", "account_id"} & set(attrs)
        if len(named) != 1:
            reason = _("Name either a customer or one of its accounts.")
            raise serializers.ValidationError(dict.fromkeys(("customer_id", "account_id"), reason))
        return attrs


class StopInput(ReasonInput):
    """How it ends, and why."""

    close = serializers.ChoiceField(
        choices=CloseType.choices, required=False, default=CloseType.COPY_CLOSE
    )


class Bound(serializers.Serializer[Any]):
    """The subscriptions that were made."""

    subscriptions = SubscriptionSerializer(many=True)
