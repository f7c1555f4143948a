"""What the openings of one account, or of one desk, come to together.

Each is measured by what is used when it is decided. So that two of the same moment do not both
find the same room, one process at a time decides where something adds up, and within a chunk one
follower after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from signals.enums import Direction, Intent
from signals.models import Signal
from trading.copying.deciding import Draft
from trading.copying.links import Link
from trading.copying.reading import Facts
from trading.enums import LimitKind
from trading.risk import INCREASES
from trading.switch import Switchboard
from trading.usage import ADD_UP, hold_sums

ZERO = Decimal(0)
_OPENS = frozenset({Intent.OPEN, Intent.ADD, Intent.FLIP, Intent.TARGET})


def hold_caps(signal: Signal, links: Sequence[Link], board: Switchboard) -> None:
    """Until the transaction ends nobody else decides what adds up with what is decided here.

    Asks at most twice for any number of links, and not at all where no cap adds up. What only
    reduces waits for nobody.
    """
    if signal.intent not in _OPENS:
        return
    kinds = board.kinds
    everybody = bool(kinds & ADD_UP)
    accounts = {link.account.pk for link in links if everybody or _adds_up(link)}
    places = set[tuple[str, str]]()
    if LimitKind.DESK_NOTIONAL in kinds:
        places = {(link.account.market, link.inst_id) for link in links}
    hold_sums(accounts, places)


def _adds_up(link: Link) -> bool:
    account = link.account
    return (
        link.following.max_exposure is not None
        or link.terms.allocated_capital is not None
        or account.max_daily_notional is not None
        or account.max_open_positions is not None
    )


def bear_on_each_other(facts: Sequence[Facts]) -> bool:
    """Does what one of these gets leave less for another?"""
    if not facts:
        return False
    if len({one.link.account.pk for one in facts}) < len(facts):
        return True
    if LimitKind.DESK_NOTIONAL in facts[0].switchboard.kinds:
        return True
    return any(one.link.prices.waits for one in facts)


class Together:
    """What the followers decided so far take away from those who come behind them."""

    def __init__(self) -> None:
        self._places = set[str]()
        self._waiting = Counter[tuple[str, int]]()
        self._notional: dict[int, Decimal] = {}
        self._margin: dict[int, Decimal] = {}
        self._desk: dict[tuple[str, str], Decimal] = {}
        self._instruments: dict[int, set[str]] = {}

    def known_to(self, one: Facts) -> Facts:
        """The same facts after all that was decided here before.

        Of a desk's room a shadow takes nothing, and finds it as its follower did.
        """
        account = one.link.account
        worth = self._notional.get(account.pk, ZERO)
        beside = self._instruments.get(account.pk, set()) - {one.link.inst_id}
        left = one.available
        if left is not None:
            left -= self._margin.get(account.pk, ZERO)
        desk = ZERO if account.is_shadow else self._desk.get(_place(one), ZERO)
        return one._replace(
            taken=one.taken | (_keys(one) & self._places),
            waiting_orders=one.waiting_orders + self._waiting[account.waits_with],
            exposure=one.exposure + worth,
            used_today=one.used_today + worth,
            desk_notional=one.desk_notional + desk,
            available=left,
            open_positions=one.open_positions + len(beside),
        )

    def take(self, draft: Draft, direction: Direction) -> None:
        """`direction` is the one in which this follower moves."""
        facts = draft.facts
        account = facts.link.account
        self._waiting[account.waits_with] += draft.waiting
        if draft.new_cycle is not None:
            self._places |= _keys(facts) if facts.is_net else {facts.active_key(direction)}
        for order in draft.orders:
            if order.leg not in INCREASES:
                continue
            worth = order.notional or ZERO
            self._notional[account.pk] = self._notional.get(account.pk, ZERO) + worth
            if not account.is_shadow:
                self._desk[_place(facts)] = self._desk.get(_place(facts), ZERO) + worth
            margin = worth / (order.leverage or 1)
            self._margin[account.pk] = self._margin.get(account.pk, ZERO) + margin
            if not facts.held:  # else it is among the positions that were counted
                self._instruments.setdefault(account.pk, set()).add(facts.link.inst_id)


def _place(facts: Facts) -> tuple[str, str]:
    return facts.link.account.market, facts.link.inst_id


def _keys(facts: Facts) -> set[str]:
    return {facts.active_key(direction) for direction in Direction}
