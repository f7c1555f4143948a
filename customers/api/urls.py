"""Addresses below /api/v1/."""

from __future__ import annotations

from accounts.api.routing import Router
from customers.api.views import AccountViewSet, CustomerViewSet

router = Router()
router.register("customers", CustomerViewSet, basename="customer")
router.register("accounts", AccountViewSet, basename="account")

urlpatterns = router.urls
