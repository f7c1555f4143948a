"""Our side of some accounts, read in a fixed number of queries however many orders they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Max, Q

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from signals.enums import SignalStatus
from signals.models import Signal
from trading.auditing.facts import FillFact, Holding, OurOrder, Ours
from trading.auditing.promises import Closed, SignalFacts
from trading.enums import DecisionOutcome, OrderState, Reason, TradingMode
from trading.models import Decision, Fill, Instrument, Order, OrderAttempt, Position, TradingState
from trading.models.orders import OPEN_STATES

SIGNALS_AT_ONCE: Final = 500
_ORDER_COLUMNS: Final = (
    "id", "tenant_id", "account_id", "signal_id", "link_uid", "cycle_id", "leg", "leg_number",
    "slice_number", "client_order_id", "exchange_order_id", "lane_key", "lane_at", "inst_id",
    "order_type", "state", "reason", "filled_quantity", "attempt", "created_at", "sent_at",
    "lease_until", "finished_at", "flattens", "exp_at_ms", "signal__tenant_id",
    "account__customer_id", "subscription__strategy_id",
)  # fmt: skip


def read_ours(
    accounts: Sequence[ExchangeAccount],
    since: Mapping[int, datetime | None],
    names: Collection[str],
) -> dict[int, Ours]:
    """Each account's orders, fills and positions since its own time; None is from the beginning.

    What has not ended is read whenever it began. `names`: client order ids that the exchange
    told, of which those that any order of ours has are given back as `known_names`.
    """
    orders = _orders(accounts, since)
    fills = _fills(accounts, since)
    positions = _positions(accounts)
    known = _known(accounts, names)
    spot = frozenset(Instrument.objects.filter(inst_type="SPOT").values_list("inst_id", flat=True))
    return {
        account.pk: Ours(
            orders=orders[account.pk],
            fills=fills[account.pk],
            positions=positions[account.pk],
            spot=spot,
            known_names=frozenset(known[account.pk]),
        )
        for account in accounts
    }


def read_halts(tenant_id: int, since: datetime | None) -> list[Closed]:
    """When which switch of the desk or the installation was not `active`, from the diary."""
    with all_tenants("switches of the installation bind every desk"):
        entries = AuditEntry.objects.filter(action="trading_state.changed").filter(
            Q(tenant_id=tenant_id) | Q(tenant_id__isnull=True)
        )
        if since is not None:
            entries = entries.filter(at__gte=since)
        told = list(entries.order_by("at", "id").values_list("at", "before", "after"))
        states = TradingState.objects.exclude(mode=TradingMode.ACTIVE).filter(
            Q(tenant_id=tenant_id) | Q(tenant_id__isnull=True)
        )
        current = list(states.values_list("scope_key", "mode", "changed_at"))
    return _intervals(told, current, since)


def read_signals(
    tenant_id: int, since: datetime | None, account_id: int | None
) -> Iterator[SignalFacts]:
    """Signals of a desk with what was made of them, some hundreds at a time. One desk's scope."""
    signals = Signal.objects.filter(tenant_id=tenant_id).exclude(
        status__in=(SignalStatus.HELD, SignalStatus.REFUSED, SignalStatus.EXPIRED)
    )
    if since is not None:
        signals = signals.filter(received_at__gte=since)
    if account_id is not None:
        signals = signals.filter(Q(decisions__account_id=account_id) | Q(account_id=account_id))
        signals = signals.distinct()
    rows = signals.order_by("received_at", "id").values_list("id", "status", "received_at")
    batch: list[Any] = []
    for row in rows.iterator(chunk_size=SIGNALS_AT_ONCE):
        batch.append(row)
        if len(batch) == SIGNALS_AT_ONCE:
            yield from _with_decisions(batch)
            batch = []
    if batch:
        yield from _with_decisions(batch)


def _orders(
    accounts: Sequence[ExchangeAccount], since: Mapping[int, datetime | None]
) -> dict[int, list[OurOrder]]:
    which = Q()
    for account in accounts:
        mine = Q(account_id=account.pk)
        begin = since.get(account.pk)
        if begin is not None:
            mine &= Q(created_at__gte=begin) | Q(state__in=OPEN_STATES)
        which |= mine
    found: dict[int, list[OurOrder]] = defaultdict(list)
    rows = Order.objects.filter(which).order_by().values(*_ORDER_COLUMNS)
    deadlines = _deadlines(which)
    for row in rows.iterator(chunk_size=2000):
        found[row["account_id"]].append(_order(row, deadlines.get(row["id"])))
    return found


def _deadlines(which: Q) -> dict[UUID, int]:
    """The last moment at which any attempt of an order may have been accepted."""
    ids = Order.objects.filter(which).order_by().values("id")
    rows = OrderAttempt.objects.filter(order_id__in=ids).order_by().values("order_id")
    return dict(rows.annotate(last=Max("exp_at_ms")).values_list("order_id", "last"))


def _order(row: Mapping[str, Any], deadline: int | None) -> OurOrder:
    values = dict(row)
    marked = values.pop("exp_at_ms")
    if values["state"] == OrderState.SENDING and marked is not None:
        deadline = max(marked, deadline or 0)  # that attempt has no row yet
    return OurOrder(
        signal_tenant_id=values.pop("signal__tenant_id"),
        customer_id=values.pop("account__customer_id"),
        strategy_id=values.pop("subscription__strategy_id"),
        filled=values.pop("filled_quantity"),
        state=OrderState(values.pop("state")),
        exp_at_ms=deadline,
        **values,
    )


def _fills(
    accounts: Sequence[ExchangeAccount], since: Mapping[int, datetime | None]
) -> dict[int, list[FillFact]]:
    which = Q()
    for account in accounts:
        mine = Q(account_id=account.pk)
        begin = since.get(account.pk)
        which |= mine if begin is None else mine & Q(filled_at__gte=begin)
    found: dict[int, list[FillFact]] = defaultdict(list)
    rows = Fill.objects.filter(which).order_by().values_list(
        "account_id", "exchange_order_id", "trade_id", "inst_id", "side", "position_side",
        "quantity", "price", "fee", "filled_at",
    )  # fmt: skip
    for account, order, trade, inst, side, position, quantity, price, fee, at in rows.iterator(
        chunk_size=2000
    ):
        found[account].append(
            FillFact(
                exchange_order_id=order,
                trade_id=trade,
                inst_id=inst,
                side=side,
                position_side=position,
                quantity=quantity,
                price=price,
                fee=fee,
                at_ms=milliseconds(at),
            )
        )
    return found


def _positions(accounts: Sequence[ExchangeAccount]) -> dict[int, dict[Holding, Decimal]]:
    """One position may be held in both margin modes: it is their sum."""
    found: dict[int, dict[Holding, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    rows = Position.objects.filter(account__in=accounts).open().order_by()
    for account, inst, side, quantity in rows.values_list(
        "account_id", "inst_id", "position_side", "quantity"
    ):
        found[account][inst, side] += quantity
    return found


def _known(accounts: Sequence[ExchangeAccount], names: Collection[str]) -> dict[int, set[str]]:
    known: dict[int, set[str]] = defaultdict(set)
    listed = sorted(names)
    for start in range(0, len(listed), 500):
        rows = Order.objects.filter(
            account__in=accounts, client_order_id__in=listed[start : start + 500]
        )
        for account, name in rows.order_by().values_list("account_id", "client_order_id"):
            known[account].add(name)
    return known


def _intervals(
    told: Iterable[tuple[datetime, Any, Any]],
    current: Iterable[tuple[str, str, datetime]],
    since: datetime | None,
) -> list[Closed]:
    begun: dict[str, tuple[TradingMode, datetime]] = {}
    closed: list[Closed] = []
    earliest = since or datetime.min.replace(tzinfo=UTC)
    for at, before, after in told:
        key = str(after.get("scope", ""))
        was = TradingMode(before.get("mode", TradingMode.ACTIVE))
        mode, start = begun.pop(key, (was, earliest))
        if mode != TradingMode.ACTIVE:
            closed.append(Closed(key, mode, start, at))
        begun[key] = (TradingMode(after.get("mode", TradingMode.ACTIVE)), at)
    for key, text, at in current:
        begun.setdefault(key, (TradingMode(text), at))
    closed += [
        Closed(key, mode, start, None)
        for key, (mode, start) in begun.items()
        if mode != TradingMode.ACTIVE
    ]
    return closed


def _with_decisions(rows: Sequence[Any]) -> Iterator[SignalFacts]:
    ids = [row[0] for row in rows]
    ordered = Order.objects.filter(signal_id__in=ids).order_by().values("decision_id")
    unordered = Q(outcome=DecisionOutcome.COPIED) & ~(
        Q(pk__in=ordered) | Q(reason=Reason.CANCELED_BY_SIGNAL)
    )
    counted = {
        found["signal_id"]: found
        for found in Decision.objects.filter(signal_id__in=ids)
        .order_by()
        .values("signal_id")
        .annotate(
            all=Count("id"),
            unordered=Count("id", filter=unordered),
            wordless=Count("id", filter=~Q(outcome=DecisionOutcome.COPIED) & Q(reason="")),
        )
    }
    expected = _expected(ids)
    for pk, status, received_at in rows:
        made = counted.get(pk, {})
        yield SignalFacts(
            id=pk,
            status=status,
            received_at=received_at,
            expected=expected.get(str(pk)),
            decisions=made.get("all", 0),
            copied_without_order=made.get("unordered", 0),
            without_reason=made.get("wordless", 0),
        )


def _expected(signal_ids: Sequence[UUID]) -> dict[str, int]:
    """How many accounts a signal concerned when it was copied, as the diary has it."""
    entries = AuditEntry.objects.filter(
        object_type=Signal._meta.label_lower,
        object_id__in=[str(pk) for pk in signal_ids],
        action="signal.copied",
    )
    return {
        object_id: after["followers"]
        for object_id, after in entries.order_by().values_list("object_id", "after")
        if isinstance(after.get("followers"), int)
    }


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
