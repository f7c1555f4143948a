"""Addresses below /api/v1/. What is no row stands first, or it would be taken for an id."""

from __future__ import annotations

from accounts.api.routing import Router, address
from trading.api.dashboard import ChartView, StatsView
from trading.api.manual import ManualTradeView
from trading.api.pausing import PauseView
from trading.api.preview import PreviewViewSet
from trading.api.protections import ProtectionViewSet, ProtectView
from trading.api.status import StatusView
from trading.api.views import BalanceViewSet, DecisionViewSet, PositionViewSet, TradeViewSet

router = Router()
router.register("strategies", PreviewViewSet, basename="strategy-preview")
router.register("trades", TradeViewSet, basename="trade")
router.register("decisions", DecisionViewSet, basename="decision")
router.register("positions", PositionViewSet, basename="position")
router.register("protections", ProtectionViewSet, basename="protection")
router.register("balances", BalanceViewSet, basename="balance")

urlpatterns = [
    address("trades/manual", ManualTradeView, "trade-manual"),
    address("positions/protect", ProtectView, "position-protect"),
    *router.urls,
    address("dashboard/stats", StatsView, "dashboard-stats"),
    address("dashboard/charts", ChartView, "dashboard-charts"),
    address("status", StatusView, "status"),
    address("trading/pause", PauseView, "trading-pause"),
]
