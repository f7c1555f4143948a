"""Sources and signals, read; signals, sent."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import Throttled
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import Need
from accounts.api.refusals import Refused
from accounts.api.views import DeskViewSet
from accounts.enums import ApiScope
from accounts.roles import Ability
from signals.api.filters import SignalFilters, SourceFilters
from signals.api.serializers import (
    SignalInput,
    SignalSerializer,
    SignalTaken,
    SourceSerializer,
)
from signals.enums import SignalStatus, SourceKind
from signals.intake import RateExceeded
from signals.models import Signal, SignalSource
from signals.programs import send_signal


class SourceViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Where the desk takes instructions from. A customer sees those of its own strategies."""

    queryset = SignalSource.objects.select_related("leader")
    serializer_class = SourceSerializer
    filterset_class = SourceFilters


class SignalViewSet(ListModelMixin, RetrieveModelMixin, DeskViewSet):
    """Every instruction that came, accepted or refused. A customer sees what was decided for it."""

    queryset = Signal.objects.select_related("source", "account")
    serializer_class: Any = SignalSerializer
    filterset_class = SignalFilters
    lookup_field = "pk"
    needs = {"create": Need(ApiScope.SIGNALS_WRITE, Ability.TRADE_MANUALLY)}

    @extend_schema(
        request=SignalInput,
        responses={
            200: OpenApiResponse(SignalTaken, "A duplicate: the first one's signal."),
            202: OpenApiResponse(SignalTaken, "Stored and announced; its decisions follow."),
        },
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Send a signal through a source of kind `api`, in our JSON format.

        A signal that is refused is stored too, with its reason: `error.signal_id` names it, and
        its `id` is still free. More new signals in a second than the source may send are 429.
        """
        payload = dict(request.data)
        source = _source(payload.pop("source_id", None))
        raw = getattr(request, "raw_body", b"")
        try:
            received = send_signal(source=source, payload=payload, raw=raw, user=self.actor)
        except RateExceeded:
            raise Throttled(wait=1, detail=_("Too many signals in this second.")) from None
        signal = received.signal
        if signal.status == SignalStatus.REFUSED and not received.duplicate:
            raise Refused(signal.refused_field, signal.reason_text, signal_id=str(signal.pk))
        told = SignalTaken(
            {"signal_id": signal.pk, "status": signal.status, "duplicate": received.duplicate}
        )
        return Response(told.data, status=200 if received.duplicate else 202)


def _source(uid: Any) -> SignalSource:
    """The source of kind API; a foreign one is refused as one that never was."""
    if uid is None:
        raise Refused("source_id", _("This field is required."))
    sources = SignalSource.objects.select_related("tenant").filter(kind=SourceKind.API)
    try:
        source: SignalSource | None = sources.filter(uid=uid).first()
    except (ValidationError, ValueError, TypeError):
        source = None
    if source is None:
        raise Refused("source_id", _("There is no source of kind API with this id."))
    return source
