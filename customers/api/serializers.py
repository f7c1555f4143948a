"""How customers and accounts are told. Of a key only what does not give it away."""

from __future__ import annotations

from rest_framework import serializers

from accounts.api.serializers import DeskSerializer
from customers.models import Customer, ExchangeAccount


class CustomerSerializer(DeskSerializer):
    """Notes are for staff, and stay in the back office."""

    id = serializers.UUIDField(source="uid", read_only=True)

    class Meta:
        model = Customer
        fields = (
            "id", "name", "email", "phone", "status", "initial_balance", "max_leverage",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class AccountSerializer(DeskSerializer):
    """Never a secret, never a fingerprint: `key_last4` is all that is told of a key."""

    id = serializers.UUIDField(source="uid", read_only=True)
    customer_id = serializers.UUIDField(source="customer.uid", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    key_permissions = serializers.ListField(child=serializers.CharField(), read_only=True)
    key_warnings = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ExchangeAccount
        fields = (
            "id", "customer_id", "customer_name", "label", "market", "status", "paused_reason",
            "key_last4", "key_status", "key_reason", "key_permissions", "key_warnings",
            "verified_at", "position_mode", "initial_balance", "max_leverage",
            "max_order_notional", "max_daily_notional", "max_open_positions", "created_at",
            "updated_at",
        )  # fmt: skip
        read_only_fields = fields
