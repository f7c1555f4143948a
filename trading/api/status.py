"""Whether this desk's trading runs: switch, sources, sockets, workers and queues."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Min, Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import DeskView
from accounts.models import Tenant, User
from accounts.roles import Ability, may
from customers.models import ExchangeAccount
from signals.enums import SourceKind, SourceStatus
from signals.models import Signal, SignalSource
from trading.enums import BreakerState, OrderState, Scope, TradingMode
from trading.execution.punctual import LATELY
from trading.leases import alive_counts
from trading.models import Breaker, ClockReading, Order, StreamLease, TradingState
from trading.risk import STRICTNESS

LATE: Final = timedelta(seconds=60)
LISTED: Final = 50
QUEUED: Final = (OrderState.NEW, OrderState.READY)
UNRESOLVED: Final = (OrderState.UNKNOWN, OrderState.MANUAL)


class SwitchSerializer(serializers.Serializer[Any]):
    """A switch that is not active. `target_id` is the strategy, customer, account or instrument."""

    scope = serializers.ChoiceField(choices=Scope.choices)
    mode = serializers.ChoiceField(choices=TradingMode.choices)
    target_id = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    changed_at = serializers.DateTimeField()


class TradingSerializer(serializers.Serializer[Any]):
    """`mode` is the strictest of the desk's own switch and the whole installation's."""

    mode = serializers.ChoiceField(choices=TradingMode.choices)
    switches = SwitchSerializer(many=True)


class SourceStateSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=SourceKind.choices)
    status = serializers.ChoiceField(choices=SourceStatus.choices)
    signals_today = serializers.IntegerField()
    last_signal_at = serializers.DateTimeField(allow_null=True)


class SocketSerializer(serializers.Serializer[Any]):
    account_id = serializers.UUIDField()
    state = serializers.CharField()
    last_event_at = serializers.DateTimeField(allow_null=True)


class SocketsSerializer(serializers.Serializer[Any]):
    """The accounts whose private socket is kept open; `not_live` lists up to 50 of the others."""

    accounts = serializers.IntegerField()
    live = serializers.IntegerField()
    not_live = SocketSerializer(many=True)


class WorkersSerializer(serializers.Serializer[Any]):
    """Processes heard of lately; they serve every desk."""

    executors = serializers.IntegerField()
    streams = serializers.IntegerField()


class QueueSerializer(serializers.Serializer[Any]):
    """What waits, and for how long the oldest of it has (null: nothing waits)."""

    signals_waiting = serializers.IntegerField()
    oldest_signal_seconds = serializers.IntegerField(allow_null=True)
    orders_waiting = serializers.IntegerField()
    oldest_order_seconds = serializers.IntegerField(allow_null=True)
    orders_unresolved = serializers.IntegerField()


PROBLEMS = (
    "no_executor", "no_streams", "sockets_not_live", "signals_late", "orders_late",
    "orders_unresolved", "source_set_aside", "openings_stopped", "clock_off",
)  # fmt: skip


class StatusSerializer(serializers.Serializer[Any]):
    """`ok` has no problems. A switch that is set is no problem: somebody wanted it."""

    status = serializers.ChoiceField(choices=[("ok", "OK"), ("degraded", "Degraded")])
    problems = serializers.ListField(
        child=serializers.ChoiceField(choices=[(name, name) for name in PROBLEMS])
    )
    checked_at = serializers.DateTimeField()
    trading = TradingSerializer()
    sources = SourceStateSerializer(many=True)
    sockets = SocketsSerializer()
    workers = WorkersSerializer()
    queue = QueueSerializer()


class StatusView(DeskView):
    @extend_schema(operation_id="status", responses={200: StatusSerializer})
    def get(self, request: Request) -> Response:
        """The state of what trades for this desk. A customer's token is told of its own accounts,
        and of no source and no reason."""
        desk: Tenant = request._request.tenant  # type: ignore[attr-defined]  # noqa: SLF001
        return Response(StatusSerializer(status_of(request.user, desk)).data)  # type: ignore[arg-type]


def status_of(user: User, desk: Tenant) -> dict[str, Any]:
    """What this user may know, in a fixed number of queries."""
    now = timezone.now()
    whole = may(user, Ability.READ_ROWS)
    alive = alive_counts("executor", "streams")
    told = {
        "checked_at": now,
        "trading": _trading(user, desk, whole=whole),
        "sources": _sources(desk.day_start(now)) if whole else [],
        "sockets": _sockets(user, now),
        "workers": {"executors": alive["executor"], "streams": alive["streams"]},
        "queue": _queue(user, now, whole=whole),
    }
    problems = _problems(told, _exchange_problems(user, now))
    return told | {"problems": problems, "status": "degraded" if problems else "ok"}


def _trading(user: User, desk: Tenant, *, whole: bool) -> dict[str, Any]:
    rows = TradingState.objects.exclude(mode=TradingMode.ACTIVE)
    if not whole:
        everyone = Q(scope__in=(Scope.SYSTEM, Scope.TENANT, Scope.INSTRUMENT))
        own = Q(customer__portal_user=user) | Q(account__customer__portal_user=user)
        rows = rows.filter(everyone | own)
    states = list(
        rows.select_related("strategy", "customer", "account").order_by("scope", "scope_key")
    )
    modes = [TradingMode(s.mode) for s in states if s.scope_key in {"system", str(desk.pk)}]
    return {
        "mode": max(modes, key=STRICTNESS.index, default=TradingMode.ACTIVE),
        "switches": [
            {
                "scope": state.scope,
                "mode": state.mode,
                "target_id": _target(state),
                # Why the installation or the desk stopped is not everybody's to read.
                "reason": state.reason if whole and state.tenant_id is not None else None,
                "changed_at": state.changed_at,
            }
            for state in states
        ],
    }


def _target(state: TradingState) -> str | None:
    row = state.strategy or state.customer or state.account
    return str(row.uid) if row else state.inst_id or None


def _sources(day_start: datetime) -> list[SignalSource]:
    today = Count("signals", filter=Q(signals__received_at__gte=day_start))
    rows: Any = SignalSource.objects.annotate(signals_today=today).order_by("name")
    return list(rows)


def _sockets(user: User, now: datetime) -> dict[str, Any]:
    accounts = ExchangeAccount.objects.streamed().visible_to(user).order_by("pk")
    uids = dict(accounts.values_list("pk", "uid"))
    leases = {
        lease.account_id: lease
        for lease in StreamLease.objects.filter(account_id__in=accounts.order_by().values("pk"))
    }
    dead = [pk for pk in uids if not _is_live(leases.get(pk), now)]
    return {
        "accounts": len(uids),
        "live": len(uids) - len(dead),
        "not_live": [_socket(uids[pk], leases.get(pk)) for pk in dead[:LISTED]],
    }


def _is_live(lease: StreamLease | None, now: datetime) -> bool:
    return bool(lease and lease.state == "live" and lease.until and lease.until > now)


def _socket(uid: Any, lease: StreamLease | None) -> dict[str, Any]:
    # A lease that lapsed still says what its keeper last knew.
    state = "absent" if lease is None else "lapsed" if lease.state == "live" else lease.state
    return {
        "account_id": uid,
        "state": state,
        "last_event_at": lease.last_event_at if lease else None,
    }


def _queue(user: User, now: datetime, *, whole: bool) -> dict[str, Any]:
    signals = {"n": 0, "oldest": None}
    if whole:
        waiting = Signal.objects.waiting().order_by()
        signals = waiting.aggregate(n=Count("pk"), oldest=Min("received_at"))
    orders = (
        Order.objects.visible_to(user)
        .open()
        .order_by()
        .aggregate(
            n=Count("pk", filter=Q(state__in=QUEUED)),
            oldest=Min("created_at", filter=Q(state__in=QUEUED)),
            unresolved=Count("pk", filter=Q(state__in=UNRESOLVED)),
        )
    )
    return {
        "signals_waiting": signals["n"],
        "oldest_signal_seconds": _age(signals["oldest"], now),
        "orders_waiting": orders["n"],
        "oldest_order_seconds": _age(orders["oldest"], now),
        "orders_unresolved": orders["unresolved"],
    }


def _age(since: Any, now: datetime) -> int | None:
    return None if since is None else max(0, int((now - since).total_seconds()))


def _exchange_problems(user: User, now: datetime) -> dict[str, bool]:
    """Breakers, maintenance and clocks that stand in the way of these accounts."""
    accounts = ExchangeAccount.objects.visible_to(user).order_by()
    in_market = Q(account__isnull=True, market__in=accounts.values("market"))
    stopped = Breaker.objects.exclude(state=BreakerState.CLOSED).filter(
        Q(account_id__in=accounts.values("pk")) | in_market
    )
    clocks = ClockReading.objects.filter(
        is_halted=True, read_at__gte=now - LATELY, market__in=accounts.values("market")
    )
    return {"openings_stopped": stopped.exists(), "clock_off": clocks.exists()}


def _problems(told: dict[str, Any], exchange: dict[str, bool]) -> list[str]:
    queue, workers, sockets = told["queue"], told["workers"], told["sockets"]
    late = LATE.total_seconds()
    found = {
        "no_executor": not workers["executors"],
        "no_streams": bool(sockets["accounts"]) and not workers["streams"],
        "sockets_not_live": sockets["live"] < sockets["accounts"],
        "signals_late": (queue["oldest_signal_seconds"] or 0) > late,
        "orders_late": (queue["oldest_order_seconds"] or 0) > late,
        "orders_unresolved": bool(queue["orders_unresolved"]),
        "source_set_aside": any(s.status == SourceStatus.QUARANTINED for s in told["sources"]),
        **exchange,
    }
    return [name for name in PROBLEMS if found[name]]
