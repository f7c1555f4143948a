"""Webhook calls as their doors hand them on, without a server."""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Any

from django.test import RequestFactory
from django.utils import timezone

from accounts.fields import hash_identity
from accounts.tenancy import all_tenants
from signals import views, webhooks
from signals.models import Signal, SignalNonce, SignalSource
from signals.together import Delivery
from signals.webhooks import sign
from tests.factories import SECRET

PAYLOAD = {
    "id": "alert-1",
    "instrument": "BTC-USDT-SWAP",
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": 5},
}


def headers_of(body: bytes, *, nonce: str = "", secret: str = SECRET) -> dict[str, str]:
    nonce = nonce or uuid.uuid4().hex
    timestamp = str(int(timezone.now().timestamp()))
    return {
        "X-Copydesk-Timestamp": timestamp,
        "X-Copydesk-Nonce": nonce,
        "X-Copydesk-Signature": sign(secret, timestamp, nonce, body),
    }


def delivery(
    source: SignalSource | uuid.UUID, *, nonce: str = "", secret: str = SECRET, **changes: Any
) -> Delivery:
    """A signed call saying PAYLOAD with these changes."""
    return delivery_of(
        source, json.dumps({**PAYLOAD, **changes}).encode(), nonce=nonce, secret=secret
    )


def delivery_of(
    source: SignalSource | uuid.UUID, body: bytes, *, nonce: str = "", secret: str = SECRET
) -> Delivery:
    """A signed call with this body."""
    uid = source.uid if isinstance(source, SignalSource) else source
    request = RequestFactory().post("/", headers=headers_of(body, nonce=nonce, secret=secret))
    now = timezone.now()

    def who() -> tuple[SignalSource, str]:
        found, used = webhooks.source_of_signed(request, str(uid), body, now)
        return found, hash_identity(used)

    return Delivery(who, partial(views._judge, body, now))


def stored() -> tuple[int, int]:
    with all_tenants("counting in a test"):
        return Signal.objects.count(), SignalNonce.objects.count()
