"""One message for many, when more came than may be sent."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from accounts.enums import AuditLevel
from accounts.fields import hash_identity
from notifications.enums import OPEN_STATES, State
from notifications.messages import DIGEST
from notifications.models import Destination, Notification

NAMED: Final = 10
# Above every level: it goes before what comes later.
FIRST: Final = 9


@transaction.atomic
def combine(destination: Destination, due: Any, now: datetime) -> Notification | None:
    """Put what is due into one new message, worst first; None when there is nothing to combine.

    Those that are told in it are final: they are not sent by themselves any more.
    """
    rows = due.exclude(kind=DIGEST)
    first = list(rows.order_by("-weight", "id").values_list("level", "kind", "params")[:NAMED])
    if len(first) < 2:  # noqa: PLR2004 - one is not combined
        return None
    digest = Notification(
        destination=destination,
        dedup_key=hash_identity(f"{destination.uid}|digest|{uuid.uuid4()}"),
        kind=DIGEST,
        level=first[0][0],
        weight=FIRST,
        not_before=now,
        created_at=now,
    )
    digest.save()
    told = rows.exclude(pk=digest.pk).filter(state__in=OPEN_STATES)
    count = told.update(state=State.COMBINED, combined_into=digest)
    digest.params = {
        "count": count,
        "first": [[AuditLevel(level).value, kind, about(params)] for level, kind, params in first],
    }
    digest.save(update_fields=["params"])
    return digest


def about(params: Any) -> str:
    return str(params.get("object", "")) if isinstance(params, dict) else ""
