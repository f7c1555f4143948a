"""The queue of differences: what was found, by which numbers, and what a person decides."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, IntegerField, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.views import ChangeList

from accounts.admin_base import RecordAdmin
from accounts.approvals import ApprovalError, approve, refuse
from accounts.display import badge, moment, num, two
from accounts.models import Approval
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from accounts.structures import name_parts
from strategies.enums import SubscriptionStatus
from trading.admin.asking import REASON_LETTERS
from trading.admin.states import external_badge, order_badge, side_mark, whose
from trading.enums import DriftClass, PositionSide, RepairAction, RepairState
from trading.execution.deciding_repairs import (
    ask_to_approve,
    choices_of,
    needs_second_person,
    open_requests,
    reject_repair,
)
from trading.models import ExternalOrder, Order, Position, ReconcileRun, Repair

REJECT = "reject"
KINDS = {
    DriftClass.CLEAN: ("ok", "check"),
    DriftClass.IN_FLIGHT: ("wait", "schedule"),
    DriftClass.EXPLAINED: ("idle", "remove"),
    DriftClass.LEDGER_DRIFT: ("warn", "menu_book"),
    DriftClass.ORPHAN: ("warn", "call_split"),
    DriftClass.OVER: ("warn", "vertical_align_top"),
    DriftClass.UNDER: ("warn", "vertical_align_bottom"),
    DriftClass.MISSING: ("warn", "question_mark"),
    DriftClass.WRONG_SIDE: ("danger", "swap_vert"),
    DriftClass.FOREIGN: ("danger", "back_hand"),
}
STATES = {
    RepairState.PROPOSED: ("warn", "person_alert"),
    RepairState.APPROVED: ("wait", "schedule"),
    RepairState.SENT: ("wait", "send"),
    RepairState.DONE: ("ok", "check"),
    RepairState.FAILED: ("danger", "dangerous"),
    RepairState.REJECTED: ("idle", "block"),
    RepairState.EXPIRED: ("idle", "block"),
}
_OPEN_FIRST = Case(
    When(open_key__isnull=False, then=Value(0)), default=Value(1), output_field=IntegerField()
)


PARTS = {
    "accepted": gettext_lazy("Accepted as the customer's own"),
    "begun_at": gettext_lazy("Followed since"),
    "class": gettext_lazy("Class"),
    "exchange": gettext_lazy("At OKX"),
    "exchange_order_id": gettext_lazy("OKX order id"),
    "explained": gettext_lazy("Explained by orders that we know of"),
    "external": gettext_lazy("By orders that are not ours"),
    "inst_id": gettext_lazy("Instrument"),
    "leader": gettext_lazy("Leader holds"),
    "leader_entry": gettext_lazy("Leader's average entry"),
    "link_was": gettext_lazy("Subscription before"),
    "orders": gettext_lazy("Closed by hand"),
    "ours": gettext_lazy("By our orders"),
    "position_side": gettext_lazy("Position side"),
    "quantity": gettext_lazy("Contracts"),
    "readings": gettext_lazy("Readings that say the same"),
    "target": gettext_lazy("Target"),
    "too_many": gettext_lazy("Repaired by itself twice within an hour"),
    "why": gettext_lazy("Why"),
}


def part_word(key: str, value: Any) -> Any:
    """The word for what is kept by its code."""
    words: dict[str, Any] = {
        "class": dict(DriftClass.choices),
        "link_was": dict(SubscriptionStatus.choices),
        "position_side": dict(PositionSide.choices),
    }
    return words.get(key, {}).get(value)


for _label in ("trading.repair", "trading.reconcilerun"):
    name_parts(_label, PARTS, part_word)


def drift_badge(kind: str) -> Any:
    color, icon = KINDS[DriftClass(kind)]
    return badge(color, icon, DriftClass(kind).label)


def state_badge(state: str) -> Any:
    color, icon = STATES[RepairState(state)]
    return badge(color, icon, RepairState(state).label)


class DecisionForm(forms.Form):
    """What is to be done, and why."""

    action = forms.ChoiceField(label=gettext_lazy("What is to be done"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("goes into the audit trail"),
        max_length=REASON_LETTERS,
    )

    def __init__(self, *args: Any, repair: Repair, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(each), each.label) for each in choices_of(repair)]
        field: Any = self.fields["action"]
        field.choices = [*choices, (REJECT, _("Nothing: leave it as it is"))]


class RepairList(ChangeList):  # type: ignore[misc]
    """A row leads to where it is decided, not to its fields."""

    def url_for_result(self, result: Any) -> str:
        return reverse("admin:trading_repair_decide", args=(result.pk,))


@admin.register(Repair)
class RepairAdmin(RecordAdmin):
    live_streams = "positions"
    allowed_lookups = ("account", "account__customer", "inst_id")

    list_display = (
        "holding", "customer", "kind_shown", "at_exchange", "by_ours", "wanted", "state_shown",
        "found",
    )  # fmt: skip
    list_filter = ("state", "kind", "automatic")
    list_select_related = ("account__customer",)
    search_fields = ("inst_id", "account__customer__name", "account__label")
    search_help_text = gettext_lazy("Instrument, customer or account")
    list_per_page = 50
    exclude = ("account", "subscription", "cycle", "signal", "decided_by")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.annotate(_last=_OPEN_FIRST).order_by("_last", "-created_at", "-id")

    def get_ordering(self, request: HttpRequest) -> Any:
        return ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RepairList

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(decide_page, self))
        place = path("<uuid:object_id>/decide/", view, name="trading_repair_decide")
        return [place, *super().get_urls()]

    @admin.display(description=gettext_lazy("instrument"), ordering="inst_id")
    def holding(self, row: Repair) -> str:
        return two(
            row.inst_id, "" if row.position_side == "net" else row.get_position_side_display()
        )

    @admin.display(description=gettext_lazy("customer"), ordering="account__customer__name")
    def customer(self, row: Repair) -> str:
        return whose(row.account)

    @admin.display(description=gettext_lazy("class"), ordering="kind")
    def kind_shown(self, row: Repair) -> Any:
        return drift_badge(row.kind)

    @admin.display(description=gettext_lazy("at OKX"))
    def at_exchange(self, row: Repair) -> str:
        return num(row.exchange)

    @admin.display(description=gettext_lazy("by our orders"))
    def by_ours(self, row: Repair) -> str:
        return num(row.ours)

    @admin.display(description=gettext_lazy("target"))
    def wanted(self, row: Repair) -> str:
        return num(row.target)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, row: Repair) -> str:
        """With what is to be done, or was."""
        return two(state_badge(row.state), row.get_action_display())

    @admin.display(description=gettext_lazy("found"), ordering="created_at")
    def found(self, row: Repair) -> str:
        return moment(row.created_at)


def decide_page(model_admin: Any, request: HttpRequest, object_id: Any) -> HttpResponse:
    """The evidence of one difference, and the form of the decision while it waits for one."""
    repair: Repair | None = model_admin.get_object(request, str(object_id))
    if repair is None or not model_admin.has_view_permission(request, repair):
        raise Http404
    form = DecisionForm(request.POST or None, repair=repair)
    if request.method == "POST":
        answer = _answer(request, repair, form)
        if answer is not None:
            return answer
    requests = open_requests(repair).select_related("requested_by")
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("A difference"),
        "opts": model_admin.opts,
        **evidence(repair),
        "form": form,
        "may_decide": may(request, Ability.OPERATE_ORDERS) and repair.state == "proposed",
        "may_approve": may(request, Ability.APPROVE),
        "two_persons": [
            str(each.label) for each in choices_of(repair) if needs_second_person(repair, each)
        ],
        "requests": [(each, each.requested_by_id == request.user.pk) for each in requests],
    }
    return TemplateResponse(request, "admin/trading/repair/decide.html", context)


def evidence(repair: Repair) -> dict[str, Any]:
    """What is known; only our own rows, nothing is asked here."""
    account, place = repair.account, {"inst_id": repair.inst_id}
    orders = Order.objects.filter(account=account, **place).order_by("-created_at", "-id")
    made = Order.objects.none()
    if repair.signal_id:
        made = Order.objects.filter(signal_id=repair.signal_id, link_uid=account.uid)
    external = ExternalOrder.objects.filter(account=account, **place).order_by("-seen_at")
    link = repair.subscription
    return {
        "repair": repair,
        "account": account,
        "badge": drift_badge(repair.kind),
        "state": state_badge(repair.state),
        "link": link,
        "facts": repair.evidence,
        "orders": [(o, side_mark(o.side, o.position_side), order_badge(o.state)) for o in made],
        "lately": [
            (o, side_mark(o.side, o.position_side), order_badge(o.state)) for o in orders[:8]
        ],
        "external": [(o, side_mark(o.side), external_badge(o.state)) for o in external[:8]],
        **_numbers(repair.evidence),
        "positions": list(Position.objects.filter(account=account, **place)),
        "read": ReconcileRun.objects.filter(account=account).order_by("-started_at").first(),
    }


def _numbers(seen: dict[str, Any]) -> dict[str, Decimal | None]:
    """The figures of the evidence, which is kept as text."""
    texts = {
        "leader": seen.get("leader"),
        "leader_entry": seen.get("leader_entry"),
        "by_others": seen.get("external"),
    }
    return {name: Decimal(text) if text else None for name, text in texts.items()}


def _answer(request: HttpRequest, repair: Repair, form: DecisionForm) -> HttpResponse | None:
    """Do what was decided; None shows the form again with what is wrong with it."""
    deciding = request.POST.get("second", "")
    if not may(request, Ability.APPROVE if deciding else Ability.OPERATE_ORDERS):
        raise PermissionDenied
    if not is_fresh(request):
        return redirect_to_step_up(request)
    try:
        if deciding:
            told = _second(request, repair, deciding)
        elif form.is_valid():
            told = _first(request, repair, form)
        else:
            return None
    except ValidationError as refusal:
        _show_refusal(form, refusal)
        return None
    except ApprovalError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, told)
    return HttpResponseRedirect(reverse("admin:trading_repair_decide", args=(repair.pk,)))


def _show_refusal(form: DecisionForm, refusal: ValidationError) -> None:
    named = refusal.message_dict if hasattr(refusal, "error_dict") else {"": refusal.messages}
    for name, errors in named.items():
        form.add_error(name if name in form.fields else None, errors)


def _first(request: HttpRequest, repair: Repair, form: DecisionForm) -> str:
    action, reason = form.cleaned_data["action"], form.cleaned_data["reason"]
    actor: Any = request.user
    if action == REJECT:
        reject_repair(repair=repair, reason=reason, actor=actor)
        return _("It stays as it is.")
    done = ask_to_approve(repair=repair, action=RepairAction(action), reason=reason, actor=actor)
    if isinstance(done, Approval):
        return _("A second person must agree. Until then nothing changes.")
    return _("Decided.")


def _second(request: HttpRequest, repair: Repair, deciding: str) -> str:
    approval = open_requests(repair).order_by("-requested_at").first()
    if approval is None:
        raise ValidationError(_("Nobody asks for this any more."))
    answer = approve if deciding == "approve" else refuse
    answer(approval=approval, by=request.user)  # type: ignore[arg-type]
    return _("Decided.")
