"""Signals with what was decided about them: the one resource that is made of two rooms."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.paging import LARGEST
from accounts.api.routing import Router
from signals.api import views
from signals.api.serializers import SignalSerializer
from signals.models import Signal
from trading.api.filters import DecisionFilters
from trading.api.serializers import DecisionSerializer
from trading.api.views import DecisionViewSet

NESTED: Final = LARGEST


class SignalDetailSerializer(SignalSerializer):
    """A signal with the latest decisions about it: up to 200 of `decisions_total`. All of them
    are under `signals/{id}/decisions`, page by page."""

    decisions_total = serializers.SerializerMethodField()
    decisions = serializers.SerializerMethodField()

    class Meta(SignalSerializer.Meta):
        fields = (*SignalSerializer.Meta.fields, "decisions_total", "decisions")
        read_only_fields = fields

    def get_decisions_total(self, row: Signal) -> int:
        return int(self._decisions(row).count())

    @extend_schema_field(DecisionSerializer(many=True))
    def get_decisions(self, row: Signal) -> Any:
        return DecisionSerializer(self._decisions(row)[:NESTED], many=True).data

    def _decisions(self, row: Signal) -> Any:
        return decisions_of(row, self.context["request"].user)


class DecisionsOfSignal(DecisionFilters):
    signal_id = None


class SignalViewSet(views.SignalViewSet):
    """Every instruction that came, accepted or refused. A customer sees what was decided for it."""

    lists = frozenset({"list", "decisions"})

    def get_serializer_class(self) -> Any:
        if self.action == "retrieve":
            return SignalDetailSerializer
        return super().get_serializer_class()

    @extend_schema(responses=DecisionSerializer(many=True))
    @action(detail=True, filterset_class=DecisionsOfSignal, serializer_class=DecisionSerializer)
    def decisions(self, request: Request, **kwargs: Any) -> Response:
        """What was decided about a signal for each follower: copied or not, and why."""
        signal = get_object_or_404(super().get_queryset(), pk=kwargs["id"])
        rows = self.filter_queryset(decisions_of(signal, self.actor))
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


def decisions_of(signal: Signal, user: Any) -> Any:
    return DecisionViewSet.queryset.filter(signal=signal).visible_to(user)


router = Router()
router.register("signals", SignalViewSet, basename="signal")

urlpatterns = router.urls
