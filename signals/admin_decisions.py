"""The two answers to signals that wait for approval, as actions of their list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_services import confirm, confirmed
from signals import approving
from signals.enums import SignalStatus
from signals.models import Signal

AT_ONCE = 200


@dataclass(frozen=True)
class Answer:
    do: Callable[..., Signal]
    title: Any
    consequence: Any
    button: Any
    danger: bool = False


APPROVING = Answer(
    approving.approve,
    _("Approve signals"),
    _(
        "Each is copied to its followers within every limit, and openings that are too old for a "
        "strategy by then are not."
    ),
    _("Approve the signals"),
)
REJECTING = Answer(
    approving.reject,
    _("Reject signals"),
    _("They are copied to nobody. A close that is rejected leaves its followers in the position."),
    _("Reject the signals"),
    danger=True,
)


def decide(model_admin: Any, request: HttpRequest, queryset: Any, answer: Answer) -> Any:
    """Ask for a reason, then decide each in the order in which they were sent."""
    rows = Signal.objects.filter(pk__in=queryset.values("pk"), status=SignalStatus.HELD)
    rows = rows.select_related("source").order_by("received_at", "id")
    reason = confirmed(request)
    if reason is None:
        return confirm(
            model_admin,
            request,
            rows,
            title=answer.title,
            consequences=[answer.consequence],
            button=answer.button,
            danger=answer.danger,
        )
    done = 0
    for signal in rows[:AT_ONCE]:
        try:
            answer.do(signal=signal, by=request.user, reason=reason)
        except approving.DecisionError as error:
            model_admin.message_user(request, f"{signal}: {error}", messages.WARNING)
        else:
            done += 1
    text = ngettext("%(count)d signal decided.", "%(count)d signals decided.", done)
    level = messages.SUCCESS if done else messages.INFO
    model_admin.message_user(request, text % {"count": done}, level)
    return None
