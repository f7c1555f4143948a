"""What became of the demo's signal, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from accounts.tenancy import tenant_scope
from config.demo.http import call
from config.demo.world import COPIED, FOLLOWERS, World
from trading.enums import DecisionOutcome, OrderState
from trading.models import Decision, Fill, Order
from trading.orders import word_for

UNKNOWN = (OrderState.UNKNOWN, OrderState.SENDING, OrderState.MANUAL)


@dataclass(frozen=True, slots=True)
class Row:
    """One customer's line: decision and reason, order, fill, latency in milliseconds."""

    customer: str
    outcome: str
    reason: str
    order: str
    state: str
    fill: str
    latency_ms: float | None
    as_expected: bool


@dataclass(frozen=True, slots=True)
class Report:
    rows: list[Row]
    decisions: dict[str, int]
    orders: int
    filled: int
    unknown: int
    duplicates: int

    @property
    def is_as_expected(self) -> bool:
        complete = len(self.rows) == len(FOLLOWERS) and self.filled == self.orders
        return (
            complete
            and all(row.as_expected for row in self.rows)
            and not (self.unknown or self.duplicates)
        )

    def latency(self, share: float) -> float | None:
        """The latency that this share of the orders stayed within, in milliseconds."""
        known = sorted(row.latency_ms for row in self.rows if row.latency_ms is not None)
        if not known:
            return None
        return known[min(int(len(known) * share), len(known) - 1)]

    def as_dict(self) -> dict[str, Any]:
        return {
            "signals": 1,
            "decisions": self.decisions,
            "orders": self.orders,
            "filled": self.filled,
            "unknown": self.unknown,
            "duplicates": self.duplicates,
            "p50_ms": self.latency(0.5),
            "p99_ms": self.latency(0.99),
        }


def make_report(world: World, signal_id: str, *, control_url: str, ledger_from: int) -> Report:
    """Read the decisions and orders of a signal, and count doubles in the exchange's ledger."""
    with tenant_scope(world.tenant):
        decisions = list(
            Decision.objects.filter(signal_id=signal_id)
            .select_related("account__customer", "signal")
            .order_by("account__customer__name")
        )
        orders = list(Order.objects.filter(signal_id=signal_id))
        fills = Fill.objects.filter(order_id__in=[order.id for order in orders])
        prices = {fill.order_id: f"{fill.quantity:f} @ {fill.price:f}" for fill in fills}
    by_decision = {order.decision_id: order for order in orders}
    return Report(
        rows=[_row(d, by_decision.get(d.pk), prices) for d in decisions],
        decisions=dict(Counter(str(d.outcome) for d in decisions)),
        orders=len(orders),
        filled=sum(order.state == OrderState.FILLED for order in orders),
        unknown=sum(order.state in UNKNOWN for order in orders),
        duplicates=_duplicates(control_url, ledger_from),
    )


def ledger_end(control_url: str) -> int:
    """The number of the ledger's last entry."""
    last = 0
    while entries := ledger_after(control_url, last):
        last = entries[-1]["seq"]
    return last


def ledger_after(control_url: str, seq: int) -> list[dict[str, Any]]:
    answer = call("GET", f"{control_url}/ledger?after={seq}")
    entries: list[dict[str, Any]] = answer.json()["entries"] if answer.ok else []
    return entries


def _duplicates(control_url: str, after: int) -> int:
    """Orders beyond the first that the exchange accepted under one client order id."""
    accepted: Counter[tuple[str, str]] = Counter()
    while entries := ledger_after(control_url, after):
        after = entries[-1]["seq"]
        accepted.update(
            (entry["account"], entry["cl_ord_id"])
            for entry in entries
            if entry["kind"] == "order" and entry.get("cl_ord_id")
        )
    return sum(count - 1 for count in accepted.values())


def _row(decision: Decision, order: Order | None, prices: dict[Any, str]) -> Row:
    customer = decision.account.customer.name
    follower = FOLLOWERS.get(customer)
    expected = follower.expected if follower else COPIED
    outcome, reason = DecisionOutcome(decision.outcome), decision.reason
    filled = order is not None and order.state == OrderState.FILLED
    latency = None
    if order is not None and order.acked_at is not None:
        took = order.acked_at - decision.signal.received_at
        latency = round(took.total_seconds() * 1000, 1)
    return Row(
        customer=customer,
        outcome=str(outcome.label),
        reason=str(decision.get_reason_display()) if reason else "",
        order=f"{order.side} {order.quantity:f}" if order else "",
        state=str(word_for(OrderState(order.state)).label) if order else "",
        fill=prices.get(order.id, "") if order else "",
        latency_ms=latency,
        as_expected=(outcome, reason) == (expected.outcome, expected.reason)
        and filled == (expected.outcome == DecisionOutcome.COPIED),
    )


def as_table(report: Report) -> str:
    """The report as fixed-width text."""
    head = ("customer", "decision", "reason", "order", "state", "fill", "ms")
    lines = [
        (
            row.customer + ("" if row.as_expected else " (unexpected)"),
            row.outcome,
            row.reason,
            row.order,
            row.state,
            row.fill,
            "" if row.latency_ms is None else f"{row.latency_ms:.0f}",
        )
        for row in report.rows
    ]
    widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]
    shown = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, tuple("-" * width for width in widths), *lines)
    ]
    shown.append(
        f"\n{len(report.rows)} decisions, {report.orders} orders, {report.filled} filled, "
        f"{report.unknown} unknown, {report.duplicates} doubled; signal received to "
        f"acknowledged: median {report.latency(0.5)} ms, 99 of 100 {report.latency(0.99)} ms"
    )
    return "\n".join(shown)
