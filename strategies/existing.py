"""What a leader holds when somebody begins to follow, opened once where that is wished for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from signals.enums import Direction, SignalPurpose, SourceStatus, Unit
from signals.making import ForOneLink, make_signal
from signals.models import LeaderPosition, Signal, SignalSource
from strategies.enums import CopyExisting
from strategies.models import Subscription

if TYPE_CHECKING:
    from accounts.models import User

PURPOSES: Final = {
    CopyExisting.ALWAYS: SignalPurpose.EXISTING,
    CopyExisting.IF_PRICE_BETTER: SignalPurpose.EXISTING_IF_BETTER,
}
# What a leader said of its equity is worth nothing for sizing when it is older.
EQUITY_AGE: Final = timedelta(seconds=60)


def copy_existing(link: Subscription, *, actor: User | None) -> int:
    """Ask for each of the leader's positions once, for this account alone. Runs in the
    transaction that begins the following: repeated, it finds that it was asked.

    What is opened is sized by where the leader is when it is decided, against its average entry.
    """
    purpose = PURPOSES.get(CopyExisting(link.copy_existing))
    if purpose is None or link.started_at is None:
        return 0
    sources = SignalSource.objects.filter(
        strategy_links__strategy_id=link.strategy_id, status=SourceStatus.ENABLED
    )
    made = 0
    for source in sources.order_by("pk"):
        rows = LeaderPosition.objects.filter(source=source, scope_key="", quantity__gt=0)
        for row in rows.order_by("inst_id", "direction"):
            if link.strategy.trades(row.inst_id):
                asked = _asked(link, source, row, purpose)
                made += make_signal(asked, actor=actor) is not None
    return made


def _asked(
    link: Subscription, source: SignalSource, row: LeaderPosition, purpose: SignalPurpose
) -> ForOneLink:
    assert link.started_at is not None  # noqa: S101 - asked before
    since = int(link.started_at.timestamp() * 1000)
    last = _last_word(source, row.inst_id)
    return ForOneLink(
        source=source,
        link_uid=link.uid,
        account_id=link.account_id,
        purpose=purpose,
        known_as=f"existing-{link.uid.hex}-{since}-{row.inst_id}-{row.direction}",
        inst_id=row.inst_id,
        direction=Direction(row.direction),
        quantity=row.quantity,
        unit=Unit(row.unit),
        entry=row.average_entry,
        leader_equity=last.leader_equity if last else None,
        margin_mode=last.margin_mode if last else "",
    )


def _last_word(source: SignalSource, inst_id: str) -> Signal | None:
    """The leader's own numbers, where it gave them a moment ago."""
    said = Signal.objects.filter(
        source=source,
        inst_id=inst_id,
        account__isnull=True,
        received_at__gt=timezone.now() - EQUITY_AGE,
    )
    found: Signal | None = said.order_by("-received_at", "-id").first()
    return found
