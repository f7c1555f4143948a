"""The switch and the limits: who may be named, what is refused, and what every change leaves."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection

from accounts.models import AuditEntry, Installation, Tenant
from accounts.tenancy import all_tenants, tenant_scope
from tests import factories as make
from trading.enums import Scope, TradingMode
from trading.models import FlattenRun, Limit, TradingState
from trading.risk import effective_limits, strictest_mode
from trading.switch import (
    Covered,
    Switchboard,
    SwitchUnreadableError,
    TwoPersonsError,
    WouldLoosenError,
    hold_switches,
    is_tighter,
    leave_flatten,
    limits_of_account,
    read_switchboard,
    set_limit,
    set_mode,
    tighten_mode,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]
BTC = "BTC-USDT-SWAP"


@pytest.fixture
def tenant() -> Tenant:
    Installation.objects.get_or_create(pk=1)
    return make.make_tenant()


def version(tenant: Tenant | None) -> int:
    row = Installation.objects.get(pk=1) if tenant is None else Tenant.objects.get(pk=tenant.pk)
    return int(row.switch_version)


def covered(tenant: Tenant, **more: Any) -> Covered:
    values = {"account_id": 7, "customer_id": 8, "strategy_id": 9, "inst_id": BTC}
    return Covered(tenant_id=tenant.pk, **values | more)


def nothing_was_written() -> bool:
    with all_tenants("count"):
        rows = TradingState.objects.exclude(mode="active").exists() or Limit.objects.exists()
        return not rows and not AuditEntry.objects.filter(action__startswith="trading").exists()


def test_a_change_bumps_the_version_of_its_owner_and_is_in_the_diary(tenant: Tenant) -> None:
    before = version(tenant), version(None)

    set_mode(mode=TradingMode.HALTED, reason="odd fills", actor=None, tenant=tenant)
    set_mode(mode=TradingMode.REDUCE_ONLY, reason="x", actor=None, tenant=None, scope=Scope.SYSTEM)
    set_mode(mode=TradingMode.ACTIVE, reason="fine again", actor=None, tenant=tenant)

    assert (version(tenant), version(None)) == (before[0] + 2, before[1] + 1)
    with all_tenants("read the diary"):
        entries = AuditEntry.objects.filter(action="trading_state.changed").order_by("at", "pk")
        told = [(e.level, e.before["mode"], e.after["mode"], e.reason) for e in entries]
    assert told == [
        ("warning", "active", "halted", "odd fills"),
        ("warning", "active", "reduce_only", "x"),
        ("notice", "halted", "active", "fine again"),
    ]


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("no reason", {"reason": "  "}, "reason"),
    ("the installation's scope by a desk", {"scope": Scope.SYSTEM}, "scope"),
    ("a desk with a target", {"target": BTC}, "scope"),
    ("an instrument without a name", {"scope": Scope.INSTRUMENT, "target": ""}, "target"),
    ("a strategy that is none", {"scope": Scope.STRATEGY, "target": BTC}, "target"),
    ("an account that is none", {"scope": Scope.ACCOUNT}, "target"),
]


@pytest.mark.parametrize(
    ("terms", "field"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_a_switch_that_makes_no_sense_changes_nothing(
    tenant: Tenant, terms: dict[str, Any], field: str
) -> None:
    before = version(tenant)
    given = {"mode": TradingMode.HALTED, "reason": "r", "actor": None, "tenant": tenant}

    with pytest.raises(ValidationError) as refused:
        set_mode(**given | terms)

    assert set(refused.value.message_dict) == {field}
    assert (version(tenant), nothing_was_written()) == (before, True)


def test_only_a_desk_names_its_own_rows(tenant: Tenant) -> None:
    strategy = make.make_strategy(tenant=tenant)

    with pytest.raises(ValidationError):
        set_mode(
            mode=TradingMode.HALTED,
            reason="r",
            actor=None,
            tenant=None,
            scope=Scope.STRATEGY,
            target=strategy,
        )

    assert nothing_was_written()


def test_a_limit_cannot_be_negative(tenant: Tenant) -> None:
    with pytest.raises(ValidationError):
        set_limit(kind="order_notional", value=Decimal(-1), actor=None, tenant=tenant)

    assert nothing_was_written()


def test_the_board_shows_a_desk_its_own_and_the_installation_s(
    tenant: Tenant, settings: Any
) -> None:
    other = make.make_tenant()
    set_mode(mode=TradingMode.HALTED, reason="r", actor=None, tenant=other)
    set_mode(
        mode=TradingMode.REDUCE_ONLY,
        reason="r",
        actor=None,
        tenant=None,
        scope=Scope.INSTRUMENT,
        target=BTC,
    )
    set_limit(kind="leverage", value=Decimal(5), actor=None, tenant=tenant)
    set_limit(kind="leverage", value=Decimal(3), actor=None, tenant=other)

    settings.LIMITS = {"order_quantity": None, "leverage": Decimal(20)}

    board = read_switchboard(tenant.pk)

    assert board.modes_for(covered(tenant)) == (TradingMode.REDUCE_ONLY,)
    assert board.modes_for(covered(tenant, inst_id="ETH-USDT-SWAP")) == ()
    limits = board.limits_for(covered(tenant))
    assert [(limit.scope, limit.value) for limit in limits] == [
        (Scope.SYSTEM, Decimal(20)),
        (Scope.TENANT, Decimal(5)),
    ]


def test_no_limit_of_a_desk_exceeds_the_installation_s(tenant: Tenant, settings: Any) -> None:
    settings.LIMITS = {"leverage": Decimal(20), "spread": Decimal("0.01")}
    set_limit(kind="leverage", value=Decimal(50), actor=None, tenant=tenant)
    set_limit(kind="spread", value=Decimal("0.005"), actor=None, tenant=tenant)

    binding = effective_limits(read_switchboard(tenant.pk).limits_for(covered(tenant)))

    assert binding["leverage"].value == Decimal(20)
    assert binding["spread"].value == Decimal("0.005")


def test_a_limit_that_was_switched_off_does_not_bind(tenant: Tenant, settings: Any) -> None:
    settings.LIMITS = {}
    set_limit(kind="leverage", value=Decimal(5), actor=None, tenant=tenant)
    set_limit(kind="leverage", value=Decimal(5), actor=None, tenant=tenant, is_active=False)

    assert read_switchboard(tenant.pk).limits_for(covered(tenant)) == []


def test_the_limits_written_on_an_account(tenant: Tenant) -> None:
    account = make.make_account(
        tenant=tenant, max_order_notional=Decimal(100), max_open_positions=2, label="main"
    )

    found = [(limit.kind, limit.value, limit.label) for limit in limits_of_account(account)]

    assert found == [
        ("order_notional", Decimal(100), "main"),
        ("open_positions", Decimal(2), "main"),
    ]


def test_switches_that_cannot_be_read_hold_everything(tenant: Tenant) -> None:
    hold_switches([tenant.pk])

    with pytest.raises(SwitchUnreadableError):
        hold_switches([tenant.pk, 999_999])


def test_tighter_is_in_the_order_in_which_the_modes_are_written() -> None:
    modes = [TradingMode.ACTIVE, TradingMode.REDUCE_ONLY, TradingMode.HALTED]

    assert [is_tighter(TradingMode.REDUCE_ONLY, mode) for mode in modes] == [True, False, False]


def test_tightening_never_loosens_and_twice_is_once(tenant: Tenant) -> None:
    first = tighten_mode(mode=TradingMode.HALTED, reason="odd", actor=None, tenant=tenant)
    before = version(tenant)
    again = tighten_mode(mode=TradingMode.HALTED, reason="odd", actor=None, tenant=tenant)

    with pytest.raises(WouldLoosenError) as refusal:
        tighten_mode(mode=TradingMode.REDUCE_ONLY, reason="softer", actor=None, tenant=tenant)

    assert refusal.value.mode == TradingMode.HALTED
    assert (again.pk, again.mode, version(tenant)) == (first.pk, TradingMode.HALTED, before)
    with all_tenants("count"):
        assert AuditEntry.objects.filter(action="trading_state.changed").count() == 1


def test_tightening_to_active_changes_nothing(tenant: Tenant) -> None:
    with pytest.raises(WouldLoosenError):
        tighten_mode(mode=TradingMode.ACTIVE, reason="go", actor=None, tenant=tenant)

    assert nothing_was_written()


SCOPES = {
    "system": "system",
    "system's instrument": f"system|instrument|{BTC}",
    "desk": "3",
    "strategy": "3|strategy|9",
    "customer": "3|customer|8",
    "account": "3|account|7",
    "instrument": f"3|instrument|{BTC}",
}
ORDER_OF = Covered(tenant_id=3, account_id=7, customer_id=8, strategy_id=9, inst_id=BTC)


@pytest.mark.parametrize("one", SCOPES)
@pytest.mark.parametrize("other", SCOPES)
def test_whichever_scopes_are_set_the_strictest_wins(one: str, other: str) -> None:
    for first, second in itertools.product(TradingMode, TradingMode):
        if one == other and first != second:
            continue
        board = Switchboard({SCOPES[one]: first, SCOPES[other]: second, "4": TradingMode.FLATTEN})

        assert strictest_mode(board.modes_for(ORDER_OF)) == max(
            (first, second), key=list(TradingMode).index
        )


@pytest.mark.parametrize("scope", SCOPES)
def test_a_switch_elsewhere_binds_nobody_here(scope: str) -> None:
    elsewhere = SCOPES[scope].replace("3", "4").replace(BTC, "ETH-USDT-SWAP")
    elsewhere = elsewhere if elsewhere != "system" else "4|account|1"

    assert Switchboard({elsewhere: TradingMode.HALTED}).modes_for(ORDER_OF) == ()


FLATTENING, HALTED = TradingMode.FLATTEN, TradingMode.HALTED


@pytest.mark.parametrize(
    ("label", "modes", "binds"),
    [
        ("a desk's flatten", {"3": FLATTENING}, (FLATTENING,)),
        ("over its own halt", {"3": HALTED, "3|account|7": FLATTENING}, (FLATTENING,)),
        ("under the installation's", {"system": HALTED, "3": FLATTENING}, (HALTED,)),
        ("under its instrument's", {SCOPES["system's instrument"]: HALTED, "3": FLATTENING},
         (HALTED,)),
        ("the installation's over a desk's halt", {"system": FLATTENING, "3": HALTED},
         (FLATTENING,)),
        ("none any more", {"3": HALTED}, ()),
        ("somebody else's", {"4": FLATTENING}, ()),
    ],
)  # fmt: skip
def test_what_binds_flatten_itself(
    label: str, modes: dict[str, TradingMode], binds: tuple[TradingMode, ...]
) -> None:
    assert Switchboard(modes).modes_for(ORDER_OF, flattens=True) == binds, label


def test_a_run_begins_and_ends_with_the_mode(tenant: Tenant) -> None:
    state = set_mode(mode=FLATTENING, reason="wrong", actor=None, tenant=tenant)
    again = set_mode(mode=FLATTENING, reason="still wrong", actor=None, tenant=tenant)
    with all_tenants("read runs"):
        run = FlattenRun.objects.get()
    assert (again.pk, run.active_key, run.ended_at) == (state.pk, str(tenant.pk), None)

    for mode in (TradingMode.ACTIVE, TradingMode.REDUCE_ONLY, HALTED):
        with pytest.raises(TwoPersonsError):
            set_mode(mode=mode, reason="alone", actor=None, tenant=tenant)
    with pytest.raises(WouldLoosenError):
        tighten_mode(mode=HALTED, reason="softer", actor=None, tenant=tenant)
    leave_flatten(state=state, mode=HALTED, reason="two agreed", actor=None)

    with all_tenants("read runs"):
        run.refresh_from_db()
        assert (run.active_key, run.ended_at is not None) == (None, True)
        assert TradingState.objects.get(pk=state.pk).mode == HALTED


@pytest.mark.django_db(transaction=True)
def test_a_switch_that_lost_a_deadlock_is_thrown_all_the_same(tenant: Tenant) -> None:
    lost = []

    def deadlock(execute: Any, sql: str, *rest: Any) -> Any:
        if not lost and sql.startswith("UPDATE"):
            lost.append(sql)
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return execute(sql, *rest)

    with connection.execute_wrapper(deadlock):
        state = set_mode(mode=TradingMode.HALTED, reason="odd", actor=None, tenant=tenant)

    assert len(lost) == 1
    assert (state.mode, version(tenant)) == ("halted", 1)


def test_who_may_only_tighten_does_not_loosen_what_was_halted_meanwhile(tenant: Tenant) -> None:
    set_mode(mode=TradingMode.HALTED, reason="odd", actor=None, tenant=tenant)
    before = version(tenant)

    with pytest.raises(WouldLoosenError):
        set_mode(
            mode=TradingMode.REDUCE_ONLY, reason="late", actor=None, tenant=tenant,
            may_loosen=False,
        )  # fmt: skip

    with tenant_scope(tenant):
        assert TradingState.objects.get().mode == TradingMode.HALTED
    assert version(tenant) == before
