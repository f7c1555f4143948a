"""Instruments and prices of a market, as the exchange lists them. Global rows: no tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from trading.endpoints import endpoint_of_market
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import (
    InstrumentReport,
    InstrumentType,
    MarkPriceReport,
    TickerReport,
)
from trading.leases import db_now
from trading.models import Instrument, MarketPrice
from trading.sync.apply.claim import differing, known_instruments
from trading.sync.listing import before_of, write_versions

TRADED = (InstrumentType.SPOT, InstrumentType.SWAP)
_READ_S = 30
_BATCH = 200


@dataclass(frozen=True, slots=True)
class PricesApplied:
    written: int = 0
    older: int = 0
    unknown: int = 0

    def __add__(self, other: PricesApplied) -> PricesApplied:
        return PricesApplied(
            self.written + other.written, self.older + other.older, self.unknown + other.unknown
        )


def load_instruments(market: str) -> int:
    """Read what the market lists (spot and swaps) and write what changed; how many rows did.

    Raises ReadFailed or TimeoutError when the market does not answer, having written nothing.
    """
    client = client_for(endpoint_of_market(market))
    reports: list[InstrumentReport] = []
    for inst_type in TRADED:
        reports += exchange_loop().run(client.fetch_instruments(inst_type), timeout=_READ_S)
    return apply_instruments(market, reports)


def apply_instruments(market: str, reports: Sequence[InstrumentReport]) -> int:
    """Write instruments whose facts changed. What is not listed stays as it is."""
    listed = {report.inst_id: _facts(report) for report in reports}
    now = db_now()
    with transaction.atomic():
        there = {row.inst_id: row for row in Instrument.objects.filter(market=market)}
        before = {inst_id: before_of(row) for inst_id, row in there.items()}
        changed = [row for row in there.values() if _change(row, listed.get(row.inst_id), now)]
        fresh = [
            Instrument(market=market, inst_id=inst_id, updated_at=now, **facts)
            for inst_id, facts in listed.items()
            if inst_id not in there
        ]
        if changed:
            names = [*next(iter(listed.values())), "updated_at"]
            Instrument.objects.bulk_update(changed, names, batch_size=_BATCH)
            write_versions([(before[row.inst_id], row) for row in changed], now)
        Instrument.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=_BATCH)
    return len(changed) + len(fresh)


def apply_tickers(market: str, reports: Sequence[TickerReport]) -> PricesApplied:
    """Write tickers that are newer than what is known; the others are counted, never applied."""
    latest = _latest(reports)
    told: dict[str, dict[str, Any]] = {
        report.inst_id: {"last": report.last, "bid": report.bid, "ask": report.ask}
        for report in latest.values()
    }
    times = {report.inst_id: report.at for report in latest.values()}
    overtaken = PricesApplied(older=len(reports) - len(latest))
    return overtaken + _apply(market, told, times, clock="ticker_at")


def apply_marks(market: str, reports: Sequence[MarkPriceReport]) -> PricesApplied:
    """Write mark prices that are newer than what is known."""
    latest = _latest(reports)
    told: dict[str, dict[str, Any]] = {r.inst_id: {"mark": r.price} for r in latest.values()}
    times = {report.inst_id: report.at for report in latest.values()}
    overtaken = PricesApplied(older=len(reports) - len(latest))
    return overtaken + _apply(market, told, times, clock="mark_at")


def _latest(reports: Sequence[Any]) -> dict[str, Any]:
    return {report.inst_id: report for report in sorted(reports, key=lambda report: report.at)}


def _apply(
    market: str,
    told: Mapping[str, dict[str, Any]],
    times: Mapping[str, datetime],
    *,
    clock: str,
) -> PricesApplied:
    """One reading and at most two writes, however many prices."""
    known = known_instruments(market, told.keys())
    rows = MarketPrice.objects.filter(market=market, inst_id__in=known)
    there = {row.inst_id: row for row in rows if row.inst_id in known}
    older, changed = 0, []
    for inst_id, row in there.items():
        heard = getattr(row, clock)
        if heard is not None and times[inst_id] <= heard:
            older += 1
            continue
        _set(row, {**told[inst_id], clock: times[inst_id]})
        changed.append(row)
    fresh = [
        MarketPrice(market=market, inst_id=inst_id, **told[inst_id], **{clock: times[inst_id]})
        for inst_id in sorted(known - there.keys())
    ]
    _write(changed, fresh, [*next(iter(told.values()), {}), clock])
    return PricesApplied(len(changed) + len(fresh), older, len(told) - len(known))


def _write(changed: list[MarketPrice], fresh: list[MarketPrice], names: list[str]) -> None:
    if changed:
        MarketPrice.objects.bulk_update(changed, names, batch_size=_BATCH)
    if not fresh:
        return
    try:
        with transaction.atomic():
            MarketPrice.objects.bulk_create(fresh)
    except IntegrityError:
        return  # another process was first; the next price follows at once


def _set(row: Any, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


def _change(row: Instrument, facts: dict[str, Any] | None, now: datetime) -> bool:
    if facts is None or not differing(row, facts):
        return False
    _set(row, {**facts, "updated_at": now})
    return True


def _facts(report: InstrumentReport) -> dict[str, Any]:
    contract = report.contract_value
    return {
        "inst_type": report.inst_type.value.upper(),
        "base_currency": report.base_currency,
        "quote_currency": report.quote_currency,
        "settle_currency": report.settle_currency,
        "contract_value": Decimal(1)
        if contract is None
        else contract * (report.contract_multiplier or Decimal(1)),
        "contract_type": report.contract_type,
        "lot_size": report.lot_size,
        "tick_size": report.tick_size,
        "min_size": report.min_size,
        "max_market_size": report.max_market_size,
        "max_limit_size": report.max_limit_size,
        "max_leverage": report.max_leverage,
        "state": report.state,
        "expires_at": report.expires_at,
    }
