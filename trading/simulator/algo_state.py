"""Algo orders and what orders carry with them: plain values and how the ledger writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any, Final

from trading.simulator.decimals import ZERO, plain

LIVE: Final = "live"
SOURCES: Final = {"trigger": "6", "conditional": "7", "oco": "7", "move_order_stop": "25"}


@dataclass(frozen=True, slots=True)
class Leg:
    """A price to wait for and the order that follows.

    Without `ord_px` that is a market order. Without `trigger_px` nothing is waited
    for: a take-profit limit order that rests from the start.
    """

    trigger_px: Decimal | None
    px_type: str
    ord_px: Decimal | None


@dataclass(frozen=True, slots=True)
class Attached:
    """Take profit and stop loss, or a trailing stop, that an order brings along.

    It is armed when the order has filled. `sz` belongs to one of several take profits.
    `cost_price` moves the stop loss to the average price of the order when the first
    take profit is triggered.
    """

    attach_id: str
    cl_id: str
    tp: Leg | None
    sl: Leg | None
    sz: Decimal | None = None
    cost_price: bool = False
    callback_ratio: Decimal | None = None
    callback_spread: Decimal | None = None
    active_px: Decimal | None = None

    @property
    def trails(self) -> bool:
        return self.callback_ratio is not None or self.callback_spread is not None


@dataclass(frozen=True, slots=True)
class Origin:
    """The algo order an order came from; `side` is tp, sl or nothing.

    `linked` marks a take-profit limit order that rests while its stop loss waits.
    """

    algo_id: str
    algo_cl_ord_id: str
    source: str
    side: str
    linked: bool = False


@dataclass(slots=True)
class Algo:
    """`reduce_only` also marks closing orders of long-short mode.

    `rising` says from which side the trigger price is reached. `bound` algos end with
    the position they close. `parent` is the order whose fill armed this one.
    """

    account: str
    inst_id: str
    algo_id: str
    algo_cl_ord_id: str
    ord_type: str
    side: str
    pos_side: str
    td_mode: str
    sz: Decimal
    c_time: int
    last: Decimal = ZERO
    lever: str = ""
    tgt_ccy: str = ""
    tag: str = ""
    ccy: str = ""
    reduce_only: bool = False
    close_fraction: str = ""
    bound: bool = False
    tp: Leg | None = None
    sl: Leg | None = None
    trigger: Leg | None = None
    rising: bool = False
    advance_type: str = ""
    attached: tuple[Attached, ...] = ()
    callback_ratio: Decimal | None = None
    callback_spread: Decimal | None = None
    active_px: Decimal | None = None
    parent: str = ""
    cost_price: bool = False
    active: bool = False
    extreme: Decimal | None = None
    linked_ord: str = ""
    state: str = LIVE
    actual_side: str = ""
    actual_sz: Decimal = ZERO
    actual_px: Decimal | None = None
    ord_ids: list[str] = field(default_factory=list)
    trigger_time: int = 0
    fail_code: str = ""
    req_id: str = ""
    amended: bool = False
    u_time: int = 0

    @property
    def is_live(self) -> bool:
        return self.state == LIVE

    @property
    def key(self) -> tuple[str, str, str]:
        """The position this algo acts on."""
        return (self.inst_id, self.td_mode, self.pos_side)


def written(value: Any) -> Any:
    """A value as the ledger holds it: numbers as text, nested values as objects and lists."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Leg | Attached | Origin):
        return {name: written(each) for name, each in asdict(value).items()}
    if isinstance(value, dict):
        return {name: written(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [written(each) for each in value]
    return value


def read(name: str, value: Any) -> Any:
    """The member of an algo order of this name, from its ledger form."""
    reader = _READERS.get(name)
    return value if reader is None or value is None else reader(value)


def terms(algo: Algo) -> dict[str, Any]:
    """Everything that is fixed when the algo order is accepted, as the ledger holds it."""
    return {name: written(getattr(algo, name)) for name in _TERMS}


def read_algo(entry: dict[str, Any]) -> Algo:
    values = {name: read(name, entry[name]) for name in _TERMS}
    return Algo(**values, u_time=entry["ts"])


def read_attached(rows: list[dict[str, Any]]) -> tuple[Attached, ...]:
    return tuple(
        Attached(
            attach_id=row["attach_id"],
            cl_id=row["cl_id"],
            tp=_leg(row["tp"]),
            sl=_leg(row["sl"]),
            sz=_number(row["sz"]),
            cost_price=row["cost_price"],
            callback_ratio=_number(row["callback_ratio"]),
            callback_spread=_number(row["callback_spread"]),
            active_px=_number(row["active_px"]),
        )
        for row in rows
    )


def _leg(row: dict[str, Any] | None) -> Leg | None:
    if row is None:
        return None
    return Leg(_number(row["trigger_px"]), row["px_type"], _number(row["ord_px"]))


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "tp": _leg,
    "sl": _leg,
    "trigger": _leg,
    "attached": read_attached,
    **dict.fromkeys(("sz", "last", "callback_ratio", "callback_spread"), Decimal),
    **dict.fromkeys(("active_px", "extreme", "actual_sz", "actual_px"), Decimal),
}
_NAMES: Final = tuple(each.name for each in fields(Algo))
_TERMS: Final = _NAMES[: _NAMES.index("state")]
