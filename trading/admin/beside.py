"""All positions of a desk on one screen: what OKX holds, what our orders add up to, the target,
and the leader's position beside them.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from accounts.roles import Ability, may
from customers.models import ExchangeAccount
from trading.admin.repairs import drift_badge
from trading.admin.states import reason_words, side_mark, whose
from trading.enums import DriftClass, Reason
from trading.models import Cycle, Position, ReconcileRun, Repair
from trading.sync.truth import Compared, compare

ACCOUNTS_AT_ONCE = 50


def page(request: HttpRequest) -> HttpResponse:
    """Of every account that holds or follows something, by customer; differences can be picked."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    only_differing = request.GET.get("differing") == "1"
    accounts = Paginator(_accounts(request), ACCOUNTS_AT_ONCE).get_page(request.GET.get("p"))
    by_id = {account.pk: account for account in accounts}
    found = compare(list(accounts.object_list))
    if only_differing:
        found = [one for one in found if one.kind != DriftClass.CLEAN]
    waiting = {
        (row.account_id, row.inst_id, row.position_side): row
        for row in Repair.objects.filter(account_id__in=by_id).open()
    }
    read = dict(
        ReconcileRun.objects.filter(account_id__in=by_id, ok=True)
        .order_by("started_at")
        .values_list("account_id", "started_at")
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Positions beside their leader"),
        "rows": [_row(one, by_id, waiting, read) for one in found],
        "accounts": accounts,
        "only_differing": only_differing,
        "search": request.GET.get("q", ""),
        "may_close": may(request, Ability.TRADE_MANUALLY),
    }
    return TemplateResponse(request, "admin/trading/beside.html", context)


def _accounts(request: HttpRequest) -> Any:
    held = Position.objects.filter(account=OuterRef("pk")).open()
    followed = Cycle.objects.filter(account=OuterRef("pk"), ended_at__isnull=True)
    rows = ExchangeAccount.objects.filter(Exists(held) | Exists(followed))
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(Q(customer__name__icontains=text) | Q(label__icontains=text))
    return rows.select_related("customer").order_by("customer__name", "label", "pk")


def _row(
    one: Compared,
    accounts: dict[int, ExchangeAccount],
    waiting: dict[tuple[int, str, str], Repair],
    read: dict[int, Any],
) -> dict[str, Any]:
    account, followed = accounts[one.account_id], one.followed
    known = one.why in Reason.values
    return {
        "one": one,
        "account": account,
        "whose": whose(account),
        "badge": drift_badge(one.kind),
        "side": "" if one.position_side == "net" else side_mark(one.position_side),
        "why": reason_words(one.why) if known else "",
        "leader": followed.leader if followed else None,
        "leader_entry": followed.leader_entry if followed else None,
        "leads": side_mark(followed.direction) if followed else "",
        "repair": waiting.get((one.account_id, one.inst_id, one.position_side)),
        "read": read.get(one.account_id),
    }
