"""The admin site: who may enter, which desk they work in, and its own pages."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from accounts import roles, signin
from config.backoffice.login import StaffLoginView, StaffPasswordView


class BackofficeSite(UnfoldAdminSite):  # type: ignore[misc]
    """unfold's site for the staff of desks. Customers and integrators have other doors."""

    site_header = "Copydesk"
    site_title = "Copydesk"
    index_title = _("Dashboard")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Every table with what this person may do there, worked out when a page looks.

        Those with the sidebar of ours do not, and it was a third of what they took.
        """
        tables = super().get_app_list
        return cast("list[Any]", SimpleLazyObject(lambda: tables(request, app_label)))

    def has_permission(self, request: HttpRequest) -> bool:
        return roles.may_enter_admin(request) and signin.has_second_factor(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the password; what else is asked of the person is decided in `signin`."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        request.current_app = self.name
        return cast("HttpResponse", StaffLoginView.as_view(extra_context=context)(request))

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """As everywhere: counted by lock-out, and written into the diary."""
        context = {**self.each_context(request), **(extra_context or {})}
        done = reverse("admin:password_change_done")
        request.current_app = self.name
        view = StaffPasswordView.as_view(success_url=done, extra_context=context)
        return cast("HttpResponse", view(request))

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if getattr(request, "tenant", None) is None:
            return HttpResponseRedirect(reverse("admin:choose_desk"))
        response: HttpResponse = super().index(request, extra_context)
        return response

    def extra_urls(self) -> list[URLPattern]:
        from config.backoffice import desks, manual_signal, preview, switch
        from trading.admin import beside, closing, replaying, settling, shadows

        return [
            path("desk/", self.admin_view(desks.choose), name="choose_desk"),
            path("beside/", self.admin_view(beside.page), name="beside"),
            path("close/", self.admin_view(closing.close_page), name="close_positions"),
            path("cancel/", self.admin_view(closing.cancel_page), name="cancel_orders"),
            path("unsettled/", self.admin_view(settling.list_page), name="unsettled"),
            path("signals/replay/", self.admin_view(replaying.page), name="replay"),
            path("shadows/", self.admin_view(shadows.list_page), name="shadows"),
            path(
                "strategies/subscription/<int:object_id>/shadow/",
                self.admin_view(shadows.compare_page),
                name="strategies_subscription_shadow",
            ),
            path("switch/", self.admin_view(switch.page), name="switch"),
            path("preview/", self.admin_view(preview.page), name="preview"),
            path("signals/new/", self.admin_view(manual_signal.page), name="manual_signal"),
        ]
