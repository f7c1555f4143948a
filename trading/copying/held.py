"""Who holds copied positions, asked before somebody is put away or stopped."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from trading.models import Cycle
from trading.positions_held import NOTHING, read_holdings


class HeldByCycles:
    """Answers `customers.ports.CopiedPositions` from the cycles that run."""

    def of_accounts(self, account_ids: Collection[int]) -> set[str]:
        rows = Cycle.objects.filter(account_id__in=account_ids)
        return {inst_id for inst_id, _ in _holding(rows)}

    def of_links(self, link_uids: Collection[UUID], source_id: int | None = None) -> set[UUID]:
        rows = Cycle.objects.filter(link_uid__in=link_uids)
        if source_id is not None:
            rows = rows.filter(source_id=source_id)
        return {link for _, link in _holding(rows)}


def _holding(rows: Any) -> list[tuple[str, UUID]]:
    running = rows.filter(ended_at__isnull=True).values_list("pk", "inst_id", "link_uid")
    found = {pk: (inst_id, link) for pk, inst_id, link in running.order_by()}
    holdings = read_holdings(found)
    return [
        named
        for pk, named in found.items()
        if (holding := holdings.get(pk, NOTHING)).filled > 0 or not holding.is_quiet
    ]
