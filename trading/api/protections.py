"""Take profits and stop losses: read, placed on open positions, and taken away."""

from __future__ import annotations

from typing import Any

import django_filters
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import DeskFilterSet, FromFilter, SymbolFilter, UntilFilter
from accounts.api.permissions import Need
from accounts.api.refusals import Refused
from accounts.api.serializers import REASON_LETTERS, DeskInput, Figure, ReasonInput, RowField
from accounts.api.views import DeskView, DeskViewSet
from accounts.enums import ApiScope
from accounts.roles import Ability
from customers.models import ExchangeAccount
from trading.actions import ActionRefusedError
from trading.api.actions import ActionSerializer, refused, told
from trading.api.manual import KEY_HEADER, external_id, key_of
from trading.api.serializers import OfAccount
from trading.enums import PositionSide, ProtectionState
from trading.models import Position, Protection
from trading.protecting import cancel_protection, protect_position

NEED = Need(ApiScope.TRADE, Ability.OPERATE_ORDERS)


class ProtectionSerializer(OfAccount):
    """A take profit, a stop loss or both, kept by the exchange. `trade_id` is the order it came
    with, `closing_trade_id` what it became when its price was reached."""

    instrument = serializers.CharField(source="inst_id", read_only=True)
    trade_id = serializers.UUIDField(source="order_id", read_only=True, allow_null=True)
    closing_trade_id = serializers.UUIDField(
        source="closing_order_id", read_only=True, allow_null=True
    )

    class Meta:
        model = Protection
        fields = (
            "id", "customer_id", "customer_name", "account_id", "account_label", "instrument",
            "position_side", "side", "take_profit", "stop_loss", "quantity", "state", "reason",
            "exchange_code", "triggered_by", "trade_id", "closing_trade_id", "client_algo_id",
            "exchange_algo_id", "created_at", "checked_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class ProtectionFilters(DeskFilterSet):
    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    customer_id = django_filters.UUIDFilter(field_name="account__customer__uid")
    account_id = django_filters.UUIDFilter(field_name="account__uid")
    symbol = SymbolFilter()
    state = django_filters.ChoiceFilter(choices=ProtectionState.choices)


class ProtectionViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Take profits and stop losses, the latest first."""

    queryset = Protection.objects.select_related("account__customer")
    serializer_class = ProtectionSerializer
    filterset_class = ProtectionFilters
    lookup_field = "pk"
    needs = {"cancel": NEED}

    @extend_schema(request=ReasonInput, responses={202: ActionSerializer, 409: None})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Take it away. As often as one likes; 409 when it has ended otherwise."""
        row = self.get_object()
        reason = self.given(ReasonInput)["reason"]
        try:
            asked = cancel_protection(protection=row, reason=reason, actor=self.actor)
        except ActionRefusedError as error:
            raise refused(error, "id") from None
        return Response(told(asked), status=202)


class ProtectInput(DeskInput):
    """One of the two prices is needed. Without a quantity it is for all that is held."""

    account_id = RowField(ExchangeAccount.objects.visible_to)
    instrument = serializers.CharField(max_length=40)
    position_side = serializers.ChoiceField(choices=PositionSide.choices)
    take_profit = Figure(required=False, allow_null=True, default=None)
    stop_loss = Figure(required=False, allow_null=True, default=None)
    quantity = Figure(required=False, allow_null=True, default=None)
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=REASON_LETTERS, default=""
    )


class ProtectView(DeskView):
    needs = {"post": NEED}

    @extend_schema(
        operation_id="positions_protect",
        request=ProtectInput,
        responses={202: ProtectionSerializer, 409: None},
        parameters=[
            OpenApiParameter(
                KEY_HEADER,
                {"type": "string", "pattern": "^[!-~]{1,128}$"},
                OpenApiParameter.HEADER,
                required=True,
                description="Your own name for this instruction. Sent again, it is answered with "
                "the first one's protection.",
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Place a take profit, a stop loss or both on an open position. It is `waiting` until
        the exchange shows it, then `live`; look for it under `protections`."""
        key = key_of(request)
        given = self.given(ProtectInput)
        account, inst_id = given.pop("account_id"), given.pop("instrument")
        held = Position.objects.open().filter(
            account=account, inst_id=inst_id, position_side=given.pop("position_side")
        )
        position = held.order_by("margin_mode").first()
        if position is None:
            raise Refused("instrument", _("There is no open position of this side."))
        try:
            made = protect_position(
                position=position,
                actor=self.actor,
                identity=external_id(request.user.pk, f"{account.pk}|{key}"),
                **given,
            )
        except ActionRefusedError as error:
            raise refused(error, "instrument") from None
        return Response(ProtectionSerializer(made).data, status=202)
