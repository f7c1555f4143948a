"""The guards of the order protocol, where each stands, and the tests that must miss it.

Each is a piece of the product's source and what stands there without it. A piece that is not
found any more is a failure: whoever moves a guard moves its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = "tests/chaos/test_model.py"
NET = "tests/chaos/test_safety_net.py"
EXECUTION = "tests/trading/execution"
THOROUGH = {"CHAOS_EXAMPLES": "60", "CHAOS_STEPS": "40"}


@dataclass(frozen=True, slots=True)
class Guard:
    """`without` takes the place of `piece` in the source of `module`."""

    name: str
    module: str
    piece: str
    without: str
    tests: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    services: bool = False  # its tests need MariaDB

    def source(self) -> str:
        path = ROOT / (self.module.replace(".", "/") + ".py")
        if not path.exists():
            path = ROOT / self.module.replace(".", "/") / "__init__.py"
        return path.read_text(encoding="utf-8")

    def mutated(self) -> str:
        source = self.source()
        if source.count(self.piece) != 1:
            raise LookupError(f"{self.name}: {self.module} has {self.piece!r} not exactly once")
        return source.replace(self.piece, self.without)


def find(name: str) -> Guard:
    return next(guard for guard in GUARDS if guard.name == name)


GUARDS = (
    Guard(
        "mark committed before sending",
        "trading.execution.run",
        "        marked = mark(heads, leverages.locked, leverages.unset)\n",
        "        with transaction.atomic():\n"
        "            marked = mark(heads, leverages.locked, leverages.unset)\n"
        "            transaction.set_rollback(True)\n",
        (f"{EXECUTION}/test_sending.py", MODEL),
    ),
    Guard(
        "attempt on record before sending",
        "trading.execution.mark",
        '        "attempt": attempt.number,\n',
        "",
        (f"{EXECUTION}/test_attempts.py",),
    ),
    Guard(
        "attempt kept when something else is faster than its answer",
        "trading.transition",
        "    if not answered:\n",
        "    if False:\n",
        (f"{EXECUTION}/test_attempts.py",),
    ),
    Guard(
        "grace after the deadline",
        "trading.execution.looking",
        "patience_ms = (settings.SKEW_S + settings.GRACE_S) * 1000",
        "patience_ms = 0",
        (f"{NET}::test_the_lag_of_the_exchange_is_waited_out",),
    ),
    Guard(
        "deadline before not-found counts",
        "trading.execution.looking",
        "    return _ms_too_early(order, order.exp_at_ms) < 0\n",
        "    return True\n",
        (f"{NET}::test_a_not_found_counts_only_after_the_deadline", MODEL),
    ),
    Guard(
        "errors are not not-found",
        "trading.execution.looking",
        "if one.lookup.kind != LookupKind.NOT_FOUND or",
        "if one.lookup.kind == LookupKind.FOUND or",
        (f"{NET}::test_a_failed_reading_is_not_counted",),
    ),
    Guard(
        "three not-founds",
        "trading.execution.looking",
        "NOT_FOUND_NEEDED = 3",
        "NOT_FOUND_NEEDED = 1",
        (f"{EXECUTION}/test_resolving.py",),
    ),
    Guard(
        "absence from every list",
        "trading.execution.looking",
        "present is not None and one.order.client_order_id not in present",
        "bool(keys)",
        (f"{EXECUTION}/test_sending.py::test_what_a_list_still_shows_is_not_sent_again",),
    ),
    Guard(
        "a list that failed proves nothing",
        "trading.execution.looking",
        "    except ExchangeError:\n        return None\n",
        "    except ExchangeError:\n        return ids\n",
        (f"{NET}::test_a_list_that_cannot_be_read_proves_nothing",),
    ),
    Guard(
        "another user's key finds nothing",
        "trading.execution.looking",
        "    if order.account.key_status != KeyStatus.VERIFIED:\n        return False\n",
        "",
        (f"{NET}::test_a_key_that_may_be_another_users_proves_nothing",),
    ),
    Guard(
        "proof before a second try",
        "trading.orders",
        "        return proved_not_placed\n",
        "        return True\n",
        ("tests/trading/test_orders.py",),
    ),
    Guard(
        "head of lane",
        "trading.execution.lanes",
        "one.id in wanted and _has_its_turn(one, by_id[heads[one.lane_key]]) and",
        "one.id in wanted and",
        (f"{EXECUTION}/test_lanes.py", MODEL),
    ),
    Guard(
        "what rests holds nobody up, what is unknown does",
        "trading.execution.lanes",
        ".exclude(_RESTING)\n        .order_by()\n        .values_list(*_Standing._fields)",
        '.exclude(_RESTING | Q(state="unknown"))\n        .order_by()\n'
        "        .values_list(*_Standing._fields)",
        (f"{EXECUTION}/test_lanes.py", MODEL),
    ),
    Guard(
        "lease of whoever is sending",
        "trading.execution.resolve",
        "        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))\n",
        "",
        (f"{NET}::test_an_order_in_somebodys_hands_is_left_alone",),
    ),
    Guard(
        "version of what was read",
        "trading.transition",
        "        was = (order.id, order.signal_at, order.version, order.state)\n",
        "        there = Order.objects.filter(id=order.id, signal_at=order.signal_at)\n"
        '        was = (order.id, order.signal_at, *there.values_list("version", "state").get())\n',
        ("tests/trading/test_transition.py", f"{EXECUTION}/test_recovery.py"),
    ),
    Guard(
        "switch at marking",
        "trading.execution.mark",
        "modes: tuple[TradingMode, ...] = board.modes_for(covered, flattens=order.flattens)",
        "modes: tuple[TradingMode, ...] = ()",
        (f"{EXECUTION}/test_halt.py", f"{EXECUTION}/test_last_look.py", MODEL),
    ),
    Guard(
        "at once only in a free lane",
        "trading.execution.departing",
        " if one.order.lane_key not in taken] if taken else found\n",
        "]\n",
        (f"{EXECUTION}/test_departing.py",),
    ),
    Guard(
        "at once only with the leverage that is set",
        "trading.execution.departing",
        "            and not needs_leverage(order)\n",
        "",
        (f"{EXECUTION}/test_departing.py",),
    ),
    Guard(
        "at once only when no earlier stop lingers",
        "trading.execution.departing",
        "likeness is None or order.id in self._seen.lingering",
        "likeness is None",
        (f"{EXECUTION}/test_departing.py",),
    ),
    Guard(
        "at once only as many as the caps allow",
        "trading.execution.departing",
        "self._alone = _counts_together(seen, len(orders))",
        "self._alone = False",
        (f"{EXECUTION}/test_departing.py",),
    ),
    Guard(
        "at once only with what the account's order before it left",
        "trading.execution.departing",
        "self._takes = self._alone or len({order.account_id for order in orders}) < len(orders)",
        "self._takes = self._alone",
        (f"{EXECUTION}/test_departing.py",),
    ),
    Guard(
        "switches held while marking",
        "trading.switch",
        'share = " LOCK IN SHARE MODE" if connection.vendor == "mysql" else ""',
        'share = ""',
        (f"{NET}::test_a_halt_waits_for_whoever_is_marking",),
        services=True,
    ),
    Guard(
        "freshness at marking",
        "trading.execution.mark",
        "if order.opens and order.expires_at is not None and seen.now > order.expires_at:",
        "if False:",
        (f"{EXECUTION}/test_last_look.py",),
    ),
    Guard(
        "closes sized from fills",
        "trading.execution.mark",
        "    quantity = _quantity(order, seen)\n",
        "    quantity = Decimal(order.quantity)\n",
        (f"{EXECUTION}/test_last_look.py", f"{EXECUTION}/test_lanes.py"),
    ),
    Guard(
        "closes are reduce-only",
        "trading.execution.send",
        "reduce_only=order.reduce_only,",
        "reduce_only=False,",
        (f"{EXECUTION}/test_sending.py", f"{EXECUTION}/test_flatten.py"),
    ),
    Guard(
        "same client order id at every attempt",
        "trading.execution.send",
        "        order.client_order_id,\n",
        '        f"{order.client_order_id[:-2]}{order.attempt:02}",\n',
        (f"{EXECUTION}/test_sending.py", MODEL),
    ),
    Guard(
        "a server's failure proves nothing",
        "trading.exchange.okx.classify",
        "    if answer.status is None or _proves_nothing(answer.status):\n"
        "        return Outcome.UNKNOWN\n",
        "    if answer.status is None or _proves_nothing(answer.status):\n"
        "        return Outcome.NOT_PLACED\n",
        ("tests/trading/exchange/test_send_outcomes.py",),
    ),
    Guard(
        "silence proves nothing",
        "trading.exchange.okx.classify",
        "kind=Outcome.UNKNOWN if unsent is None else Outcome.NOT_PLACED,",
        "kind=Outcome.NOT_PLACED,",
        ("tests/trading/exchange/test_send_outcomes.py",),
    ),
    Guard(
        "an unreadable answer proves nothing",
        "trading.exchange.okx.classify",
        "        kind=Outcome.UNKNOWN, http_status=answer.status, excerpt=",
        "        kind=Outcome.NOT_PLACED, http_status=answer.status, excerpt=",
        ("tests/trading/exchange/test_send_outcomes.py",),
    ),
    Guard(
        "an acknowledgement shows an order id",
        "trading.exchange.okx.classify",
        "    return bool(_text(row, operation.order_id)) or not operation.order_id_needed\n",
        "    return True\n",
        ("tests/trading/exchange/test_send_outcomes.py",),
    ),
    Guard(
        "final states stay",
        "trading.orders",
        "    state = max(current.state, report.state, key=RANK.__getitem__)\n",
        "    state = report.state\n",
        ("tests/trading/test_orders.py",),
    ),
    Guard(
        "each fill once",
        "trading.sync.apply.fills",
        "        if identity not in there\n",
        "",
        ("tests/trading/sync/test_apply_orders.py", MODEL),
    ),
    Guard(
        "a second order under one id is no news of the first",
        "trading.sync.apply.orders",
        "if report.exchange_order_id == first and report.inst_id == order.inst_id:",
        "if report.inst_id == order.inst_id:",
        ("tests/trading/sync/test_apply_orders.py",),
    ),
    Guard(
        "one source at a time",
        "trading.copying.run",
        "        .filter(Q(claim_until__isnull=True) | Q(claim_until__lt=now))\n",
        "",
        ("tests/trading/copying/test_one_at_a_time.py",),
    ),
    Guard(
        "poison is set aside",
        "trading.copying.run",
        "    if signal.claims <= MAX_CLAIMS:\n",
        "    if signal.claims:\n",
        ("tests/trading/copying/test_one_at_a_time.py",),
    ),
    Guard(
        "clock too far off",
        "trading.execution.run",
        "_with_keys(on_time(heads))",
        "_with_keys(heads)",
        (f"{EXECUTION}/test_clocks.py",),
    ),
    Guard(
        "a cancel is done when the order is gone",
        "trading.execution.judging",
        "    return _ask_until_gone(seen)\n\n\ndef _amend",
        "    if seen.answer is not None:\n"
        '        return Step(end=ActionState.DONE, words="answered")\n'
        "    return _ask_until_gone(seen)\n\n\ndef _amend",
        (f"{EXECUTION}/test_actions.py",),
    ),
    Guard(
        "flatten by the exchange's positions",
        "trading.execution.flatten.plan",
        "            quantity = min(left, abs(position.quantity))\n",
        "            quantity = left\n",
        (f"{NET}::test_flatten_closes_what_is_there_and_no_more",),
    ),
    Guard(
        "flatten closes only reduce",
        "trading.execution.flatten.plan",
        "reduce_only=position.position_side is ReportedSide.NET,",
        "reduce_only=False,",
        (f"{EXECUTION}/test_flatten.py",),
    ),
    Guard(
        "breakers open",
        "trading.execution.watching",
        "def judge_accounts(account_ids: Iterable[int], now: datetime) -> int:\n",
        "def judge_accounts(account_ids: Iterable[int], now: datetime) -> int:\n    return 0\n\n\n"
        "def _never(account_ids: Iterable[int], now: datetime) -> int:\n",
        (f"{EXECUTION}/test_breakers.py",),
    ),
    Guard(
        "a pause that a crash prevented",
        "trading.execution.sweep",
        '    ("paused", pause_forgotten),\n',
        "",
        (f"{EXECUTION}/test_refused.py",),
    ),
    Guard(
        "nothing leaves with a refused key",
        "trading.execution.run",
        "    refused = [order for order in orders if is_refused(order.account)]\n",
        "    refused = list[Outgoing]()\n",
        (f"{EXECUTION}/test_refused.py",),
    ),
    Guard(
        "the second person is another one",
        "accounts.approvals",
        "    if approval.requested_by_id == by.pk:\n",
        "    if False:\n",
        ("tests/accounts/test_approvals.py",),
    ),
    Guard(
        "a missing row of the switch stops everything",
        "trading.switch",
        "    if len(system) != 1 or len(tenants) != len(ids):\n",
        "    if False:\n",
        ("tests/trading/test_switch.py", f"{EXECUTION}/test_halt.py"),
    ),
)
