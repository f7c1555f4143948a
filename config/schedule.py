"""What beat does when. The rows it makes of this are seen, and may be changed, in the admin."""

from __future__ import annotations

from typing import Any


def _every(seconds: float, task: str) -> dict[str, Any]:
    # An old tick is worth nothing: the next one does all that it would have done.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 5)}}


BEAT_SCHEDULE = {
    "sweep orders": _every(2, "trading.tasks.sweep_orders"),
    "executor heartbeat": _every(10, "trading.tasks.executor_heartbeat"),
    "worker heartbeat": _every(10, "trading.tasks.worker_heartbeat"),
    "reconcile accounts": _every(10, "trading.tasks.reconcile_accounts"),
    "check pending keys": _every(10, "trading.tasks.verify_pending"),
    "tell people": _every(5, "notifications.tasks.tell_people"),
    "tell open pages what they missed": _every(2.5, "notifications.tasks.sweep_live"),
    "forget old live events": _every(60, "notifications.tasks.prune_live"),
    "close overdue requests": _every(300, "accounts.tasks.expire_overdue_approvals"),
    "close signals that nobody approved": _every(5, "signals.tasks.expire_held"),
    "forget old nonces": _every(60, "signals.tasks.prune_nonces"),
    "audit the books": _every(86_400, "trading.tasks.audit_ledger"),
    "watch losses": _every(10, "trading.tasks.watch_losses"),
    "watch margins": _every(5, "trading.tasks.watch_margins"),
    "watch waiting orders": _every(10, "trading.tasks.watch_waiting_orders"),
    "follow stops": _every(3, "trading.tasks.follow_all_stops"),
    "watch leaders": _every(15, "trading.tasks.watch_leaders"),
    "watch the exchange": _every(60, "trading.tasks.watch_markets"),
    "forget old reconcile runs": _every(3600, "trading.tasks.forget_old_runs"),
}

# These may decrypt exchange keys, so they run on the executor's queue only.
EXECUTOR_TASKS = (
    "audit_ledger",
    "act",
    "copy_signal",
    "end_followings",
    "executor_heartbeat",
    "flatten",
    "follow_all_stops",
    "follow_stops",
    "follow_up",
    "reconcile_account",
    "reconcile_accounts",
    "repair",
    "send_shard",
    "settle_by_hand",
    "sweep_orders",
    "verify_account",
    "verify_leader",
    "verify_pending",
    "warm_up",
    "watch_losses",
    "watch_margins",
    "watch_markets",
    "watch_waiting_orders",
)
