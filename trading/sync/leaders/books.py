"""A leader's books in the database: read and written under the claim on its row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from accounts.fields import hash_identity
from accounts.tenancy import tenant_scope
from signals.enums import Direction, LeaderMarginMode
from signals.models import LeaderAccount, LeaderHolding, LeaderTrade
from trading.faults import faultpoint
from trading.leases import db_now
from trading.models import Instrument
from trading.sync.leaders.moves import Book, Held, Place, Trade


@contextmanager
def claimed(leader_id: int, tenant_id: int) -> Iterator[tuple[LeaderAccount, datetime]]:
    """One transaction in the leader's desk, alone with the leader; gives the database's time."""
    with tenant_scope(tenant_id), transaction.atomic():
        LeaderAccount.objects.select_for_update().only("id").get(pk=leader_id)
        leader = LeaderAccount.objects.select_related("source__tenant").get(pk=leader_id)
        yield leader, db_now()
        faultpoint("S8.before_commit")
    faultpoint("S8.committed")


def read_book(leader: LeaderAccount, inst_ids: Collection[str] | None = None) -> Book:
    """What it holds, of these instruments or of all."""
    rows = LeaderHolding.objects.filter(leader=leader)
    if inst_ids is not None:
        rows = rows.filter(inst_id__in=inst_ids)
    held = {
        Place(row.inst_id, Direction(row.direction), LeaderMarginMode(row.margin_mode)): Held(
            row.quantity,
            row.average_entry,
            row.leverage,
            row.take_profit,
            row.stop_loss,
            row.traded_at,
            row.stops_for_all,
        )
        for row in rows
    }
    return Book(held, _inverse(leader, inst_ids or {place.inst_id for place in held}))


def write_book(leader: LeaderAccount, book: Book, now: datetime) -> None:
    """Store what differs since it was read."""
    for place in sorted(book.touched):
        held = book.of(place)
        LeaderHolding.objects.update_or_create(
            leader=leader,
            inst_id=place.inst_id,
            direction=place.direction,
            margin_mode=place.margin_mode,
            defaults={
                "quantity": held.quantity,
                "average_entry": held.entry,
                "leverage": held.leverage,
                "take_profit": held.take_profit,
                "stop_loss": held.stop_loss,
                "stops_for_all": held.stops_for_all,
                "traded_at": held.traded_at,
                "updated_at": now,
            },
            create_defaults=None,
        )
    book.touched.clear()


def fresh(leader: LeaderAccount, trades: Iterable[Trade]) -> list[Trade]:
    """Those that are not known yet, each once, in the order in which they happened."""
    named = {hash_identity(trade.key): trade for trade in trades}
    if not named:
        return []
    known = set(
        LeaderTrade.objects.filter(leader=leader, trade_hash__in=set(named)).values_list(
            "trade_hash", flat=True
        )
    )
    return sorted(
        (trade for name, trade in named.items() if name not in known), key=lambda each: each.order
    )


def note_trades(
    leader: LeaderAccount,
    trades: Sequence[tuple[Trade, LeaderMarginMode]],
    now: datetime,
    *,
    by_reading: bool,
    is_older: bool = False,
) -> None:
    LeaderTrade.objects.bulk_create(
        LeaderTrade(
            tenant_id=leader.tenant_id,
            leader=leader,
            trade_hash=hash_identity(trade.key),
            inst_id=trade.fill.inst_id,
            trade_id=trade.fill.trade_id,
            exchange_order_id=trade.fill.exchange_order_id,
            side=trade.fill.side.value,
            position_side=trade.fill.position_side.value,
            margin_mode=mode,
            quantity=trade.fill.quantity,
            price=trade.fill.price,
            traded_at=trade.fill.filled_at,
            heard_at=now,
            by_reading=by_reading,
            is_older=is_older,
        )
        for trade, mode in trades
    )


def _inverse(leader: LeaderAccount, inst_ids: Collection[str]) -> frozenset[str]:
    listed = Instrument.objects.filter(market=leader.market, inst_id__in=set(inst_ids))
    return frozenset(listed.filter(contract_type="inverse").values_list("inst_id", flat=True))
