"""Which desk a superuser, or somebody with several desks, works in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from accounts.entry import active_memberships
from accounts.models import Tenant
from accounts.roles import Ability, may


def desks_of(user: Any) -> list[Tenant]:
    """The desks this person may enter as staff; superusers may enter all."""
    if user.is_superuser:
        return list(Tenant.objects.order_by("name"))
    return [m.tenant for m in active_memberships(user) if may(m, Ability.VIEW_DESK)]


def choose(request: HttpRequest) -> TemplateResponse:
    """List the desks; choosing one is posted to the accounts room."""
    context = {
        **admin.site.each_context(request),
        "title": _("Choose a desk"),
        "desks": desks_of(request.user),
    }
    return TemplateResponse(request, "admin/choose_desk.html", context)
