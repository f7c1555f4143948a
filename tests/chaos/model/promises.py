"""What must be true of the books of both sides, whatever happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from accounts.tenancy import all_tenants
from tests.chaos.model.venue import Held, Venue
from trading.enums import TradingMode
from trading.models import Fill, Order
from trading.models.orders import OPEN_STATES


def once_and_in_order(accepted: Sequence[Held]) -> None:
    """I1 and I6: each order at most once, each lane in its order, none after its deadline."""
    names = [held.request.client_order_id for held in accepted]
    doubled = [name for name, count in Counter(names).items() if count > 1]
    assert not doubled, f"doubled: {doubled}"
    late = [h.request.client_order_id for h in accepted if h.accepted_ms > h.exp_at_ms]
    assert not late, f"accepted after its deadline: {late}"
    place = {name: number for number, name in enumerate(names)}
    with all_tenants("the lanes"):
        rows = Order.objects.filter(client_order_id__in=names).order_by(
            "lane_at", "signal_id", "leg_number", "slice_number"
        )
        meant = list(rows.values_list("lane_key", "client_order_id"))
    assert {name for _, name in meant} == set(names), "orders that nobody wrote down"
    lanes: dict[str, list[int]] = defaultdict(list)
    for lane, name in meant:
        lanes[lane].append(place[name])
    overtaken = [lane for lane, places in lanes.items() if places != sorted(places)]
    assert not overtaken, f"out of order: {overtaken}"


def only_declared(since: Sequence[Held], mode: TradingMode, declared: set[str]) -> None:
    """I7: once the switch has turned, only what was declared in flight, and what the mode lets."""
    if mode == TradingMode.ACTIVE:
        return
    names = [h.request.client_order_id for h in since]
    with all_tenants("who was accepted"):
        rows = Order.objects.filter(client_order_id__in=names)
        allowed = set(declared)
        if mode == TradingMode.REDUCE_ONLY:
            allowed |= {o.client_order_id for o in rows if not o.opens}
        if mode == TradingMode.FLATTEN:
            allowed |= {o.client_order_id for o in rows if o.flattens}
    assert set(names) <= allowed, f"accepted in {mode}: {set(names) - allowed}"


def no_fill_of_nobody(accepted: Sequence[Held]) -> None:
    """I4, at every moment: whatever fill we know happened, and is known once."""
    theirs = Counter((f.trade_id, f.quantity) for held in accepted for f in held.fills)
    with all_tenants("our fills"):
        ours = Counter(Fill.objects.values_list("trade_id", "quantity"))
    assert not ours - theirs, f"made up: {ours - theirs}"


def books_agree(accepted: Sequence[Held], accounts: Iterable[Any]) -> None:
    """I2, I3 and I4, when all is quiet: every order and every fill, exactly."""
    theirs = Counter((h.ord_id, f.trade_id, f.quantity, f.price) for h in accepted for f in h.fills)
    with all_tenants("our books"):
        columns = ("exchange_order_id", "trade_id", "quantity", "price")
        ours = Counter(Fill.objects.values_list(*columns))
        orders = {o.exchange_order_id: o for o in Order.objects.exclude(exchange_order_id="")}
    assert ours == theirs, f"fills: {ours - theirs} made up, {theirs - ours} missed"
    there = {held.ord_id: held for held in accepted}
    assert set(orders) == set(there), f"lost: {set(orders) ^ set(there)}"
    for ord_id, held in there.items():
        order = orders[ord_id]
        assert order.filled_quantity == held.filled, (order.client_order_id, held.filled)
        assert str(order.state) == str(held.state), (order.client_order_id, order.state, held.state)


def positions_agree(venue: Venue, keys: Mapping[str, Any]) -> None:
    """I5: what is held at the exchange is the sum of our fills."""
    for key, account in keys.items():
        with all_tenants("our fills"):
            fills = Fill.objects.filter(account=account).values_list("side", "quantity")
            summed = sum((q if side == "buy" else -q for side, q in fills), Decimal(0))
        assert summed == venue.position(key), (key, summed, venue.position(key))


def is_flat(venue: Venue, keys: Mapping[str, Any]) -> None:
    assert {key: venue.position(key) for key in keys} == dict.fromkeys(keys, Decimal(0))


def unfinished() -> list[tuple[str, str]]:
    with all_tenants("unfinished orders"):
        rows = Order.objects.filter(state__in=OPEN_STATES)
        return list(rows.values_list("state", "reason"))
