"""The admin site: who may enter, which desk they work in, and its own pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
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

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Render inside the desk's time zone: a page is rendered before the zone is left."""
        inner = super().admin_view(view, cacheable)

        def in_desk_zone(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            tenant = getattr(request, "tenant", None)
            with timezone.override(tenant.zone if tenant else None):
                response = inner(request, *args, **kwargs)
                if callable(getattr(response, "render", None)):
                    response.render()
            return response

        return update_wrapper(in_desk_zone, view)

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
