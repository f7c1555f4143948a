"""What is asked of orders, and what a program is told of it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.api.refusals import Refused
from accounts.api.serializers import DeskSerializer
from trading.actions import ActionRefusedError
from trading.models import Action


class NotPossible(Refused):
    """It contradicts what is there: the order has ended, or cannot be called back."""

    status_code = 409
    default_code = "conflict"


class ActionSerializer(DeskSerializer):
    """`waiting`, `sending` and `unknown` (being looked up) end as `done` or `refused` (not done),
    with what became of it in `result`. What counts is the trade itself."""

    trade_id = serializers.UUIDField(source="order_id", read_only=True, allow_null=True)
    protection_id = serializers.UUIDField(read_only=True, allow_null=True)
    attempts = serializers.IntegerField(source="attempt", read_only=True)

    class Meta:
        model = Action
        fields = (
            "id", "trade_id", "protection_id", "kind", "state", "result", "attempts", "quantity",
            "price", "take_profit", "stop_loss", "created_at", "sent_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


def refused(error: ActionRefusedError, otherwise: str) -> Refused:
    """400 for the field at fault; 409 for what contradicts the state of things."""
    if error.field:
        return Refused(error.field, error.reason)
    return NotPossible(otherwise, error.reason)


def told(action: Action) -> dict[str, Any]:
    return dict(ActionSerializer(action).data)
