"""What two followers must have in common to be decided alike."""

from __future__ import annotations

from collections.abc import Hashable
from operator import attrgetter

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
_facts, _link, _account = (
    attrgetter(*(name for name in kind._fields if name not in _WHO[kind]))
    for kind in (Facts, Link, OutgoingAccount)
)


def likeness(facts: Facts) -> Hashable:
    """Equal for followers of one signal whose decisions, and the numbers behind, are the same."""
    link, board = facts.link, facts.switchboard
    account = link.account
    inst_id = link.inst_id
    guards = facts.guards.context(
        account_id=account.pk,
        market=account.market,
        inst_id=inst_id,
        subscription_id=link.subscription_id,
    )
    return (
        _facts(facts),
        _link(link),
        link.subscription_id is None,
        _account(account),
        # Labels of limits are told to people.
        tuple(limits_of_account(account)),
        board.keys_in_force(link.covered()) if board.names_anybody else (),
        tuple((direction, *_held(facts, direction)) for direction in facts.cycles),
        tuple(facts.is_taken(direction) for direction in Direction),
        tuple(guards.items()),
        frozenset(facts.repeats.made.get((account.pk, inst_id), ())),
    )


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
