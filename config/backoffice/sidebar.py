"""What the sidebar and the header show, for the person and the desk at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.enums import ApprovalStatus
from accounts.models import Approval
from config.backoffice.desks import desks_of
from customers.enums import KeyStatus
from customers.models import ExchangeAccount
from notifications.enums import DestinationStatus
from notifications.models import Destination
from signals.enums import LeaderLink, SourceStatus
from signals.models import LeaderAccount, SignalSource
from trading.enums import BreakerState, OrderState, RepairState, TradingMode
from trading.models import Breaker, LossState, Order, Repair, TradingState

ENVIRONMENTS: Final = {"demo": (_("Demo"), "info"), "test": (_("Test"), "info")}


@dataclass(frozen=True)
class Item:
    """One line: a list of rows when `model` names one, else the page `view`."""

    title: Any
    icon: str
    model: str = ""
    view: str = ""
    count: Callable[[], int] | None = None
    kind: str = "warn"


def orders_to_settle() -> int:
    return int(Order.objects.filter(state__in=(OrderState.UNKNOWN, OrderState.MANUAL)).count())


def keys_refused() -> int:
    return int(ExchangeAccount.objects.filter(key_status=KeyStatus.REFUSED).count())


def sources_set_aside() -> int:
    return int(SignalSource.objects.filter(status=SourceStatus.QUARANTINED).count())


def leaders_unheard() -> int:
    unheard = (LeaderLink.STALE, LeaderLink.ERROR)
    wrong = Q(link__in=unheard) | Q(key_status=KeyStatus.REFUSED)
    return int(LeaderAccount.objects.filter(wrong).count())


def switches_on() -> int:
    return int(TradingState.objects.exclude(mode=TradingMode.ACTIVE).count())


def breakers_open() -> int:
    return int(Breaker.objects.exclude(state=BreakerState.CLOSED).count())


def losses_reached() -> int:
    reached = LossState.objects.filter(breached_at__isnull=False, limit__is_active=True)
    return int(reached.count())


def approvals_open() -> int:
    return int(
        Approval.objects.filter(
            status=ApprovalStatus.PENDING, expires_at__gt=timezone.now()
        ).count()
    )


def repairs_waiting() -> int:
    return int(Repair.objects.filter(state=RepairState.PROPOSED).count())


def destinations_failing() -> int:
    return int(Destination.objects.filter(status=DestinationStatus.FAILING).count())


GROUPS: Final = (
    (
        _("Desk"),
        (
            Item(_("Dashboard"), "speed", view="index"),
            Item(_("Signals"), "cell_tower", "signals.Signal"),
            Item(_("Decisions"), "rule", "trading.Decision"),
            Item(
                _("Orders"),
                "receipt_long",
                "trading.Order",
            ),
            Item(
                _("Unsettled orders"),
                "help",
                view="unsettled",
                count=orders_to_settle,
                kind="unknown",
            ),
            Item(_("Fills"), "done_all", "trading.Fill"),
            Item(_("Positions"), "layers", "trading.Position"),
            Item(_("Beside their leader"), "compare_arrows", view="beside"),
            Item(_("Protections"), "shield", "trading.Protection"),
            Item(_("Balances"), "account_balance_wallet", "trading.Balance"),
        ),
    ),
    (
        _("Setup"),
        (
            Item(_("Customers"), "group", "customers.Customer"),
            Item(
                _("Exchange accounts"),
                "key",
                "customers.ExchangeAccount",
                count=keys_refused,
                kind="danger",
            ),
            Item(_("Sources"), "rss_feed", "signals.SignalSource", count=sources_set_aside),
            Item(
                _("Leader accounts"),
                "sensors",
                "signals.LeaderAccount",
                count=leaders_unheard,
                kind="danger",
            ),
            Item(_("Strategies"), "account_tree", "strategies.Strategy"),
            Item(_("Subscriptions"), "link", "strategies.Subscription"),
            Item(_("Shadows"), "contrast", view="shadows"),
            Item(_("What would happen"), "visibility", view="preview"),
            Item(_("Instruments"), "candlestick_chart", "trading.Instrument"),
        ),
    ),
    (
        _("Safety"),
        (
            Item(_("Trading switch"), "stop_circle", view="switch", count=switches_on),
            Item(_("Limits"), "tune", "trading.Limit"),
            Item(_("Loss limits"), "trending_down", "trading.LossLimit"),
            Item(
                _("Use of loss limits"),
                "data_usage",
                "trading.LossState",
                count=losses_reached,
                kind="danger",
            ),
            Item(_("Margin thresholds"), "water_lux", "trading.MarginThreshold"),
            Item(
                _("Breakers"),
                "electrical_services",
                "trading.Breaker",
                count=breakers_open,
                kind="danger",
            ),
            Item(_("Audit trail"), "menu_book", "accounts.AuditEntry"),
            Item(_("Approvals"), "how_to_reg", "accounts.Approval", count=approvals_open),
            Item(_("Quarantined reports"), "report", "trading.QuarantinedReport"),
            Item(_("Repairs"), "healing", "trading.Repair", count=repairs_waiting, kind="danger"),
            Item(_("Reconcile runs"), "sync_problem", "trading.ReconcileRun"),
            Item(_("Ledger audits"), "balance", "trading.LedgerAudit"),
        ),
    ),
    (
        _("Notifications"),
        (
            Item(
                _("Destinations"),
                "campaign",
                "notifications.Destination",
                count=destinations_failing,
                kind="danger",
            ),
            Item(_("Outbox"), "outbox", "notifications.Notification"),
        ),
    ),
    (
        _("System"),
        (
            Item(_("Processes"), "memory", "trading.Heartbeat"),
            Item(_("Private sockets"), "cable", "trading.StreamLease"),
            Item(_("Maintenance of OKX"), "construction", "trading.Maintenance"),
            Item(_("Status of markets"), "monitor_heart", "trading.MarketWatch"),
            Item(_("Clocks"), "timer", "trading.ClockReading"),
            Item(_("Schedules"), "schedule", "django_celery_beat.PeriodicTask"),
            Item(_("Users"), "person", "accounts.User"),
            Item(_("API tokens"), "vpn_key", "accounts.ApiToken"),
            Item(_("Desks"), "domain", "accounts.Tenant"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with the items this person may see, with counts of what wants attention."""
    return [
        {
            "title": title,
            "separator": index > 0,
            "items": [_entry(item, request) for item in items if _may_see(item, request)],
        }
        for index, (title, items) in enumerate(GROUPS)
    ]


def environment(_request: HttpRequest) -> tuple[Any, str] | None:
    """The badge beside the title; production has none."""
    return ENVIRONMENTS.get(settings.COPYDESK_ENV)


def desk_name(request: HttpRequest) -> str:
    tenant = getattr(request, "tenant", None)
    return tenant.name if tenant else str(_("No desk chosen"))


def desk_links(request: HttpRequest) -> list[dict[str, Any]] | None:
    """The menu under the logo, for those who have more than one desk."""
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated or len(desks_of(user)) < 2:  # noqa: PLR2004
        return None
    return [{"title": _("Change desk"), "icon": "domain", "link": reverse("admin:choose_desk")}]


def _may_see(item: Item, request: HttpRequest) -> bool:
    if not item.model:
        return getattr(request, "tenant", None) is not None
    model = apps.get_model(item.model)
    registered = admin.site._registry.get(model)  # noqa: SLF001 - the site offers no lookup
    return registered is not None and registered.has_view_permission(request)


def _entry(item: Item, request: HttpRequest) -> dict[str, Any]:
    view = item.view or f"{item.model.replace('.', '_').lower()}_changelist"
    in_desk = getattr(request, "tenant", None) is not None
    return {
        "title": item.title,
        "icon": item.icon,
        "link": reverse(f"admin:{view}"),
        "badge": item.count() if item.count and in_desk else 0,
        "badge_variant": item.kind,
    }
