"""What a reading of an account means: cancel again, wait, close, look once more, or done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.enums import AuditLevel
from customers.models import ExchangeAccount
from trading.enums import FlattenStep, OrderState, TradingMode
from trading.execution.flatten.facts import Facts
from trading.execution.flatten.look import Look
from trading.execution.flatten.plan import (
    Close,
    Plan,
    joined,
    plan_cycles,
    plan_positions,
    plan_spot,
)
from trading.execution.flatten.reach import UNSENT, Reach
from trading.execution.flatten.rows import alert_if_stuck, tell, write
from trading.execution.flatten.writing import (
    closes_of,
    drop_unsent,
    unfinished_closes,
    write_closes,
)
from trading.faults import faultpoint
from trading.leases import db_now
from trading.models import Cycle, FlattenAccount
from trading.switch import Covered
from trading.transition import retried

ROUNDS = 5
READINGS = 2
SOON = timedelta(milliseconds=200)
HALTED_AGAIN = timedelta(seconds=2)
READ_AGAIN = timedelta(seconds=2)
SLOWEST = timedelta(seconds=5)
STALE = timedelta(seconds=15)
UNRESOLVED_MS = 500


def after_look(row: FlattenAccount, facts: Facts, seen: Look, now_ms: int) -> list[UUID]:
    """Write down where the account stands; the closes that are to be sent. `now_ms` is the
    exchange's time just before it was asked. Raises OutrunError."""
    if seen.error:
        _failed(row, seen.error, refused=seen.refused)
        return []
    if seen.waiting and not facts.insists:
        _canceling(row, seen.waiting)
        return []
    faultpoint("FLATTEN.canceled")
    if facts.until_ms > now_ms or seen.closing or facts.sells_unresolved:
        _waiting(row, max(facts.until_ms - now_ms, 0))
        return []
    if facts.unresolved:
        _waiting(row, UNRESOLVED_MS, _("The outcome of an order is not known yet"))
        return []
    faultpoint("FLATTEN.waited")
    plan = _plan(row, facts, seen)
    faultpoint("FLATTEN.read")
    if plan.is_flat:
        if seen.waiting:
            _canceling(row, seen.waiting)
        else:
            _flat(row, plan)
        return []
    if plan.closes:
        facts.known.source(row.tenant)
    return _round(row, plan, facts)


def failed_here(row: FlattenAccount, problem: str) -> None:
    """The account cannot even be asked: it has no key that may be used."""
    _failed(row, problem, refused=True)


@retried
@transaction.atomic
def _failed(row: FlattenAccount, problem: str, *, refused: bool) -> None:
    now = db_now()
    wait = SLOWEST if refused else min(SOON * 2 ** min(row.failures, 5), READ_AGAIN)
    failures = min(row.failures + 1, 1000)
    _stay(row, FlattenStep(row.step), now, wait, problem=problem[:300], failures=failures)


@retried
@transaction.atomic
def _canceling(row: FlattenAccount, waiting: int) -> None:
    words = _("%(n)d orders are being canceled") % {"n": waiting}
    _stay(row, FlattenStep.CANCELING, db_now(), SOON, problem=words)


@retried
@transaction.atomic
def _waiting(row: FlattenAccount, milliseconds: int, problem: str = "") -> None:
    wait = max(min(timedelta(milliseconds=milliseconds), timedelta(seconds=1)), SOON / 4)
    _stay(row, FlattenStep.WAITING, db_now(), wait, problem=problem)


def _stay(
    row: FlattenAccount, step: FlattenStep, now: datetime, wait: timedelta, **columns: Any
) -> None:
    """Not there yet. What is a person's stays theirs until it is flat."""
    if row.step == FlattenStep.MANUAL:
        step, columns["problem"] = FlattenStep.MANUAL, row.problem
    columns = {"flat_reads": 0, "failures": 0, **columns}
    write(row, step, now, not_before=now + wait, **columns)
    alert_if_stuck(row, now, columns.get("problem", ""))


@retried
@transaction.atomic
def _flat(row: FlattenAccount, plan: Plan) -> None:
    """Once is not enough: a fill may show in one answer and not yet in another."""
    now = db_now()
    apart = timedelta(seconds=settings.FLATTEN_READS_APART_S)
    reads, read_at = row.flat_reads, row.read_at if row.flat_reads else None
    if read_at is None or now - read_at >= apart:
        reads, read_at = min(reads + 1, READINGS), now
    known: dict[str, Any] = {
        "remaining": [],
        "failures": 0,
        "flat_reads": reads,
        "read_at": read_at,
        "problem": _dust(plan),
    }
    if reads < READINGS:
        write(row, FlattenStep.VERIFYING, now, not_before=read_at + apart, **known)
        return
    watch = timedelta(seconds=settings.FLATTEN_WATCH_S)
    write(row, FlattenStep.FLAT, now, round=0, not_before=now + watch, **known)
    _end_cycles(row, now)
    if row.step != FlattenStep.FLAT:
        _say_flat(row)
    faultpoint("FLATTEN.verified")


def _dust(plan: Plan) -> str:
    if not plan.dust:
        return ""
    return (_("Too little to be sold: %(what)s") % {"what": ", ".join(plan.dust)})[:300]


def _end_cycles(row: FlattenAccount, now: datetime) -> None:
    """Following must not think that it still holds what was closed."""
    Cycle.objects.filter(
        Reach.of(row.run.state).rows(), account_id=row.account_id, ended_at__isnull=True
    ).update(ended_at=now, active_key=None)


def _say_flat(row: FlattenAccount) -> None:
    tell(row, "flatten.account_flat", AuditLevel.INFO)
    others = FlattenAccount.objects.filter(run_id=row.run_id).exclude(pk=row.pk)
    if others.exclude(step=FlattenStep.FLAT).exists():
        return
    audit.record(
        action="flatten.all_flat",
        obj=row.run.state,
        level=AuditLevel.NOTICE,
        after={"accounts": others.count() + 1},
        reason=row.run.reason,
        tenant=row.run.tenant_id,
    )


@retried
@transaction.atomic
def _round(row: FlattenAccount, plan: Plan, facts: Facts) -> list[UUID]:
    """Close what is there, alone with the account: two flattens never close the same twice."""
    now = db_now()
    seen: dict[str, Any] = {"remaining": _open(plan), "flat_reads": 0, "failures": 0}
    number = row.round
    if row.step == FlattenStep.MANUAL:
        write(row, FlattenStep.MANUAL, now, problem=row.problem, not_before=now + SLOWEST, **seen)
        return []
    if row.step == FlattenStep.FLAT:
        number = 0
        words = _("A position appeared after the account was flat")
        tell(row, "flatten.position_appeared", AuditLevel.WARNING, words, seen["remaining"])
    if number >= ROUNDS or not plan.closes:
        _give_to_a_person(row, plan, seen, now)
        return []
    ExchangeAccount.objects.select_for_update().only("id").get(pk=row.account_id)
    if row.leg:  # before the first round there was nothing to send
        drop_unsent(list(closes_of(row).filter(state__in=UNSENT)), now)
    if _others_close(row, facts):
        write(row, FlattenStep.WAITING, now, not_before=now + SOON, round=number, **seen)
        return []
    if _is_halted(row, plan.closes[0], facts):
        words = _("Waits: the installation is halted")
        write(
            row, FlattenStep.READING, now, problem=words, round=number,
            not_before=now + HALTED_AGAIN, **seen,
        )  # fmt: skip
        alert_if_stuck(row, now, words)
        return []
    source = facts.known.source(row.tenant)
    ids = write_closes(row, source, plan.closes, now)
    write(row, FlattenStep.CLOSING, now, leg=row.leg + 1, round=number + 1, **seen)
    return ids


def _others_close(row: FlattenAccount, facts: Facts) -> bool:
    """Another flatten of this account closes just now. What was sent before we looked is past."""
    past = {order.id for order in facts.closes if order.state not in UNSENT}
    return any(order.id not in past for order in unfinished_closes([row.account_id]))


def _is_halted(row: FlattenAccount, close: Close, facts: Facts) -> bool:
    covered = Covered(
        tenant_id=row.tenant_id,
        account_id=row.account_id,
        customer_id=row.account.customer_id,
        inst_id=close.inst_id,
    )
    return TradingMode.HALTED in facts.known.modes(row.tenant_id, covered)


def _give_to_a_person(row: FlattenAccount, plan: Plan, seen: dict[str, Any], now: datetime) -> None:
    if plan.closes:
        why = _("Still open after %(n)d rounds. %(problem)s") % {
            "n": ROUNDS,
            "problem": _last_refusal(row),
        }
    else:
        why = _("Close by hand at the exchange: %(what)s") % {"what": ", ".join(plan.stuck)}
    why = why.strip()[:300]
    write(row, FlattenStep.MANUAL, now, problem=why, not_before=now + SLOWEST, **seen)
    tell(row, "flatten.needs_a_person", AuditLevel.CRITICAL, why, seen["remaining"])


def _last_refusal(row: FlattenAccount) -> str:
    refused = closes_of(row).filter(state=OrderState.REJECTED).order_by("-created_at").first()
    return "" if refused is None else f"{refused.exchange_code} {refused.exchange_message}".strip()


def _plan(row: FlattenAccount, facts: Facts, seen: Look) -> Plan:
    positions = [p for p in seen.positions if p.quantity and facts.reach.covers(p.inst_id)]
    spot = plan_spot([one for one in facts.held if one.is_spot], seen.available)
    if facts.reach.only_cycles:
        held = [one for one in facts.held if not one.is_spot]
        return joined(plan_cycles(held, positions), spot)
    known = facts.known.instruments(row.account.market, [p.inst_id for p in positions])
    return joined(plan_positions(positions, known), spot)


def _open(plan: Plan) -> list[dict[str, str]]:
    found = [
        {
            "inst_id": close.inst_id,
            "direction": close.direction.value,
            "margin_mode": close.margin_mode,
            "quantity": f"{close.quantity.normalize():f}",
            "notional": "" if close.notional is None else f"{close.notional:f}",
        }
        for close in plan.closes
    ]
    return found + [
        {"inst_id": name, "direction": "", "margin_mode": "", "quantity": "", "notional": ""}
        for name in plan.stuck
    ]


@retried
@transaction.atomic
def after_closing(row: FlattenAccount, now_ms: int) -> list[UUID]:
    """The closes of this round, looked up meanwhile: send again, wait, or read anew."""
    now = db_now()
    mine = list(closes_of(row).filter(leg_number=row.leg))
    patience = round((settings.SKEW_S + settings.GRACE_S) * 1000)
    unsent = [order for order in mine if order.state in UNSENT]
    flying = [
        order
        for order in mine
        if not order.is_final
        and order.state not in (*UNSENT, OrderState.MANUAL)
        and (order.exp_at_ms or 0) + patience > now_ms
    ]
    if unsent and not flying and now - row.step_at > STALE:
        drop_unsent(unsent, now)
        unsent = []
    if unsent or flying:
        why = next((o.get_reason_display() for o in unsent if o.reason), "")
        write(row, FlattenStep.CLOSING, now, problem=str(why), not_before=now + SOON)
        alert_if_stuck(row, now, str(why))
        return [order.id for order in unsent]
    faultpoint("FLATTEN.closed")
    refused = next((o for o in mine if o.state == OrderState.REJECTED), None)
    words = "" if refused is None else f"{refused.exchange_code} {refused.exchange_message}"
    write(row, FlattenStep.READING, now, problem=words.strip()[:300])
    alert_if_stuck(row, now, words)
    return []
