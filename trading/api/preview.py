"""What would happen: a signal decided by a strategy as it would be now. Nothing is traded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import Need
from accounts.api.refusals import Refused
from accounts.api.serializers import DeskInput, Figure, RowField, plain
from accounts.api.views import DeskViewSet
from accounts.enums import ApiScope
from accounts.roles import Ability
from customers.models import Customer, ExchangeAccount
from signals.api.serializers import SignalInput
from signals.enums import Direction
from signals.intake import Call, read_as
from signals.models import Signal, SignalSource
from signals.parsing import ParsedSignal, ParseError, copydesk, fields
from strategies.models import Strategy, Subscription
from trading.api.serializers import written
from trading.copying.drafts import OrderDraft
from trading.copying.foreseeing import MOST, Foreseen, followers, foresee
from trading.copying.imagined import as_if_now
from trading.enums import DecisionOutcome, Leg, OrderType, Reason
from trading.explaining import explain
from trading.leases import db_now

WHOM: Final = ("account_id", "customer_id", "subscription_id")
SAID: Final = ("signal", "signal_id")


class SaidInput(SignalInput):
    """What a source would say. Without `time` it is said now."""

    source_id = None  # type: ignore[assignment]
    id = None  # type: ignore[assignment]


@extend_schema_field(SaidInput)
class SaidField(serializers.Field[Any, Any, Any, Any]):
    """Read by the dialect's own parser, so that it is judged as what is really sent."""

    default_error_messages = {"object": _("A JSON object is needed.")}

    def to_internal_value(self, data: Any) -> ParsedSignal:
        if not isinstance(data, dict):
            self.fail("object")
        try:
            fields.refuse_unknown(data, copydesk.FIELDS - {"id"})
            return copydesk.read({**data, "id": "preview"})
        except ParseError as error:
            raise serializers.ValidationError({error.field: [error.reason]}) from None


class SignalReference(RowField):
    looked_up_by = "pk"


class PreviewInput(DeskInput):
    """A signal, typed in or stored, and for whom it is to be decided.

    At most one of `account_id`, `customer_id` and `subscription_id`: an account or a customer need
    not follow yet. Without one it is decided for the first 50 that follow. `source_id` is one that
    the strategy listens to, of which a typed signal is said; without it the first by name.
    """

    account_id = RowField(
        lambda user: ExchangeAccount.objects.visible_to(user).select_related("customer"),
        required=False,
    )
    customer_id = RowField(Customer.objects.visible_to, required=False)
    subscription_id = RowField(
        lambda user: Subscription.objects.visible_to(user).select_related("account__customer"),
        required=False,
    )
    source_id = RowField(
        lambda user: SignalSource.objects.visible_to(user).select_related("tenant"),
        required=False,
    )
    signal_id = SignalReference(
        lambda user: Signal.objects.visible_to(user).select_related("source", "tenant"),
        required=False,
        help_text="A stored one, as if it came now.",
    )
    signal = SaidField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in WHOM if name in attrs]
        if len(named) > 1:
            reason = _("Name one account, customer or subscription, or none of them.")
            raise serializers.ValidationError(dict.fromkeys(named, reason))
        if len([name for name in SAID if name in attrs]) != 1:
            reason = _("Give either a signal or the id of a stored one.")
            raise serializers.ValidationError(dict.fromkeys(SAID, reason))
        stored = attrs.get("signal_id")
        if stored is not None and "source_id" in attrs:
            reason = _("A stored signal has its source already.")
            raise serializers.ValidationError({"source_id": reason})
        if stored is not None and not (stored.intent and stored.direction):
            raise serializers.ValidationError({"signal_id": _("This signal was refused unread.")})
        return attrs


class ForeseenOrder(serializers.Serializer[Any]):
    """One order as it would be sent, for the position in `direction`. `price` is null where it
    takes the market's."""

    leg = serializers.ChoiceField(choices=Leg.choices)
    direction = serializers.ChoiceField(choices=Direction.choices)
    instrument = serializers.CharField()
    order_type = serializers.ChoiceField(choices=OrderType.choices)
    margin_mode = serializers.CharField()
    leverage = Figure(allow_null=True)
    quantity = Figure()
    price = Figure(allow_null=True)


class ForeseenDecision(serializers.Serializer[Any]):
    """`follows` is false for who does not follow: it is decided as if it did, on the strategy's
    terms or those that it had. `numbers` are the steps of the size, in their order."""

    customer_id = serializers.UUIDField()
    customer_name = serializers.CharField()
    account_id = serializers.UUIDField()
    account_label = serializers.CharField()
    follows = serializers.BooleanField()
    outcome = serializers.ChoiceField(choices=DecisionOutcome.choices)
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True)
    explanation = serializers.CharField()
    numbers = serializers.DictField(child=serializers.CharField())
    orders = ForeseenOrder(many=True)


class ForeseenSignal(serializers.Serializer[Any]):
    """What the signal means, and where the leader stands before and after it; null for nobody."""

    source_id = serializers.UUIDField()
    source_name = serializers.CharField()
    instrument = serializers.CharField()
    intent = serializers.CharField()
    direction = serializers.CharField()
    quantity = Figure(allow_null=True)
    unit = serializers.CharField()
    reference_price = Figure(allow_null=True)
    leader_before = Figure(allow_null=True)
    leader_after = Figure(allow_null=True)


class ForeseenSerializer(serializers.Serializer[Any]):
    """`is_cut`: more follow than were decided for."""

    signal = ForeseenSignal()
    is_cut = serializers.BooleanField()
    decisions = ForeseenDecision(many=True)


class PreviewViewSet(DeskViewSet):
    """What would become of a signal. Staff's tokens and programs', not customers'."""

    queryset = Strategy.objects.all()
    serializer_class = ForeseenSerializer
    needs = {"preview": Need(ApiScope.READ, Ability.READ_ROWS)}

    @extend_schema(request=PreviewInput, responses={200: ForeseenSerializer})
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, **kwargs: Any) -> Response:
        """Decide a signal as it would be decided now, with every step of the size. Nothing is
        traded, stored or told to anybody, and whether the source's signals wait for approval is
        left out."""
        strategy, given = self.get_object(), self.given(PreviewInput)
        signal = as_if_now(given["signal_id"]) if "signal_id" in given else _said(strategy, given)
        accounts, is_cut = _whose(strategy, given)
        found = foresee(signal, strategy, accounts)
        told = {
            "signal": _signal_told(signal, found),
            "is_cut": is_cut,
            "decisions": [_decision_told(one) for one in found],
        }
        return Response(told)


def _said(strategy: Strategy, given: dict[str, Any]) -> Signal:
    listens_to = strategy.sources.select_related("tenant").order_by("name")
    source = given.get("source_id") or listens_to.first()
    if source is None:
        raise Refused("source_id", gettext("The strategy listens to no source."))
    if not listens_to.filter(pk=source.pk).exists():
        raise Refused("source_id", gettext("The strategy does not listen to this source."))
    try:
        return read_as(Call(source, "", db_now()), given["signal"])
    except ParseError as error:
        at = "source_id" if error.field == "source" else f"signal.{error.field}"
        raise Refused(at, error.reason) from None


def _whose(strategy: Strategy, given: dict[str, Any]) -> tuple[list[ExchangeAccount], bool]:
    if "account_id" in given:
        return [given["account_id"]], False
    if "subscription_id" in given:
        link: Subscription = given["subscription_id"]
        if link.strategy_id != strategy.pk:
            raise Refused("subscription_id", gettext("It follows another strategy."))
        return [link.account], False
    if "customer_id" in given:
        owned = given["customer_id"].accounts.select_related("customer").order_by("label", "pk")
        found = list(owned[: MOST + 1])
        return found[:MOST], len(found) > MOST
    return followers(strategy)


def _signal_told(signal: Signal, found: list[Foreseen]) -> dict[str, Any]:
    move = found[0].move if found else None
    return {
        "source_id": str(signal.source.uid),
        "source_name": signal.source.name,
        "instrument": signal.inst_id,
        "intent": signal.intent,
        "direction": signal.direction,
        "quantity": _figure(signal.quantity),
        "unit": signal.unit,
        "reference_price": _figure(signal.reference_price),
        "leader_before": _figure(move.before if move else None),
        "leader_after": _figure(move.after if move else None),
    }


def _decision_told(one: Foreseen) -> dict[str, Any]:
    account, decision = one.account, one.decision
    return {
        "customer_id": str(account.customer.uid),
        "customer_name": account.customer.name,
        "account_id": str(account.uid),
        "account_label": account.label,
        "follows": one.follows,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "explanation": explain(decision),
        "numbers": written(decision.numbers),
        "orders": [
            _order_told(one, order, number)
            for order in one.draft.orders
            for number in range(len(order.quantities))
        ],
    }


def _order_told(one: Foreseen, order: OrderDraft, number: int) -> dict[str, Any]:
    return {
        "leg": order.leg,
        "direction": order.direction,
        "instrument": one.draft.facts.link.inst_id,
        "order_type": order.asking.order_type,
        "margin_mode": order.margin_mode,
        "leverage": _figure(order.leverage),
        "quantity": plain(order.quantities[number]),
        "price": _figure(order.asked(number)),
    }


def _figure(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
