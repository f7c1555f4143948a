"""What was paid in or out: asked of the exchange before a loss may be called one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.credentials import NoKey
from customers.models import ExchangeAccount
from trading.endpoints import NoMarket, client_of
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import exchange_loop
from trading.exchange.types import TransferReport
from trading.execution.keys import keys_of
from trading.models import MarketPrice

PATIENCE_S = 5
IN_DOLLARS = frozenset({"USD", "USDT", "USDC"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Payment:
    """Positive came in; in USDT."""

    at: datetime
    amount: Decimal


def read_payments(
    asked: Mapping[ExchangeAccount, datetime],
) -> dict[int, list[Payment]]:
    """What moved of each account since its moment, by the account's key.

    Accounts that could not be asked are left out: of those nothing is known.
    """
    loop = exchange_loop()
    waiting = {}
    for account, since in asked.items():
        try:
            waiting[account.pk] = (account, loop.submit(_ask(account, since)))
        except (NoKey, NoMarket) as error:
            log.warning("payments of account %s cannot be read: %s", account.pk, error)
    found = {}
    for pk, (account, answer) in waiting.items():
        try:
            reports = answer.result(PATIENCE_S + 1)
        except (ExchangeError, TimeoutError) as error:
            log.warning("payments of account %s were not read: %s", pk, error)
            continue
        found[pk] = [_payment(account, report) for report in reports]
    return found


def _ask(
    account: ExchangeAccount, since: datetime
) -> Coroutine[Any, Any, tuple[TransferReport, ...]]:
    client, keys = client_of(account), keys_of(account)
    begin = round(since.timestamp() * 1000)

    async def read() -> tuple[TransferReport, ...]:
        async with asyncio.timeout(PATIENCE_S):
            return await client.fetch_transfers(keys, begin_ms=begin)

    return read()


def _payment(account: ExchangeAccount, report: TransferReport) -> Payment:
    rate = rate_of(account.market, report.currency) or Decimal(0)
    return Payment(report.at, report.amount * rate)


def rate_of(market: str, currency: str) -> Decimal | None:
    """What one of it is worth in USDT, or None when nobody knows."""
    if currency in IN_DOLLARS:
        return Decimal(1)
    row = MarketPrice.objects.filter(market=market, inst_id=f"{currency}-USDT").first()
    return None if row is None else (row.last or row.mark)
