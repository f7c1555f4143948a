"""Step-up: dangerous things need a password typed within the last five minutes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

FRESH_SECONDS: Final = 300
SESSION_KEY: Final = "stepped_up"

P = ParamSpec("P")


class StepUpRequired(PermissionError):  # noqa: N818 (a demand, not an error)
    """The caller must re-enter the password first."""


def is_fresh(request: HttpRequest) -> bool:
    """Whether this session's user typed the password within the last five minutes."""
    mark = request.session.get(SESSION_KEY)
    if not request.user.is_authenticated or not isinstance(mark, list):
        return False
    user_id, at = mark
    age = timezone.now().timestamp() - at
    return bool(user_id == request.user.pk and 0 <= age <= FRESH_SECONDS)


def mark_fresh(request: HttpRequest) -> None:
    """Note that the signed-in user has just proved who they are; the login does so too."""
    request.session[SESSION_KEY] = [request.user.pk, int(timezone.now().timestamp())]


def require_fresh(request: HttpRequest) -> None:
    """Raise StepUpRequired unless the password was typed recently: the API's way to ask."""
    if not is_fresh(request):
        raise StepUpRequired("re-enter your password")


def redirect_to_step_up(request: HttpRequest) -> HttpResponseRedirect:
    """Ask for the password, then come back; after a form, back to the page that held it."""
    back = request.get_full_path()
    if request.method not in {"GET", "HEAD"}:
        back = _own_referer(request) or back
    return HttpResponseRedirect(f"{reverse('accounts:step_up')}?{urlencode({'next': back})}")


def step_up_required(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Decorate a view that is reached only after a recent password."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not is_fresh(request):
            return redirect_to_step_up(request)
        return view(request, *args, **kwargs)

    return guarded


class StepUpMixin:
    """The same for class-based views; list it first."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_fresh(request):
            return redirect_to_step_up(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response


def safe_next(request: HttpRequest, url: str | None, fallback: str) -> str:
    """The given address if it is one of ours, else the fallback."""
    allowed = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if url and allowed else fallback


def _own_referer(request: HttpRequest) -> str:
    referer = safe_next(request, request.headers.get("Referer"), "")
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
