"""When an algo order is triggered, and the order it then becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from trading.simulator.algo_state import SOURCES, Algo, Attached, Leg, Origin
from trading.simulator.decimals import ZERO, floor_to
from trading.simulator.instruments import BY_ID
from trading.simulator.market import Quote
from trading.simulator.requests import OrderRequest


def price_of(quote: Quote, px_type: str) -> Decimal:
    """The price a trigger is compared with: last, mark or index."""
    return {"last": quote.last, "mark": quote.mark, "index": quote.index}[px_type]


def farthest(quote: Quote, px_type: str, *, rising: bool) -> Decimal:
    """How far the newest step went towards a trigger; mark and index are those of its end."""
    if px_type == "last":
        return quote.high if rising else quote.low
    return price_of(quote, px_type)


def rises(name: str, side: str) -> bool:
    """Whether a tp or sl of this closing side waits for a higher price."""
    return (name == "tp") == (side == "sell")


@dataclass(slots=True)
class Nearest:
    """What the live algo orders of one instrument wait for.

    Most price moves reach none of them and need to be compared only with the
    lowest price waited for from below and the highest from above, by price type.
    Trailing stops follow every move.
    """

    above: dict[str, Decimal] = field(default_factory=dict)
    below: dict[str, Decimal] = field(default_factory=dict)
    trailing: list[Algo] = field(default_factory=list)

    def is_reached(self, quote: Quote) -> bool:
        return any(
            farthest(quote, px_type, rising=True) >= trigger
            for px_type, trigger in self.above.items()
        ) or any(
            farthest(quote, px_type, rising=False) <= trigger
            for px_type, trigger in self.below.items()
        )


def nearest(algos: Iterable[Algo]) -> Nearest:
    made = Nearest()
    for algo in algos:
        if algo.ord_type == "move_order_stop":
            made.trailing.append(algo)
        for _, leg, trigger, rising in _waits(algo):
            if rising:
                made.above[leg.px_type] = min(trigger, made.above.get(leg.px_type, trigger))
            else:
                made.below[leg.px_type] = max(trigger, made.below.get(leg.px_type, trigger))
    return made


def due(algo: Algo, quote: Quote, *, moved: bool = False) -> tuple[str, Leg] | None:
    """The leg whose price is reached; of two at once the stop loss, never both.

    With `moved` the whole newest step counts, not only where it ended.
    """
    for name, leg, trigger, rising in _waits(algo):
        price = price_of(quote, leg.px_type)
        if moved:
            price = farthest(quote, leg.px_type, rising=rising)
        if _reached(price, trigger, rising=rising):
            return name, leg
    return None


def _waits(algo: Algo) -> Iterator[tuple[str, Leg, Decimal, bool]]:
    for name, leg in (("sl", algo.sl), ("tp", algo.tp), ("", algo.trigger)):
        if leg is not None and leg.trigger_px is not None:
            yield name, leg, leg.trigger_px, rises(name, algo.side) if name else algo.rising


def _reached(price: Decimal, trigger: Decimal, *, rising: bool) -> bool:
    return price >= trigger if rising else price <= trigger


def is_activated(algo: Algo, last: Decimal) -> bool:
    """A trailing stop starts to follow the price when that has reached `active_px`."""
    if algo.active or algo.active_px is None:
        return True
    return _reached(last, algo.active_px, rising=algo.side == "sell")


def followed(algo: Algo, last: Decimal) -> Decimal:
    """The best price a trailing stop has seen: highest when it sells, lowest when it buys."""
    if algo.extreme is None:
        return last
    return max(algo.extreme, last) if algo.side == "sell" else min(algo.extreme, last)


def trail_price(algo: Algo, extreme: Decimal | None) -> Decimal | None:
    """Where the trailing stop triggers, down to the tick; None before it is active."""
    if extreme is None:
        return None
    if algo.callback_ratio is not None:
        distance = extreme * algo.callback_ratio
    else:
        distance = algo.callback_spread or ZERO
    price = extreme - distance if algo.side == "sell" else extreme + distance
    return floor_to(max(price, ZERO), BY_ID[algo.inst_id].tick)


def is_trailed(algo: Algo, last: Decimal) -> bool:
    trigger = trail_price(algo, algo.extreme)
    return trigger is not None and _reached(last, trigger, rising=algo.side == "buy")


def as_order(
    algo: Algo,
    leg: Leg,
    size: Decimal,
    *,
    side_name: str = "",
    linked: bool = False,
    attached: tuple[Attached, ...] = (),
) -> OrderRequest:
    """What is sent to the exchange when this leg is reached, or at once for a resting leg."""
    market = leg.ord_px is None
    return OrderRequest(
        listed=BY_ID[algo.inst_id],
        td_mode=algo.td_mode,
        side=algo.side,
        pos_side=algo.pos_side,
        ord_type="market" if market else (algo.advance_type or "limit"),
        sz=size,
        px=leg.ord_px,
        cl_ord_id="",
        tag=algo.tag,
        ccy=algo.ccy,
        tgt_ccy=algo.tgt_ccy if market else "",
        reduce_only=algo.reduce_only and algo.pos_side == "net",
        amend_px=False,
        attached=attached,
        origin=Origin(algo.algo_id, algo.algo_cl_ord_id, SOURCES[algo.ord_type], side_name, linked),
    )
