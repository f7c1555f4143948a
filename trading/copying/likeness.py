"""What two followers must have in common to be decided alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from operator import attrgetter
from typing import Any

from signals.enums import Direction
from trading.copying.links import Link
from trading.copying.reading import Facts
from trading.outgoing import OutgoingAccount
from trading.switch import limits_of_account

# Who somebody is decides nothing: all else counts, also what is added one day.
_WHO = {
    Facts: {"link", "market", "cycles", "taken", "switchboard", "guards", "repeats"},
    Link: {"uid", "account", "subscription_id", "strategy_id"},
    OutgoingAccount: {
        "pk",
        "tenant_id",
        "customer_id",
        "label",
        "api_host",
        "key_version",
        "is_shadow",
    },
}
# Objects of their own, which many followers share: each is told by its number.
_SHARED = {
    "leader", "following", "prices", "strategy_status", "subscription_status", "protection",
}  # fmt: skip


def _all(kind: Any, names: Collection[str]) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(name for name in kind._fields if name in names))


_facts, _link, _account = (
    _all(kind, set(kind._fields) - _WHO[kind] - _SHARED) for kind in (Facts, Link, OutgoingAccount)
)
_shared_in_link = _all(Link, _SHARED)
_NOTHING_TAKEN = (False,) * len(Direction)


class Likeness:
    """Tells of followers of one signal who is alike."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._seen: dict[int, tuple[Hashable, int]] = {}

    def of(self, facts: Facts) -> Hashable:
        """Equal for followers whose decisions, and the numbers behind, are the same."""
        link, board = facts.link, facts.switchboard
        account = link.account
        inst_id = link.inst_id
        guards = facts.guards.context(
            account_id=account.pk,
            market=account.market,
            inst_id=inst_id,
            subscription_id=link.subscription_id,
        )
        taken = _NOTHING_TAKEN
        if facts.taken:
            taken = tuple(facts.is_taken(direction) for direction in Direction)
        return (
            _facts(facts),
            self._number(facts.leader),
            _link(link),
            *map(self._number, _shared_in_link(link)),
            link.subscription_id is None,
            _account(account),
            # Labels of limits are told to people.
            tuple(limits_of_account(account)),
            board.keys_in_force(link.covered()) if board.names_anybody else (),
            tuple((direction, *_held(facts, direction)) for direction in facts.cycles),
            taken,
            *map(self._number, guards.values()),
            frozenset(facts.repeats.made.get((account.pk, inst_id), ())),
        )

    def _number(self, shared: Hashable) -> int:
        """The same for equal values. One object that many share is looked into only once."""
        seen = self._seen.get(id(shared))
        if seen is None:  # kept, so that nothing else can get its place in memory
            number = self._numbers.setdefault(shared, len(self._numbers))
            seen = self._seen[id(shared)] = shared, number
        return seen[1]


def _held(facts: Facts, direction: Direction) -> tuple[Hashable, ...]:
    running = facts.cycles[direction]
    parts = tuple(
        (
            *(p.leg, p.state, p.quantity, p.filled, p.fee_in_kind),
            *(p.order_type, p.price, p.cancel_requested, p.margin_mode),
        )
        for p in running.holding.parts
    )
    return running.cycle.follower_base, running.cycle.leader_base, parts
