"""Shadows: the same following once more, on play money, to be compared with the real one.

A shadow hears the same signals and is decided by the same code, in the same turn. Its account is
the simulator's and its own, and no total knows of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from customers.enums import AccountStatus, PositionMode
from strategies.enums import CopyExisting, StrategyStatus, SubscriptionStatus
from strategies.models import Subscription
from strategies.services import SubscriptionTerms, subscribe
from trading.models import Balance
from trading.paper.accounts import USDT, open_paper_account

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import ExchangeAccount

CENTS: Final = Decimal("0.01")
# What bounds the live account bounds its shadow.
LIMITS: Final = ("max_leverage", "max_order_notional", "max_daily_notional", "max_open_positions")


def open_shadow(
    *,
    subscription: Subscription,
    actor: User | None,
    balance: Decimal | None = None,
    reason: str = "",
) -> Subscription:
    """Let a shadow follow beside this one, on its terms as they are now, from the next opening on.

    It begins with as much play money as the live account is worth, unless `balance` says
    otherwise. Raises ValidationError by field.
    """
    live = Subscription.objects.select_related("strategy", "account__customer").get(
        pk=subscription.pk
    )
    _check(live)
    amount = _worth(live.account) if balance is None else balance
    account = open_paper_account(
        customer=live.account.customer,
        label=_label(live),
        balances={USDT: amount},
        position_mode=PositionMode(live.account.position_mode or PositionMode.NET),
        actor=actor,
        is_shadow=True,
        **_limits(live.account),
    )
    return _follow(live, account, actor, reason)


@transaction.atomic
def _follow(
    live: Subscription, account: ExchangeAccount, actor: User | None, reason: str
) -> Subscription:
    terms: Any = {name: getattr(live, name) for name in SubscriptionTerms.__annotations__}
    terms["copy_existing"] = CopyExisting.NO
    shadow = subscribe(strategy=live.strategy, account=account, actor=actor, **terms)
    shadow.is_shadow, shadow.shadow_of = True, live
    shadow.save(update_fields=["is_shadow", "shadow_of", "updated_at"])
    audit.record(
        action="subscription.shadow_opened",
        obj=live,
        after={"account": str(account), "balances": account.paper_balances},
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    return shadow


def _check(live: Subscription) -> None:
    if live.is_shadow:
        raise ValidationError(_("A shadow has no shadow of its own."))
    if live.status == SubscriptionStatus.STOPPED or live.strategy.status == StrategyStatus.ARCHIVED:
        raise ValidationError(_("Only what is followed can be shadowed."))
    if live.account.status == AccountStatus.ARCHIVED:
        raise ValidationError({"account": _("The account is archived.")})
    if live.shadows.exclude(status=SubscriptionStatus.STOPPED).exists():
        raise ValidationError(_("It has a shadow already."))


def _worth(account: ExchangeAccount) -> Decimal:
    rows = Balance.objects.filter(account=account, currency__in=(Balance.TOTAL, USDT))
    known = dict(rows.values_list("currency", "equity"))
    worth = known.get(Balance.TOTAL) or known.get(USDT) or account.initial_balance
    if not worth or worth < CENTS:
        raise ValidationError(
            {"balance": _("What the account is worth is not known yet: name an amount.")}
        )
    return Decimal(worth).quantize(CENTS)


def _limits(account: ExchangeAccount) -> Any:
    return {name: value for name in LIMITS if (value := getattr(account, name)) is not None}


def _label(live: Subscription) -> str:
    """Unique among the customer's accounts, and says whose shadow it is."""
    number = live.shadows.count() + 1
    tail = f" #{live.pk}.{number}"
    return f"Shadow {live.account.label}, {live.strategy.name}"[: 80 - len(tail)] + tail
