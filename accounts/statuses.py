"""Moving a row along its table of allowed statuses: one shape for every room."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import User
from accounts.tenancy import TenantModel

_R = TypeVar("_R", bound=TenantModel)


@transaction.atomic
def move_status(  # noqa: PLR0913 - a step, who takes it, and what changes with it
    row: _R,
    to: str,
    *,
    along: Mapping[Any, Container[Any]],
    kind: str,
    actor: User | None,
    reason: str = "",
    columns: Mapping[str, Any] | None = None,
) -> _R:
    """Set `row.status`, and the `columns` that change with it, and note it as `<kind>.<status>`.

    Works on the row as it is now, and returns that one. Repeating it changes nothing and
    writes nothing. Raises ValidationError for `status` when `along` does not allow the step.
    """
    model: Any = type(row)
    current: Any = model.objects.select_for_update().get(pk=row.pk)
    before = current.status
    if before == to:
        return current  # type: ignore[no-any-return]
    words = dict(model._meta.get_field("status").flatchoices)
    if to not in along[before]:
        told = {"before": words[before], "after": words[to]}
        raise ValidationError({"status": _("%(before)s cannot become %(after)s.") % told})
    changed = {"status": to, **(columns or {})}
    for name, value in changed.items():
        setattr(current, name, value)
    current.save(update_fields=[*changed, "updated_at"])
    audit.record(
        action=f"{kind}.{to}",
        obj=current,
        before={"status": str(before)},
        after={"status": str(to)},
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    return current  # type: ignore[no-any-return]
