"""Who stands behind a socket: the same session, desk and rights as for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from accounts.entry import admit
from accounts.roles import Ability, may
from accounts.signin import has_second_factor
from accounts.tenancy import tenant_scope
from customers.enums import CustomerStatus
from customers.models import Customer
from notifications.live.audiences import STAFF, customer_audience
from notifications.live.codes import Close


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person in a desk, and the audience they belong to there."""

    user_id: int
    tenant_id: int
    audience: str


def visitor_of(cookies: Mapping[str, str]) -> Visitor | Close:
    """The person these cookies belong to, or the code to close with. Reads the database."""
    request = _request(cookies)
    user: Any = request.user
    if not user.is_authenticated or not user.is_active:
        return Close.NO_SESSION
    tenant = admit(request).tenant
    if not request.user.is_authenticated:
        return Close.NO_SESSION  # it was idle or open for too long
    if tenant is None:
        return Close.FORBIDDEN
    with tenant_scope(tenant):
        audience = _audience(request)
    return Visitor(user.pk, tenant.pk, audience) if audience else Close.FORBIDDEN


def _request(cookies: Mapping[str, str]) -> HttpRequest:
    """As much of a request as the rules of pages look at."""
    request = HttpRequest()
    request.method = "GET"
    request.META["HTTP_X_LIVE"] = "1"  # nobody is at the screen: the session may go idle
    request.COOKIES = dict(cookies)
    sessions = import_module(settings.SESSION_ENGINE)
    request.session = sessions.SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    request.user = get_user(request)
    return request


def _audience(request: HttpRequest) -> str:
    if may(request, Ability.VIEW_DESK):
        return STAFF if has_second_factor(request) else ""
    if may(request, Ability.READ_PORTAL):
        own = Customer.objects.filter(portal_user=request.user)
        open_ones = own.exclude(status=CustomerStatus.ARCHIVED).order_by("pk")
        # One person may be several customers; the relay tells them all under the first.
        first = open_ones.values_list("pk", flat=True).first()
        return customer_audience(first) if first else ""
    return ""
