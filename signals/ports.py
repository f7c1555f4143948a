"""What this room must know of the markets, asked for without knowing who answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentFacts:
    """What gives a quantity its meaning. `contract_value` is 1 on spot."""

    inst_id: str
    state: str
    contract_value: Decimal
    lot_size: Decimal
    inverse: bool
    spot: bool


@dataclass(frozen=True, slots=True)
class PricePoint:
    price: Decimal
    at: datetime


class MarketBook(Protocol):
    """The instruments and prices of each market."""

    def instrument(self, market: str, inst_id: str) -> InstrumentFacts | None:
        """None when the market does not list it."""
        ...

    def mark_price(self, market: str, inst_id: str) -> PricePoint | None:
        """The last mark price, however old; None when there never was one."""
        ...


class _NoBook:
    """Before a book is connected nothing is known, and nothing is accepted."""

    def instrument(self, market: str, inst_id: str) -> InstrumentFacts | None:
        return None

    def mark_price(self, market: str, inst_id: str) -> PricePoint | None:
        return None


_books: list[MarketBook] = [_NoBook()]


def use_market_book(book: MarketBook) -> None:
    """Connect the book that answers from here on. Called once, by `config.flow`."""
    _books[:] = [book]


def market_book() -> MarketBook:
    return _books[0]
