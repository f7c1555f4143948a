"""Reading an account over REST. Network only: nothing here touches the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from trading.exchange.client import ExchangeClient
from trading.exchange.types import (
    BalanceReport,
    Credentials,
    FillReport,
    LookupKind,
    OrderReport,
    PositionReport,
)

T = TypeVar("T")

# The exchange allows ten lookups at a time to an account without noticing.
MAX_LOOKUPS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """What to read of one account; `lookups` are (instrument, client order id) of ours."""

    client: ExchangeClient
    credentials: Credentials
    fills_since_ms: int
    lookups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """An account as the exchange told it, in full. `unanswered`: lookups that proved nothing;
    `absent`: the client order ids of those that it clearly does not have."""

    orders: tuple[OrderReport, ...]
    fills: tuple[FillReport, ...]
    positions: tuple[PositionReport, ...]
    balance: BalanceReport
    unanswered: int = 0
    absent: frozenset[str] = frozenset()


async def read_account(question: Question) -> Reading:
    """All of it or an exception: ReadFailed, MalformedReport. Half a reading would look like flat.

    Orders of ours that are not in the list of pending ones are looked up one by one.
    """
    client, keys = question.client, question.credentials
    pending, balance = await _both(
        lambda: client.fetch_open_orders(keys), lambda: client.fetch_balance(keys)
    )
    listed = {report.client_order_id for report in pending}
    missing = [lookup for lookup in question.lookups if lookup[1] not in listed]
    found, unanswered, absent = await _look_up(client, keys, missing[:MAX_LOOKUPS])
    fills, positions = await _both(
        lambda: client.fetch_fills(keys, begin_ms=question.fills_since_ms),
        lambda: client.fetch_positions(keys),
    )
    return Reading((*pending, *found), fills, positions, balance, unanswered, absent)


async def read_accounts(
    questions: Sequence[Question], *, at_once: int, seconds: float
) -> list[Reading | Exception]:
    """One answer or one failure for each question, in their order; each has `seconds`."""
    gate = asyncio.Semaphore(at_once)

    async def read(question: Question) -> Reading:
        async with gate:
            return await asyncio.wait_for(read_account(question), seconds)

    answers = await asyncio.gather(*map(read, questions), return_exceptions=True)
    return [answer if isinstance(answer, Reading) else _failure(answer) for answer in answers]


async def _look_up(
    client: ExchangeClient, keys: Credentials, lookups: Sequence[tuple[str, str]]
) -> tuple[list[OrderReport], int, frozenset[str]]:
    answers = await asyncio.gather(
        *(client.fetch_order(keys, inst_id, client_order_id=name) for inst_id, name in lookups)
    )
    found = [answer.report for answer in answers if answer.report is not None]
    absent = frozenset(
        name
        for (_inst_id, name), answer in zip(lookups, answers, strict=True)
        if answer.kind is LookupKind.NOT_FOUND
    )
    return found, sum(answer.kind is LookupKind.UNKNOWN for answer in answers), absent


U = TypeVar("U")


async def _both(
    first: Callable[[], Awaitable[T]], second: Callable[[], Awaitable[U]]
) -> tuple[T, U]:
    return await asyncio.gather(first(), second())


def _failure(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    raise error
