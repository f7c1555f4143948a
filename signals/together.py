"""Several calls stored in one transaction, each judged and answered as if it had come alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import DatabaseError, connection, transaction

from signals.models import SignalSource
from signals.storing import Received
from signals.webhooks import Sources

log = logging.getLogger(__name__)

Outcome = Received | Exception


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call. `who` says whose it is, or raises NotAuthentic; `take` judges and stores it.

    `who` gives the source and the hash of the nonce that is used up with the call, if any.
    """

    who: Callable[[Sources], tuple[SignalSource, str | None]]
    take: Callable[[SignalSource, str | None], Received]


@dataclass(frozen=True, slots=True)
class _Authentic:
    source: SignalSource
    nonce_hash: str | None
    delivery: Delivery

    def take(self) -> Received:
        return self.delivery.take(self.source, self.nonce_hash)


def take_alone(delivery: Delivery) -> Received:
    """Store one call by itself, and raise what stands in its way."""
    source, nonce_hash = delivery.who(Sources())
    return delivery.take(source, nonce_hash)


def take_together(deliveries: Sequence[Delivery]) -> list[Outcome]:
    """What becomes of each call, in their order: what was stored, or why it was not.

    All that can be stored is committed when this returns. A call that the database refuses
    costs the others nothing but a second transaction.
    """
    outcomes, authentic = _whose(deliveries)
    if authentic:
        outcomes |= _stored(authentic)
    return [outcomes[number] for number in range(len(deliveries))]


def _whose(
    deliveries: Sequence[Delivery],
) -> tuple[dict[int, Outcome], dict[int, _Authentic]]:
    sources = Sources()
    refused: dict[int, Outcome] = {}
    authentic: dict[int, _Authentic] = {}
    away: DatabaseError | None = None
    for number, delivery in enumerate(deliveries):
        if away is not None:
            refused[number] = away
            continue
        try:
            source, nonce_hash = delivery.who(sources)
        except DatabaseError as error:
            # Asking again for each call would only keep all of them waiting.
            refused[number] = away = error
            _reconnect()
        except Exception as error:  # noqa: BLE001 - it is this call's answer
            refused[number] = error
        else:
            authentic[number] = _Authentic(source, nonce_hash, delivery)
    return refused, authentic


def _stored(authentic: Mapping[int, _Authentic]) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    committing = False
    try:
        with transaction.atomic():
            for number, one in authentic.items():
                outcomes[number] = _outcome(one)
            committing = True
    except DatabaseError as error:
        _reconnect()
        if committing:
            # Whether it was committed is not known: only a call made anew can tell.
            return dict.fromkeys(authentic, error)
        log.info("%d calls are stored one by one: %s", len(authentic), error)
        return _one_by_one(authentic)
    return outcomes


def _outcome(one: _Authentic) -> Outcome:
    """What the call says is its own matter; what the database says concerns the transaction."""
    try:
        return one.take()
    except DatabaseError:
        raise
    except Exception as error:  # noqa: BLE001 - it is this call's answer
        return error


def _one_by_one(authentic: Mapping[int, _Authentic]) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    for number, one in authentic.items():
        try:
            outcomes[number] = _outcome(one)
        except DatabaseError as error:
            outcomes[number] = error
            if connection.connection is None or not connection.is_usable():
                # It is away for all of them.
                return dict.fromkeys(authentic, error) | outcomes
    return outcomes


def _reconnect() -> None:
    """What a connection is good for after an error is not worth finding out."""
    if not connection.in_atomic_block:
        connection.close()
