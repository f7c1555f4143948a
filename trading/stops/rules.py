"""Setting loss limits and margin thresholds. To allow more takes a reason, and who may loosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.enums import AuditLevel
from trading.enums import LossAction
from trading.models import LossLimit, MarginThreshold

if TYPE_CHECKING:
    from accounts.models import User

# What may be changed of a limit; whom and what it measures may not: that would be another one.
CHANGEABLE = (
    "max_absolute", "max_relative", "action", "close_positions", "starts_at", "is_active",
)  # fmt: skip
STRICTNESS = (LossAction.HOLD, LossAction.CLOSE_ONLY, LossAction.STOP)


@transaction.atomic
def set_loss_limit(
    limit: LossLimit,
    *,
    actor: User | None,
    reason: str = "",
    may_loosen: bool = True,
    on_loosening: Callable[[], None] | None = None,
) -> LossLimit:
    """Store a new limit or a changed one. Raises ValidationError by field.

    `on_loosening` is called before more is allowed than was, and may raise. Losses are measured
    against it within seconds. One that was reached and allows more now lets
    go; one that is made stricter may be reached at once.
    """
    before: dict[str, Any] = {}
    if limit.pk is not None:
        stored = LossLimit.objects.select_for_update().get(pk=limit.pk)
        before = {name: getattr(stored, name) for name in CHANGEABLE}
    after = {name: getattr(limit, name) for name in CHANGEABLE}
    if before and loosens(before, after):
        check_loosening(reason, may_loosen=may_loosen)
        if on_loosening is not None:
            on_loosening()
    limit.full_clean(exclude={"tenant"})  # saving writes the desk whose scope is open
    limit.changed_by = actor
    if before:
        limit.save(update_fields=[*CHANGEABLE, "changed_by", "changed_at"])
    else:
        limit.save(force_insert=True)
    audit.record(
        action="loss_limit.changed" if before else "loss_limit.created",
        obj=limit,
        before=_told(before),
        after={"scope": limit.scope, "what": str(limit), **_told(after)},
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    return limit


def loosens(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Does it allow more than it did?"""
    if not before["is_active"]:
        return False
    bounds = any(_is_more(before[name], after[name]) for name in ("max_absolute", "max_relative"))
    softer = STRICTNESS.index(after["action"]) < STRICTNESS.index(before["action"])
    keeps = before["close_positions"] and not after["close_positions"]
    later = after["starts_at"] is not None and after["starts_at"] != before["starts_at"]
    return bounds or softer or keeps or later or not after["is_active"]


def check_loosening(reason: str, *, may_loosen: bool) -> None:
    """Raises ValidationError when who asks may not, or does not say why."""
    if not may_loosen:
        raise ValidationError({"reason": _("You may make it stricter only.")})
    if not reason.strip():
        raise ValidationError({"reason": _("It allows more than before: say why.")})


@transaction.atomic
def set_margin_threshold(
    threshold: MarginThreshold,
    *,
    actor: User | None,
    reason: str = "",
    may_loosen: bool = True,
    on_loosening: Callable[[], None] | None = None,
) -> MarginThreshold:
    """Store it; every later look goes by it. A lower threshold allows more."""
    before: MarginThreshold | None = None
    if threshold.pk is not None:
        before = MarginThreshold.objects.select_for_update().get(pk=threshold.pk)
    if before is not None and any(
        _is_less(getattr(before, name), getattr(threshold, name)) for name in ("ratio", "distance")
    ):
        check_loosening(reason, may_loosen=may_loosen)
        if on_loosening is not None:
            on_loosening()
    threshold.full_clean(exclude={"tenant"})
    threshold.save()
    names = ("ratio", "distance")
    audit.record(
        action="margin.threshold_changed",
        obj=threshold,
        before=_told({name: getattr(before, name) for name in names}) if before else None,
        after={
            "level": threshold.level,
            **_told({name: getattr(threshold, name) for name in names}),
        },
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    return threshold


def _is_more(before: Decimal | None, after: Decimal | None) -> bool:
    """A bound that is gone is more than any."""
    return before is not None and (after is None or after > before)


def _is_less(before: Decimal | None, after: Decimal | None) -> bool:
    """A threshold that is gone is reached by nobody."""
    return before is not None and (after is None or after < before)


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: f"{value.normalize():f}" if isinstance(value, Decimal) else value
        for name, value in values.items()
    }
