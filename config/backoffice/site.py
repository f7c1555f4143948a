"""The admin site: who may enter, which desk they work in, and its own pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from accounts import roles


class BackofficeSite(UnfoldAdminSite):  # type: ignore[misc]
    """unfold's site for the staff of desks. Customers and integrators have other doors."""

    site_header = "Copydesk"
    site_title = "Copydesk"
    index_title = _("Dashboard")

    def has_permission(self, request: HttpRequest) -> bool:
        return roles.may_enter_admin(request)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if getattr(request, "tenant", None) is None:
            return HttpResponseRedirect(reverse("admin:choose_desk"))
        response: HttpResponse = super().index(request, extra_context)
        return response

    def extra_urls(self) -> list[URLPattern]:
        from config.backoffice import desks, manual_signal, switch

        return [
            path("desk/", self.admin_view(desks.choose), name="choose_desk"),
            path("switch/", self.admin_view(switch.page), name="switch"),
            path("signals/new/", self.admin_view(manual_signal.page), name="manual_signal"),
        ]
