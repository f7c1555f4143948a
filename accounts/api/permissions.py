"""What a token may do: its scopes, and for members of staff also their own two hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.api.refusals import MissingScope
from accounts.enums import ApiScope, Role
from accounts.roles import ROLE_PERMISSIONS, Ability
from accounts.tokens import TokenEntry


@dataclass(frozen=True, slots=True)
class Need:
    """The scope that an action needs, and what staff must be able to do by hand for it."""

    scope: ApiScope
    ability: Ability | None = None


READ: Final = Need(ApiScope.READ)


class ScopePermission(BasePermission):
    """Refuses by name of the scope that is missing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        entry = request.auth
        if not isinstance(entry, TokenEntry):
            return False
        need = need_of(view, request.method or "")
        if need.scope not in entry.scopes:
            told = {"scope": need.scope.value}
            raise MissingScope(_("This needs a token with the scope %(scope)s.") % told)
        role = Role(entry.membership.role)
        if need.ability and role != Role.INTEGRATOR and need.ability not in ROLE_PERMISSIONS[role]:
            raise MissingScope(_("The member whom this token acts for may not do this."))
        return True


def need_of(view: Any, method: str) -> Need:
    """By action of a view set, by method of a view; what is not named only reads."""
    needs: Mapping[str, Need] = getattr(view, "needs", {})
    name = getattr(view, "action", None) or method.lower()
    if name in needs:
        return needs[name]
    # A method that has no handler is answered by 405.
    if method.upper() in SAFE_METHODS or not hasattr(view, method.lower()):
        return READ
    raise LookupError(f"{type(view).__name__} names no scope for {name}")
