"""Strategies and subscriptions: read, paused and resumed; customers, bound."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
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
from strategies import services
from strategies.api.filters import StrategyFilters, SubscriptionFilters
from strategies.api.serializers import (
    TERMS,
    BindInput,
    Bound,
    StopInput,
    StrategySerializer,
    SubscriptionSerializer,
)
from strategies.enums import CloseType, StrategyStatus
from strategies.models import Strategy, Subscription

MANAGE = Need(ApiScope.TRADE, Ability.MANAGE_STRATEGIES)


class StrategyViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Ways of following sources. A customer's own token sees those that it follows."""

    queryset = Strategy.objects.prefetch_related("sources")
    serializer_class = StrategySerializer
    filterset_class = StrategyFilters
    needs = {"pause": MANAGE, "resume": MANAGE, "customers": MANAGE}

    @extend_schema(request=ReasonInput, responses={200: StrategySerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Open nothing for this strategy. Repeating it changes nothing."""
        return self._told(StrategyStatus.PAUSED)

    @extend_schema(request=ReasonInput, responses={200: StrategySerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """Follow again. Repeating it changes nothing."""
        return self._told(StrategyStatus.ACTIVE)

    @extend_schema(request=BindInput, responses={201: Bound})
    @action(detail=True, methods=["post"])
    def customers(self, request: Request, **kwargs: Any) -> Response:
        """Let a customer follow from the next opening on: all of its open accounts or, by
        `account_id`, one. If one account is refused, none is bound."""
        strategy, given = self.get_object(), self.given(BindInput)
        whom = "customer_id" if "customer_id" in given else "account_id"
        try:
            links = self._bind(strategy, given)
        except ValidationError as error:
            raise _renamed(error, whom) from error
        rows = Subscription.objects.filter(pk__in=[link.pk for link in links])
        rows = rows.select_related("strategy", "account__customer")
        return Response(Bound({"subscriptions": rows}).data, status=201)

    def _bind(self, strategy: Strategy, given: dict[str, Any]) -> list[Subscription]:
        terms: Any = {name: given[name] for name in TERMS if name in given}
        if "customer_id" in given:
            customer = given["customer_id"]
            return services.bind_customer(
                strategy=strategy, customer=customer, actor=self.actor, **terms
            )
        account = given["account_id"]
        link = services.subscribe(strategy=strategy, account=account, actor=self.actor, **terms)
        return [link]

    def _told(self, status: StrategyStatus) -> Response:
        strategy = self.get_object()
        reason = self.given(ReasonInput)["reason"]
        changed = services.set_strategy_status(
            strategy=strategy, status=status, reason=reason, actor=self.actor
        )
        return Response(self.get_serializer(changed).data)


class SubscriptionViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Which account follows which strategy. A customer's own token sees its own."""

    queryset = Subscription.objects.select_related("strategy", "account__customer")
    serializer_class = SubscriptionSerializer
    filterset_class = SubscriptionFilters
    needs = {"pause": MANAGE, "resume": MANAGE, "close_only": MANAGE, "stop": MANAGE}

    @extend_schema(request=ReasonInput, responses={200: SubscriptionSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Open nothing until resumed; what is held is still closed with the leader. Repeating it
        changes nothing."""
        return self._told(services.pause_subscription)

    @extend_schema(request=ReasonInput, responses={200: SubscriptionSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """Copy again. Repeating it changes nothing; one that stopped must be bound anew."""
        return self._told(services.resume_subscription)

    @extend_schema(request=ReasonInput, responses={200: SubscriptionSerializer})
    @action(detail=True, methods=["post"], url_path="close-only")
    def close_only(self, request: Request, **kwargs: Any) -> Response:
        """Follow closes and reductions and open nothing, until resumed or stopped."""
        return self._told(services.close_only_subscription)

    @extend_schema(request=StopInput, responses={200: SubscriptionSerializer})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, **kwargs: Any) -> Response:
        """End the following. `close` says what becomes of what it holds: `copy_close` follows
        closes until it is flat, `market_close` closes it now, `manual_close` leaves it to a
        person. It is `stopped` when nothing is held, or at once where a person takes over; until
        then `close_only`, with `ending` saying how it ends. Repeating it changes nothing."""
        given = self.given(StopInput)
        close = CloseType(given["close"])
        return self._told(partial(services.stop_subscription, close=close), given)

    def _told(self, change: Any, given: Any = None) -> Response:
        link = self.get_object()
        reason = (given or self.given(ReasonInput))["reason"]
        change(subscription=link, reason=reason, actor=self.request.user)
        return Response(self.get_serializer(self.get_object()).data)


def _renamed(error: ValidationError, account_field: str) -> ValidationError:
    """The service speaks of rows, the body of ids."""
    names = {"account": account_field, "customer": account_field, "__all__": account_field}
    if not hasattr(error, "error_dict"):
        return error
    return ValidationError(
        {names.get(name, name): list(errors) for name, errors in error.error_dict.items()}
    )
