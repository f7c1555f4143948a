"""The trading-state switch and the limits: read by every send, changed only here.

Every change bumps `switch_version` on the row of the installation or of the desk, and
marking an order reads both rows first under a shared lock, system before desk. So no
order is marked after a halt has committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import Installation, Tenant, User
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy
from trading.enums import LimitKind, Scope, TradingMode
from trading.models import Limit, TradingState
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
        tenant = self.tenant_id
        keys = [
            "system",
            f"system|instrument|{self.inst_id}",
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

    def modes_for(self, covered: Covered) -> tuple[TradingMode, ...]:
        return tuple(self.modes[k] for k in covered.scope_keys() if k in self.modes)

    def limits_for(self, covered: Covered) -> list[LimitValue]:
        return [limit for key in covered.scope_keys() for limit in self.limits.get(key, [])]


def read_switchboard(tenant_id: int) -> Switchboard:
    """Read all switches and limits that may bind an order of this desk (two queries)."""
    with tenant_scope(tenant_id):
        modes = {
            key: TradingMode(mode)
            for key, mode in TradingState.objects.exclude(mode=TradingMode.ACTIVE).values_list(
                "scope_key", "mode"
            )
        }
        limits: dict[str, list[LimitValue]] = {}
        rows = Limit.objects.filter(is_active=True).values_list(
            "scope_key", "kind", "scope", "value"
        )
        for key, kind, scope, value in rows:
            bound = LimitValue(LimitKind(kind), Scope(scope), value, label=str(Scope(scope).label))
            limits.setdefault(key, []).append(bound)
    return Switchboard(modes, limits)


def limits_of_account(account: ExchangeAccount) -> list[LimitValue]:
    """The limits written on the account itself."""
    own = (
        (LimitKind.ORDER_NOTIONAL, account.max_order_notional),
        (LimitKind.DAILY_NOTIONAL, account.max_daily_notional),
        (LimitKind.OPEN_POSITIONS, account.max_open_positions),
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


@transaction.atomic
def set_mode(
    *,
    mode: TradingMode,
    reason: str,
    actor: User | None,
    tenant: Tenant | None,
    scope: Scope = Scope.TENANT,
    target: Target = None,
) -> TradingState:
    """Set the switch of one scope. `tenant` None means the whole installation.

    Raises ValidationError without a reason, with a target that does not fit the scope,
    or for `flatten`, which needs the engine that closes positions.
    """
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the diary keeps it.")})
    if mode == TradingMode.FLATTEN:
        raise ValidationError({"mode": _("Flatten is not available yet. Halt instead.")})
    keys = _scope_columns(scope, tenant, target)
    with _scope_of(tenant):
        _bump(tenant)
        state: TradingState
        state, created = TradingState.objects.get_or_create(
            scope_key=keys["scope_key"],
            defaults={**keys, "mode": mode, "reason": reason, "changed_by": actor},
        )
        before = TradingMode.ACTIVE if created else TradingMode(state.mode)
        if not created:
            state.mode, state.reason, state.changed_by = mode, reason, actor
            state.save(update_fields=["mode", "reason", "changed_by", "changed_at"])
        audit.record(
            action="trading_state.changed",
            obj=state,
            before={"mode": before},
            after={"mode": mode, "scope": keys["scope_key"]},
            level=AuditLevel.WARNING if is_tighter(mode, before) else AuditLevel.NOTICE,
            reason=reason,
            actor=actor,
            tenant=tenant,
        )
    return state


class WouldLoosenError(ValueError):
    """The switch is stricter already, in the mode given. Nothing was changed."""

    def __init__(self, mode: TradingMode) -> None:
        super().__init__(mode)
        self.mode = mode


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
) -> Limit:
    """Set one limit of one scope; every later mark and decision obeys it."""
    if value < 0:
        raise ValidationError({"value": _("A limit cannot be negative.")})
    keys = _scope_columns(scope, tenant, target)
    with _scope_of(tenant):
        _bump(tenant)
        limit: Limit
        limit, created = Limit.objects.get_or_create(
            scope_key=keys["scope_key"],
            kind=kind,
            defaults={**keys, "value": value, "is_active": is_active, "changed_by": actor},
        )
        before = None if created else {"value": str(limit.value), "is_active": limit.is_active}
        if not created:
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


def _bump(tenant: Tenant | None) -> None:
    rows: Any = (
        Installation.objects.filter(pk=1) if tenant is None else Tenant.objects.filter(pk=tenant.pk)
    )
    if rows.update(switch_version=F("switch_version") + 1) != 1:
        raise SwitchUnreadableError("the row of the installation or of the desk is missing")


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
