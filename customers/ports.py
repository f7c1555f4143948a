"""What this room must know of what was copied, asked for without knowing who answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol
from uuid import UUID


class CopiedPositions(Protocol):
    """What is held, or may still fill, of positions that were copied."""

    def of_accounts(self, account_ids: Collection[int]) -> set[str]:
        """The instruments that any of these accounts holds."""
        ...

    def of_links(self, link_uids: Collection[UUID], source_id: int | None = None) -> set[UUID]:
        """Those of these links that hold anything: of what this source led, or at all."""
        ...


class _Nothing:
    """Before the engine is connected nothing was copied."""

    def of_accounts(self, account_ids: Collection[int]) -> set[str]:
        return set()

    def of_links(self, link_uids: Collection[UUID], source_id: int | None = None) -> set[UUID]:
        return set()


_answering: list[CopiedPositions] = [_Nothing()]


def use_copied_positions(positions: CopiedPositions) -> None:
    """Connect who answers from here on. Called once, by `config.flow`."""
    _answering[:] = [positions]


def copied_positions() -> CopiedPositions:
    return _answering[0]
