"""The followers of a chunk decided one after the other, where one's decision bears on another's."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from accounts import audit
from accounts.enums import AuditLevel
from signals.models import Signal
from trading.copying.deciding import Deciding, Draft
from trading.copying.reading import Facts
from trading.copying.together import Together, bear_on_each_other
from trading.enums import DecisionOutcome, Reason

log = logging.getLogger(__name__)


class Unpriced(RuntimeError):  # noqa: N818 - says what happened
    """Somebody would be refused for want of a price. `places`: markets and instruments."""

    def __init__(self, places: frozenset[tuple[str, str]]) -> None:
        super().__init__(f"no fresh price: {sorted(places)}")
        self.places = places


def unpriced(drafts: Iterable[Draft]) -> frozenset[tuple[str, str]]:
    """The markets and instruments whose price was missing for any of these."""
    missing = [draft.facts.link for draft in drafts if draft.reason == Reason.PRICE_UNKNOWN]
    return frozenset((link.account.market, link.inst_id) for link in missing)


def decide_all(signal: Signal, deciding: Deciding, facts: Sequence[Facts]) -> list[Draft]:
    """One after the other where two follow with one account: the second finds its place taken,
    and less of what the first used up.

    And where orders of one customer wait at several accounts, or a limit binds the whole desk:
    they are counted together.
    """
    if not bear_on_each_other(facts):
        return [_decided(signal, deciding, one) for one in facts]
    drafts, together = [], Together()
    for one in facts:
        draft = _decided(signal, deciding, together.known_to(one))
        together.take(draft, deciding.direction_of(one))
        drafts.append(draft)
    return drafts


def _decided(signal: Signal, deciding: Deciding, facts: Facts) -> Draft:
    """The decision for one follower. One that cannot be decided keeps nobody else waiting."""
    try:
        return deciding.decide(facts)
    except Exception as error:
        log.exception("signal %s cannot be decided for %s", signal.pk, facts.link.uid)
        audit.record(
            action="decision.failed",
            obj=signal,
            level=AuditLevel.CRITICAL,
            after={"account": str(facts.link.account.pk), "error": type(error).__name__},
            reason=str(Reason.POISON.label),
            tenant=signal.tenant_id,
        )
        return Draft(facts, DecisionOutcome.DENIED, Reason.POISON, {})
