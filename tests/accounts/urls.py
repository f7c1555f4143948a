"""An admin site with the library's tables, apart from the product's own."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import include, path
from unfold.sites import UnfoldAdminSite

from accounts.admin import ApprovalAdmin, AuditEntryAdmin, MembershipAdmin, TenantAdmin, UserAdmin
from accounts.admin_base import RecordAdmin, TenantInline, TenantModelAdmin, admin_link
from accounts.models import Approval, AuditEntry, Membership, Tenant, User
from accounts.roles import Ability
from tests.accounts.library.models import Book, Loan, Rule, Shelf

site = UnfoldAdminSite(name="admin")


class BookInline(TenantInline):
    model = Book
    fields = ("title", "price")


@admin.register(Shelf, site=site)
class ShelfAdmin(TenantModelAdmin):
    change_ability = Ability.MANAGE_STRATEGIES
    search_fields = ("name",)
    inlines = (BookInline,)


@admin.register(Book, site=site)
class BookAdmin(TenantModelAdmin):
    change_ability = Ability.MANAGE_STRATEGIES
    list_display = ("title", "shelf_link")
    list_filter = ("shelf",)
    list_select_related = ("shelf",)
    search_fields = ("title",)
    autocomplete_fields = ("shelf",)
    fields = ("title", "shelf", "price", "secret", "required_secret")
    actions = ("shout", "halt")

    @admin.display(description="shelf")
    def shelf_link(self, book: Book) -> str:
        return admin_link(book.shelf)

    @admin.action(permissions=["operate_orders"])
    def shout(self, request: HttpRequest, queryset: object) -> None:
        for book in queryset:
            book.title = book.title.upper()
            book.save()

    @admin.action(permissions=["change_limits"])
    def halt(self, request: HttpRequest, queryset: object) -> None:
        raise AssertionError("a trader must not get here")


@admin.register(Rule, site=site)
class RuleAdmin(TenantModelAdmin):
    change_ability = Ability.MANAGE_STRATEGIES


@admin.register(Loan, site=site)
class LoanAdmin(RecordAdmin):
    list_filter = ("book",)


site.register(AuditEntry, AuditEntryAdmin)
site.register(Approval, ApprovalAdmin)
site.register(Membership, MembershipAdmin)
site.register(Tenant, TenantAdmin)
site.register(User, UserAdmin)


def rendered_late(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, "library/late.html", {"books": Book.objects.order_by("title")})


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def rows() -> object:
        for book in Book.objects.order_by("title"):
            yield f"{book.title},{book.shelf.name};".encode()

    return StreamingHttpResponse(rows())


urlpatterns = [
    path("admin/", site.urls),
    path("accounts/", include("accounts.urls")),
    path("late/", rendered_late),
    path("streamed/", streamed),
]
