"""How followings begin, pause and end in the back office."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin_services import confirm, confirmed
from accounts.display import badge
from customers.admin import apply_to_rows
from strategies import services
from strategies.enums import CloseType, SubscriptionStatus
from strategies.existing import copy_existing
from strategies.models import Subscription

if TYPE_CHECKING:
    from accounts.admin_base import TenantModelAdmin as _Base
else:
    _Base = object

_STATES = {
    "active": ("ok", "play_arrow"),
    "paused": ("warn", "pause"),
    "close_only": ("warn", "arrow_downward"),
    "stopped": ("idle", "stop"),
}
CONSEQUENCES = {
    "active": _("Signals are copied again from now on."),
    "paused": _("Nothing new is opened. What is held is closed with the leader."),
    "close_only": _("Nothing new is opened. Closes and reductions go on."),
    "copy_close": _(
        "Nothing new is opened. Closes are followed until nothing is held; then it is stopped."
    ),
    "market_close": _(
        "What it holds is closed at market now, and nothing else in the account is touched."
    ),
    "manual_close": _(
        "The leader is no longer followed, not even when it closes. What it holds stays open, and "
        "somebody must look after it."
    ),
}
PENDING = _("Orders that would still open something are canceled.")


def with_held(rows: Any) -> Any:
    """With `still_holds`: whether a position that was copied is followed or left open."""
    cycles = apps.get_model("trading", "Cycle")._default_manager
    running = cycles.filter(subscription=OuterRef("pk"), ended_at__isnull=True)
    return rows.annotate(still_holds=Exists(running))


def state_of(row: Any) -> str:
    """The state in a word or three: what is being stopped says so."""
    holds = getattr(row, "still_holds", False)
    if row.status == SubscriptionStatus.STOPPED and holds:
        return badge("unknown", "person_alert", _("Left to a person"))
    if row.status == SubscriptionStatus.CLOSE_ONLY and row.ending == CloseType.MARKET_CLOSE:
        return badge("wait", "schedule", _("Being closed"))
    if row.status == SubscriptionStatus.CLOSE_ONLY and row.ending:
        return badge("warn", "arrow_downward", _("Stops when flat"))
    kind, icon = _STATES[row.status]
    return badge(kind, icon, row.get_status_display())


class EndingFilter(admin.SimpleListFilter):
    """Followings that are on their way out, and what they left."""

    title = _("ending")
    parameter_name = "ending"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("stopping", _("Being stopped")), ("left", _("Left to a person"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "stopping":
                return queryset.filter(status=SubscriptionStatus.CLOSE_ONLY).exclude(ending="")
            case "left":
                stopped = queryset.filter(status=SubscriptionStatus.STOPPED)
                return with_held(stopped).filter(still_holds=True)
        return queryset


class LifecycleActions(_Base):
    """The actions of a list of subscriptions: each asks first and goes through the service."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A new one follows from now on, and copies what is there if that is wished for."""
        if not change:
            obj.status, obj.started_at = SubscriptionStatus.ACTIVE, timezone.now()
        super().save_model(request, obj, form, change)
        if not change:
            copy_existing(obj, actor=request.user)  # type: ignore[arg-type]

    @admin.action(description=_("Follow"), permissions=["manage_strategies"])
    def resume(self, request: HttpRequest, queryset: Any) -> Any:
        title = _("Let %(count)d subscriptions follow") % {"count": queryset.count()}
        return self._ask(request, queryset, title, "active", services.follow)

    @admin.action(description=_("Pause"), permissions=["manage_strategies"])
    def pause(self, request: HttpRequest, queryset: Any) -> Any:
        title = _("Pause %(count)d subscriptions") % {"count": queryset.count()}
        return self._ask(request, queryset, title, "paused", services.pause_subscription)

    @admin.action(description=_("Follow closes only"), permissions=["manage_strategies"])
    def close_only(self, request: HttpRequest, queryset: Any) -> Any:
        title = _("Let %(count)d subscriptions follow closes only") % {"count": queryset.count()}
        return self._ask(request, queryset, title, "close_only", services.close_only_subscription)

    @admin.action(description=_("Stop when flat"), permissions=["manage_strategies"])
    def stop(self, request: HttpRequest, queryset: Any) -> Any:
        return self._stop(request, queryset, CloseType.COPY_CLOSE)

    @admin.action(description=_("Stop and close at market"), permissions=["manage_strategies"])
    def stop_and_close(self, request: HttpRequest, queryset: Any) -> Any:
        return self._stop(request, queryset, CloseType.MARKET_CLOSE)

    @admin.action(
        description=_("Stop and leave positions to a person"), permissions=["manage_strategies"]
    )
    def stop_and_leave(self, request: HttpRequest, queryset: Any) -> Any:
        return self._stop(request, queryset, CloseType.MANUAL_CLOSE)

    def _stop(self, request: HttpRequest, queryset: Any, close: CloseType) -> Any:
        title = _("Stop %(count)d subscriptions") % {"count": queryset.count()}
        run = partial(services.stop_subscription, close=close)
        return self._ask(request, queryset, title, close.value, run)

    def _ask(self, request: HttpRequest, queryset: Any, title: str, what: str, run: Any) -> Any:
        rows = Subscription.objects.filter(pk__in=queryset.order_by().values("pk"))
        rows = rows.select_related("strategy", "account__customer")
        reason = confirmed(request)
        if reason is None:
            stops = what in CloseType.values
            texts = [CONSEQUENCES[what], PENDING] if stops else [CONSEQUENCES[what]]
            return confirm(
                self,
                request,
                rows,
                title=title,
                consequences=texts,
                button=title,
                danger=what == CloseType.MARKET_CLOSE,
            )
        run = partial(run, actor=request.user, reason=reason)
        return apply_to_rows(self, request, rows, lambda row: run(subscription=row))
