"""How sources and signals are told, and what a program sends."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from accounts.api.serializers import DeskInput, DeskSerializer, Figure
from signals.enums import Direction, Intent, LeaderMarginMode, QuantityMode, SignalStatus
from signals.models import LeaderAccount, Signal, SignalSource
from signals.parsing.copydesk import MAX_TTL_SECONDS
from signals.parsing.fields import MAX_ID_LETTERS, MAX_INSTRUMENT_LETTERS


class LeaderStatusSerializer(DeskSerializer):
    """How a leader account is heard at the moment."""

    class Meta:
        model = LeaderAccount
        fields = ("link", "link_since", "heard_at")
        read_only_fields = fields


class SourceSerializer(DeskSerializer):
    """Never a secret nor an address. `leader` is null where no account is watched."""

    id = serializers.UUIDField(source="uid", read_only=True)
    leader = LeaderStatusSerializer(read_only=True, allow_null=True)

    class Meta:
        model = SignalSource
        fields = (
            "id", "name", "kind", "dialect", "market", "status", "rate_per_second",
            "last_signal_at", "created_at", "updated_at", "leader",
        )  # fmt: skip
        read_only_fields = fields


class SignalSerializer(DeskSerializer):
    """A signal in its normal form. `quantity_value` is as it was sent, `quantity` what it means:
    contracts, or percent where `unit` says so."""

    source_id = serializers.UUIDField(source="source.uid", read_only=True)
    source_name = serializers.CharField(source="source.name", read_only=True)
    account_id = serializers.UUIDField(source="account.uid", read_only=True, allow_null=True)
    instrument = serializers.CharField(source="inst_id", read_only=True)

    class Meta:
        model = Signal
        fields: ClassVar[tuple[str, ...]] = (
            "id", "source_id", "source_name", "external_id", "instrument", "intent", "direction",
            "quantity_mode", "quantity_value", "quantity", "unit", "reference_price", "leverage",
            "take_profit", "stop_loss", "account_id", "status", "refused_field", "reason",
            "reason_text", "signal_at", "received_at", "expires_at", "copied_at",
        )  # fmt: skip
        read_only_fields = fields


class SignalQuantity(DeskInput):
    mode = serializers.ChoiceField(
        choices=QuantityMode.choices, help_text="`percent` is valid for `reduce` only."
    )
    value = Figure()


class SignalInput(DeskInput):
    """Describes what is read; it is the dialect's own parser that reads it (`signals.parsing`),
    so that a webhook and a program are judged alike. One of `id` and `time` is needed: by the id,
    or without one by content and time, the same signal sent again is a duplicate."""

    source_id = serializers.UUIDField(help_text="A source of kind `api`.")
    id = serializers.CharField(
        required=False, max_length=MAX_ID_LETTERS, help_text="The sender's own id of the signal."
    )
    time = serializers.DateTimeField(
        required=False, help_text="When it was given, with an offset; not in the future."
    )
    instrument = serializers.CharField(
        max_length=MAX_INSTRUMENT_LETTERS, help_text="As OKX spells it: `BTC-USDT-SWAP`."
    )
    intent = serializers.ChoiceField(choices=Intent.choices)
    direction = serializers.ChoiceField(choices=Direction.choices)
    quantity = SignalQuantity(
        required=False, help_text="Needed unless the intent is `close` or `cancel`."
    )
    reference_price = Figure(required=False)
    leverage = Figure(required=False)
    leader_equity = Figure(
        required=False, help_text="USDT. Strategies that size in proportion to equity need it."
    )
    margin_mode = serializers.ChoiceField(
        choices=LeaderMarginMode.choices, required=False, help_text="How the leader margins it."
    )
    take_profit = Figure(
        required=False, help_text="A price; for `open`, `add`, `flip` and `target`, not on spot."
    )
    stop_loss = Figure(required=False, help_text="The same on the other side of the market.")
    ttl_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_TTL_SECONDS, help_text="Openings expire after."
    )


class SignalTaken(serializers.Serializer[object]):
    """What became of a signal that was sent."""

    signal_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=SignalStatus.choices)
    duplicate = serializers.BooleanField(help_text="It was here before; nothing was done again.")
