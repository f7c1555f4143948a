"""What a REST endpoint is: its handler, who may call it and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from trading.simulator.codes import OkxError, parameter
from trading.simulator.instruments import BY_ID, INST_TYPES, Instrument, of_type
from trading.simulator.requests import Params
from trading.simulator.state import Account
from trading.simulator.venue import Answer, Venue


@dataclass(frozen=True, slots=True)
class Call:
    venue: Venue
    params: Params
    body: Any
    now_ms: int
    signed_in: Account | None
    slices: int = 1

    @property
    def account(self) -> Account:
        if self.signed_in is None:
            raise OkxError("50103")
        return self.signed_in


Handler = Callable[[Call], list[Any] | Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`key` names what is counted: ip, ip+inst, ip+type, uid, uid+inst, uid+type,
    uid+ccy, uid+tag; orders count themselves. `array` paths take a list as their body."""

    handler: Handler
    limit: int
    key: str
    window_ms: int = 2000
    private: bool = False
    permission: str = "read_only"
    expires: bool = False
    order: str = ""
    array: bool = False


Routes = dict[tuple[str, str], Route]
T = TypeVar("T")

_PAGE: Final = 100


def instrument_type(params: Params, *, needed: bool = True) -> str:
    value = params.needed("instType") if needed else params.text("instType")
    if value and value not in INST_TYPES:
        raise parameter("instType")
    return value


def listed_instruments(params: Params) -> list[Instrument]:
    """By type, then family or underlying, then id; an unknown id is 51001."""
    inst_type = instrument_type(params)
    inst_id = params.text("instId")
    found = of_type(inst_type)
    if inst_id:
        found = [each for each in found if each.inst_id == inst_id]
        if not found:
            raise OkxError("51001")
    family = params.text("instFamily") or params.text("uly")
    return [each for each in found if not family or each.family == family]


def one_instrument(params: Params) -> Instrument:
    listed = BY_ID.get(params.needed("instId"))
    if listed is None:
        raise OkxError("51001")
    return listed


def several(params: Params, name: str, most: int) -> list[str]:
    """Values separated by commas; more than `most` are 50025."""
    values = [each.strip() for each in params.text(name).split(",") if each.strip()]
    if len(values) > most:
        raise OkxError("50025", name, str(most))
    return values


def instruments_asked(params: Params, most: int) -> list[Instrument]:
    """`instId` is needed and may name several; an unknown one is 51001."""
    params.needed("instId")
    return [one_instrument(Params({"instId": each})) for each in several(params, "instId", most)]


def page_size(params: Params, largest: int = _PAGE, default: int = _PAGE) -> int:
    value = params.ms("limit")
    return default if value is None else max(1, min(value, largest))


def newest(
    params: Params,
    items: Iterable[T],
    *,
    number: Callable[[T], int],
    time: Callable[[T], int],
    keep: Callable[[T], bool],
) -> list[T]:
    """One page of `items`, which come newest first: no more are looked at than needed.

    `after` and `before` are exclusive by number, `begin` and `end` inclusive by time.
    A `limit` outside 1 to 100 is 51000.
    """
    after, before = params.ms("after"), params.ms("before")
    begin, end = params.ms("begin"), params.ms("end")
    limit = params.ms("limit")
    if limit is not None and not 1 <= limit <= _PAGE:
        raise parameter("limit")

    def wanted() -> Iterable[T]:
        for item in items:
            place = number(item)
            if before is not None and place <= before:
                return
            if after is not None and place >= after:
                continue
            at = time(item)
            if (begin is None or at >= begin) and (end is None or at <= end) and keep(item):
                yield item

    return list(islice(wanted(), _PAGE if limit is None else limit))
