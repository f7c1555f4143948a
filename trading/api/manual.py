"""A trade entered by a program: a manual signal for one account, sent as often as one likes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import Need
from accounts.api.refusals import Refused
from accounts.api.serializers import DeskInput, Figure, RowField
from accounts.api.views import DeskView
from accounts.enums import ApiScope
from accounts.fields import hash_identity
from accounts.roles import Ability
from customers.models import ExchangeAccount
from signals.enums import Direction, Intent, QuantityMode, SignalStatus
from signals.manual import IdTakenError, enter_manual_signal
from signals.parsing import ParseError, Quantity

KEY_HEADER: Final = "Idempotency-Key"
REPLAY_HEADER: Final = "Idempotent-Replay"
KEY: Final = re.compile(r"[!-~]{1,128}")


class KeyTaken(Refused):
    """The key was sent before, with another body."""

    status_code = 409
    default_code = "conflict"


class QuantityInput(DeskInput):
    mode = serializers.ChoiceField(choices=QuantityMode.choices)
    value = Figure(least=Decimal(0))


class ManualTradeInput(DeskInput):
    """The same words as in a webhook. A close or a cancel needs no quantity."""

    account_id = RowField(ExchangeAccount.objects.visible_to)
    instrument = serializers.CharField(max_length=40)
    intent = serializers.ChoiceField(choices=Intent.choices)
    direction = serializers.ChoiceField(choices=Direction.choices)
    quantity = QuantityInput(required=False, allow_null=True, default=None)
    reference_price = Figure(least=Decimal(0), required=False, allow_null=True, default=None)
    leverage = Figure(least=Decimal(1), required=False, allow_null=True, default=None)
    take_profit = Figure(required=False, allow_null=True, default=None)
    stop_loss = Figure(required=False, allow_null=True, default=None)


class TakenSerializer(serializers.Serializer[Any]):
    """What was taken, and where to look for what becomes of it."""

    signal_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=SignalStatus.choices)
    decisions = serializers.CharField()
    trades = serializers.CharField()


class ManualTradeView(DeskView):
    needs = {"post": Need(ApiScope.TRADE, Ability.TRADE_MANUALLY)}

    @extend_schema(
        operation_id="trades_manual",
        request=ManualTradeInput,
        responses={202: TakenSerializer, 409: None},
        parameters=[
            OpenApiParameter(
                KEY_HEADER,
                {"type": "string", "pattern": "^[!-~]{1,128}$"},
                OpenApiParameter.HEADER,
                required=True,
                description="Your own name for this instruction. Sent again with the same body, "
                "it is answered with the first one's signal and the header `Idempotent-Replay`; "
                "with another body it is 409.",
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Trade on one account, by the same road as every other signal. The trade follows:
        look for it under `trades`, and for the reason if there is none under `decisions`."""
        key = key_of(request)
        given = self.given(ManualTradeInput)
        try:
            received = enter_manual_signal(
                user=request.user,  # type: ignore[arg-type]
                account=given["account_id"],
                instrument=given["instrument"],
                intent=Intent(given["intent"]),
                direction=Direction(given["direction"]),
                quantity=_quantity(given["quantity"]),
                reference_price=given["reference_price"],
                leverage=given["leverage"],
                take_profit=given["take_profit"],
                stop_loss=given["stop_loss"],
                external_id=external_id(request.user.pk, key),
            )
        except ParseError as error:
            raise Refused(error.field, error.reason) from None
        except IdTakenError:
            raise KeyTaken(
                KEY_HEADER, _("This key was sent before, with another body. Nothing was done.")
            ) from None
        headers = {REPLAY_HEADER: "true"} if received.duplicate else None
        return Response(_told(received.signal), status=202, headers=headers)


def external_id(user_pk: Any, key: str) -> str:
    """The signal's id from who sends it and how they call it; sources are per desk already."""
    return f"api-{hash_identity(f'{user_pk}|{key}')}"


def key_of(request: Request) -> str:
    key = request.headers.get(KEY_HEADER, "")
    if not KEY.fullmatch(key):
        raise Refused(KEY_HEADER, _("A header of 1 to 128 visible ASCII characters is needed."))
    return key


def _quantity(given: dict[str, Any] | None) -> Quantity | None:
    return Quantity(QuantityMode(given["mode"]), given["value"]) if given else None


def _told(signal: Any) -> dict[str, Any]:
    return {
        "signal_id": str(signal.pk),
        "status": signal.status,
        "decisions": f"/api/v1/decisions?signal_id={signal.pk}",
        "trades": f"/api/v1/trades?signal_id={signal.pk}",
    }
