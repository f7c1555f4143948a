"""A loss limit that is half used, a margin threshold, and an instrument that changed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from customers.models import ExchangeAccount
from trading.models import Instrument, InstrumentVersion, LossLimit, LossState, MarginThreshold


def bound_losses(account: ExchangeAccount) -> None:
    """In the scope of the account's desk."""
    now = timezone.now()
    limit = LossLimit(
        scope="account", account=account, period="week", measure="equity",
        max_absolute=Decimal(1_000), max_relative=Decimal("0.1"),
    )  # fmt: skip
    limit.save()
    LossState(
        limit=limit, account=account, key=f"{limit.pk}|{account.pk}", since=now - timedelta(days=2),
        base=Decimal(10_000), loss=Decimal(500), used=Decimal("0.5"), paid_until=now,
        counted_until=now, measured_at=now,
    ).save()  # fmt: skip
    MarginThreshold(level="critical", ratio=Decimal("1.4")).save()
    for instrument in Instrument.objects.filter(versions__isnull=True)[:1]:
        InstrumentVersion(
            instrument=instrument, contract_value=instrument.contract_value,
            lot_size=instrument.lot_size, tick_size=instrument.tick_size,
            min_size=instrument.min_size, valid_from=now - timedelta(days=90),
        ).save()  # fmt: skip
