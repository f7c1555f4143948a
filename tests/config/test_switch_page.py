"""The switch's page: flatten with its confirmation, two persons to leave it, what is in flight."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.approvals import approve
from accounts.enums import ApprovalStatus, Role
from accounts.models import Approval, Installation, Tenant
from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import Direction
from tests import factories as make
from tests.config.test_backoffice_actions import confirm_password, signed_in
from tests.live_rows import make_orders
from trading.enums import FlattenStep, OrderState, PositionSide, TradingMode
from trading.execution.flatten.facts import Known
from trading.execution.flatten.leaving import NotFlatteningError, ask_to_leave
from trading.execution.flatten.plan import Close
from trading.execution.flatten.writing import write_closes
from trading.models import FlattenAccount, FlattenRun, Order, Position, TradingState
from trading.switch import leave_flatten, set_mode

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]
SWITCH = "admin:switch"
BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"


@pytest.fixture
def desk() -> Tenant:
    Installation.objects.get_or_create(pk=1)
    return make.make_tenant("North desk")


def post(client: Client, mode: str = "flatten", **more: Any) -> Any:
    form = {"scope": "tenant", "mode": mode, "reason": "prices look wrong", **more}
    return client.post(reverse(SWITCH), form)


def mode_of(scope_key: str) -> str:
    with all_tenants("read the switch"):
        state = TradingState.objects.filter(scope_key=scope_key).first()
    return state.mode if state else TradingMode.ACTIVE


def flattened(desk: Tenant, client: Client) -> None:
    assert post(client, confirmed="1").status_code == 302
    assert mode_of(str(desk.pk)) == TradingMode.FLATTEN


def test_flatten_is_asked_once_more_with_the_name_of_the_desk(desk: Tenant) -> None:
    client = signed_in(desk, Role.TRADER)

    page = post(client).content.decode()
    assert "Flatten North desk now" in page
    assert mode_of(str(desk.pk)) == TradingMode.ACTIVE

    flattened(desk, client)
    with tenant_scope(desk):
        assert FlattenRun.objects.get().active_key == str(desk.pk)


@pytest.mark.parametrize(
    ("scope", "counted"),
    [("tenant", (2, 3)), ("customer", (1, 2)), ("account", (1, 2)), ("instrument", (2, 2))],
)
def test_the_question_counts_what_the_scope_holds(
    desk: Tenant, scope: str, counted: tuple[int, int]
) -> None:
    first, second = (make.make_account(make.make_customer(desk)) for _ in range(2))
    with tenant_scope(desk):
        for account, inst_id in ((first, BTC), (first, ETH), (second, BTC)):
            Position(
                account=account, inst_id=inst_id, position_side="net", margin_mode="cross",
                quantity=1, notional=100, updated_at=timezone.now(),
            ).save()  # fmt: skip
    targets = {"customer": first.customer_id, "account": first.pk, "instrument": BTC}

    page = post(signed_in(desk), scope=scope, **{scope: targets.get(scope, "")})

    stake = page.context_data["at_stake"]
    assert (stake.accounts, stake.positions, stake.worth) == (*counted, 100 * counted[1])


def test_the_dashboard_says_how_far_it_is(desk: Tenant) -> None:
    client = signed_in(desk)
    flattened(desk, client)

    assert "0 of 0 accounts are flat" in client.get(reverse("admin:index")).content.decode()


def test_leaving_flatten_takes_two_people_and_their_passwords(desk: Tenant) -> None:
    first, second = signed_in(desk, Role.OWNER), signed_in(desk, Role.RISK)
    flattened(desk, first)

    assert post(first, "halted").url.startswith(reverse("accounts:step_up"))
    confirm_password(first)
    post(first, "halted")
    with tenant_scope(desk):
        approval = Approval.objects.get()
    answer = {"do": "approve", "approval": approval.uid}

    first.post(reverse(SWITCH), answer)
    assert mode_of(str(desk.pk)) == TradingMode.FLATTEN
    assert second.post(reverse(SWITCH), answer).url.startswith(reverse("accounts:step_up"))
    assert mode_of(str(desk.pk)) == TradingMode.FLATTEN
    confirm_password(second)
    second.post(reverse(SWITCH), answer)

    assert mode_of(str(desk.pk)) == TradingMode.HALTED
    with tenant_scope(desk):
        run = FlattenRun.objects.get()
    assert (run.active_key, run.ended_at is not None) == (None, True)


def test_a_refused_request_leaves_it_as_it_is(desk: Tenant) -> None:
    first, second = signed_in(desk, Role.OWNER), signed_in(desk, Role.RISK)
    flattened(desk, first)
    confirm_password(first)
    post(first, "active")
    confirm_password(second)
    with tenant_scope(desk):
        approval = Approval.objects.get()

    second.post(reverse(SWITCH), {"do": "refuse", "approval": approval.uid})

    with tenant_scope(desk):
        assert Approval.objects.get().status == ApprovalStatus.REFUSED
    assert mode_of(str(desk.pk)) == TradingMode.FLATTEN


def test_nobody_leaves_while_a_close_is_still_on_its_way(desk: Tenant) -> None:
    first, second = signed_in(desk, Role.OWNER), signed_in(desk, Role.RISK)
    flattened(desk, first)
    confirm_password(first)
    post(first, "active")
    confirm_password(second)
    closing = sent(desk, flattens=True)
    with tenant_scope(desk):
        approval = Approval.objects.get()
    answer = {"do": "approve", "approval": approval.uid}

    second.post(reverse(SWITCH), answer)
    assert mode_of(str(desk.pk)) == TradingMode.FLATTEN
    with tenant_scope(desk):
        assert Approval.objects.get().status == ApprovalStatus.PENDING
        Order.objects.filter(pk=closing.pk).update(state=OrderState.FILLED)
    second.post(reverse(SWITCH), answer)

    assert mode_of(str(desk.pk)) == TradingMode.ACTIVE


def test_who_agreed_to_end_one_flatten_does_not_end_the_next(desk: Tenant) -> None:
    first, second = make.make_user(Role.OWNER, tenant=desk), make.make_user(Role.RISK, tenant=desk)
    terms: Any = {"reason": "over", "actor": first, "tenant": desk}
    with tenant_scope(desk):
        state = set_mode(mode=TradingMode.FLATTEN, **terms)
        old = ask_to_leave(state=state, mode=TradingMode.ACTIVE, reason="over", by=first)
        leave_flatten(state=state, mode=TradingMode.HALTED, reason="over", actor=second)
        set_mode(mode=TradingMode.FLATTEN, **terms)

        with pytest.raises(NotFlatteningError):
            approve(approval=old, by=second)

        assert Approval.objects.get().status == ApprovalStatus.PENDING
    assert mode_of(str(desk.pk)) == TradingMode.FLATTEN


@pytest.mark.parametrize("role", [Role.TRADER, Role.SUPPORT, Role.AUDITOR])
def test_who_may_not_loosen_may_not_ask_to_leave(desk: Tenant, role: Role) -> None:
    flattened(desk, signed_in(desk))
    client = signed_in(desk, role)
    confirm_password(client)

    assert post(client, "active").status_code == 403
    with tenant_scope(desk):
        assert not Approval.objects.exists()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR])
def test_who_may_not_tighten_may_not_flatten(desk: Tenant, role: Role) -> None:
    assert post(signed_in(desk, role), confirmed="1").status_code == 403
    assert mode_of(str(desk.pk)) == TradingMode.ACTIVE


def test_the_whole_installation_is_its_owners_alone(desk: Tenant) -> None:
    owner = signed_in(desk)
    assert post(owner, scope="system", confirmed="1").status_code == 200
    assert mode_of("system") == TradingMode.ACTIVE

    root = Client()
    root.force_login(make.make_user(None, is_superuser=True, is_staff=True))
    root.post(reverse("accounts:choose_desk"), {"desk": str(desk.uid)})
    post(root, scope="system", confirmed="1")

    assert mode_of("system") == TradingMode.FLATTEN
    confirm_password(owner)
    assert post(owner, "active", scope="system").status_code == 200
    assert mode_of("system") == TradingMode.FLATTEN


def test_the_page_counts_what_may_still_be_accepted(desk: Tenant) -> None:
    sent(desk)
    sent(desk, late=True)

    page = signed_in(desk).get(reverse(SWITCH))

    flight = page.context_data["flight"]
    assert (flight.count, flight.asked, len(flight.lines)) == (1, 1, 1)
    assert "Latest deadline" in page.content.decode()


def test_an_account_that_needs_a_person_is_tried_again(desk: Tenant) -> None:
    client = signed_in(desk)
    flattened(desk, client)
    account = make.make_account(make.make_customer(desk))
    now = timezone.now()
    with tenant_scope(desk):
        row = FlattenAccount(
            run=FlattenRun.objects.get(), account=account, started_at=now, step_at=now,
            step=FlattenStep.MANUAL, round=5, problem="51008 no margin",
        )  # fmt: skip
        row.save()
    assert "51008 no margin" in client.get(reverse(SWITCH)).content.decode()

    looked_at = row.version
    client.post(reverse(SWITCH), {"do": "retry", "row": row.pk})

    with tenant_scope(desk):
        row.refresh_from_db()
    assert (row.step, row.round) == (FlattenStep.READING, 0)
    # Whoever was looking at it has been outrun.
    assert row.version > looked_at


def test_an_instrument_that_does_not_exist_is_refused_for_it_would_stop_nothing(
    desk: Tenant,
) -> None:
    make.make_instrument(BTC)
    client = signed_in(desk)

    page = post(client, "halted", scope="instrument", instrument="BTC-USDT").content.decode()

    assert "would stop nothing" in page
    assert mode_of(f"{desk.pk}|instrument|BTC-USDT") == TradingMode.ACTIVE
    post(client, "halted", scope="instrument", instrument="btc-usdt-swap")
    assert mode_of(f"{desk.pk}|instrument|{BTC}") == TradingMode.HALTED


@pytest.mark.parametrize("form", [{"do": "approve", "approval": "x"}, {"do": "retry", "row": "7"}])
def test_what_is_not_there_is_refused(desk: Tenant, form: dict[str, str]) -> None:
    client = signed_in(desk)
    confirm_password(client)

    assert client.post(reverse(SWITCH), form).status_code == 403


def test_from_a_close_back_to_what_asked_for_it(desk: Tenant) -> None:
    client = signed_in(desk)
    flattened(desk, client)
    make.make_instrument(BTC)
    account = make.make_account(make.make_customer(desk))
    now = timezone.now()
    close = Close(
        inst_id=BTC, direction=Direction.LONG, position_side=PositionSide.NET,
        margin_mode="cross", quantity=Decimal(3), slices=(Decimal(2), Decimal(1)), reduce_only=True,
    )  # fmt: skip
    with tenant_scope(desk), transaction.atomic():
        row = FlattenAccount(
            run=FlattenRun.objects.get(), account=account, started_at=now, step_at=now
        )
        row.save()
        ids = write_closes(row, Known().source(desk), [close], now)
        orders = list(Order.objects.filter(id__in=ids).order_by("slice_number"))

    assert [(o.quantity, o.side, o.reduce_only, o.flattens) for o in orders] == [
        (2, "sell", True, True),
        (1, "sell", True, True),
    ]
    assert len({o.client_order_id for o in orders} | {o.lane_key for o in orders}) == 4
    for name, pk in (
        ("trading_order", orders[0].pk),
        ("trading_decision", orders[0].decision_id),
        ("signals_signal", orders[0].signal_id),
    ):
        page = client.get(reverse(f"admin:{name}_change", args=(pk,)))
        assert page.status_code == 200, name
        assert BTC in page.content.decode()


def sent(desk: Tenant, *, flattens: bool = False, late: bool = False) -> Order:
    """An order that was marked a moment ago, or `late`, long before its deadline passed."""
    account = make.make_account(make.make_customer(desk))
    now = timezone.now()
    deadline = now + timedelta(seconds=-60 if late else 3)
    fields = {"exp_at_ms": round(deadline.timestamp() * 1000), "flattens": flattens}
    return make_orders(account, 1, state=OrderState.SENDING, **fields)[0]
