"""Signals with what was decided about them: the one resource that is made of two rooms."""

from __future__ import annotations

from accounts.api.routing import Router
from signals.api.views import SignalViewSet

router = Router()
router.register("signals", SignalViewSet, basename="signal")

urlpatterns = router.urls
