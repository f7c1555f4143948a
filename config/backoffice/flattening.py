"""What the switch's page shows of orders on their way, of flattens, and of who must still agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.display import badge, figure, when
from accounts.enums import ApprovalStatus
from accounts.models import Approval
from accounts.roles import Ability, may
from trading.admin.limits import applies_to
from trading.enums import FlattenStep, Scope, TradingMode
from trading.execution.flatten.leaving import ACTION
from trading.execution.flight import asked_about, in_flight
from trading.models import FlattenAccount, FlattenRun, Order, TradingState

SHOWN = 8
ACCOUNTS_SHOWN = 100
STEPS_SHOWN = 4
_ORDER = (
    FlattenStep.MANUAL,
    FlattenStep.CLOSING,
    FlattenStep.READING,
    FlattenStep.CANCELING,
    FlattenStep.WAITING,
    FlattenStep.VERIFYING,
    FlattenStep.FLAT,
)
_LOOKS = {
    FlattenStep.MANUAL: ("danger", "person_alert"),
    FlattenStep.CLOSING: ("warn", "vertical_align_bottom"),
    FlattenStep.READING: ("wait", "visibility"),
    FlattenStep.CANCELING: ("wait", "block"),
    FlattenStep.WAITING: ("wait", "schedule"),
    FlattenStep.VERIFYING: ("wait", "visibility"),
    FlattenStep.FLAT: ("ok", "check"),
}


@dataclass(frozen=True)
class Flight:
    """Orders that may still be accepted, and those whose outcome is being looked up."""

    count: int
    latest: datetime | None
    lines: list[tuple[Order, datetime]]
    asked: int


@dataclass(frozen=True)
class Line:
    """One account of a flatten."""

    row: FlattenAccount
    badge: Any
    open: str
    advice: str
    trail: str


@dataclass(frozen=True)
class Progress:
    """One flatten that goes on."""

    run: FlattenRun
    what: Any
    flat: int
    total: int
    persons: int
    open: int
    worth: Decimal
    lines: list[Line]
    left_out: int

    @property
    def percent(self) -> int:
        return 100 * self.flat // self.total if self.total else 0

    @property
    def is_done(self) -> bool:
        return self.total > 0 and self.flat == self.total


@dataclass(frozen=True)
class Leaving:
    """A request to end a flatten, and what this person may do with it."""

    approval: Approval
    what: Any
    mode: str
    is_own: bool
    may_decide: bool


def flight() -> Flight:
    rows = in_flight()
    shown = list(rows.select_related("account__customer")[:SHOWN])
    lines = [(order, _moment(order.exp_at_ms)) for order in shown]
    return Flight(
        count=rows.count(),
        latest=lines[0][1] if lines else None,
        lines=lines,
        asked=asked_about().count(),
    )


def progress() -> list[Progress]:
    """Every flatten that goes on and reaches this desk, with this desk's accounts."""
    runs = FlattenRun.objects.filter(ended_at__isnull=True).select_related(
        "state__strategy", "state__customer", "state__account__customer", "state__tenant",
        "started_by",
    )  # fmt: skip
    return [_progress(run) for run in runs.order_by("started_at")]


def requests(request: HttpRequest) -> list[Leaving]:
    rows = Approval.objects.filter(
        action=ACTION, status=ApprovalStatus.PENDING, expires_at__gt=timezone.now()
    ).select_related("requested_by")
    states = {
        str(state.pk): state
        for state in TradingState.objects.filter(
            pk__in=[row.object_id for row in rows]
        ).select_related("strategy", "customer", "account__customer", "tenant")
    }
    return [
        Leaving(
            approval=row,
            what=applies_to(states[row.object_id]),
            mode=str(TradingMode(row.payload["mode"]).label),
            is_own=row.requested_by_id == request.user.pk,
            may_decide=_may_decide(request, states[row.object_id]),
        )
        for row in rows
        if row.object_id in states
    ]


def _may_decide(request: HttpRequest, state: TradingState) -> bool:
    user: Any = request.user
    return may(request, Ability.APPROVE) and (state.scope != Scope.SYSTEM or user.is_superuser)


def _progress(run: FlattenRun) -> Progress:
    rows = list(
        FlattenAccount.objects.filter(run=run).select_related("account__customer").order_by("pk")
    )
    rows.sort(key=lambda row: (_ORDER.index(FlattenStep(row.step)), not row.problem))
    positions = [position for row in rows for position in row.remaining]
    return Progress(
        run=run,
        what=applies_to(run.state),
        flat=sum(row.step == FlattenStep.FLAT for row in rows),
        total=len(rows),
        persons=sum(row.step == FlattenStep.MANUAL for row in rows),
        open=len(positions),
        worth=sum((Decimal(p["notional"] or 0) for p in positions), Decimal(0)),
        lines=[_line(row) for row in rows[:ACCOUNTS_SHOWN]],
        left_out=max(len(rows) - ACCOUNTS_SHOWN, 0),
    )


def _line(row: FlattenAccount) -> Line:
    step = FlattenStep(row.step)
    kind, icon = _LOOKS[step]
    if row.problem and step not in (FlattenStep.FLAT, FlattenStep.CANCELING):
        kind = "danger" if step == FlattenStep.MANUAL else "warn"
    held = ", ".join(
        f"{p['inst_id']} {_direction(p['direction'])} {figure(Decimal(p['quantity']))}"
        if p["quantity"]
        else p["inst_id"]
        for p in row.remaining
    )
    return Line(row, badge(kind, icon, step.label), held, _advice(row), _trail(row))


def _trail(row: FlattenAccount) -> str:
    """The last steps, with their times."""
    return " → ".join(
        f"{when(datetime.fromisoformat(at))} {str(FlattenStep(step).label).lower()}"
        for at, step, *_rest in row.history[-STEPS_SHOWN:]
    )


def _direction(direction: str) -> str:
    return str({"long": _("long"), "short": _("short")}.get(direction, ""))


def _advice(row: FlattenAccount) -> str:
    if row.step == FlattenStep.MANUAL:
        return _("Close it by hand at OKX, or let it be tried again. It is called flat once it is.")
    if row.failures:
        return _("The account could not be read, so nobody knows what it holds. It is tried again.")
    return ""


def _moment(exp_at_ms: int) -> datetime:
    return datetime.fromtimestamp(exp_at_ms / 1000, tz=UTC)
