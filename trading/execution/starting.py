"""What a process does before it sends its first order to a market: learn what is still open there.

Orders whose sender is gone are asked about once and the accounts concerned are read. All of
it is bounded in time: an exchange that does not answer holds up nothing but its own market,
and that for a while only. Other processes go on meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence

from accounts.tenancy import all_tenants
from trading.enums import OrderState
from trading.execution.resolve import resolve_unsure
from trading.faults import InjectedFaultError
from trading.models import Order
from trading.outgoing import Outgoing
from trading.sync.reconcile import AT_ONCE, reconcile_accounts

START_S = 15  # when this is over no further account is read
MOST_ACCOUNTS = 200
_OPEN = (
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
    OrderState.MANUAL,
)

log = logging.getLogger(__name__)
_done: dict[str, str] = {}
_busy: dict[str, threading.Lock] = {}
_making = threading.Lock()


def started(orders: Sequence[Outgoing]) -> list[Outgoing]:
    """Those whose market this process knows; the first of a market wait here until it does.

    While another thread is at it they are left out, and the sweep sends them. The closes of
    flatten wait for nothing: the exchange was asked a moment ago what there is to be closed.
    Runs in the scope of all tenants.
    """
    for market in sorted({order.market for order in orders if not order.flattens} - _done.keys()):
        take_up(market)
    return [order for order in orders if order.flattens or order.market in _done]


def is_done(market: str) -> bool:
    """Does this process know what is open at the market?"""
    return market in _done


def take_up(market: str) -> None:
    """Do it once in this process. Never raises for what the exchange or one order does."""
    with _making:
        busy = _busy.setdefault(market, threading.Lock())
    if not busy.acquire(blocking=False):
        return
    try:
        if market not in _done:
            with all_tenants("start-up: what is still open at a market"):
                _done[market] = _learn(market)
    finally:
        busy.release()


def note() -> str:
    """One line about every market, for the list of processes."""
    return "; ".join(f"{market}: {words}" for market, words in sorted(_done.items()))


def assume_started(markets: Sequence[str]) -> None:
    """These are known already, by whoever says so."""
    _done.update(dict.fromkeys(markets, "assumed"))


def forget() -> None:
    """As in a process that has just started; a forked child is one."""
    global _making  # noqa: PLW0603 - a lock that was held while forking would never be freed
    _done.clear()
    _busy.clear()
    _making = threading.Lock()


def _learn(market: str) -> str:
    began = time.monotonic()
    asked = _resolve(market)
    accounts = list(
        Order.objects.filter(market=market, state__in=_OPEN)
        .order_by("account_id")
        .values_list("account_id", flat=True)
        .distinct()[:MOST_ACCOUNTS]
    )
    read = good = 0
    while read < len(accounts) and time.monotonic() - began < START_S:
        runs = reconcile_accounts(accounts[read : read + AT_ONCE], cause="start-up")
        read += len(runs)
        good += sum(run.ok for run in runs)
    words = f"{asked} orders asked about, {good} of {len(accounts)} accounts read"
    words += f" in {time.monotonic() - began:.1f} s"
    log.info("took up %s: %s", market, words)
    return words


def _resolve(market: str) -> int:
    """What was placed for sure, and is only to be seen filled, is left to the sweeps."""
    try:
        return resolve_unsure(market)
    except InjectedFaultError:
        raise
    except Exception:
        log.exception("orders of %s could not be asked about at the start", market)
        return 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
