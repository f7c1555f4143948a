"""Coming in: every door calls `enter` after the password, and nobody is signed in before the
second factor that is asked of them."""

from __future__ import annotations

from typing import Final

from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from accounts import audit, two_factor
from accounts.entry import entry_for
from accounts.models import User
from accounts.stepup import mark_fresh, safe_next
from accounts.two_factor import Factor

WAITING_KEY: Final = "waiting_for_factor"
FACTOR_KEY: Final = "second_factor"
WAITING_SECONDS: Final = 600
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


def enter(request: HttpRequest, user: User, next_url: str) -> HttpResponseRedirect:
    """The password was right: sign in, or first ask for a code, or have an app enrolled."""
    next_url = safe_next(request, next_url, "/")
    if two_factor.authenticator_of(user) is not None:
        _wait(request, user, next_url)
        return HttpResponseRedirect(reverse("accounts:code"))
    if two_factor.is_required(user):
        _wait(request, user, next_url)
        return HttpResponseRedirect(reverse("accounts:two_factor"))
    complete(request, user, Factor.NONE)
    return HttpResponseRedirect(next_url)


def complete(request: HttpRequest, user: User, factor: Factor) -> None:
    """Sign in, under a new session key, and write it down."""
    request.session.pop(WAITING_KEY, None)
    login(request, user, backend=BACKEND)
    keep_factor(request, user, factor)
    mark_fresh(request)
    with transaction.atomic():
        audit.record(
            action="user.signed_in",
            obj=user,
            after={"second_factor": factor},
            actor=user,
            tenant=entry_for(user).tenant,
        )


def keep_factor(request: HttpRequest, user: User, factor: Factor) -> None:
    request.session[FACTOR_KEY] = [user.pk, factor.value]


def waiting_user(request: HttpRequest) -> User | None:
    """Who has given their password in this browser within ten minutes, and nothing else yet."""
    mark = request.session.get(WAITING_KEY)
    if not isinstance(mark, dict):
        return None
    user = User.objects.filter(pk=mark["user"], is_active=True).first()
    age = timezone.now().timestamp() - mark["at"]
    unchanged = user is not None and user.get_session_auth_hash() == mark["hash"]
    return user if unchanged and 0 <= age <= WAITING_SECONDS else None


def waiting_next(request: HttpRequest) -> str:
    mark = request.session.get(WAITING_KEY)
    return str(mark["next"]) if isinstance(mark, dict) else "/"


def has_second_factor(request: HttpRequest) -> bool:
    """Whether this session gave what is asked of its person; pages of staff ask this first."""
    user, mark = request.user, request.session.get(FACTOR_KEY)
    if not isinstance(user, User):
        return False
    given = mark[1] if isinstance(mark, list) and mark[0] == user.pk else None
    if given in {Factor.APP, Factor.RECOVERY}:
        return True
    if two_factor.is_required(user):
        return False
    if given is None and two_factor.authenticator_of(user) is None:
        # Whoever enrols ends their other sessions, so this stays true while the session lives.
        given = Factor.NONE
        keep_factor(request, user, given)
    return given == Factor.NONE


def _wait(request: HttpRequest, user: User, next_url: str) -> None:
    request.session.cycle_key()
    request.session[WAITING_KEY] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "at": int(timezone.now().timestamp()),
        "next": next_url,
    }
