"""Trades, positions, balances and decisions, read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import Need
from accounts.api.serializers import ReasonInput
from accounts.api.views import DeskViewSet
from accounts.enums import ApiScope
from accounts.roles import Ability
from trading.actions import ActionRefusedError, cancel_order
from trading.api import filters
from trading.api.actions import ActionSerializer, refused, told
from trading.api.serializers import (
    BalanceSerializer,
    DecisionSerializer,
    PositionSerializer,
    TradeDetailSerializer,
    TradeSerializer,
)
from trading.models import Balance, Decision, Order, Position


class TradeViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Trades: orders with their fills, the latest first. One trade alone also tells its
    decision and its story."""

    queryset = Order.objects.select_related(
        "account__customer", "subscription__strategy"
    ).prefetch_related("fills")
    filterset_class = filters.TradeFilters
    lookup_field = "pk"
    needs = {"cancel": Need(ApiScope.TRADE, Ability.OPERATE_ORDERS)}

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if self.action != "retrieve":
            return rows
        return rows.select_related(
            "decision__signal",
            "decision__account__customer",
            "decision__subscription__strategy",
        ).prefetch_related("events")

    def get_serializer_class(self) -> Any:
        return TradeDetailSerializer if self.action == "retrieve" else TradeSerializer

    @extend_schema(request=ReasonInput, responses={202: ActionSerializer, 409: None})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel what was not sent, rests at the exchange, or is being looked up. As often as one
        likes: the same cancel is answered. What fills before the exchange hears of it is filled;
        409 when the trade had ended, or is a market order that has left."""
        row = self.get_object()
        reason = self.given(ReasonInput)["reason"]
        try:
            asked = cancel_order(order=row, reason=reason, actor=self.actor)
        except ActionRefusedError as error:
            raise refused(error, "id") from None
        return Response(told(asked), status=202)


class DecisionViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """For every signal and follower: copied or not, and why, the latest first."""

    queryset = Decision.objects.select_related(
        "signal", "account__customer", "subscription__strategy"
    )
    serializer_class = DecisionSerializer
    filterset_class = filters.DecisionFilters
    lookup_field = "pk"


class PositionViewSet(ListModelMixin, DeskViewSet):
    """What accounts hold, as the exchange last said. Open positions, unless `status` says else."""

    queryset = Position.objects.select_related("account__customer").order_by(
        "account__customer__name", "account_id", "inst_id", "pk"
    )
    serializer_class = PositionSerializer
    filterset_class = filters.PositionFilters


class BalanceViewSet(ListModelMixin, DeskViewSet):
    """What accounts own by currency, as the exchange last said."""

    queryset = Balance.objects.select_related("account__customer").order_by(
        "account__customer__name", "account_id", "currency", "pk"
    )
    serializer_class = BalanceSerializer
    filterset_class = filters.BalanceFilters
