"""The figures of a desk, or of a customer alone, at a glance and as series for charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.serializers import Figure
from accounts.api.views import DeskView
from accounts.models import Tenant, User
from customers.enums import CustomerStatus
from customers.models import Customer, ExchangeAccount
from strategies.enums import StrategyStatus
from strategies.models import Strategy
from trading.api.asked import chosen, row_id
from trading.enums import DecisionOutcome
from trading.models import Decision, Order
from trading.orders import OrderWord
from trading.performance import (
    Flows,
    Kind,
    Period,
    Series,
    count_by_word,
    flows,
    holdings,
    profit_series,
    trades_series,
    volume_series,
)

CHARTS: Final[Mapping[str, Callable[..., list[Series]]]] = {
    "profit": profit_series,
    "volume": volume_series,
    "trades": trades_series,
}
BUCKETS: Final = {Period.DAY: "15m", Period.WEEK: "1h", Period.MONTH: "1d"}
CHART_CHOICES: Final = [
    ("profit", gettext_lazy("Profit")),
    ("volume", gettext_lazy("Volume")),
    ("trades", gettext_lazy("Trades")),
]


class CountsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    active = serializers.IntegerField()


class TradeCountsSerializer(serializers.Serializer[Any]):
    """By the five words of people."""

    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    partly_filled = serializers.IntegerField()
    filled = serializers.IntegerField()
    canceled = serializers.IntegerField()
    failed = serializers.IntegerField()


class DecisionCountsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    copied = serializers.IntegerField()
    skipped = serializers.IntegerField()
    denied = serializers.IntegerField()


class TodaySerializer(serializers.Serializer[Any]):
    """Since the desk's day began, by currency. A charged fee is negative."""

    fills = serializers.IntegerField()
    unvalued = serializers.IntegerField()
    volume = serializers.DictField(child=Figure())
    realized_pnl = serializers.DictField(child=Figure())
    fees = serializers.DictField(child=Figure())


class MoneySerializer(serializers.Serializer[Any]):
    """One kind of money; real and simulated are never added. USD as the exchange values it.
    `profit` is equity less what was there at the start, of those for whom both are known."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    accounts = serializers.IntegerField()
    known = serializers.IntegerField()
    equity = Figure(allow_null=True)
    unrealized_pnl = Figure(allow_null=True)
    initial_balance = Figure(allow_null=True)
    profit = Figure(allow_null=True)
    profit_ratio = Figure(allow_null=True)
    today = TodaySerializer()


class StatsSerializer(serializers.Serializer[Any]):
    day_start = serializers.DateTimeField()
    timezone = serializers.CharField()
    customers = CountsSerializer()
    strategies = CountsSerializer()
    trades_today = TradeCountsSerializer()
    decisions_today = DecisionCountsSerializer()
    money = MoneySerializer(many=True)


class PointSerializer(serializers.Serializer[Any]):
    """`at` is where the bucket begins; equity and profit are as of its end."""

    at = serializers.DateTimeField()
    value = Figure(allow_null=True)


class SeriesSerializer(serializers.Serializer[Any]):
    """`name` is a currency, or for trades the word of their status."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    name = serializers.CharField()
    points = PointSerializer(many=True)


class ChartSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=CHART_CHOICES)
    period = serializers.ChoiceField(choices=Period.choices)
    bucket = serializers.ChoiceField(choices=list(BUCKETS.values()))
    timezone = serializers.CharField()
    series = SeriesSerializer(many=True)


class StatsView(DeskView):
    @extend_schema(operation_id="dashboard_stats", responses={200: StatsSerializer})
    def get(self, request: Request) -> Response:
        """Customers, strategies, today's trades and decisions, equity and profit. A customer's
        token sees its own."""
        return Response(StatsSerializer(stats(request.user, _desk(request))).data)  # type: ignore[arg-type]


class ChartView(DeskView):
    query_parameters = ("type", "period", "customer_id", "account_id")

    @extend_schema(
        operation_id="dashboard_charts",
        responses={200: ChartSerializer},
        parameters=[
            OpenApiParameter("type", OpenApiTypes.STR, required=True, enum=list(CHARTS)),
            OpenApiParameter("period", OpenApiTypes.STR, required=True, enum=Period.values),
            OpenApiParameter("customer_id", OpenApiTypes.UUID),
            OpenApiParameter("account_id", OpenApiTypes.UUID),
        ],
    )
    def get(self, request: Request) -> Response:
        """A series for each kind of money and each currency, or each status of trades.

        `1d` is cut into quarters of an hour, `7d` into hours, `30d` into the desk's days.
        `profit` runs from 0 at the beginning of the period and is no jump when an account is
        added; money paid in or out looks like profit or loss.
        """
        kind = chosen(request, "type", list(CHARTS))
        period = Period(chosen(request, "period", Period.values))
        desk = _desk(request)
        found = CHARTS[kind](_accounts(request), period, desk=desk)
        chart = {
            "type": kind,
            "period": period,
            "bucket": BUCKETS[period],
            "timezone": desk.timezone,
            "series": found,
        }
        return Response(ChartSerializer(chart).data)


def stats(user: User, desk: Tenant) -> dict[str, Any]:
    """Everything the stats tell of what this user may see, in a fixed number of queries."""
    start = desk.day_start(timezone.now())
    accounts = ExchangeAccount.objects.visible_to(user).counted()
    moved = {each.kind: each for each in flows(accounts, start)}
    words = count_by_word(Order.objects.visible_to(user), start)
    return {
        "day_start": start,
        "timezone": desk.timezone,
        "customers": _counts(Customer.objects.visible_to(user), CustomerStatus.ACTIVE),
        "strategies": _counts(Strategy.objects.visible_to(user), StrategyStatus.ACTIVE),
        "trades_today": {
            "total": sum(words.values()),
            **{word.value: words[word] for word in OrderWord},
        },
        "decisions_today": _decisions(Decision.objects.visible_to(user), start),
        "money": [
            {**asdict(each), "today": asdict(moved.get(each.kind, Flows(each.kind)))}
            for each in holdings(accounts)
        ],
    }


def _accounts(request: Request) -> Any:
    """The accounts asked for; one that is not there is refused by name, whoever's it is."""
    accounts: Any = ExchangeAccount.objects.visible_to(request.user)
    if row_id(request, "account_id") is None:
        accounts = accounts.counted()
    for name, column in (("customer_id", "customer__uid"), ("account_id", "uid")):
        wanted = row_id(request, name)
        if wanted is not None:
            accounts = accounts.filter(**{column: wanted})
            if not accounts.exists():
                raise ValidationError({name: _("There is no such row.")})
    return accounts


def _counts(rows: Any, active: str) -> dict[str, int]:
    counts: dict[str, int] = rows.order_by().aggregate(
        total=Count("pk", distinct=True),
        active=Count("pk", filter=Q(status=active), distinct=True),
    )
    return counts


def _decisions(rows: Any, start: Any) -> dict[str, int]:
    found = rows.filter(decided_at__gte=start).order_by().values_list("outcome")
    counts = dict(found.annotate(n=Count("pk")))
    return {
        "total": sum(counts.values()),
        **{outcome.value: counts.get(outcome.value, 0) for outcome in DecisionOutcome},
    }


def _desk(request: Request) -> Tenant:
    desk: Tenant = request._request.tenant  # type: ignore[attr-defined]  # noqa: SLF001
    return desk
