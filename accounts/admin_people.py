"""What an owner may do for a colleague who cannot come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import lockout, two_factor
from accounts.admin_services import confirm, confirmed
from accounts.display import badge
from accounts.models import Authenticator, User
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up


def with_second_factor(rows: QuerySet[User]) -> QuerySet[User]:
    theirs = Authenticator.objects.filter(user=OuterRef("pk"), confirmed=True)
    return rows.annotate(enrolled=Exists(theirs))


class HelpMixin:
    """Two actions of the list of people; both ask for the password and a reason."""

    @admin.display(description=_("two-factor"))
    def second_factor(self, row: Any) -> str:
        if row.enrolled:
            return badge("ok", "check", _("On"))
        return badge("idle", "remove", _("Off"))

    def has_manage_staff_permission(self, request: HttpRequest) -> bool:
        return may(request, Ability.MANAGE_STAFF)

    @admin.action(description=_("Remove two-factor"), permissions=["manage_staff"])
    def remove_second_factor(self, request: HttpRequest, queryset: Any) -> Any:
        return self._help(
            request,
            queryset,
            two_factor.remove,
            title=_("Remove the second factor"),
            consequences=[
                _("Their sessions end at once, their authenticator and recovery codes are void."),
                _("Be sure who is asking: until they enrol anew, their password opens the desk."),
            ],
        )

    @admin.action(description=_("Unlock"), permissions=["manage_staff"])
    def unlock(self, request: HttpRequest, queryset: Any) -> Any:
        return self._help(
            request,
            queryset,
            lockout.unlock,
            title=_("Unlock after wrong attempts"),
            consequences=[_("Their failed attempts are forgotten; they may try again at once.")],
        )

    def _help(
        self,
        request: HttpRequest,
        queryset: Any,
        run: Callable[..., Any],
        *,
        title: Any,
        consequences: list[Any],
    ) -> Any:
        if not is_fresh(request):
            return redirect_to_step_up(request)
        reason = confirmed(request)
        if reason is None:
            return confirm(
                self,
                request,
                queryset,
                title=title,
                consequences=consequences,
                button=title,
                danger=True,
            )
        done, tenant = 0, request.tenant  # type: ignore[attr-defined]
        for user in queryset:
            try:
                run(user=user, actor=request.user, tenant=tenant, reason=reason)
            except ValidationError as refusal:
                text = f"{user}: {' '.join(refusal.messages)}"
                self.message_user(request, text, messages.WARNING)  # type: ignore[attr-defined]
            else:
                done += 1
        words = ngettext("Done for %(count)d person.", "Done for %(count)d people.", done)
        self.message_user(request, words % {"count": done})  # type: ignore[attr-defined]
        return None
