"""What a person must do, worst first, each with its age and one way to do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.display import figure
from accounts.enums import ApprovalStatus
from accounts.models import Approval
from customers.enums import AccountStatus, KeyStatus
from customers.models import ExchangeAccount
from notifications.enums import DestinationStatus, State
from notifications.models import Destination, Notification
from signals.enums import LeaderLink, SignalStatus, SourceStatus
from signals.models import LeaderAccount, Signal, SignalSource
from trading.admin.limits import applies_to
from trading.enums import (
    FINAL_STATES,
    BreakerCause,
    BreakerState,
    FlattenStep,
    OrderState,
    RepairState,
    TradingMode,
)
from trading.execution import deciding_repairs
from trading.execution.flatten import leaving
from trading.models import (
    Breaker,
    ClockReading,
    FlattenRun,
    LedgerAudit,
    Order,
    Repair,
    StreamLease,
    TradingState,
)

SOCKET_SILENT_AFTER: Final = timedelta(seconds=60)
CLOCK_COUNTS_FOR: Final = timedelta(minutes=3)
LOOK_BACK: Final = timedelta(days=7)
_ASKED: Final = {
    leaving.ACTION: gettext_lazy("Leave flatten"),
    deciding_repairs.REOPEN: gettext_lazy("Open again what was closed by hand"),
}
WORST_FIRST: Final = ("unknown", "danger", "warn")


@dataclass(frozen=True)
class Matter:
    """One line of the list. `since` is None where nobody can say."""

    kind: str
    icon: str
    title: str
    text: str
    since: datetime | None
    url: str
    button: str


def matters() -> list[Matter]:
    """Everything that waits for a person in the open desk; a few small queries."""
    found: list[Matter] = [
        *_orders_to_settle(),
        *_flattens(),
        *_switches(),
        *_breakers(),
        *_clocks(),
        *_keys(),
        *_sockets(),
        *_leaders(),
        *_sources(),
        *_signals(),
        *_repairs(),
        *_held_signals(),
        *_audits(),
        *_approvals(),
        *_destinations(),
        *_messages(),
    ]
    return sorted(found, key=lambda matter: WORST_FIRST.index(matter.kind))


def _list(model: str, query: str) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{query}"


def _orders_to_settle() -> list[Matter]:
    rows = Order.objects.filter(state__in=(OrderState.UNKNOWN, OrderState.MANUAL))
    orders = list(rows.select_related("account__customer").order_by("sent_at", "created_at"))
    if not orders:
        return []
    first = orders[0]
    behind = (
        Order.objects.filter(lane_key__in={o.lane_key for o in orders})
        .exclude(state__in=[*FINAL_STATES, OrderState.UNKNOWN, OrderState.MANUAL])
        .count()
    )
    title = ngettext(
        "%(n)d order with an unknown outcome", "%(n)d orders with an unknown outcome", len(orders)
    )
    what = f"{first.account.customer.name}, {first.inst_id}, "
    what += f"{first.get_side_display().lower()} {figure(first.quantity)}."
    wait = ngettext("%(n)d later order waits behind.", "%(n)d later orders wait behind.", behind)
    url = reverse("admin:trading_order_settle", args=(first.pk,))
    if len(orders) > 1:
        url = reverse("admin:unsettled")
    text = f"{what} {wait % {'n': behind}}" if behind else what
    since = first.sent_at or first.created_at
    return [Matter("unknown", "help", title % {"n": len(orders)}, text, since, url, _("Review"))]


def _flattens() -> list[Matter]:
    """How far each flatten has come, and whether somebody must do something."""
    runs = FlattenRun.objects.filter(ended_at__isnull=True).select_related(
        "state__strategy", "state__customer", "state__account__customer", "state__tenant"
    )
    found = []
    for run in runs.order_by("started_at")[:5]:
        steps = list(run.accounts.values_list("step", flat=True))
        flat, persons = steps.count(FlattenStep.FLAT), steps.count(FlattenStep.MANUAL)
        title = _("Flatten %(what)s: %(flat)d of %(all)d accounts are flat") % {
            "what": applies_to(run.state),
            "flat": flat,
            "all": len(steps),
        }
        text = run.reason
        if persons:
            text = ngettext(
                "%(n)d account needs a person.", "%(n)d accounts need a person.", persons
            ) % {"n": persons}
        kind = "danger" if persons or flat < len(steps) else "warn"
        url = reverse("admin:switch")
        icon = "vertical_align_bottom"
        found.append(Matter(kind, icon, title, text, run.started_at, url, _("Open switch")))
    return found


def _switches() -> list[Matter]:
    modes = (TradingMode.ACTIVE, TradingMode.FLATTEN)
    states = TradingState.objects.exclude(mode__in=modes).select_related(
        "strategy", "customer", "account__customer", "tenant"
    )
    found = []
    for state in states.order_by("changed_at")[:5]:
        halted = state.mode == TradingMode.HALTED
        title = _("%(what)s: %(mode)s") % {
            "what": applies_to(state),
            "mode": state.get_mode_display().lower(),
        }
        kind, icon = ("danger", "stop_circle") if halted else ("warn", "arrow_downward")
        text = state.reason or _("No reason was given.")
        url = reverse("admin:switch")
        found.append(Matter(kind, icon, title, text, state.changed_at, url, _("Open switch")))
    return found


def _breakers() -> list[Matter]:
    rows = Breaker.objects.exclude(state=BreakerState.CLOSED)
    rows = rows.exclude(cause=BreakerCause.MAINTENANCE).select_related("account__customer")
    found = []
    for row in rows.order_by("opened_at")[:5]:
        title = _("Breaker open: %(what)s") % {"what": row.account or row.get_market_display()}
        text = f"{row.get_cause_display()}: {row.reason}" if row.reason else row.get_cause_display()
        url = _list("trading_breaker", "state__exact=open")
        icon = "electrical_services"
        found.append(Matter("danger", icon, title, text, row.opened_at, url, _("Review")))
    return found


def _clocks() -> list[Matter]:
    """Halted clocks of the last minutes; a process that is gone no longer counts."""
    lately = timezone.now() - CLOCK_COUNTS_FOR
    halted = ClockReading.objects.filter(is_halted=True, read_at__gte=lately).order_by("read_at")
    row = halted.first()
    if row is None:
        return []
    title = _("Clock off: nothing is sent to %(market)s") % {"market": row.get_market_display()}
    seconds = figure(Decimal(abs(row.offset_ms)).scaleb(-3), 1)
    text = _("Our clock and the exchange's are %(n)s s apart.") % {"n": seconds}
    url = reverse("admin:trading_clockreading_changelist")
    return [Matter("danger", "timer_off", title, text, row.read_at, url, _("Review"))]


def _keys() -> list[Matter]:
    refused = ExchangeAccount.objects.filter(key_status=KeyStatus.REFUSED).exclude(
        status=AccountStatus.ARCHIVED
    )
    accounts = list(refused.select_related("customer").order_by("updated_at"))
    if not accounts:
        return []
    title = ngettext("%(n)d key refused", "%(n)d keys refused", len(accounts))
    names = ", ".join(a.customer.name for a in accounts[:3])
    url = _list("customers_exchangeaccount", "key_status__exact=refused")
    if len(accounts) == 1:
        url = reverse("admin:customers_exchangeaccount_change", args=(accounts[0].pk,))
    text = f"{names}: {accounts[0].key_reason}"
    since = accounts[0].updated_at
    return [Matter("danger", "key", title % {"n": len(accounts)}, text, since, url, _("Open keys"))]


def _sockets() -> list[Matter]:
    now = timezone.now()
    ids = list(ExchangeAccount.objects.streamed().order_by().values_list("pk", flat=True))
    leases = StreamLease.objects.filter(account_id__in=ids).values_list("until", "last_event_at")
    quiet = [heard for until, heard in leases if until is None or until < now - SOCKET_SILENT_AFTER]
    if not quiet:
        return []
    title = ngettext("%(n)d private socket is stale", "%(n)d private sockets are stale", len(quiet))
    text = _("Fills and positions come by REST until it is back. Figures may be late.")
    since = min((heard for heard in quiet if heard), default=None)
    url = reverse("admin:trading_streamlease_changelist")
    return [Matter("warn", "cable", title % {"n": len(quiet)}, text, since, url, _("Open sockets"))]


def _leaders() -> list[Matter]:
    unheard = LeaderAccount.objects.filter(link__in=(LeaderLink.STALE, LeaderLink.ERROR))
    return [
        Matter(
            "danger",
            "sensors",
            _("Nothing is heard of leader %(name)s") % {"name": leader.source.name},
            leader.link_reason or _("What it trades is caught up with when it is heard again."),
            leader.link_since,
            reverse("admin:signals_leaderaccount_change", args=(leader.pk,)),
            _("Open leader"),
        )
        for leader in unheard.select_related("source").order_by("link_since")[:5]
    ]


def _sources() -> list[Matter]:
    rows = SignalSource.objects.filter(status=SourceStatus.QUARANTINED).order_by("updated_at")
    return [
        Matter(
            "warn",
            "rss_feed",
            _("Source %(name)s is set aside") % {"name": source.name},
            _("Its signals failed again and again. Nothing of it is copied."),
            source.updated_at,
            reverse("admin:signals_signalsource_change", args=(source.pk,)),
            _("Open source"),
        )
        for source in rows[:5]
    ]


def _signals() -> list[Matter]:
    rows = Signal.objects.filter(
        status=SignalStatus.QUARANTINED, received_at__gte=timezone.now() - LOOK_BACK
    ).order_by("received_at")
    count = rows.count()
    first: Any = rows.first() if count else None
    if first is None:
        return []
    title = ngettext("%(n)d signal set aside", "%(n)d signals set aside", count) % {"n": count}
    text = first.reason_text or _("It could not be copied in five tries.")
    url = _list("signals_signal", "status__exact=quarantined")
    return [Matter("warn", "front_hand", title, text, first.received_at, url, _("Open signals"))]


def _repairs() -> list[Matter]:
    rows = Repair.objects.filter(state=RepairState.PROPOSED).order_by("created_at")
    waiting = list(rows.select_related("account__customer")[:100])
    if not waiting:
        return []
    count, first = len(waiting), waiting[0]
    title = ngettext(
        "%(n)d position is not as it should be", "%(n)d positions are not as they should be", count
    ) % {"n": count}
    text = f"{first.account.customer.name}, {first.inst_id}: {first.get_kind_display().lower()}"
    url = reverse("admin:trading_repair_decide", args=(first.pk,))
    if count > 1:
        url = _list("trading_repair", "state__exact=proposed")
    kind = "danger" if any("link_was" in row.evidence for row in waiting) else "warn"
    return [Matter(kind, "healing", title, text, first.created_at, url, _("Decide"))]


def _held_signals() -> list[Matter]:
    rows = Signal.objects.filter(status=SignalStatus.HELD).order_by("received_at")
    count = rows.count()
    first = rows.select_related("source").first() if count else None
    if first is None:
        return []
    title = ngettext(
        "%(n)d signal waits for approval", "%(n)d signals wait for approval", count
    ) % {"n": count}
    text = f"{first.source}: {first.inst_id}, {first.get_intent_display().lower()} "
    text += first.get_direction_display().lower()
    url = _list("signals_signal", "status__exact=held")
    # A close that waits is money at risk; an opening that does is none.
    kind = "danger" if rows.filter(held_until__isnull=True).exists() else "warn"
    return [Matter(kind, "how_to_reg", title, text, first.received_at, url, _("Decide"))]


def _approvals() -> list[Matter]:
    rows = Approval.objects.filter(status=ApprovalStatus.PENDING, expires_at__gt=timezone.now())
    first = rows.select_related("requested_by").order_by("requested_at").first()
    if first is None:
        return []
    count = rows.count()
    title = ngettext(
        "%(n)d request waits for a second person", "%(n)d requests wait for a second person", count
    )
    what = _ASKED.get(first.action, first.action)
    text = f"{what}, {first.requested_by}: {first.reason}"
    url = _list("accounts_approval", "status__exact=pending")
    if first.action == leaving.ACTION and count == 1:
        url = reverse("admin:switch")
    title %= {"n": count}
    return [Matter("warn", "how_to_reg", title, text, first.requested_at, url, _("Review"))]


def _audits() -> list[Matter]:
    """Only the latest of the desk: what was put right since is no matter any more."""
    last = LedgerAudit.objects.filter(account__isnull=True).order_by("-started_at").first()
    if last is None or last.is_clean:
        return []
    count = last.finding_count
    title = ngettext(
        "Our books and the exchange's differ in %(n)d place",
        "Our books and the exchange's differ in %(n)d places",
        count,
    )
    text = last.first_finding
    url = reverse("admin:trading_ledgeraudit_change", args=(last.pk,))
    return [
        Matter(
            "danger", "balance", title % {"n": count}, text, last.started_at, url, _("Open audit")
        )
    ]


def _destinations() -> list[Matter]:
    rows = Destination.objects.filter(status=DestinationStatus.FAILING).order_by("status_at")
    return [
        Matter(
            "danger",
            "notifications_off",
            _("%(name)s takes no messages") % {"name": row.name},
            row.status_reason or _("It refuses what is sent to it."),
            row.status_at,
            reverse("admin:notifications_destination_change", args=(row.pk,)),
            _("Open destination"),
        )
        for row in rows[:5]
    ]


def _messages() -> list[Matter]:
    """Messages of the last days that did not arrive, or of which nobody knows."""
    rows = Notification.objects.filter(
        state__in=(State.GIVEN_UP, State.UNKNOWN), created_at__gte=timezone.now() - LOOK_BACK
    )
    count, first = rows.count(), rows.select_related("destination").order_by("created_at").first()
    if first is None:
        return []
    title = ngettext("%(n)d message may not have arrived", "%(n)d messages may not have arrived",
                     count) % {"n": count}  # fmt: skip
    text = f"{first.destination.name}: {first.last_error or first.get_state_display()}"
    url = _list("notifications_notification", "state__in=given_up,unknown")
    return [Matter("warn", "mark_email_unread", title, text, first.created_at, url, _("Open"))]
