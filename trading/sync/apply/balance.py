"""What an account owns, per currency and in all, and a curve of it by the minute."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.models import ExchangeAccount
from trading.enums import EventSource, Grain
from trading.exchange.types import BalanceReport, CurrencyBalance
from trading.models import Balance, EquitySnapshot
from trading.sync.apply.claim import Applied, announce, claimed, differing
from trading.sync.apply.quarantine import OLDER, set_aside

# The "currency" of the row for the whole account, in USD as the exchange values it.
TOTAL = Balance.TOTAL
_NOTHING: dict[str, Any] = dict.fromkeys(
    ("equity", "cash", "available", "frozen", "unrealized_pnl"), Decimal(0)
)


def apply_balance(
    account: ExchangeAccount,
    report: BalanceReport,
    *,
    source: EventSource,
    complete: bool = False,
) -> Applied:
    """Write down a balance, and the equity at most once a minute. Repeating it changes nothing.

    `complete` says that currencies not listed are empty; older news is set aside.
    """
    with claimed(account) as now:
        applied = write_balance(account, report, source=source, complete=complete, now=now)
        return announce(account, applied)


def write_balance(
    account: ExchangeAccount,
    report: BalanceReport,
    *,
    source: EventSource,
    complete: bool,
    now: datetime,
) -> Applied:
    rows = {row.currency: row for row in Balance.objects.filter(account=account)}
    wanted = {detail.currency: _columns(detail) for detail in report.details}
    total = wanted[TOTAL] = _total(report, rows.get(TOTAL), complete=complete)
    if complete:
        gone = rows.keys() - wanted.keys()
        wanted |= {currency: _NOTHING | _time(report) for currency in sorted(gone)}
    applied = Applied()
    for currency, columns in wanted.items():
        applied += _write_one(account, rows.get(currency), currency, columns, now)
    if TOTAL in rows and _is_older(rows[TOTAL], total):
        return applied
    return applied + _snapshot(account, total, now)


def _write_one(
    account: ExchangeAccount,
    row: Balance | None,
    currency: str,
    columns: dict[str, Any],
    now: datetime,
) -> Applied:
    if row is None:
        Balance.objects.create(account=account, currency=currency, updated_at=now, **columns)
        return Applied(rows=1)
    changed = differing(row, columns)
    if not changed:
        return Applied()
    if _is_older(row, columns):
        set_aside(account, "balance", OLDER, f"{currency} {columns}", now=now)
        return Applied(quarantined=1)
    Balance.objects.filter(pk=row.pk).update(updated_at=now, **changed)
    return Applied(rows=1)


def _is_older(row: Balance, columns: dict[str, Any]) -> bool:
    heard = row.exchange_updated_at
    return heard is not None and columns["exchange_updated_at"] < heard


def _snapshot(account: ExchangeAccount, total: dict[str, Any], now: datetime) -> Applied:
    minute = now.replace(second=0, microsecond=0)
    taken = EquitySnapshot.objects.filter(account=account).order_by("-at")
    before: datetime | None = taken.values_list("at", flat=True).first()
    if before is not None and before >= minute:
        return Applied()
    EquitySnapshot.objects.create(
        account=account,
        at=minute,
        grain=_grain(account, minute, before),
        equity=total["equity"],
        unrealized_pnl=total["unrealized_pnl"],
    )
    return Applied(rows=1)


def _grain(account: ExchangeAccount, at: datetime, before: datetime | None) -> Grain:
    """The longest span that began after the reading before this one."""
    if before is not None and before >= at.replace(minute=at.minute // 15 * 15):
        return Grain.MINUTE
    if before is None or before < account.tenant.day_start(at):
        return Grain.DAY
    return Grain.QUARTER if before >= at.replace(minute=0) else Grain.HOUR


def _columns(detail: CurrencyBalance) -> dict[str, Any]:
    return {
        "equity": detail.equity,
        "cash": detail.cash,
        "available": detail.available,
        "frozen": detail.frozen,
        "unrealized_pnl": detail.unrealized_pnl,
        "exchange_updated_at": detail.updated_at,
    }


def _total(report: BalanceReport, row: Balance | None, *, complete: bool) -> dict[str, Any]:
    # A push lists only the currencies that changed: it cannot say what is unrealized in all.
    whole = complete or row is None
    unrealized = sum(map(_unrealized_usd, report.details), Decimal(0)) if whole else None
    return {
        "equity": report.total_equity_usd,
        "unrealized_pnl": row.unrealized_pnl if row and unrealized is None else unrealized,
        **_time(report),
    }


def _unrealized_usd(detail: CurrencyBalance) -> Decimal:
    if not detail.equity or not detail.equity_usd:
        return detail.unrealized_pnl
    return detail.unrealized_pnl * detail.equity_usd / detail.equity


def _time(report: BalanceReport) -> dict[str, datetime]:
    return {"exchange_updated_at": report.updated_at}
