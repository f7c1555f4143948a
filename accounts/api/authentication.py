"""Who calls: the token in the Authorization header, and nothing else."""

from __future__ import annotations

from typing import Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import User
from accounts.tokens import TokenEntry, entry_of, note_use

SCHEMES: Final = ("token", "bearer")
LONGEST: Final = 200


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token cpd_…` or `Bearer cpd_…`. Sessions and cookies are not looked at."""

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[User, TokenEntry] | None:
        given = get_authorization_header(request)
        if not given:
            return None
        now = timezone.now()
        entry = entry_of(_token(given), now)
        if entry is None:
            raise AuthenticationFailed(_("This token does not open anything."))
        note_use(entry.token, now)
        return entry.token.user, entry

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def _token(given: bytes) -> str:
    """The token of the header; "" when it is not of the form we read, which opens nothing."""
    if len(given) > LONGEST or not given.isascii():
        return ""
    scheme, _space, token = given.decode().strip().partition(" ")
    return token.strip() if scheme.lower() in SCHEMES else ""
