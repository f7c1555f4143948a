"""The address without a path, and the page for what failed."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.enums import Role
from accounts.roles import role_of

PORTAL = "/portal/"


@never_cache
@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """Everybody to their own door; the portal asks those who are not known to sign in."""
    if admin.site.has_permission(request):
        return HttpResponseRedirect(reverse("admin:index"))
    if role_of(request) == Role.INTEGRATOR:
        return HttpResponseRedirect(reverse("api_docs"))
    return HttpResponseRedirect(PORTAL)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say the number under which the failure stands in the log."""
    context = {"request_id": getattr(request, "request_id", "")}
    return render(request, "500.html", context, status=500)
