"""Two leader accounts of a desk: one that is followed, one whose key was refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from accounts.fields import fingerprint, hash_identity
from customers.enums import KeyStatus, PositionMode
from signals.enums import Direction, LeaderLink, LeaderMarginMode, SourceKind
from signals.models import LeaderAccount, LeaderHolding, LeaderTrade
from tests import factories as make
from tests.world_day import World


def leaders(world: World, canary: str) -> None:
    """Needs the desk's scope."""
    for number, name in enumerate(("Leader Wei", "Leader Noor")):
        source = make.make_source(
            world.tenant, name=f"{name} {canary}".strip(), kind=SourceKind.LEADER, secret=""
        )
        key, now = f"leader-{world.tenant.pk}-{number}", timezone.now()
        leader = LeaderAccount.objects.create(
            source=source,
            api_key=key,
            api_secret="a-secret",
            passphrase="a-passphrase",
            key_last4=key[-4:],
            key_fingerprint=fingerprint(key),
            key_version=1,
            key_status=KeyStatus.REFUSED if number else KeyStatus.VERIFIED,
            key_reason=f"The key may withdraw {canary}" if number else "",
            position_mode=PositionMode.NET,
            equity=Decimal(250_000),
            equity_at=now,
            snapshot_at=now - timedelta(days=2),
            link=LeaderLink.ERROR if number else LeaderLink.CONNECTED,
            link_reason=f"refused {canary}".strip() if number else "",
            link_since=now - timedelta(hours=3),
            heard_at=now,
            read_at=now,
        )
        LeaderHolding.objects.create(
            leader=leader,
            inst_id="BTC-USDT-SWAP",
            direction=Direction.LONG,
            margin_mode=LeaderMarginMode.CROSS,
            quantity=Decimal(12 + number),
            average_entry=Decimal(60_100),
            leverage=Decimal(5),
            traded_at=now,
            updated_at=now,
        )
        for trade in range(2):
            LeaderTrade.objects.create(
                leader=leader,
                trade_hash=hash_identity(f"{key}-{trade}"),
                inst_id="BTC-USDT-SWAP",
                trade_id=str(trade),
                exchange_order_id=f"70{trade}",
                side="buy",
                position_side="net",
                margin_mode=LeaderMarginMode.CROSS,
                quantity=Decimal(6),
                price=Decimal(60_100),
                traded_at=now - timedelta(minutes=trade),
                heard_at=now,
            )
