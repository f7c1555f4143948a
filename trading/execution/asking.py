"""The requests of actions: cancels by the batch, changes one by one, and looking at the result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from trading.endpoints import client_of
from trading.enums import ActionKind
from trading.exchange.algos import (
    AlgoAmendRequest,
    AlgoCancelRequest,
    AlgoLookup,
    AlgoRequest,
)
from trading.exchange.protection import Trigger
from trading.exchange.runner import exchange_loop
from trading.exchange.types import (
    AmendRequest,
    CancelRequest,
    Credentials,
    LookupKind,
    MarginMode,
    OrderLookup,
    Outcome,
    PositionSide,
    SendOutcome,
    Side,
)
from trading.models import Action, Order, Protection

PATIENCE_S = 12  # longer than the door waits for an answer, shorter than a claim lasts
UNHEARD = SendOutcome(kind=Outcome.UNKNOWN, excerpt="the request was not finished")
NOTHING_HEARD = OrderLookup(kind=LookupKind.UNKNOWN, message="no answer")
Lookup = OrderLookup | AlgoLookup
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """An action with what it is about, and the key to ask with."""

    action: Action
    order: Order | None
    protection: Protection | None
    keys: Credentials


@dataclass(frozen=True, slots=True)
class Heard:
    """What the exchange answered to a request, if one was sent, and what it has since."""

    asked: Asked
    answer: SendOutcome | None
    lookup: Lookup


def ask_accounts(asked: Sequence[Asked], *, send: bool) -> Iterator[list[Heard]]:
    """Send and then look, or only look; yields each account's answers as they come.

    An account that does not answer holds up nobody else.
    """
    accounts: dict[int, list[Asked]] = {}
    for one in asked:
        accounts.setdefault(one.action.account_id, []).append(one)
    loop = exchange_loop()
    asking = {loop.submit(_ask(theirs, send=send)): theirs for theirs in accounts.values()}
    for future in as_completed(asking):
        yield future.result()


async def _ask(asked: Sequence[Asked], *, send: bool) -> list[Heard]:
    answers: list[SendOutcome | None] = [None] * len(asked)
    if send:
        answers = list(await _send(asked))
    lookups = await asyncio.gather(*map(_look_up, asked, answers))
    return [Heard(*each) for each in zip(asked, answers, lookups, strict=True)]


async def _send(asked: Sequence[Asked]) -> list[SendOutcome]:
    """Cancels together, changes one by one; one outcome for each, in their order."""
    cancels: dict[ActionKind, list[int]] = {}
    jobs: list[tuple[list[int], Coroutine[Any, Any, Sequence[SendOutcome]]]] = []
    for index, one in enumerate(asked):
        if one.action.kind in (ActionKind.CANCEL, ActionKind.UNPROTECT):
            cancels.setdefault(ActionKind(one.action.kind), []).append(index)
        else:
            jobs.append(([index], _change(one)))
    jobs += [
        (indexes, _cancel([asked[index] for index in indexes])) for indexes in cancels.values()
    ]
    outcomes = [UNHEARD] * len(asked)
    answered = await asyncio.gather(*(_safely(job) for _, job in jobs))
    for (indexes, _), answers in zip(jobs, answered, strict=True):
        for index, answer in zip(indexes, answers or (), strict=False):
            outcomes[index] = answer
    return outcomes


async def _look_up(one: Asked, answer: SendOutcome | None) -> Lookup:
    if answer is not None and answer.kind in (Outcome.NOT_PLACED, Outcome.AUTH):
        return NOTHING_HEARD
    return await _safely(_look(one)) or NOTHING_HEARD


async def _safely(job: Coroutine[Any, Any, T]) -> T | None:
    try:
        return await asyncio.wait_for(job, PATIENCE_S)
    except Exception:
        # Whatever happened, the request may have arrived.
        log.exception("an action's request failed")
        return None


async def _cancel(batch: Sequence[Asked]) -> Sequence[SendOutcome]:
    first = batch[0]
    client = client_of(first.action.account)
    if first.order is not None:
        orders = [one.order for one in batch if one.order is not None]
        return await client.cancel_orders(
            first.keys, [CancelRequest(inst_id=o.inst_id, **names_of(o)) for o in orders]
        )
    kept = [one.protection for one in batch if one.protection is not None]
    return await client.cancel_algo_orders(
        first.keys, [AlgoCancelRequest(inst_id=p.inst_id, **algo_names_of(p)) for p in kept]
    )


async def _change(one: Asked) -> Sequence[SendOutcome]:
    action, client = one.action, client_of(one.action.account)
    if one.order is not None:
        request = AmendRequest(
            inst_id=one.order.inst_id,
            quantity=action.quantity,
            price=action.price,
            **names_of(one.order),
        )
        return [await client.amend_order(one.keys, request, exp_at_ms=action.exp_at_ms or 0)]
    assert one.protection is not None  # noqa: S101 - an action has one or the other
    if action.kind == ActionKind.PROTECT:
        return [await client.place_algo_order(one.keys, algo_request(one.protection))]
    change = AlgoAmendRequest(
        inst_id=one.protection.inst_id,
        quantity=action.quantity,
        take_profit=trigger(action.take_profit),
        stop_loss=trigger(action.stop_loss),
        **algo_names_of(one.protection),
    )
    return [await client.amend_algo_order(one.keys, change)]


async def _look(one: Asked) -> Lookup:
    client = client_of(one.action.account)
    if one.order is not None:
        return await client.fetch_order(one.keys, one.order.inst_id, **names_of(one.order))
    assert one.protection is not None  # noqa: S101 - an action has one or the other
    return await client.fetch_algo_order(one.keys, client_algo_id=one.protection.client_algo_id)


def names_of(order: Order) -> dict[str, Any]:
    """The exchange's own id where it is known: what was triggered bears none of ours there."""
    if order.exchange_order_id:
        return {"exchange_order_id": order.exchange_order_id}
    return {"client_order_id": order.client_order_id}


def algo_names_of(protection: Protection) -> Mapping[str, Any]:
    if protection.exchange_algo_id:
        return {"exchange_algo_id": protection.exchange_algo_id}
    return {"client_algo_id": protection.client_algo_id}


def algo_request(protection: Protection) -> AlgoRequest:
    """Closes at most its quantity, and ends with its position: it never opens anything."""
    net = protection.position_side == PositionSide.NET
    return AlgoRequest(
        inst_id=protection.inst_id,
        side=Side(protection.side),
        position_side=None if net else PositionSide(protection.position_side),
        margin_mode=MarginMode(protection.margin_mode),
        client_algo_id=protection.client_algo_id,
        quantity=protection.quantity,
        take_profit=trigger(protection.take_profit),
        stop_loss=trigger(protection.stop_loss),
        cancel_with_position=True,
    )


def trigger(price: Decimal | None) -> Trigger | None:
    return None if price is None else Trigger(price)
