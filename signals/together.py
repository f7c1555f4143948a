"""Several calls taken at once, each judged and answered as if it had come alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import DatabaseError, connection

from accounts.tenancy import tenant_scope
from signals.looked_up import looking_up_once
from signals.models import SignalSource
from signals.storing import Judged, store
from signals.storing_together import CommitUnknown, Outcome, store_together

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call. `who` says whose it is, or raises NotAuthentic; `judge` says what it becomes.

    `who` gives the source and the hash of the nonce that is used up with the call, if any.
    `judge` runs in the scope of the source's desk.
    """

    who: Callable[[], tuple[SignalSource, str | None]]
    judge: Callable[[SignalSource, str | None], Judged]


def take_together(deliveries: Sequence[Delivery]) -> list[Outcome]:
    """What becomes of each call, in their order: what was stored, or why it was not.

    All that can be stored is committed when this returns. A call that the database refuses
    costs the others nothing but a transaction of their own.
    """
    with looking_up_once():
        outcomes, judged = _judged(deliveries)
    if judged:
        outcomes |= _stored(judged)
    return [outcomes[number] for number in range(len(deliveries))]


def _judged(deliveries: Sequence[Delivery]) -> tuple[dict[int, Outcome], dict[int, Judged]]:
    refused: dict[int, Outcome] = {}
    judged: dict[int, Judged] = {}
    away: DatabaseError | None = None
    for number, delivery in enumerate(deliveries):
        if away is not None:
            refused[number] = away
            continue
        try:
            source, nonce_hash = delivery.who()
            with tenant_scope(source.tenant_id):
                judged[number] = delivery.judge(source, nonce_hash)
        except DatabaseError as error:
            # Asking again for each call would only keep all of them waiting.
            refused[number] = away = error
            _reconnect()
        except Exception as error:  # noqa: BLE001 - it is this call's answer
            refused[number] = error
    return refused, judged


def _stored(judged: Mapping[int, Judged]) -> dict[int, Outcome]:
    try:
        return dict(zip(judged, store_together(list(judged.values())), strict=True))
    except CommitUnknown as error:
        # Only a call made anew can tell.
        _reconnect()
        return dict.fromkeys(judged, error)
    except Exception as error:  # noqa: BLE001 - each call is told its own
        log.info("%d calls are stored one by one: %s", len(judged), error)
        if isinstance(error, DatabaseError):
            _reconnect()
        return _one_by_one(judged)


def _one_by_one(judged: Mapping[int, Judged]) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    for number, one in judged.items():
        try:
            with tenant_scope(one.call.source.tenant_id):
                outcomes[number] = store(one)
        except DatabaseError as error:
            outcomes[number] = error
            if connection.connection is None or not connection.is_usable():
                # It is away for all of them.
                return dict.fromkeys(judged, error) | outcomes
        except Exception as error:  # noqa: BLE001 - it is this call's answer
            outcomes[number] = error
    return outcomes


def _reconnect() -> None:
    """What a connection is good for after an error is not worth finding out."""
    if not connection.in_atomic_block:
        connection.close()
