"""What follows when a loss limit is reached: once, in one transaction, and told to people."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from strategies.enums import CloseType, SubscriptionStatus
from strategies.lifecycle import close_only_subscription, stop_subscription
from strategies.models import Subscription
from trading.breakers import NOT_CLOSED, Place, close_breaker, open_breaker
from trading.copying.ending import close_held
from trading.enums import BreakerCause, LossAction
from trading.models import Breaker, LossLimit, LossState

log = logging.getLogger(__name__)


@retried
@transaction.atomic
def reach(state: LossState, now: datetime) -> bool:
    """Stop openings, do what the limit says besides, tell people. False when that was done."""
    first: int = LossState.objects.filter(pk=state.pk, breached_at__isnull=True).update(
        breached_at=now, loss=state.loss, used=state.used
    )
    if not first:
        return False
    state.breached_at = now
    limit, account = state.limit, state.account
    words = _words(state, limit)
    open_breaker(Place(account.market, account, state.subscription), BreakerCause.LOSS_LIMIT, words)
    audit.record(
        action="loss_limit.reached",
        obj=limit,
        level=AuditLevel.CRITICAL,
        after={
            "account": str(account),
            "subscription": str(state.subscription or ""),
            "lost": f"{state.loss.normalize():f}",
            "action": limit.action,
            "close_positions": limit.close_positions,
        },
        reason=words,
        tenant=state.tenant_id,
    )
    for link in concerned(state):
        _end(link, limit, words)
    return True


def concerned(state: LossState) -> list[Subscription]:
    """The followings that the limit stops."""
    links = Subscription.objects.exclude(status=SubscriptionStatus.STOPPED)
    if state.subscription_id is not None:
        return list(links.filter(pk=state.subscription_id))
    return list(links.filter(account_id=state.account_id).order_by("pk"))


def release() -> int:
    """Let go on whom no limit holds any more; in the desk's scope. How many breakers closed."""
    rows = list(stopped_by_losses())
    if not rows:
        return 0
    still = set(
        LossState.objects.filter(breached_at__isnull=False, limit__is_active=True)
        .order_by()
        .values_list("account_id", "subscription_id")
    )
    over = [row for row in rows if (row.account_id, row.subscription_id) not in still]
    return sum(close_breaker(row, _("The limit holds no longer")) for row in over)


def go_on_closing() -> None:
    """What a limit wants closed is asked for until it is; in the desk's scope."""
    held = LossState.objects.filter(
        breached_at__isnull=False, limit__is_active=True, limit__close_positions=True
    )
    mine, whole = Q(pk__in=held.values("subscription_id")), held.filter(subscription=None)
    links = Subscription.objects.filter(
        mine | Q(account_id__in=whole.values("account_id")),
        cycles__isnull=False,
        cycles__ended_at__isnull=True,
    )
    for pk in links.order_by("pk").distinct().values_list("pk", flat=True):
        try:
            close_held(pk)
        except Exception:
            log.exception("what the following %s holds is closed later", pk)


def stopped_by_losses() -> Any:
    """The breakers that loss limits opened."""
    return Breaker.objects.filter(cause=BreakerCause.LOSS_LIMIT, state__in=NOT_CLOSED)


def _end(link: Subscription, limit: LossLimit, words: str) -> None:
    close = CloseType.MARKET_CLOSE if limit.close_positions else CloseType.COPY_CLOSE
    try:
        if limit.action == LossAction.STOP:
            stop_subscription(subscription=link, close=close, actor=None, reason=words)
        elif limit.action == LossAction.CLOSE_ONLY:
            close_only_subscription(subscription=link, actor=None, reason=words)
    except ValidationError as error:
        log.warning("the following %s stays as it is: %s", link.pk, error)


def _words(state: LossState, limit: LossLimit) -> str:
    bounds = []
    if limit.max_absolute is not None:
        bounds.append(f"{_money(limit.max_absolute)} USDT")
    if limit.max_relative is not None:
        bounds.append(f"{(limit.max_relative * 100).normalize():f} %")
    told = _("%(limit)s: %(lost)s USDT of at most %(most)s")
    return told % {"limit": limit, "lost": _money(state.loss), "most": ", ".join(bounds)}


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01')):f}"
