"""What would happen: a signal decided for followers as it would be now, and nothing kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from customers.models import ExchangeAccount
from signals.models import Signal
from strategies.enums import SubscriptionStatus
from strategies.models import Strategy, Subscription
from trading.copying.cycles import settle_links
from trading.copying.deciding import Draft
from trading.copying.leader import LeaderMove, leader_move
from trading.copying.links import read_links
from trading.copying.preview import preview
from trading.models import Decision

# Who follows is decided for in one transaction that is rolled back: not for thousands.
MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One follower's decision; `follows` is False for who would have to subscribe first."""

    account: ExchangeAccount
    draft: Draft
    decision: Decision
    move: LeaderMove
    follows: bool


def foresee(
    signal: Signal, strategy: Strategy, accounts: Sequence[ExchangeAccount]
) -> list[Foreseen]:
    """Decide the signal for these accounts by the strategy, on the road that copying takes.

    In a transaction that is always rolled back: an account that does not follow follows for
    its length. Nothing is sent, written or announced. `signal` need not be stored.
    """
    with transaction.atomic():
        try:
            return _foreseen(signal, strategy, accounts)
        finally:
            transaction.set_rollback(True)


def followers(strategy: Strategy) -> tuple[list[ExchangeAccount], bool]:
    """The first `MOST` accounts that follow, by their customers' names; and whether more do."""
    links = Subscription.objects.filter(strategy=strategy)
    links = links.exclude(status=SubscriptionStatus.STOPPED).order_by()
    following = ExchangeAccount.objects.filter(pk__in=links.values("account"))
    ordered = following.select_related("customer").order_by("customer__name", "pk")
    found = list(ordered[: MOST + 1])
    return found[:MOST], len(found) > MOST


def _foreseen(
    signal: Signal, strategy: Strategy, accounts: Sequence[ExchangeAccount]
) -> list[Foreseen]:
    rows = Subscription.objects.filter(strategy=strategy, account__in=accounts)
    following = {row.account_id: row for row in rows}
    strangers = set()
    for account in accounts:
        row = following.get(account.pk)
        if row is None or row.status == SubscriptionStatus.STOPPED:
            strangers.add(account.pk)
            following[account.pk] = _subscribed(strategy, account, row)
    links = read_links(signal, [row.pk for row in following.values()])
    settle_links(signal, [link.uid for link in links])
    move = leader_move(signal)
    drafts = preview(signal, links, move=move)
    found = {draft.facts.link.account.pk: draft for draft in drafts}
    return [
        Foreseen(
            account=account,
            draft=found[account.pk],
            decision=_decision(signal, found[account.pk]),
            move=move,
            follows=account.pk not in strangers,
        )
        for account in accounts
        if account.pk in found
    ]


def _subscribed(
    strategy: Strategy, account: ExchangeAccount, stopped: Subscription | None
) -> Subscription:
    """For the length of the transaction: with the strategy's terms, or those it had before."""
    if stopped is not None:
        Subscription.objects.filter(pk=stopped.pk).update(status=SubscriptionStatus.ACTIVE)
        return stopped
    created: Subscription = Subscription.objects.create(
        tenant_id=strategy.tenant_id, strategy=strategy, account=account
    )
    return created


def _decision(signal: Signal, draft: Draft) -> Decision:
    """The row that would be written, so that it is told as every other."""
    return Decision(
        signal=signal,
        link_uid=draft.facts.link.uid,
        outcome=draft.outcome,
        reason=draft.reason,
        numbers=draft.numbers,
    )
