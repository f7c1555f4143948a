"""Addresses below /api/v1/."""

from __future__ import annotations

from accounts.api.routing import Router
from strategies.api.views import StrategyViewSet, SubscriptionViewSet

router = Router()
router.register("strategies", StrategyViewSet, basename="strategy")
router.register("subscriptions", SubscriptionViewSet, basename="subscription")

urlpatterns = router.urls
