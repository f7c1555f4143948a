"""Addresses below /api/v1/."""

from __future__ import annotations

from accounts.api.routing import Router
from signals.api.views import SourceViewSet

router = Router()
router.register("sources", SourceViewSet, basename="source")

urlpatterns = router.urls
