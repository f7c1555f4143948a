"""How followings are paused, resumed and stopped. Raises ValidationError by field."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.statuses import move_status
from customers.ports import copied_positions
from strategies.enums import (
    STRATEGY_NEXT,
    SUBSCRIPTION_NEXT,
    CloseType,
    StrategyStatus,
    SubscriptionStatus,
)
from strategies.events import subscription_ending
from strategies.models import Strategy, Subscription

if TYPE_CHECKING:
    from accounts.models import User

NOT_ENDING = {"ending": "", "ending_at": None}
FLAT = "nothing is held any more"


def pause_subscription(
    *, subscription: Subscription, actor: User | None, reason: str = ""
) -> Subscription:
    """Open nothing until resumed. What is held is still reduced and closed with the leader."""
    return set_subscription_status(
        subscription=subscription, status=SubscriptionStatus.PAUSED, actor=actor, reason=reason
    )


def resume_subscription(
    *, subscription: Subscription, actor: User | None, reason: str = ""
) -> Subscription:
    return set_subscription_status(
        subscription=subscription, status=SubscriptionStatus.ACTIVE, actor=actor, reason=reason
    )


def close_only_subscription(
    *, subscription: Subscription, actor: User | None, reason: str = ""
) -> Subscription:
    """Follow what is open to its end and open nothing, until somebody says otherwise."""
    return set_subscription_status(
        subscription=subscription, status=SubscriptionStatus.CLOSE_ONLY, actor=actor, reason=reason
    )


def set_subscription_status(
    *,
    subscription: Subscription,
    status: SubscriptionStatus,
    actor: User | None,
    reason: str = "",
) -> Subscription:
    """Move along SUBSCRIPTION_NEXT. Repeating it changes nothing and writes nothing.

    One that is being stopped goes on with anything but stopping.
    """
    if status == SubscriptionStatus.STOPPED:
        return stop_subscription(subscription=subscription, actor=actor, reason=reason)
    return move_status(
        subscription,
        status,
        along=SUBSCRIPTION_NEXT,
        kind="subscription",
        actor=actor,
        reason=reason,
        columns=NOT_ENDING,
    )


@transaction.atomic
def stop_subscription(
    *,
    subscription: Subscription,
    close: CloseType = CloseType.COPY_CLOSE,
    actor: User | None,
    reason: str = "",
) -> Subscription:
    """End the following, and what it holds in the way that `close` says.

    It is stopped at once where it holds nothing, or where a person takes over what it holds;
    otherwise it only follows closes, and is stopped when it is flat. What was left to a person
    may be taken back with another way. Repeating it changes nothing and writes nothing. The row
    stays: decisions and orders point to it, it is never deleted.
    """
    link: Subscription = Subscription.objects.select_for_update().get(pk=subscription.pk)
    holds = bool(copied_positions().of_links([link.uid]))
    if link.status == SubscriptionStatus.STOPPED and not holds:
        return link
    stops = close == CloseType.MANUAL_CLOSE or not holds
    to = SubscriptionStatus.STOPPED if stops else SubscriptionStatus.CLOSE_ONLY
    if (link.status, link.ending) == (to, close):
        return link
    before = {"status": link.status, "ending": link.ending}
    link.status, link.ending, link.ending_at = to, close, timezone.now()
    link.save(update_fields=["status", "ending", "ending_at", "updated_at"])
    audit.record(
        action="subscription.stopped" if stops else "subscription.stopping",
        obj=link,
        before=before,
        after={"status": to, "ending": close, "holds": holds},
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    transaction.on_commit(
        partial(subscription_ending.send_robust, Subscription, subscription_id=link.pk)
    )
    return link


def finish_stopping(link: Subscription) -> None:
    """It is flat by now. Runs in the transaction that found it so, under the row's lock."""
    _end(link, SubscriptionStatus.STOPPED, "subscription.stopped", AuditLevel.NOTICE, FLAT)


def go_on_stopping(link: Subscription) -> None:
    """An opening that was on its way came after it had stopped: what it opened is ended too."""
    reason = "an opening was on its way when it stopped"
    _end(link, SubscriptionStatus.CLOSE_ONLY, "subscription.stopping", AuditLevel.WARNING, reason)


def leave_to_a_person(link: Subscription, reason: str) -> None:
    """What it holds could not be closed: people are told, and nothing more is tried."""
    link.ending = CloseType.MANUAL_CLOSE
    _end(link, SubscriptionStatus.STOPPED, "subscription.left_open", AuditLevel.CRITICAL, reason)


def _end(
    link: Subscription, to: SubscriptionStatus, action: str, level: AuditLevel, reason: str
) -> None:
    before = {"status": link.status}
    link.status = to
    link.save(update_fields=["status", "ending", "updated_at"])
    after = {"status": to, "ending": link.ending}
    audit.record(action=action, obj=link, before=before, after=after, level=level, reason=reason)


@transaction.atomic
def set_strategy_status(
    *, strategy: Strategy, status: StrategyStatus, actor: User | None, reason: str = ""
) -> Strategy:
    """Pause, resume or archive. Repeating it changes nothing and writes nothing.

    A paused strategy opens nothing and goes on closing. One whose followers hold what they copied
    is not archived, for nobody would follow it to its end; with it, all of them are stopped.
    """
    archives = status == StrategyStatus.ARCHIVED
    links = list(_not_stopped(strategy)) if archives else []
    if archives and copied_positions().of_links([link.uid for link in links]):
        words = _("Followers still hold what they copied. Stop their subscriptions first.")
        raise ValidationError({"status": words})
    moved = move_status(
        strategy, status, along=STRATEGY_NEXT, kind="strategy", actor=actor, reason=reason
    )
    for link in links:
        stop_subscription(subscription=link, actor=actor, reason=reason)
    return moved


def _not_stopped(strategy: Strategy) -> Any:
    mine = Subscription.objects.filter(strategy=strategy)
    return mine.exclude(status=SubscriptionStatus.STOPPED).order_by("pk")
