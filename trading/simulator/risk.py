"""Watching who comes near liquidation, without computing every account at every price.

A cross account's currency and an isolated position are one *bucket* each: what
is liquidated together. Each bucket is judged exactly when its account changed
or when a price has come so far that its verdict could be another one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trading.simulator import liquidation, margin
from trading.simulator.decimals import ZERO
from trading.simulator.instruments import BY_ID, tier_for
from trading.simulator.margin import SWAP_TAKER, Health
from trading.simulator.state import Account, Entry, Position, PositionKey

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange

WARNING: Final = Decimal(3)
LIQUIDATION: Final = Decimal(1)
MOST_AT_ONCE: Final = 500

_CAUTION: Final = Decimal("0.999999")
_STALE: Final = 1000
_HARMLESS: Final = frozenset(
    ("request", "answer", "order", "cancel", "amend", "price", "algo", "algo_change", "attach")
)

Bucket = tuple[str, str | PositionKey]
Trigger = tuple[Decimal, int, Bucket, int]


@dataclass(slots=True)
class _Triggers:
    """Heaps by instrument: what waits for a fall (prices negated) and for a rise."""

    falls: list[Trigger] = field(default_factory=list)
    rises: list[Trigger] = field(default_factory=list)

    def reached(self, mark: Decimal) -> Iterator[Trigger]:
        while self.falls and -self.falls[0][0] >= mark:
            yield heapq.heappop(self.falls)
        while self.rises and self.rises[0][0] <= mark:
            yield heapq.heappop(self.rises)


class RiskWatch:
    """Warns at a margin ratio of 300 % and liquidates at 100 %."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._changed: dict[str, None] = dict.fromkeys(exchange.state.accounts)
        self._due: dict[Bucket, None] = {}
        self._triggers: dict[str, _Triggers] = {}
        self._versions: dict[Bucket, int] = {}
        self._warned: set[Bucket] = set()
        self._made = 0

    def recorded(self, entry: Entry) -> None:
        """An entry that may change an account's equity or positions was applied."""
        if entry["kind"] not in _HARMLESS and "account" in entry:
            self._changed[entry["account"]] = None

    def look(self) -> None:
        """Judge every bucket whose verdict may have changed; what that changes is judged too.

        After some hundred liquidations the rest waits for the next heartbeat and is
        judged by the prices of then: a crash must not hold up the exchange.
        """
        accounts, allowed = self._exchange.state.accounts, MOST_AT_ONCE
        self._due.update(dict.fromkeys(self._reached()))
        while self._due or self._changed:
            changed, self._changed = self._changed, {}
            for account in (accounts[key] for key in changed if key in accounts):
                self._due.update(dict.fromkeys(_buckets(account)))
            due, self._due = list(self._due), {}
            for number, bucket in enumerate(due):
                if not allowed:
                    self._due = dict.fromkeys(due[number:])
                    return
                allowed -= self._judge(bucket)

    def _reached(self) -> Iterator[Bucket]:
        for inst_id, triggers in self._triggers.items():
            mark = self._exchange.market.quote(inst_id).mark
            for _, _, bucket, version in triggers.reached(mark):
                if self._versions.get(bucket) == version:
                    yield bucket

    def _judge(self, bucket: Bucket) -> bool:
        """Whether it was liquidated."""
        account = self._exchange.state.accounts.get(bucket[0])
        self._versions.pop(bucket, None)
        if account is None:
            return False
        positions, health = self._health(account, bucket[1])
        if health.ratio is None:
            self._warned.discard(bucket)
            if health.equity < 0 and isinstance(bucket[1], str):
                liquidation.cover(self._exchange, account, bucket[1])
            return False
        if health.ratio <= LIQUIDATION:
            self._warned.discard(bucket)
            liquidation.liquidate(self._exchange, account, bucket[1])
            return True
        self._warn(account, bucket, positions, warned=health.ratio <= WARNING)
        self._arm(bucket, positions, health)
        return False

    def _health(self, account: Account, what: str | PositionKey) -> tuple[list[Position], Health]:
        market = self._exchange.market
        if isinstance(what, str):
            return margin.cross_positions(account, what), margin.cross_health(account, what, market)
        position = account.positions[what]
        return [position], margin.isolated_health(position, market)

    def _warn(
        self, account: Account, bucket: Bucket, positions: list[Position], *, warned: bool
    ) -> None:
        """Once on entering the zone, again only after having left it."""
        if not warned:
            self._warned.discard(bucket)
        elif bucket not in self._warned:
            self._warned.add(bucket)
            for position in positions:
                self._exchange.on_warning(account, position)

    def _arm(self, bucket: Bucket, positions: list[Position], health: Health) -> None:
        """Wait for the nearest prices at which the verdict could change.

        Equity less a multiple of what is needed depends on each price alone; a
        part of that slack is given to each instrument, so until one of them has
        used up its part the sum cannot have.
        """
        self._made += 1
        self._versions[bucket] = self._made
        warned = bucket in self._warned
        bounds = (LIQUIDATION, WARNING) if warned else (WARNING,)
        by_instrument: dict[str, list[Position]] = {}
        for position in positions:
            by_instrument.setdefault(position.inst_id, []).append(position)
        for bound in bounds:
            slack = (health.equity - bound * health.needed) * _CAUTION / len(by_instrument)
            for inst_id, held in by_instrument.items():
                mark = self._exchange.market.quote(inst_id).mark
                price = _price_using_up(held, slack, bound, mark)
                if price is not None:
                    self._wait(inst_id, price, mark, bucket)

    def _wait(self, inst_id: str, price: Decimal, mark: Decimal, bucket: Bucket) -> None:
        triggers = self._triggers.setdefault(inst_id, _Triggers())
        version = self._versions[bucket]
        if price <= mark:
            heapq.heappush(triggers.falls, (-price, self._made, bucket, version))
            triggers.falls = self._compact(triggers.falls)
        if price >= mark:
            heapq.heappush(triggers.rises, (price, self._made, bucket, version))
            triggers.rises = self._compact(triggers.rises)

    def _compact(self, heap: list[Trigger]) -> list[Trigger]:
        """Every judgement leaves its old triggers behind: drop them when they are the most."""
        if len(heap) <= 3 * len(self._versions) + _STALE:
            return heap
        kept = [each for each in heap if self._versions.get(each[2]) == each[3]]
        heapq.heapify(kept)
        return kept


def _buckets(account: Account) -> Iterator[Bucket]:
    """Currencies first: a debt without positions is covered there."""
    currencies = dict.fromkeys(ccy for ccy, cash in account.balances.items() if cash < 0)
    isolated = []
    for key, position in account.positions.items():
        if not position.qty:
            continue
        if position.mgn_mode == "cross":
            currencies[BY_ID[position.inst_id].settle] = None
        else:
            isolated.append(key)
    for ccy in currencies:
        yield account.key, ccy
    for key in isolated:
        yield account.key, key


def _price_using_up(
    held: list[Position], slack: Decimal, bound: Decimal, mark: Decimal
) -> Decimal | None:
    """Where an instrument's positions have lost the slack (won it, if negative); None: nowhere."""
    listed = BY_ID[held[0].inst_id]
    weight = ZERO
    for position in held:
        rate = bound * (tier_for(listed, position.qty).mmr + SWAP_TAKER)
        coins = position.qty * listed.ct_val
        weight += coins + abs(coins) * rate * (1 if listed.is_inverse else -1)
    if not weight:
        return None
    if not listed.is_inverse:
        return mark - slack / weight
    reciprocal = 1 / mark + slack / weight
    return 1 / reciprocal if reciprocal > 0 else None
