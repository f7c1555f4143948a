"""The trading-state switch and the limits: read by every send, changed only here.

Every change bumps `switch_version` on the row of the installation or of the desk, and
marking an order reads both rows first under a shared lock, system before desk. So no
order is marked after a halt has committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from accounts.models import Installation, Tenant, User
from accounts.questions import Question
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy
from trading.enums import LimitKind, Scope, TradingMode
from trading.events import flatten_begun
from trading.leases import db_now
from trading.models import FlattenRun, Limit, TradingState
from trading.outgoing import OutgoingAccount
from trading.risk import STRICTNESS, LimitValue

Target = Strategy | Customer | ExchangeAccount | str | None


class SwitchUnreadableError(RuntimeError):
    """The switch could not be read: nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What an order touches, for the scopes that may bind it."""

    tenant_id: int
    account_id: int
    customer_id: int
    inst_id: str
    strategy_id: int | None = None

    def scope_keys(self) -> tuple[str, ...]:
        return self.system_keys() + self.desk_keys()

    def system_keys(self) -> tuple[str, ...]:
        return "system", f"system|instrument|{self.inst_id}"

    def desk_keys(self) -> tuple[str, ...]:
        tenant = self.tenant_id
        keys = [
            f"{tenant}",
            f"{tenant}|customer|{self.customer_id}",
            f"{tenant}|account|{self.account_id}",
            f"{tenant}|instrument|{self.inst_id}",
        ]
        if self.strategy_id is not None:
            keys.append(f"{tenant}|strategy|{self.strategy_id}")
        return tuple(keys)


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Every switch and limit of a desk and of the installation, read at one moment."""

    modes: dict[str, TradingMode] = field(default_factory=dict)
    limits: dict[str, list[LimitValue]] = field(default_factory=dict)

    def modes_for(self, covered: Covered, *, flattens: bool = False) -> tuple[TradingMode, ...]:
        """The switches that bind an order; `flattens`: one by which flatten itself closes.

        Flatten goes on over a halt of the same owner, being stricter. A desk's waits while
        the installation is halted: whoever halted everything said that nothing may be sent.
        """
        if not flattens:
            return self._set(covered.scope_keys())
        system = self._set(covered.system_keys())
        if TradingMode.FLATTEN in system:
            return (TradingMode.FLATTEN,)
        if TradingMode.HALTED in system:
            return (TradingMode.HALTED,)
        desk = self._set(covered.desk_keys())
        return (TradingMode.FLATTEN,) if TradingMode.FLATTEN in desk else ()

    @property
    def names_anybody(self) -> bool:
        """Is there a switch, or a limit of anybody but the installation?"""
        return bool(self.modes) or self.limits.keys() - {"system"} != set()

    @property
    def kinds(self) -> set[LimitKind]:
        """Of which there is a limit, whomever it binds."""
        return {limit.kind for own in self.limits.values() for limit in own}

    def keys_in_force(self, covered: Covered) -> tuple[str, ...]:
        """The scopes of an order that have a switch or a limit."""
        return tuple(key for key in covered.scope_keys() if key in self.modes or key in self.limits)

    def _set(self, keys: Iterable[str]) -> tuple[TradingMode, ...]:
        return tuple(self.modes[key] for key in keys if key in self.modes)

    def limits_for(self, covered: Covered) -> list[LimitValue]:
        return [limit for key in covered.scope_keys() for limit in self.limits.get(key, [])]


_MODES = Question(
    lambda: (
        TradingState.objects.exclude(mode=TradingMode.ACTIVE)
        .order_by()
        .values_list("scope_key", "mode")
    )
)
_LIMITS = Question(
    lambda: Limit.objects.filter(is_active=True).values_list("scope_key", "kind", "scope", "value")
)


def read_switchboard(tenant_id: int) -> Switchboard:
    """Read all switches and limits that may bind an order of this desk (two queries)."""
    with tenant_scope(tenant_id):
        modes = {key: TradingMode(mode) for key, mode in _MODES.ask()}
        limits: dict[str, list[LimitValue]] = {"system": ceilings()}
        for key, kind, scope, value in _LIMITS.ask():
            bound = LimitValue(LimitKind(kind), Scope(scope), value, label=str(Scope(scope).label))
            limits.setdefault(key, []).append(bound)
    return Switchboard(modes, limits)


def ceilings() -> list[LimitValue]:
    """What the settings of the installation allow at most: nobody's own limit exceeds it."""
    label = str(Scope.SYSTEM.label)
    return [
        LimitValue(LimitKind(kind), Scope.SYSTEM, value, label)
        for kind, value in settings.LIMITS.items()
        if value is not None
    ]


def limits_of_account(account: ExchangeAccount | OutgoingAccount) -> list[LimitValue]:
    """The limits written on the account itself."""
    most, daily, positions = (
        account.max_order_notional,
        account.max_daily_notional,
        account.max_open_positions,
    )
    if most is daily is positions is None:
        return []
    own = (
        (LimitKind.ORDER_NOTIONAL, most),
        (LimitKind.DAILY_NOTIONAL, daily),
        (LimitKind.OPEN_POSITIONS, positions),
    )
    return [
        LimitValue(kind, Scope.ACCOUNT, Decimal(value), label=account.label)
        for kind, value in own
        if value is not None
    ]


def hold_switches(tenant_ids: Iterable[int]) -> None:
    """Keep every switch as it is until the transaction ends: shared locks, system first.

    SQLite needs none, since its writing transactions exclude each other.
    Raises SwitchUnreadableError when a row is missing.
    """
    ids = sorted(set(tenant_ids))
    share = " LOCK IN SHARE MODE" if connection.vendor == "mysql" else ""
    marks = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {Installation._meta.db_table} WHERE id = 1{share}")  # noqa: S608
        system = cursor.fetchall()
        cursor.execute(
            f"SELECT id FROM {Tenant._meta.db_table} WHERE id IN ({marks}) ORDER BY id{share}",  # noqa: S608
            ids,
        )
        tenants = cursor.fetchall()
    if len(system) != 1 or len(tenants) != len(ids):
        raise SwitchUnreadableError("the row of the installation or of a desk is missing")


@retried
@transaction.atomic
def set_mode(  # noqa: PLR0913 - a mode and the scope it binds
    *,
    mode: TradingMode,
    reason: str,
    actor: User | None,
    tenant: Tenant | None,
    scope: Scope = Scope.TENANT,
    target: Target = None,
    may_loosen: bool = True,
) -> TradingState:
    """Set the switch of one scope. `tenant` None means the whole installation.

    Raises ValidationError without a reason or with a target that does not fit the scope, and
    TwoPersonsError for a scope that is being flattened: `leave_flatten` is the only way out.
    Without `may_loosen` raises WouldLoosenError when it is stricter by now than was seen.
    """
    keys = _scope_columns(scope, tenant, target)
    return _set_mode(mode, reason, actor, tenant, keys, may_loosen=may_loosen)


@retried
@transaction.atomic
def leave_flatten(
    *, state: TradingState, mode: TradingMode, reason: str, actor: User | None
) -> TradingState:
    """End flattening a scope, once two persons have agreed; callers see to that."""
    if mode == TradingMode.FLATTEN:
        raise ValidationError({"mode": _("Choose what comes after.")})
    return _set_mode(mode, reason, actor, state.tenant, _columns_of(state), may_leave=True)


def _set_mode(  # noqa: PLR0913 - what was asked, and what that may do
    mode: TradingMode,
    reason: str,
    actor: User | None,
    tenant: Tenant | None,
    keys: dict[str, Any],
    *,
    may_leave: bool = False,
    may_loosen: bool = True,
) -> TradingState:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the diary keeps it.")})
    with _scope_of(tenant):
        bump_version(tenant.pk if tenant else None)
        state: TradingState
        state, created = TradingState.objects.get_or_create(
            scope_key=keys["scope_key"],
            defaults={**keys, "mode": mode, "reason": reason, "changed_by": actor},
        )
        before = TradingMode.ACTIVE if created else TradingMode(state.mode)
        if before == TradingMode.FLATTEN and mode != before and not may_leave:
            raise TwoPersonsError
        if not may_loosen and is_tighter(before, mode):
            raise WouldLoosenError(before)
        if not created:
            state.mode, state.reason, state.changed_by = mode, reason, actor
            state.save(update_fields=["mode", "reason", "changed_by", "changed_at"])
        audit.record(
            action="trading_state.changed",
            obj=state,
            before={"mode": before},
            after={"mode": mode, "scope": keys["scope_key"]},
            level=_level(mode, before),
            reason=reason,
            actor=actor,
            tenant=tenant,
        )
        _follow(state, before, actor)
    return state


def _level(mode: TradingMode, before: TradingMode) -> AuditLevel:
    if mode == TradingMode.FLATTEN and mode != before:
        return AuditLevel.CRITICAL
    return AuditLevel.WARNING if is_tighter(mode, before) else AuditLevel.NOTICE


def _follow(state: TradingState, before: TradingMode, actor: User | None) -> None:
    """A run begins and ends with the mode."""
    if state.mode == before:
        return
    now = db_now()
    if before == TradingMode.FLATTEN:
        FlattenRun.objects.filter(active_key=state.scope_key).update(ended_at=now, active_key=None)
    if state.mode == TradingMode.FLATTEN:
        run = FlattenRun(
            tenant_id=state.tenant_id,
            state=state,
            reason=state.reason,
            started_by=actor,
            active_key=state.scope_key,
            started_at=now,
        )
        run.save(force_insert=True)
        transaction.on_commit(partial(flatten_begun.send_robust, FlattenRun, run_id=run.pk))


class TwoPersonsError(ValueError):
    """The scope is being flattened: two persons must agree to end that. Nothing was changed."""


class WouldLoosenError(ValueError):
    """The switch is stricter already, in the mode given. Nothing was changed."""

    def __init__(self, mode: TradingMode) -> None:
        super().__init__(mode)
        self.mode = mode


@retried
@transaction.atomic
def tighten_mode(
    *, mode: TradingMode, reason: str, actor: User | None, tenant: Tenant
) -> TradingState:
    """Make a desk's switch stricter, never looser. Repeating it changes and writes nothing.

    Raises WouldLoosenError while a stricter mode is set, and what `set_mode` raises.
    """
    # The row every change of the desk's switch must bump: nobody changes it meanwhile.
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    with tenant_scope(tenant):
        state: TradingState | None = TradingState.objects.filter(scope_key=str(tenant.pk)).first()
    now = TradingMode(state.mode) if state else TradingMode.ACTIVE
    if is_tighter(mode, now):
        return set_mode(mode=mode, reason=reason, actor=actor, tenant=tenant)
    if state is None or mode != now:
        raise WouldLoosenError(now)
    return state


@retried
@transaction.atomic
def set_limit(  # noqa: PLR0913 - a limit and the scope it binds
    *,
    kind: LimitKind,
    value: Decimal,
    actor: User | None,
    tenant: Tenant | None,
    scope: Scope = Scope.TENANT,
    target: Target = None,
    is_active: bool = True,
    on_loosening: Callable[[], None] | None = None,
) -> Limit:
    """Set one limit of one scope; every later mark and decision obeys it.

    `on_loosening` is called before more is allowed than was, and may raise.
    """
    if value < 0:
        raise ValidationError({"value": _("A limit cannot be negative.")})
    keys = _scope_columns(scope, tenant, target)
    with _scope_of(tenant):
        bump_version(tenant.pk if tenant else None)
        limit: Limit
        limit, created = Limit.objects.get_or_create(
            scope_key=keys["scope_key"],
            kind=kind,
            defaults={**keys, "value": value, "is_active": is_active, "changed_by": actor},
        )
        before = None if created else {"value": str(limit.value), "is_active": limit.is_active}
        if not created:
            allows_more = limit.is_active and (value > limit.value or not is_active)
            if allows_more and on_loosening is not None:
                on_loosening()
            limit.value, limit.is_active, limit.changed_by = value, is_active, actor
            limit.save(update_fields=["value", "is_active", "changed_by", "changed_at"])
        audit.record(
            action="limit.changed",
            obj=limit,
            before=before,
            after={"kind": kind, "value": str(value), "is_active": is_active},
            level=AuditLevel.NOTICE,
            actor=actor,
            tenant=tenant,
        )
    return limit


def is_tighter(mode: TradingMode, than: TradingMode) -> bool:
    return STRICTNESS.index(mode) > STRICTNESS.index(than)


def _scope_of(tenant: Tenant | None) -> Any:
    return all_tenants("a switch of the installation") if tenant is None else tenant_scope(tenant)


def bump_version(tenant_id: int | None) -> None:
    """Let every marking that comes read anew; those under way are waited for.

    Raises SwitchUnreadableError when the row of the installation or of the desk is missing.
    """
    rows: Any = Installation.objects.filter(pk=1)
    if tenant_id is not None:
        rows = Tenant.objects.filter(pk=tenant_id)
    if rows.update(switch_version=F("switch_version") + 1) != 1:
        raise SwitchUnreadableError("the row of the installation or of the desk is missing")


def _columns_of(state: TradingState) -> dict[str, Any]:
    return {"scope": Scope(state.scope), "scope_key": state.scope_key}


_TARGETS: dict[Scope, tuple[str, type]] = {
    Scope.STRATEGY: ("strategy", Strategy),
    Scope.CUSTOMER: ("customer", Customer),
    Scope.ACCOUNT: ("account", ExchangeAccount),
    Scope.INSTRUMENT: ("inst_id", str),
}


def _scope_columns(scope: Scope, tenant: Tenant | None, target: Target) -> dict[str, Any]:
    """The columns that name a scope, its one unique key among them."""
    if scope in (Scope.SYSTEM, Scope.TENANT):
        if (scope == Scope.SYSTEM) != (tenant is None) or target is not None:
            raise ValidationError({"scope": _("This scope takes no target.")})
        return {"scope": scope, "scope_key": "system" if tenant is None else str(tenant.pk)}
    name, kind = _TARGETS[scope]
    if not isinstance(target, kind) or not target:
        raise ValidationError({"target": _("Choose what this applies to.")})
    if tenant is None and scope != Scope.INSTRUMENT:
        raise ValidationError({"scope": _("Only a desk can be this specific.")})
    owner = "system" if tenant is None else str(tenant.pk)
    key = target if isinstance(target, str) else getattr(target, "pk", None)
    return {"scope": scope, "scope_key": f"{owner}|{scope.value}|{key}", name: target}
