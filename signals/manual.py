"""A signal entered by hand, for one account, through the one intake."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from signals.enums import Dialect, Direction, Intent, SignalStatus
from signals.intake import Received, receive_signal
from signals.parsing import ParseError, Quantity, parse
from signals.services import manual_source

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import ExchangeAccount


class IdTakenError(ValueError):
    """This id was given before, to another instruction. Nothing was stored."""


@transaction.atomic
def enter_manual_signal(  # noqa: PLR0913 - the fields of a form
    *,
    user: User,
    account: ExchangeAccount,
    instrument: str,
    intent: Intent,
    direction: Direction,
    quantity: Quantity | None = None,
    reference_price: Decimal | None = None,
    leverage: Decimal | None = None,
    take_profit: Decimal | None = None,
    stop_loss: Decimal | None = None,
    external_id: str = "",
) -> Received:
    """Trade on one account, by the same road as every other signal.

    What may be sent twice gives its own `external_id`: the same instruction under it is
    answered with the first one's signal, another one raises IdTakenError. Raises ParseError
    naming the field at fault. Either has stored nothing.
    """
    payload = {
        "id": external_id or str(uuid.uuid4()),
        "instrument": instrument,
        "intent": str(intent),
        "direction": str(direction),
        "quantity": None
        if quantity is None
        else {"mode": str(quantity.mode), "value": _written(quantity.value)},
        "reference_price": _written(reference_price),
        "leverage": _written(leverage),
        "take_profit": _written(take_profit),
        "stop_loss": _written(stop_loss),
    }
    raw = json.dumps({name: value for name, value in payload.items() if value is not None})
    received = receive_signal(
        source=manual_source(account.tenant),
        parsed=parse(Dialect.COPYDESK, raw.encode()),
        raw=raw,
        received_at=timezone.now(),
        created_by=user,
        account=account,
    )
    signal = received.signal
    if signal.status == SignalStatus.REFUSED:
        raise ParseError(signal.refused_field, signal.reason_text)
    if received.duplicate:
        if (signal.raw, signal.account_id) != (raw, account.pk):
            raise IdTakenError
    else:
        audit.record(
            action="signal.entered",
            obj=signal,
            after={"account": str(account), **json.loads(raw)},
            level=AuditLevel.NOTICE,
            actor=user,
        )
    return received


def _written(value: Decimal | None) -> str | None:
    """One spelling for each number, so that the same instruction is the same text."""
    if value is None:
        return None
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
