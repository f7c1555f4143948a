"""Recorded days: prices out of a CSV file, played to the market at the pace they had."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from trading.simulator.decimals import floor_to, parse_number, parse_whole
from trading.simulator.exchange import Exchange
from trading.simulator.instruments import BY_ID

# What the columns are called, here and in the files that exchanges offer.
_TIME: Final = ("time", "ts", "created_time", "open_time")
_INSTRUMENT: Final = ("inst_id", "instId", "instrument_name")
_PRICE: Final = ("price", "px", "close")


class RecordedPrice(NamedTuple):
    """A last price on the tick; `at_ms` counts from the first line of the file."""

    at_ms: int
    inst_id: str
    price: Decimal


class BadRecordingError(ValueError):
    """The file cannot be played; the message names the line and what is wrong with it."""


def check_recording(path: Path) -> Path:
    """Read all of it once, so that nothing wrong is met on the way.

    Raises BadRecordingError, and OSError when it cannot be read.
    """
    try:
        prices = sum(1 for _ in read_recording(path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRecordingError(f"not CSV: {error}") from error
    if not prices:
        raise BadRecordingError("line 2: a price is expected")
    return path


def read_recording(path: Path) -> Iterator[RecordedPrice]:
    """The prices in the order of the file, read as they are asked for.

    The first line names the columns: a time (milliseconds of the epoch or ISO 8601), an
    instrument, a price; others are ignored. Times never go back.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        places = _places(next(rows, []))
        first = last = None
        for row in rows:
            if not row:
                continue
            try:
                at_ms, inst_id, price = _read(row, places)
                if last is not None and at_ms < last:
                    raise BadRecordingError("the time is before that of the line above")
            except BadRecordingError as error:
                raise BadRecordingError(f"line {rows.line_num}: {error}") from error
            first, last = at_ms if first is None else first, at_ms
            yield RecordedPrice(at_ms - first, inst_id, price)


class Player:
    """Sets recorded prices when their time has come, `--speed` times as fast as they came.

    Each is set in its turn, also those that fall between two heartbeats, so that orders
    are filled that only one of them reached. After the last the prices walk on.
    """

    def __init__(self, exchange: Exchange, path: Path) -> None:
        self._exchange = exchange
        self._began = exchange.clock.ms()
        self._coming = read_recording(path)
        self._next = next(self._coming, None)
        self._played: dict[str, Decimal] = {}

    def play(self) -> list[str]:
        """The instruments whose price was set."""
        elapsed = self._exchange.clock.ms() - self._began
        reached = elapsed * self._exchange.market.speed
        moved: dict[str, None] = {}
        while self._next is not None and self._next.at_ms <= reached:
            _, inst_id, price = self._next
            self._exchange.set_prices({inst_id: (price, True)})
            self._played[inst_id] = price
            moved[inst_id] = None
            self._next = next(self._coming, None)
            if self._next is None:
                self._let_go()
        return list(moved)

    def _let_go(self) -> None:
        last = {inst_id: (price, False) for inst_id, price in self._played.items()}
        self._exchange.set_prices(last)


def _places(header: Sequence[str]) -> tuple[int, int, int]:
    names = [each.strip() for each in header]
    return _place(names, _TIME), _place(names, _INSTRUMENT), _place(names, _PRICE)


def _place(names: list[str], wanted: tuple[str, ...]) -> int:
    for name in wanted:
        if name in names:
            return names.index(name)
    raise BadRecordingError(f"line 1: a column {wanted[0]} is expected")


def _read(row: Sequence[str], places: tuple[int, int, int]) -> tuple[int, str, Decimal]:
    if len(row) <= max(places):
        raise BadRecordingError("there are fewer columns than in the first line")
    time, inst_id, price = (row[place].strip() for place in places)
    listed = BY_ID.get(inst_id)
    if listed is None:
        raise BadRecordingError(f"unknown instrument {inst_id}")
    number = parse_number(price)
    on_tick = floor_to(number, listed.tick) if number else None
    if not on_tick:
        raise BadRecordingError(f"{price} is no price")
    return _time(time), inst_id, on_tick


def _time(text: str) -> int:
    whole = parse_whole(text)
    if whole is not None:
        return whole
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRecordingError(f"{text} is no time") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
