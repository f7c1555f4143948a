"""What the channels of algo orders push."""

from __future__ import annotations

from typing import Any

from trading.simulator.algo_state import Algo
from trading.simulator.channels import Subscription
from trading.simulator.rows_algo import advance_push_row, algo_push_row
from trading.simulator.state import Account
from trading.simulator.venue import Venue


def told(venue: Venue, algo: Algo) -> tuple[str, dict[str, Any]]:
    """The channel and the row; trailing stops have a channel of their own."""
    if algo.ord_type == "move_order_stop":
        return "algo-advance", advance_push_row(algo, venue.market, venue.clock.ms())
    return "orders-algo", algo_push_row(algo, venue.market)


def snapshot(venue: Venue, account: Account, subscription: Subscription) -> list[dict[str, Any]]:
    """Trailing stops that are pending when the subscription begins; the others have none."""
    if subscription.channel != "algo-advance":
        return []
    pending = [
        each
        for each in account.live_algos.values()
        if each.ord_type == "move_order_stop" and subscription.matches(each.inst_id)
    ]
    return [{"data": [told(venue, each)[1]]} for each in pending]
