"""What an account holds, as the exchange last said it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.models import ExchangeAccount
from trading.enums import EventSource
from trading.exchange.types import PositionReport
from trading.models import Position
from trading.sync.apply.claim import Applied, announce, claimed, differing, known_instruments
from trading.sync.apply.quarantine import OLDER, UNKNOWN_INSTRUMENT, set_aside

Key = tuple[str, str, str]
_FLAT: dict[str, Any] = {
    "quantity": Decimal(0),
    "unrealized_pnl": Decimal(0),
    "notional": Decimal(0),
    "average_price": None,
    "liquidation_price": None,
    "margin_ratio": None,
}


def apply_positions(
    account: ExchangeAccount,
    reports: Sequence[PositionReport],
    *,
    complete: bool,
    source: EventSource,
    read_at: datetime | None = None,
) -> Applied:
    """Write down positions. Repeating it changes nothing; older news is set aside.

    `complete` says that what is not listed is flat: only a whole snapshot or a successful
    reading may say so. With `read_at` (the database's time before the reading) a position
    written later stays: the reading may not have seen it.
    """
    with claimed(account) as now:
        applied = write_positions(
            account, reports, complete=complete, source=source, now=now, read_at=read_at
        )
        return announce(account, applied)


def write_positions(
    account: ExchangeAccount,
    reports: Sequence[PositionReport],
    *,
    complete: bool,
    source: EventSource,
    now: datetime,
    read_at: datetime | None = None,
) -> Applied:
    known = known_instruments(account.market, {report.inst_id for report in reports})
    rows = {_key_of_row(row): row for row in Position.objects.filter(account=account)}
    applied = Applied()
    for report in reports:
        if report.inst_id not in known:
            set_aside(account, "position", UNKNOWN_INSTRUMENT, repr(report), now=now)
            applied += Applied(quarantined=1)
        else:
            applied += _write_one(account, rows, report, complete=complete, now=now)
    if complete:
        listed = {_key(report) for report in reports}
        applied += _flatten(rows, listed, now=now, read_at=read_at)
    return applied


def _write_one(
    account: ExchangeAccount,
    rows: dict[Key, Position],
    report: PositionReport,
    *,
    complete: bool,
    now: datetime,
) -> Applied:
    row = rows.get(_key(report))
    if row is None:
        if report.quantity:
            rows[_key(report)] = _create(account, report, now)
        return Applied(rows=int(bool(report.quantity)))
    columns = differing(row, _columns(report))
    if not columns:
        return Applied()
    if _is_older(row, report, complete=complete):
        set_aside(account, "position", OLDER, repr(report), now=now)
        return Applied(quarantined=1)
    _update(row, columns, now)
    return Applied(rows=1)


def _is_older(row: Position, report: PositionReport, *, complete: bool) -> bool:
    if row.exchange_updated_at is None:
        return False
    # A position that opens again has a later time; only a whole reading may say it never closed.
    reopened = not complete and row.quantity == 0 and report.quantity != 0
    if reopened and report.updated_at == row.exchange_updated_at:
        return True
    return report.updated_at < row.exchange_updated_at


def _flatten(
    rows: dict[Key, Position], listed: set[Key], *, now: datetime, read_at: datetime | None
) -> Applied:
    gone = [
        row
        for key, row in rows.items()
        if key not in listed and row.quantity != 0 and (read_at is None or row.updated_at < read_at)
    ]
    for row in gone:
        _update(row, differing(row, _FLAT), now)
    return Applied(rows=len(gone))


def _create(account: ExchangeAccount, report: PositionReport, now: datetime) -> Position:
    inst_id, position_side, margin_mode = _key(report)
    row = Position(
        account=account,
        inst_id=inst_id,
        position_side=position_side,
        margin_mode=margin_mode,
        updated_at=now,
        **_columns(report),
    )
    row.save(force_insert=True)
    return row


def _update(row: Position, columns: dict[str, Any], now: datetime) -> None:
    Position.objects.filter(pk=row.pk).update(updated_at=now, **columns)
    for name, value in {**columns, "updated_at": now}.items():
        setattr(row, name, value)


def _columns(report: PositionReport) -> dict[str, Any]:
    return {
        "quantity": report.quantity,
        "average_price": report.average_price,
        "mark_price": report.mark_price,
        "unrealized_pnl": report.unrealized_pnl,
        "leverage": report.leverage,
        "liquidation_price": report.liquidation_price,
        "notional": report.notional_usd,
        "margin_ratio": report.margin_ratio,
        "exchange_updated_at": report.updated_at,
    }


def _key(report: PositionReport) -> Key:
    return (report.inst_id, report.position_side.value, report.margin_mode.value)


def _key_of_row(row: Position) -> Key:
    return (row.inst_id, row.position_side, row.margin_mode)
