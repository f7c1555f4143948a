"""Customers and accounts, read; accounts, paused and resumed."""

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
from customers import services
from customers.api.filters import AccountFilters, CustomerFilters
from customers.api.serializers import AccountSerializer, CustomerSerializer
from customers.models import Customer, ExchangeAccount


class CustomerViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Whom the desk trades for. A customer's own token sees itself only."""

    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilters


class AccountViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """The exchange accounts of customers. Secrets are never told."""

    queryset = ExchangeAccount.objects.select_related("customer")
    serializer_class = AccountSerializer
    filterset_class = AccountFilters
    needs = {
        "pause": Need(ApiScope.TRADE, Ability.MANAGE_KEYS),
        "resume": Need(ApiScope.TRADE, Ability.MANAGE_KEYS),
    }

    @extend_schema(request=ReasonInput, responses={200: AccountSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Send no new order for this account. What it holds stays and is still followed."""
        return self._told(services.pause_account)

    @extend_schema(request=ReasonInput, responses={200: AccountSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """Trade on this account again."""
        return self._told(services.resume_account)

    def _told(self, change: Any) -> Response:
        account = self.get_object()
        reason = self.given(ReasonInput)["reason"]
        changed = change(account=account, reason=reason, actor=self.actor)
        return Response(self.get_serializer(changed).data)
