"""Who may come in, and what of theirs a page is about. Everything is read through `visible_to`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.enums import Role, TenantStatus
from accounts.models import Membership, Tenant, User
from accounts.roles import Ability, may
from customers.enums import SIMULATED_MARKETS, AccountStatus, CustomerStatus, KeyStatus
from customers.models import Customer, ExchangeAccount
from trading.performance import Kind, kind_of

P = ParamSpec("P")
READING = ("GET", "HEAD")


@dataclass(frozen=True)
class Visit:
    """A customer's user in one desk, with the accounts whose rows they may read."""

    user: User
    desk: Tenant
    customers: tuple[Customer, ...]
    accounts: tuple[ExchangeAccount, ...]
    desks: tuple[Tenant, ...] = ()

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What keeps signals from being copied, said before anybody wonders."""
        off = [c for c in self.customers if c.status == CustomerStatus.INACTIVE]
        said = [("warn", _("Copying is switched off for %(name)s.") % {"name": c}) for c in off]
        for account in self.accounts:
            if account.status == AccountStatus.PAUSED:
                text = _("The account %(label)s is paused: no order is sent for it.")
            elif account.key_status == KeyStatus.REFUSED:
                text = _("OKX refused the key of %(label)s: nothing is copied for it.")
            elif account.key_status in (KeyStatus.MISSING, KeyStatus.PENDING):
                text = _("The key of %(label)s is not verified yet: nothing is copied for it.")
            else:
                continue
            said.append(("warn", text % {"label": account.label}))
        return said

    @property
    def kinds(self) -> tuple[Kind, ...]:
        mine = {kind_of(account.market) for account in self.accounts}
        return tuple(kind for kind in Kind if kind in mine)

    @property
    def sums(self) -> tuple[Kind, ...]:
        """The kinds that have more than one account, so that their sum is a choice of its own."""
        kinds = [kind_of(account.market) for account in self.accounts]
        return tuple(kind for kind in Kind if kinds.count(kind) > 1)


@dataclass(frozen=True)
class Choice:
    """Which of the visit's accounts a page shows: one, those of a kind of money, or all."""

    accounts: tuple[ExchangeAccount, ...]
    account: ExchangeAccount | None = None
    kind: Kind | None = None
    query: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return [account.pk for account in self.accounts]

    @property
    def only(self) -> ExchangeAccount | None:
        """The account, where there is but one."""
        return self.accounts[0] if len(self.accounts) == 1 else None

    @property
    def is_simulated(self) -> bool:
        return bool(self.accounts) and all(a.market in SIMULATED_MARKETS for a in self.accounts)

    def rows(self, queryset: Any, user: User) -> Any:
        """Of these rows, the user's own that belong to the chosen accounts."""
        return queryset.visible_to(user).filter(account__in=self.ids)


Page = Callable[Concatenate[HttpRequest, Visit, P], HttpResponse]


def portal_page(view: Page[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page that customers may read: GET and HEAD, for one who has something to see."""

    @never_cache
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method not in READING:
            return _refused(request, READING)
        return enter(request, lambda visit: view(request, visit, *args, **kwargs))

    update_wrapper(guarded, view)
    return guarded


def enter(request: HttpRequest, go_on: Callable[[Visit], HttpResponse]) -> HttpResponse:
    """Go on with the visit, or say in words why there is none."""
    user = request.user
    if not isinstance(user, User):
        query = urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(f"{reverse('portal:login')}?{query}")
    if not may(request, Ability.READ_PORTAL):
        return shut(request, _why_not(user))
    customers = tuple(Customer.objects.visible_to(user).order_by("name"))
    if not customers:
        return shut(request, "not_linked")
    open_ones = tuple(c for c in customers if c.status != CustomerStatus.ARCHIVED)
    if not open_ones:
        return shut(request, "archived")
    return go_on(_visit(request, user, open_ones))


def _visit(request: Any, user: User, customers: tuple[Customer, ...]) -> Visit:
    accounts = (
        ExchangeAccount.objects.visible_to(user)
        .filter(customer__in=customers)
        .select_related("customer")
        .order_by("customer__name", "label")
    )
    real_first = sorted(accounts, key=lambda account: account.market in SIMULATED_MARKETS)
    visit = Visit(user, request.tenant, customers, tuple(real_first), desks_of(user))
    request.visit = visit
    return visit


def desks_of(user: User) -> tuple[Tenant, ...]:
    """The active desks this user is a customer of, oldest first."""
    found = Membership.objects.filter(
        user=user, role=Role.CUSTOMER, is_active=True, tenant__status=TenantStatus.ACTIVE
    )
    return tuple(m.tenant for m in found.select_related("tenant").order_by("pk"))


def choose(request: HttpRequest, visit: Visit, *, all_kinds: bool = False) -> Choice:
    """The accounts that the address names; a foreign one is as absent as one that never was.

    Money of two kinds is never added: without a choice a page of sums takes the first kind.
    """
    name, kind = request.GET.get("account", ""), request.GET.get("money", "")
    if name:
        account = _own(visit, name)
        return Choice((account,), account, Kind(kind_of(account.market)), {"account": name})
    if kind:
        if kind not in visit.kinds:
            raise Http404
        return Choice(_of_kind(visit, Kind(kind)), None, Kind(kind), {"money": kind})
    if all_kinds or not visit.kinds:
        return Choice(visit.accounts)
    first = visit.kinds[0]
    return Choice(_of_kind(visit, first), None, first)


def _own(visit: Visit, name: str) -> ExchangeAccount:
    try:
        uid = UUID(name)
    except ValueError as error:
        raise Http404 from error
    for account in visit.accounts:
        if account.uid == uid:
            return account
    raise Http404


def _of_kind(visit: Visit, kind: Kind) -> tuple[ExchangeAccount, ...]:
    """Accounts that were put away are history: they are in lists, not in what is held now."""
    mine = [account for account in visit.accounts if kind_of(account.market) == kind]
    return tuple(a for a in mine if a.status != AccountStatus.ARCHIVED) or tuple(mine)


def chosen(choice: Choice, visit: Visit) -> Any:
    """The same as a queryset, for what adds up."""
    rows: QuerySet[ExchangeAccount] = ExchangeAccount.objects.visible_to(visit.user)
    return rows.filter(pk__in=choice.ids)


def shut(request: HttpRequest, why: str) -> HttpResponse:
    """A page that says why the portal does not open, and what to do."""
    desks = desks_of(request.user) if isinstance(request.user, User) else ()
    context = {"why": why, "desks": desks, "desk": getattr(request, "tenant", None)}
    return TemplateResponse(request, "portal/shut.html", context, status=403)


def _why_not(user: User) -> str:
    mine = Membership.objects.filter(user=user, is_active=True)
    if user.is_superuser or mine.exclude(role=Role.CUSTOMER).exists():
        return "not_a_customer"
    return "suspended" if mine.exists() else "no_desk"


def _refused(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse:
    answer = TemplateResponse(request, "portal/method.html", {}, status=405)
    answer["Allow"] = ", ".join(methods)
    return answer
