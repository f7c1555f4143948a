"""What would be decided on a signal, by the code that decides; nothing is locked or written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from signals.models import Signal
from trading.copying.deciding import Deciding, Draft
from trading.copying.leader import LeaderMove, leader_move
from trading.copying.links import Link
from trading.copying.reading import Facts, Frame, Known, read_facts, read_frame, read_running
from trading.guards import Guards, Quote
from trading.leases import db_now
from trading.models import Cycle

Place = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """Another moment to decide for: what was held then, and what things cost.

    `taken`: per account the places in use, and whose. `used`: what each had opened that day.
    Breakers are left out of it: they stop what is sent now, not what was sent then.
    """

    at: datetime
    known: Known
    taken: Mapping[int, Collection[tuple[str, UUID | None]]]
    prices: Mapping[Place, Decimal]
    used: Mapping[int, Decimal]


def preview(
    signal: Signal,
    links: Sequence[Link],
    *,
    move: LeaderMove | None = None,
    as_of: AsOf | None = None,
) -> list[Draft]:
    """The decision of each link, in their order: now, or as things were at another moment.

    The signal need not be stored. Terms, limits and switches are those in force.
    """
    if not links:
        return []
    now = db_now() if as_of is None else as_of.at
    begun = _begun(signal, links) if as_of is None else _instruments(as_of.known)
    frame = read_frame(signal, links, now, begun)
    if as_of is None:
        known = read_running(signal, links, frame.markets, lock=False)
        facts = read_facts(signal, links, now, frame, begun, known)
    else:
        frame = _as_it_was(frame, as_of)
        facts = [
            _as_he_was(one, as_of)
            for one in read_facts(signal, links, now, frame, begun, as_of.known)
        ]
    deciding = Deciding(signal, leader_move(signal) if move is None else move, now)
    return [deciding.decide(one) for one in facts]


def _begun(signal: Signal, links: Sequence[Link]) -> frozenset[str]:
    running = Cycle.objects.filter(
        link_uid__in=[link.uid for link in links],
        source_id=signal.source_id,
        leader_inst_id=signal.inst_id,
        ended_at__isnull=True,
    )
    return frozenset(running.order_by().values_list("inst_id", flat=True))


def _instruments(known: Known) -> frozenset[str]:
    return frozenset(inst_id for inst_id, _ in known.places.values())


def _as_it_was(frame: Frame, as_of: AsOf) -> Frame:
    """At the prices of then, which were fresh then; where none is known, at today's."""
    markets = {
        key: replace(facts, mark=as_of.prices.get(key, facts.mark), mark_at=as_of.at)
        for key, facts in frame.markets.items()
    }
    quotes = {key: Quote(facts.mark) for key, facts in markets.items()}
    return Frame(markets, frame.switchboard, Guards(quotes))


def _as_he_was(facts: Facts, as_of: AsOf) -> Facts:
    account, own = facts.link.account.pk, facts.link.uid
    others = (key for key, link in as_of.taken.get(account, ()) if link != own)
    return facts._replace(taken=frozenset(others), used_today=as_of.used.get(account, Decimal(0)))
