"""Lock-out after wrong passwords and codes: django-axes, with two limits and a diary entry."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts import audit
from accounts.entry import active_memberships
from accounts.enums import AuditLevel
from accounts.models import Authenticator, Tenant, User
from accounts.stepup import safe_next

UNKNOWN = "-"


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """Five failures of one name from one address, or thirty from one address: then a pause."""

    def get_failures(self, request: HttpRequest, credentials: Any = None) -> int:
        by_name, by_address = (
            sum(attempts.values_list("failures_since_start", flat=True))
            for attempts in self.get_user_attempts(request, credentials)
        )
        if by_address >= settings.LOCKOUT_FAILURES_PER_ADDRESS:
            return int(max(by_name, settings.AXES_FAILURE_LIMIT))
        return int(by_name)

    def user_login_failed(
        self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any
    ) -> None:
        was_locked = getattr(request, "axes_locked_out", True)
        if not was_locked:
            _begin_row(request, credentials.get("username"))
        super().user_login_failed(sender, credentials, request, **kwargs)
        if not was_locked and request.axes_locked_out:
            _note_lockout(str(credentials.get("username") or UNKNOWN), request.axes_ip_address)

    def reset_user_attempts(self, request: HttpRequest, credentials: Any = None) -> int:
        """A success forgives one's own name only: else it would forgive guesses at others."""
        by_name, _by_address = self.filter_user_attempts(request, credentials)
        return int(by_name.delete()[0])


def is_locked(request: HttpRequest, user: User) -> bool:
    """Whether attempts for this person are refused now; the answer becomes the 429 page."""
    if AxesProxyHandler.is_allowed(request, {"username": user.get_username()}):
        return False
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.axes_credentials = {"username": user.get_username()}  # type: ignore[attr-defined]
    return True


def count_failure(request: HttpRequest, user: User) -> None:
    """A wrong code counts as a wrong password does."""
    credentials = {"username": user.get_username()}
    user_login_failed.send(sender=__name__, credentials=credentials, request=request)


def answer(request: HttpRequest, response: Any, credentials: Any) -> HttpResponse:
    """The page that says when one may try again; the same for names that nobody has."""
    until = _until(request, credentials)
    seconds = max(1, int((until - timezone.now()).total_seconds()) + 1)
    back = safe_next(request, request.get_full_path(), "/")
    context = {"wait": timedelta(seconds=seconds), "back": back}
    page = TemplateResponse(request, "429.html", context, status=429)
    page["Retry-After"] = str(seconds)
    page["Cache-Control"] = "no-store"
    return page.render()


@transaction.atomic
def unlock(*, user: User, actor: User, tenant: Tenant, reason: str) -> bool:
    """Forget the failures of this name, from every address; False when there were none."""
    count, _rows = AccessAttempt.objects.filter(username=user.get_username()).delete()
    waiting = Authenticator.objects.filter(user=user, throttling_failure_count__gt=0)
    count += waiting.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    if count:
        audit.record(
            action="user.unlocked",
            obj=user,
            reason=reason,
            level=AuditLevel.NOTICE,
            actor=actor,
            tenant=tenant,
        )
    return bool(count)


def _until(request: HttpRequest, credentials: Any) -> datetime:
    handler = AxesProxyHandler.get_implementation()
    AxesProxyHandler.update_request(request)
    by_name, by_address = handler.get_user_attempts(request, credentials)
    failures = sum(by_name.values_list("failures_since_start", flat=True))
    counted = by_name if failures >= settings.AXES_FAILURE_LIMIT else by_address
    last = counted.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    until: datetime = (last or timezone.now()) + settings.AXES_COOLOFF_TIME
    return until


def _begin_row(request: Any, username: str | None) -> None:
    """Insert the row that axes counts in: its own way of doing so deadlocks on MySQL when
    several fail at the same moment, and the failure would not be counted."""
    if username is None or request.axes_ip_address is None:
        return  # unique keys do not hold for these
    row = AccessAttempt(
        username=username,
        ip_address=request.axes_ip_address,
        user_agent=request.axes_user_agent,
        http_accept=request.axes_http_accept,
        path_info=request.axes_path_info,
        failures_since_start=0,
    )
    AccessAttempt.objects.bulk_create([row], ignore_conflicts=True)


def _note_lockout(username: str, address: str | None) -> None:
    """In the diary of every desk the person works in; of the house when nobody has the name."""
    user = User.objects.filter(username=username).first()
    desks: list[Tenant | None] = [m.tenant for m in active_memberships(user)] if user else []
    with transaction.atomic():
        audit.record_many(
            audit.Note(
                action="user.locked_out",
                obj=user,
                after={"username": username, "address": address or UNKNOWN},
                level=AuditLevel.WARNING,
                tenant=desk,
            )
            for desk in desks or [None]
        )
