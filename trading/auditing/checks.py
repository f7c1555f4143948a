"""What must agree between the exchange and us: I1 to I6. Pure, one function a promise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

from trading.auditing.facts import (
    Books,
    FillFact,
    Finding,
    Found,
    Holding,
    Note,
    OurOrder,
    Promise,
    TheirOrder,
)
from trading.enums import FINAL_STATES, Leg, OrderState, OrderType, PositionSide, Side
from trading.orders import deployment_of, is_ours

ZERO: Final = Decimal(0)
_MOVING: Final = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.MANUAL})
_RESTING: Final = frozenset({OrderType.LIMIT, OrderType.POST_ONLY})
NEVER_PLACED: Final = frozenset({OrderState.EXPIRED, OrderState.DENIED, OrderState.REJECTED})


def check_doubled(books: Books, found: Found) -> None:
    """I1: one order at the exchange for each id of ours. Told by lists: a lookup hides doubles."""
    ids: dict[str, set[str]] = defaultdict(set)
    told: list[TheirOrder | FillFact] = [*books.theirs.orders, *books.theirs.fills]
    for each in told:
        if is_ours(each.client_order_id, books.deployment_code):
            ids[each.client_order_id].add(each.exchange_order_id)
    by_name = _by_name(books)
    for name, several in ids.items():
        if len(several) > 1:
            detail = (
                f"{name} is {len(several)} orders at the exchange: {', '.join(sorted(several))}"
            )
            found.findings.append(
                _finding(books, Promise.DOUBLED, "doubled", detail, by_name.get(name))
            )


def check_lost(books: Books, found: Found) -> None:
    """I2: what we believe to be there is there, and what is there under our name is known."""
    theirs = books.theirs
    there = {order.exchange_order_id for order in theirs.orders}
    there |= {fill.exchange_order_id for fill in theirs.fills}
    for order in books.ours.orders:
        if order.exchange_order_id and order.exchange_order_id not in there:
            _missing(books, order, found)
    names = {each.client_order_id for each in theirs.orders} - {""}
    for name in sorted(names - books.ours.known_names - set(_by_name(books))):
        _stranger(books, name, found)


def check_states(books: Books, found: Found) -> None:
    """I3: the state and the filled quantity of every order that both sides know."""
    mine = {order.exchange_order_id: order for order in books.ours.orders}
    by_name = _by_name(books)
    for there in books.theirs.orders:
        order = mine.get(there.exchange_order_id) or by_name.get(there.client_order_id)
        if order is None or order.exchange_order_id not in ("", there.exchange_order_id):
            continue
        if order.state in _MOVING:
            _moves(books, order, f"{order.state}, the exchange says {there.state}", found)
            continue
        if (order.state, order.filled) == (there.state, there.filled) and order.exchange_order_id:
            continue
        words = (
            f"{order.state} with {order.filled:f} filled, "
            f"the exchange says {there.state} with {there.filled:f}"
        )
        if there.changed_ms >= books.quiet_ms:
            _moves(books, order, words, found)
        else:
            what = "placed_after_all" if order.state in NEVER_PLACED else "state"
            found.findings.append(_finding(books, Promise.STATE, what, words, order))


def check_fills(books: Books, found: Found) -> None:
    """I4: every fill on either side is on the other, once, with the same numbers."""
    theirs = _counted(books, books.theirs.fills)
    ours = _counted(books, books.ours.fills)
    orders = {order.exchange_order_id: order for order in books.ours.orders}
    for identity, numbers in sorted(set(theirs) | set(ours), key=str):
        here, there = ours[identity, numbers], theirs[identity, numbers]
        if here == there == 1:
            continue
        words = (
            f"{identity[0]} trade {identity[1]} of order {identity[2]}: "
            f"{numbers[0]:f} at {numbers[1]:f}, fee {numbers[2]:f}; "
            f"{there} at the exchange, {here} in our books"
        )
        what = "fill_unknown" if there > here else "fill_of_nobody"
        found.findings.append(_finding(books, Promise.FILLS, what, words, orders.get(identity[2])))
    _check_sums(books, found)


def check_positions(books: Books, found: Found) -> None:
    """I5: fills add up to the position, and ours is the exchange's."""
    moving = _moving_instruments(books)
    sums = _summed(books) if books.theirs.from_flat else None
    held, shown = books.theirs.positions, books.ours.positions
    for holding in sorted(set(held) | set(shown) | set(sums or ())):
        there, here = held.get(holding, ZERO), shown.get(holding, ZERO)
        added = there if sums is None else sums.get(holding, ZERO)
        if there == here == added:
            continue
        words = f"{holding[0]} {holding[1]}: {there:f} at the exchange, {here:f} in our books"
        words += "" if sums is None else f", {added:f} by our fills"
        if holding[0] in moving:
            found.in_flight.append(Note("position", words, books.account_id))
        else:
            found.findings.append(_finding(books, Promise.POSITION, "position", words))


def check_order(books: Books, found: Found) -> None:
    """I6: each lane was heard in the order it was meant, and no close before its opening ended."""
    places = _places(books)
    lanes: dict[str, list[OurOrder]] = defaultdict(list)
    for order in sorted(books.ours.orders, key=_lane_order):
        if order.id in places:
            lanes[order.lane_key].append(order)
    for lane, orders in lanes.items():
        for before, after in pairwise(orders):
            overtook = places[after.id].place < places[before.id].place
            if overtook and not _are_rungs(before, after):
                words = f"{lane}: {after.client_order_id} was accepted before "
                words += f"{before.client_order_id}, which comes first"
                found.findings.append(_finding(books, Promise.ORDER, "out_of_order", words, after))
    for order, opening in _closes(books, places):
        ended = places[opening.id]
        if ended.state in FINAL_STATES and places[order.id].accepted_ms >= ended.changed_ms:
            continue
        words = f"the close {order.client_order_id} was accepted before its opening "
        words += f"{opening.client_order_id} had ended"
        found.findings.append(_finding(books, Promise.ORDER, "close_before_open", words, order))


EXCHANGE_CHECKS: Final[tuple[Callable[[Books, Found], None], ...]] = (
    check_doubled,
    check_lost,
    check_states,
    check_fills,
    check_positions,
    check_order,
)


def _are_rungs(one: OurOrder, other: OurOrder) -> bool:
    """Waiting orders of one leg go out together, in no order."""
    same_leg = (one.signal_id, one.leg_number) == (other.signal_id, other.leg_number)
    return same_leg and one.order_type in _RESTING and other.order_type in _RESTING


def _finding(
    books: Books, promise: Promise, what: str, detail: str, order: OurOrder | None = None
) -> Finding:
    signal = order.signal_id if order else None
    return Finding(promise, what, detail, books.account_id, order.id if order else None, signal)


def _by_name(books: Books) -> dict[str, OurOrder]:
    return {order.client_order_id: order for order in books.ours.orders}


def _moves(books: Books, order: OurOrder, words: str, found: Found) -> None:
    found.in_flight.append(Note("order", words, books.account_id, order.id))


def _missing(books: Books, order: OurOrder, found: Found) -> None:
    theirs = books.theirs
    words = f"order {order.exchange_order_id} ({order.state}) is in no list of the exchange"
    begun = _ms(order.created_at)
    reach = theirs.unfilled_since_ms if order.filled == 0 else theirs.orders_since_ms
    if begun < reach and order.state in FINAL_STATES:
        found.unseen.append(Note("order", words, books.account_id, order.id))
    elif begun >= books.quiet_ms or order.state in _MOVING:
        _moves(books, order, words, found)
    else:
        found.findings.append(_finding(books, Promise.LOST, "not_at_exchange", words, order))


def _stranger(books: Books, name: str, found: Found) -> None:
    if is_ours(name, books.deployment_code):
        words = f"the exchange has {name}, which is in none of our records"
        found.findings.append(_finding(books, Promise.LOST, "unrecorded", words))
    elif (code := deployment_of(name)) is not None:
        words = f"another Copydesk ({code}) trades with this account's key: {name}"
        found.findings.append(_finding(books, Promise.LOST, "foreign_deployment", words))


_FillKey = tuple[tuple[str, str, str], tuple[Decimal, Decimal, Decimal]]


def _counted(books: Books, fills: Iterable[FillFact]) -> Counter[_FillKey]:
    since = books.theirs.fills_since_ms
    return Counter(
        (fill.identity, fill.numbers) for fill in fills if since <= fill.at_ms < books.quiet_ms
    )


def _check_sums(books: Books, found: Found) -> None:
    """The filled quantity that an order shows is the sum of its fills."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    young: set[str] = set()
    for fill in books.ours.fills:
        sums[fill.exchange_order_id] += fill.quantity
        if fill.at_ms >= books.quiet_ms:
            young.add(fill.exchange_order_id)
    for order in books.ours.orders:
        added = sums.get(order.exchange_order_id, ZERO) if order.exchange_order_id else ZERO
        if order.filled == added or order.exchange_order_id in young:
            continue
        if order.state in _MOVING or _touched_ms(order) >= books.quiet_ms:
            continue
        if _ms(order.created_at) < books.theirs.fills_since_ms:
            continue
        words = f"{order.filled:f} filled, but its fills add up to {added:f}"
        found.findings.append(_finding(books, Promise.FILLS, "filled_sum", words, order))


def _touched_ms(order: OurOrder) -> int:
    return _ms(order.finished_at or order.sent_at or order.created_at)


def _moving_instruments(books: Books) -> set[str]:
    recent = {each.inst_id for each in books.theirs.orders if each.changed_ms >= books.quiet_ms} | {
        fill.inst_id for fill in books.theirs.fills if fill.at_ms >= books.quiet_ms
    }
    return recent | {order.inst_id for order in books.ours.orders if order.state in _MOVING}


def _summed(books: Books) -> dict[Holding, Decimal]:
    sums: dict[Holding, Decimal] = defaultdict(Decimal)
    for fill in books.ours.fills:
        if fill.inst_id not in books.ours.spot:
            sums[fill.inst_id, fill.position_side] += signed(fill)
    return {holding: total for holding, total in sums.items() if total}


def signed(fill: FillFact) -> Decimal:
    """What a fill adds to its position: contracts of either side count upwards."""
    opens = Side.SELL if fill.position_side == PositionSide.SHORT else Side.BUY
    return fill.quantity if fill.side == opens else -fill.quantity


def _places(books: Books) -> dict[object, TheirOrder]:
    """Where each of our orders stands; of a doubled one the first."""
    by_name = _by_name(books)
    places: dict[object, TheirOrder] = {}
    for there in sorted(books.theirs.orders, key=lambda each: each.place):
        order = by_name.get(there.client_order_id)
        if order is not None:
            places.setdefault(order.id, there)
    return places


def _lane_order(order: OurOrder) -> tuple[object, ...]:
    return (order.lane_at, order.signal_id, order.leg_number, order.slice_number)


def _closes(books: Books, places: dict[object, TheirOrder]) -> Iterator[tuple[OurOrder, OurOrder]]:
    """Closes at the exchange, each with every opening of its cycle that came before it."""
    openings: dict[object, list[OurOrder]] = defaultdict(list)
    for order in sorted(books.ours.orders, key=_lane_order):
        if order.cycle_id is None or order.id not in places:
            continue
        if order.leg in (Leg.OPEN, Leg.ADD):
            if order.order_type not in _RESTING:
                openings[order.cycle_id].append(order)
        elif order.leg == Leg.CLOSE:
            yield from ((order, opening) for opening in openings[order.cycle_id])


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
