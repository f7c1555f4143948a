"""The first page: what a person must do, then the figures of the day, then what happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db.models import Count, F, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import AuditEntry, Tenant
from accounts.roles import Ability, may
from config.backoffice.attention import matters
from customers.enums import CustomerStatus
from customers.models import Customer, ExchangeAccount
from notifications.words import headline
from signals.admin import signal_badge
from signals.models import Signal
from strategies.enums import StrategyStatus
from strategies.models import Strategy
from trading.admin.states import mode_badge, order_icon, order_kind
from trading.enums import DecisionOutcome, OrderState, Scope, TradingMode
from trading.models import Decision, Order, TradingState
from trading.orders import OrderWord
from trading.performance import Kind, count_by_word, holdings

HOURS: Final = 24
LATENCIES: Final = 5000
CHART_HEIGHT: Final = 140
ON_THEIR_WAY: Final = (OrderState.NEW, OrderState.READY, OrderState.SENDING, OrderState.LIVE)
LEVELS: Final = {
    "info": ("idle", "info"),
    "notice": ("wait", "edit"),
    "warning": ("warn", "warning"),
    "critical": ("danger", "dangerous"),
}


def context(request: HttpRequest, page: dict[str, Any]) -> dict[str, Any]:
    """Everything the dashboard shows of the open desk, in a fixed number of queries."""
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    start = tenant.day_start(timezone.now())
    waits, signals = matters(), latest_signals()
    return {
        **page,
        "title": _("Dashboard"),
        "matters": waits,
        "mode_html": mode_badge(_mode(tenant)),
        "equity": equity(),
        "trades": trades(start),
        "decisions": decisions(start),
        "customers": _counts(Customer, CustomerStatus.ACTIVE),
        "strategies": _counts(Strategy, StrategyStatus.ACTIVE),
        "latency": latency(start),
        "hours": hours(start),
        "day_start": start,
        "zone": tenant.timezone,
        "signals": [(signal, signal_badge(signal)) for signal in signals],
        "activity": activity(request, signals),
    }


@dataclass(frozen=True)
class Equity:
    """Real and simulated money are never added together."""

    real: Decimal
    simulated: Decimal
    real_accounts: int
    simulated_accounts: int


def equity() -> Equity:
    found = {each.kind: each for each in holdings(ExchangeAccount.objects.counted())}
    real, simulated = found.get(Kind.REAL), found.get(Kind.SIMULATED)
    return Equity(
        real=(real and real.equity) or Decimal(0),
        simulated=(simulated and simulated.equity) or Decimal(0),
        real_accounts=real.known if real else 0,
        simulated_accounts=simulated.known if simulated else 0,
    )


def trades(start: datetime) -> dict[str, int]:
    """Today's orders by the words that people use."""
    counts = count_by_word(Order.objects.all(), start)
    return {
        "total": sum(counts.values()),
        "filled": counts[OrderWord.FILLED],
        "partly": counts[OrderWord.PARTLY_FILLED],
        "waiting": counts[OrderWord.WAITING],
        "canceled": counts[OrderWord.CANCELED],
        "failed": counts[OrderWord.FAILED],
    }


def decisions(start: datetime) -> dict[str, int]:
    rows = Decision.objects.filter(decided_at__gte=start).order_by().values_list("outcome")
    counts: dict[str, int] = dict(rows.annotate(n=Count("pk")))
    total = sum(counts.values())
    copied = counts.get(DecisionOutcome.COPIED, 0)
    return {"total": total, "copied": copied, "skipped": total - copied}


def latency(start: datetime) -> list[tuple[str, timedelta, int]] | None:
    """From signal received to order acknowledged: the median, 95 and 99 of 100."""
    rows = Order.objects.filter(created_at__gte=start, acked_at__isnull=False).order_by(
        "-created_at"
    )
    times = rows.annotate(received=F("signal__received_at")).values_list("received", "acked_at")
    spans = sorted(acked - received for received, acked in times[:LATENCIES])
    if not spans:
        return None
    picked = [
        (_("Median"), _percentile(spans, 50)),
        (_("95 of 100"), _percentile(spans, 95)),
        (_("99 of 100"), _percentile(spans, 99)),
    ]
    longest = picked[-1][1] or timedelta(microseconds=1)
    return [(label, span, max(1, round(100 * (span / longest)))) for label, span in picked]


def hours(start: datetime) -> dict[str, Any]:
    """Orders per hour since the day began: one statement with a count for each hour."""
    edges = [start + timedelta(hours=n) for n in range(HOURS + 1)]
    counts = Order.objects.filter(created_at__gte=start).aggregate(
        **{
            f"h{n}": Count("pk", filter=Q(created_at__gte=edges[n], created_at__lt=edges[n + 1]))
            for n in range(HOURS)
        }
    )
    values = [counts[f"h{n}"] for n in range(HOURS)]
    most = max(values)
    top = _round_up(most)
    now = timezone.now()
    bars = []
    for n, value in enumerate(values):
        height = round(CHART_HEIGHT * value / top) if value else 0
        bars.append(
            {
                "x": f"{n * 96 / HOURS:.2f}%",
                "width": f"{72 / HOURS:.2f}%",
                "middle": f"{(n + 0.375) * 96 / HOURS:.2f}%",
                "y": CHART_HEIGHT + 10 - max(height, 2 if value else 0),
                "height": max(height, 2 if value else 0),
                "label": f"{edges[n]:%H}",
                "value": value,
                "is_now": edges[n] <= now < edges[n + 1],
                "marked": n % 3 == 0,
            }
        )
    return {"bars": bars, "most": most, "top": top, "half": top // 2, "total": sum(values)}


def latest_signals() -> list[Any]:
    mine = Decision.objects.filter(signal=OuterRef("pk")).order_by().values("signal")
    copied = mine.annotate(n=Count("pk", filter=Q(outcome=DecisionOutcome.COPIED)))
    others = mine.annotate(n=Count("pk", filter=~Q(outcome=DecisionOutcome.COPIED)))
    rows = Signal.objects.select_related("source").annotate(
        copied_n=Subquery(copied.values("n")), skipped_n=Subquery(others.values("n"))
    )
    return list(rows[:10])


@dataclass(frozen=True)
class Happening:
    """One line of the activity stream."""

    at: datetime
    kind: str
    icon: str
    title: str
    text: str
    url: str


def activity(request: HttpRequest, signals: list[Any]) -> list[Happening]:
    """The last things that happened: signals, orders that went another way, and the diary."""
    lines = [*_signal_lines(signals), *_order_lines(), *_decision_lines()]
    if may(request, Ability.VIEW_AUDIT):
        lines += _diary_lines()
    return list(islice(sorted(lines, key=lambda line: line.at, reverse=True), 8))


def _signal_lines(signals: list[Any]) -> list[Happening]:
    lines = []
    for signal in signals:
        if not signal.copied_n:
            continue
        title = f"{signal.inst_id} {signal.get_intent_display().lower()} "
        title += f"{signal.get_direction_display().lower()}, "
        title += ngettext("%(n)d copied", "%(n)d copied", signal.copied_n) % {"n": signal.copied_n}
        text = _("%(source)s, %(n)d not copied") % {
            "source": signal.source.name,
            "n": signal.skipped_n or 0,
        }
        url = reverse("admin:signals_signal_change", args=(signal.pk,))
        lines.append(Happening(signal.received_at, "wait", "cell_tower", title, text, url))
    return lines


def _order_lines() -> list[Happening]:
    rows = Order.objects.exclude(state__in=(OrderState.FILLED, *ON_THEIR_WAY))
    lines = []
    for order in rows.select_related("account__customer").order_by("-created_at")[:6]:
        title = f"{order.inst_id} {order.get_side_display().lower()} · "
        title += order.get_state_display().lower()
        text = order.account.customer.name
        if order.exchange_code:
            text += f", OKX {order.exchange_code}: {order.exchange_message}"
        url = reverse("admin:trading_order_change", args=(order.pk,))
        kind, icon = order_kind(order.state), order_icon(order.state)
        lines.append(Happening(order.finished_at or order.created_at, kind, icon, title, text, url))
    return lines


def _decision_lines() -> list[Happening]:
    rows = Decision.objects.exclude(outcome=DecisionOutcome.COPIED).select_related(
        "account__customer", "signal"
    )
    return [
        Happening(
            row.decided_at,
            "idle",
            "remove",
            _("Not copied: %(reason)s") % {"reason": row.get_reason_display()},
            f"{row.account.customer.name}, {row.signal.inst_id}",
            reverse("admin:trading_decision_change", args=(row.pk,)),
        )
        for row in rows[:3]
    ]


def _diary_lines() -> list[Happening]:
    lines = []
    for entry in AuditEntry.objects.exclude(action="signal.copied").order_by("-at", "-id")[:6]:
        kind, icon = LEVELS[entry.level]
        text = ", ".join(part for part in (entry.actor_label, entry.object_label) if part)
        url = reverse("admin:accounts_auditentry_change", args=(entry.pk,))
        lines.append(Happening(entry.at, kind, icon, headline(entry.action), text, url))
    return lines


def _mode(tenant: Tenant) -> str:
    row = TradingState.objects.filter(scope=Scope.TENANT, tenant=tenant).first()
    return row.mode if row else TradingMode.ACTIVE


def _counts(model: Any, active: str) -> dict[str, int]:
    counts: dict[str, int] = model.objects.aggregate(
        all=Count("pk"), active=Count("pk", filter=Q(status=active))
    )
    return counts


def _percentile(spans: list[timedelta], share: int) -> timedelta:
    """Nearest rank: the smallest value that `share` of 100 do not exceed."""
    return spans[max(0, -(-len(spans) * share // 100) - 1)]


def _round_up(most: int) -> int:
    """The top of the axis: a round number not below the highest bar."""
    for top in (4, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000):
        if most <= top:
            return top
    return most
