"""Signals that wait for a person: which do, who decides, and what ends their waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.models import AuditEntry, Installation, User
from accounts.tenancy import all_tenants, tenant_scope
from signals import approving
from signals.approving import NotAllowedError, NotItsTurnError, NotWaitingError
from signals.enums import ApprovalRule, Dialect, SignalReason, SignalStatus
from signals.events import signal_accepted, signal_held
from signals.models import Signal, SignalSource
from signals.tasks import expire_held
from signals.together import take_together
from tests.factories import SECRET, make_instrument, make_source, make_user, set_price
from tests.signals.deliveries import PAYLOAD, delivery, delivery_of, headers_of
from tests.trading.copying.desk import Desk, make_desk
from trading.enums import Reason

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def source() -> SignalSource:
    make_instrument()
    set_price()
    return make_source(approval=ApprovalRule.OPENINGS, approval_seconds=120)


@pytest.fixture
def risk(source: SignalSource) -> User:
    return make_user(Role.RISK, tenant=source.tenant)


def send(source: SignalSource, **changes: Any) -> Any:
    body = json.dumps({**PAYLOAD, **changes}).encode()
    return Client().post(
        f"/hooks/{source.uid}/", body, content_type="application/json", headers=headers_of(body)
    )


def open_(source: SignalSource, name: str = "o", **changes: Any) -> Signal:
    return stored(send(source, id=name, **changes))


def close(source: SignalSource, name: str = "c", **changes: Any) -> Signal:
    return stored(send(source, id=name, intent="close", **changes))


def stored(response: Any) -> Signal:
    with all_tenants("reading in a test"):
        found: Signal = Signal.objects.get(pk=response.json()["signal_id"])
    return found


def again(signal: Signal) -> Signal:
    with all_tenants("reading in a test"):
        found: Signal = Signal.objects.select_related("decided_by").get(pk=signal.pk)
    return found


def all_signals() -> list[Signal]:
    with all_tenants("reading in a test"):
        return list(Signal.objects.order_by("received_at", "id"))


def states() -> list[tuple[str, str, str]]:
    return [(one.intent, one.direction, one.status) for one in all_signals()]


def diary(action: str) -> list[AuditEntry]:
    with all_tenants("reading in a test"):
        return list(AuditEntry.objects.filter(action=action).order_by("at"))


def decided(
    signal: Signal, by: User, how: Callable[..., Signal] = approving.approve, reason: str = ""
) -> Signal:
    with tenant_scope(signal.tenant_id):
        return how(signal=signal, by=by, reason=reason)


def late(signal: Signal, seconds: int) -> None:
    """As if it had come so long ago."""
    shift = timedelta(seconds=seconds)
    with tenant_scope(signal.tenant_id):
        Signal.objects.filter(pk=signal.pk).update(
            received_at=signal.received_at - shift,
            signal_at=signal.signal_at - shift,
            held_until=None if signal.held_until is None else signal.held_until - shift,
        )


def test_an_opening_waits_and_a_close_does_not(
    source: SignalSource, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[str] = []

    def hear(signal_id: str, **_: Any) -> None:
        heard.append(signal_id)

    signal_held.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        response = send(source)
    signal_held.disconnect(hear)

    assert (response.status_code, response.json()["status"]) == (202, "held")
    held = stored(response)
    assert held.held_until == held.received_at + timedelta(seconds=120)
    assert heard == [str(held.pk)]
    with tenant_scope(source.tenant_id):
        assert not Signal.objects.waiting().exists()
    (entry,) = diary("signal.held")
    assert (entry.level, entry.tenant_id) == ("warning", source.tenant_id)
    assert send(source).json() == response.json() | {"duplicate": True}
    assert close(source, direction="short").status == SignalStatus.ACCEPTED


@pytest.mark.parametrize(
    ("intent", "quantity", "expected"),
    [
        ("add", 5, "held"),
        ("target", 5, "held"),
        ("target", 0, "accepted"),
        ("reduce", 5, "accepted"),
        ("cancel", None, "accepted"),
    ],
)
def test_what_opens(source: SignalSource, intent: str, quantity: int | None, expected: str) -> None:
    amount = {} if quantity is None else {"quantity": {"mode": "contracts", "value": quantity}}

    assert send(source, intent=intent, **amount).json()["status"] == expected


def test_a_signal_that_lives_shorter_waits_shorter(source: SignalSource) -> None:
    held = open_(source, ttl_seconds=30)

    assert held.held_until == held.signal_at + timedelta(seconds=30)


def test_a_source_that_asks_for_no_approval_holds_nothing(source: SignalSource) -> None:
    assert open_(make_source(source.tenant)).status == SignalStatus.ACCEPTED


def test_where_everything_waits_a_close_waits_as_long_as_it_takes(source: SignalSource) -> None:
    with tenant_scope(source.tenant_id):
        SignalSource.objects.update(approval=ApprovalRule.ALL)
    held = close(source)
    late(held, 86_400)

    expire_held()

    assert (again(held).status, held.held_until) == (SignalStatus.HELD, None)
    cancel = send(source, id="x", intent="cancel")
    assert cancel.json()["status"] == "accepted"
    assert again(held).status == SignalStatus.HELD, "a cancel ends no close"


def test_what_goes_at_once_overtakes_openings_of_its_position_only(source: SignalSource) -> None:
    long, short = open_(source, "1"), open_(source, "2", direction="short")

    close(source, "3")

    assert (again(long).status, again(long).reason) == ("expired", SignalReason.OVERTAKEN)
    assert again(short).status == SignalStatus.HELD
    assert [entry.object_id for entry in diary("signal.overtaken")] == [str(long.pk)]


@pytest.mark.parametrize("rule", [ApprovalRule.OPENINGS, ApprovalRule.ALL])
def test_a_reversal_is_divided_so_that_its_close_is_never_lost(
    source: SignalSource, risk: User, rule: ApprovalRule
) -> None:
    with tenant_scope(source.tenant_id):
        SignalSource.objects.update(approval=rule)

    response = send(source, intent="flip", take_profit="70000")
    repeated = send(source, intent="flip", take_profit="70000")

    first = "accepted" if rule == ApprovalRule.OPENINGS else "held"
    assert states() == [("close", "short", first), ("open", "long", "held")]
    closing, opening = all_signals()
    assert response.json() == {"signal_id": str(closing.pk), "status": first}
    assert repeated.json()["duplicate"] is True
    assert (closing.quantity, closing.take_profit, closing.held_until) == (None, None, None)
    assert (opening.quantity, opening.take_profit) == (Decimal(5), Decimal(70_000))
    if rule == ApprovalRule.ALL:
        with pytest.raises(NotItsTurnError):
            decided(opening, risk)
        decided(closing, risk)
    decided(opening, risk)
    assert states() == [("close", "short", "accepted"), ("open", "long", "accepted")]


def test_calls_that_are_stored_together_wait_and_overtake_as_if_alone(source: SignalSource) -> None:
    calls = [
        delivery(source, id="1"),
        delivery(source, id="2", intent="close"),
        delivery(source, id="3", intent="flip", direction="short"),
    ]

    take_together(calls)

    assert states() == [
        ("open", "long", "expired"),
        ("close", "long", "accepted"),
        ("close", "long", "accepted"),
        ("open", "short", "held"),
    ]
    assert len(diary("signal.held")) == 2


def test_an_approved_signal_goes_the_way_of_all(
    source: SignalSource, risk: User, django_capture_on_commit_callbacks: Any
) -> None:
    held, heard = open_(source), []

    def hear(signal_id: str, **_: Any) -> None:
        heard.append(signal_id)

    signal_accepted.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        decided(held, risk, reason="looks right")
    signal_accepted.disconnect(hear)

    now = again(held)
    assert (now.status, now.decided_by, heard) == (SignalStatus.ACCEPTED, risk, [str(held.pk)])
    assert now.decided_at is not None
    (entry,) = diary("signal.approved")
    assert (entry.actor, entry.reason, entry.object_id) == (risk, "looks right", str(held.pk))
    for how in (approving.approve, approving.reject):
        with pytest.raises(NotWaitingError):
            decided(held, risk, how)
    assert again(held).status == SignalStatus.ACCEPTED


def test_a_rejected_signal_is_copied_to_nobody_and_its_id_stays_taken(
    source: SignalSource, risk: User
) -> None:
    held = open_(source)

    decided(held, risk, approving.reject, "too large")

    now = again(held)
    assert (now.status, now.reason, now.reason_text) == ("refused", "REJECTED", "too large")
    assert now.decided_by == risk
    (entry,) = diary("signal.rejected")
    assert (entry.actor, entry.reason) == (risk, "too large")
    assert send(source, id="o").json() == {
        "signal_id": str(held.pk),
        "status": "refused",
        "duplicate": True,
    }


@pytest.mark.parametrize("role", [Role.TRADER, Role.SUPPORT, Role.AUDITOR])
def test_who_may_not_approve_decides_nothing(source: SignalSource, role: Role) -> None:
    held, by = open_(source), make_user(role, tenant=source.tenant)

    for how in (approving.approve, approving.reject):
        with pytest.raises(NotAllowedError):
            decided(held, by, how)

    assert again(held).status == SignalStatus.HELD
    assert diary("signal.approved") == diary("signal.rejected") == []


def test_they_are_decided_in_the_order_in_which_they_were_sent(
    source: SignalSource, risk: User
) -> None:
    first, second = open_(source, "1"), open_(source, "2", intent="add")

    with pytest.raises(NotItsTurnError):
        decided(second, risk)
    assert again(second).status == SignalStatus.HELD
    decided(first, risk, approving.reject)
    decided(second, risk)

    assert again(second).status == SignalStatus.ACCEPTED


def test_what_a_later_signal_went_ahead_of_is_not_approved_any_more(
    source: SignalSource, risk: User
) -> None:
    held = open_(source)
    with tenant_scope(source.tenant_id):
        SignalSource.objects.update(approval=ApprovalRule.NONE)
    close(source)

    with pytest.raises(NotItsTurnError):
        decided(held, risk)

    assert again(held).status == SignalStatus.HELD
    decided(held, risk, approving.reject)


def test_an_opening_that_nobody_approved_expires(source: SignalSource, risk: User) -> None:
    held, other = open_(source, "1"), open_(source, "2", direction="short")
    late(held, 121)

    with pytest.raises(NotWaitingError):
        decided(held, risk)
    expire_held()
    expire_held()

    assert (again(held).status, again(held).reason) == ("expired", SignalReason.NOT_APPROVED)
    assert again(other).status == SignalStatus.HELD
    assert [entry.level for entry in diary("signal.not_approved")] == ["warning"]


def test_what_it_means_is_looked_at_anew_when_it_is_approved(risk: User) -> None:
    make_instrument()
    source = make_source(
        risk.memberships.get().tenant,
        dialect=Dialect.OKX_STRATEGY,
        approval=ApprovalRule.OPENINGS,
    )
    take_together([delivery_of(source, json.dumps(one).encode()) for one in _bought_twice()])
    opened, added = all_signals()
    assert (added.intent, added.has_gap) == ("add", False)

    decided(opened, risk, approving.reject)
    decided(added, risk)

    now = again(added)
    assert (now.intent, now.quantity, now.has_gap) == ("open", Decimal(25), True)
    (entry,) = diary("signal.approved")
    assert (entry.before["intent"], entry.after["intent"]) == ("add", "open")


def _bought_twice() -> list[dict[str, str]]:
    head = {
        "action": "buy",
        "marketPosition": "long",
        "instrument": "BTCUSDT.P",
        "signalToken": SECRET,
        "timestamp": timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "investmentType": "base",
    }
    return [
        head | {"prevMarketPosition": "flat", "amount": "0.5"},
        head | {"prevMarketPosition": "long", "amount": "0.25"},
    ]


def test_what_the_desk_enters_by_hand_never_waits(source: SignalSource) -> None:
    with tenant_scope(source.tenant_id):
        manual = SignalSource.objects.filter(kind="manual")
        assert all(one.approval == ApprovalRule.NONE for one in manual)


@pytest.fixture
def desk() -> Desk:
    Installation.objects.get_or_create(pk=1)
    made = make_desk(max_age_seconds=60)
    with tenant_scope(made.tenant):
        SignalSource.objects.filter(pk=made.source.pk).update(
            approval=ApprovalRule.OPENINGS, approval_seconds=600
        )
        made.source.refresh_from_db()
    return made


def test_nothing_is_copied_before_it_is_approved_and_then_once(desk: Desk) -> None:
    desk.follower()
    held = open_(desk.source, quantity={"mode": "contracts", "value": 100})

    assert desk.copy() == []
    decided(held, make_user(Role.RISK, tenant=desk.tenant))
    (order,) = desk.copy()

    assert (order.signal_id, order.quantity) == (held.pk, Decimal(10))
    assert desk.copy() == []


def test_an_approval_passes_by_no_check(desk: Desk) -> None:
    link = desk.follower()
    held = open_(desk.source)
    late(held, 90)  # it may still be approved, but is older than its strategy allows

    decided(held, make_user(Role.RISK, tenant=desk.tenant))

    assert desk.copy() == []
    assert desk.last(link).reason == Reason.EXPIRED


def signed_in(source: SignalSource, role: Role) -> Client:
    client = Client()
    client.force_login(make_user(role, tenant=source.tenant))
    return client


def test_the_list_asks_for_a_reason_and_decides_in_order(source: SignalSource) -> None:
    first, second = open_(source, "1"), open_(source, "2", intent="add")
    client, page = signed_in(source, Role.RISK), reverse("admin:signals_signal_changelist")
    form = {"action": "approve", "_selected_action": [str(second.pk), str(first.pk)]}

    asked = client.post(page, form).content.decode()
    assert "Approve the signals" in asked
    assert again(first).status == SignalStatus.HELD
    client.post(page, form | {"confirmed": "1", "reason": "checked"})

    assert [one.status for one in all_signals()] == ["accepted", "accepted"]
    assert [entry.reason for entry in diary("signal.approved")] == ["checked", "checked"]


def test_the_page_of_a_signal_offers_the_decision_to_those_who_may(source: SignalSource) -> None:
    held = open_(source)
    page = reverse("admin:signals_signal_change", args=(held.pk,))

    risk = signed_in(source, Role.RISK).get(page).content.decode()
    trader = signed_in(source, Role.TRADER).get(page).content.decode()

    assert 'name="action" value="approve"' in risk
    assert 'name="action" value="approve"' not in trader
    assert "Waits for approval until" in trader


def test_a_trader_cannot_answer_through_the_list_either(source: SignalSource) -> None:
    held = open_(source)
    form = {"action": "approve", "_selected_action": [str(held.pk)], "confirmed": "1"}

    signed_in(source, Role.TRADER).post(reverse("admin:signals_signal_changelist"), form)

    assert again(held).status == SignalStatus.HELD


@pytest.mark.parametrize(
    ("role", "rule", "seconds", "changed"),
    [
        (Role.TRADER, "none", 120, False),
        (Role.TRADER, "openings", 600, False),
        (Role.TRADER, "all", 60, True),
        (Role.OWNER, "none", 120, True),
    ],
)
def test_who_may_not_approve_may_only_let_more_wait(
    source: SignalSource, role: Role, rule: str, seconds: int, changed: bool
) -> None:
    page = reverse("admin:signals_signalsource_change", args=(source.pk,))
    form = {"name": source.name, "rate_per_second": 20}
    form |= {"approval": rule, "approval_seconds": seconds}

    signed_in(source, role).post(page, form)

    with tenant_scope(source.tenant_id):
        row = SignalSource.objects.get(pk=source.pk)
    before = ("openings", 120)
    assert (row.approval, row.approval_seconds) == ((rule, seconds) if changed else before)


def test_a_desk_is_told_of_what_waits(source: SignalSource) -> None:
    open_(source)

    page = signed_in(source, Role.RISK).get(reverse("admin:index")).content.decode()

    assert "1 signal waits for approval" in page
