"""Trades, positions, balances and decisions, read."""

from __future__ import annotations

from typing import Any

from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from accounts.api.views import DeskViewSet
from trading.api import filters
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
