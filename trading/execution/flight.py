"""What was sent and may still be accepted: the only orders that can follow a halt."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from trading.enums import OrderState
from trading.leases import db_now
from trading.models import Order

ON_THEIR_WAY = (OrderState.SENDING, OrderState.UNKNOWN)


def in_flight() -> Any:
    """Marked orders whose deadline at the exchange has not passed yet, the last one first.

    What the clocks may differ is added: later than this the exchange takes none of them.
    """
    skew_ms = round(settings.SKEW_S * 1000)
    now_ms = round(db_now().timestamp() * 1000)
    return Order.objects.filter(state__in=ON_THEIR_WAY, exp_at_ms__gt=now_ms - skew_ms).order_by(
        "-exp_at_ms"
    )


def asked_about() -> Any:
    """Those whose deadline has passed: no longer on their way, but not looked up yet."""
    return Order.objects.filter(state__in=ON_THEIR_WAY).exclude(
        pk__in=in_flight().order_by().values("pk")
    )
