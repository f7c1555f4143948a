"""Whether what opened a breaker is over: asked by reading, never by an order."""

from __future__ import annotations

import asyncio
import logging

from django.conf import settings

from customers.credentials import NoKey
from customers.models import ExchangeAccount
from trading.breakers import NOT_PROBED, claim_probe, close_breaker, probe_failed
from trading.endpoints import client_of, endpoint_of_market
from trading.enums import BreakerCause, BreakerState
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import AuthFailed, ExchangeError
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import Credentials
from trading.execution.keys import keys_of
from trading.execution.watching import still_unresolved
from trading.leases import db_now
from trading.models import Breaker

AT_ONCE = 20
PATIENCE_S = 3.0
UNREACHED = "there is no such market"

log = logging.getLogger(__name__)


def probe_due() -> int:
    """Ask for every breaker whose time has come; how many closed.

    Maintenance is over when the exchange says so, a loss or a low margin when it is measured so:
    that is not asked for here.
    """
    rows = (
        Breaker.objects.exclude(state=BreakerState.CLOSED)
        .exclude(cause__in=NOT_PROBED)
        .filter(probe_at__lte=db_now())
        .select_related("account__customer")
        .order_by("probe_at")
    )
    claimed = [row for row in rows[:AT_ONCE] if claim_probe(row)]
    return sum(_conclude(row, why) for row, why in zip(claimed, _ask(claimed), strict=True))


def _conclude(row: Breaker, why: str) -> bool:
    if why:
        probe_failed(row, why)
        log.warning("breaker %s stays open: %s", row.key, why)
        return False
    return close_breaker(row, "the exchange answers again")


def _ask(rows: list[Breaker]) -> list[str]:
    """What is still wrong with each, all asked at the same time."""
    loop = exchange_loop()
    asked = [loop.submit(_read(row, *_whom(row))) if _is_reached(row) else None for row in rows]
    answers = [future.result(PATIENCE_S + 1) if future else UNREACHED for future in asked]
    return [why or _still_open(row) for row, why in zip(rows, answers, strict=True)]


def _is_reached(row: Breaker) -> bool:
    """What stands in a market that is gone must not keep the others open."""
    return (row.account.market if row.account else row.market) in settings.MARKETS


def _whom(row: Breaker) -> tuple[ExchangeClient, Credentials | None]:
    """The client, and the key whose balance is read; without one only the time is asked for."""
    account = _witness(row)
    if account is None:
        return client_for(endpoint_of_market(row.market)), None
    try:
        return client_of(account), keys_of(account)
    except NoKey:
        return client_of(account), None


def _witness(row: Breaker) -> ExchangeAccount | None:
    """Whose balance is read: the account's own, or of a market anybody's who may trade there."""
    if row.account is not None:
        return row.account
    there = ExchangeAccount.objects.streamed().filter(market=row.market)
    found: ExchangeAccount | None = there.order_by("-verified_at", "pk").first()
    return found


async def _read(row: Breaker, client: ExchangeClient, keys: Credentials | None) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            if keys is None:
                await client.fetch_time_ms()
            else:
                await client.fetch_balance(keys)
    except AuthFailed as error:
        # Whoever lost a key must not keep a whole market closed: the exchange did answer.
        return "" if row.account_id is None else str(error)
    except (ExchangeError, TimeoutError) as error:
        return str(error) or type(error).__name__
    return ""


def _still_open(row: Breaker) -> str:
    if row.cause != BreakerCause.UNRESOLVED or row.account_id is None:
        return ""
    left = still_unresolved(row.account_id)
    return f"{left} orders with unknown outcome" if left >= settings.BREAKER_UNRESOLVED else ""
