"""Stopping the desk's trading. Starting it again is for people: they type their password."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import Need
from accounts.api.refusals import Refused
from accounts.api.serializers import REASON_LETTERS, DeskInput
from accounts.api.views import DeskView
from accounts.enums import ApiScope
from accounts.roles import Ability
from trading.enums import TradingMode
from trading.switch import WouldLoosenError, tighten_mode

MODES = [(m.value, m.label) for m in (TradingMode.HALTED, TradingMode.REDUCE_ONLY)]


class StricterAlready(Refused):
    status_code = 409
    default_code = "conflict"


class PauseInput(DeskInput):
    mode = serializers.ChoiceField(choices=MODES, default=TradingMode.HALTED)
    reason = serializers.CharField(max_length=REASON_LETTERS)


class ModeSerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=TradingMode.choices)
    reason = serializers.CharField()
    changed_at = serializers.DateTimeField()


class PauseView(DeskView):
    needs = {"post": Need(ApiScope.TRADE, Ability.TIGHTEN_SWITCH)}

    @extend_schema(
        operation_id="trading_pause",
        request=PauseInput,
        responses={200: ModeSerializer, 409: None},
    )
    def post(self, request: Request) -> Response:
        """Stop the desk: `halted` sends nothing, not even closes; `reduce_only` opens nothing.

        From this moment, and as often as one likes. There is no resume: a switch is loosened
        in the back office only, by a person who types their password.
        """
        given = self.given(PauseInput)
        try:
            state = tighten_mode(
                mode=TradingMode(given["mode"]),
                reason=given["reason"],
                actor=request.user,  # type: ignore[arg-type]
                tenant=request._request.tenant,  # type: ignore[attr-defined]  # noqa: SLF001
            )
        except WouldLoosenError as error:
            told = {"mode": error.mode.value}
            raise StricterAlready("mode", _("Trading is %(mode)s already.") % told) from None
        return Response(ModeSerializer(state).data)
