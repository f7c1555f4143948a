"""A person's own password, and the one-time link by which a new person sets the first one."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel, Role
from accounts.models import Membership, User


class WelcomeTokens(PasswordResetTokenGenerator):
    """Tokens that end with the first password set, the next sign-in, or PASSWORD_RESET_TIMEOUT."""

    key_salt = "accounts.passwords.WelcomeTokens"


welcome_tokens: Final = WelcomeTokens()


@transaction.atomic
def set_password(*, user: User, password: str, action: str = "user.password_changed") -> User:
    """Give a person this password; every link and every other session of theirs ends with it.

    Raises ValidationError for a weak one.
    """
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    audit.record(action=action, obj=user, level=AuditLevel.NOTICE, actor=user)
    return user


@transaction.atomic
def welcome(*, uid: UUID, token: str, password: str) -> User | None:
    """Set the first password by a link; None when the link was used meanwhile. Raises
    ValidationError for a weak one."""
    # Of two who hold the link one waits here, and then finds it spent.
    if not User.objects.select_for_update().filter(uid=uid).exists():
        return None
    user = welcomed(uid, token)
    if user is not None:
        set_password(user=user, password=password, action="user.welcomed")
    return user


def welcomed(uid: UUID, token: str) -> User | None:
    """The person a link belongs to, or None for one that is made up, used or too old.

    Also None once they left the desk, or belong to a second one: the first one's link must
    not open it.
    """
    user = User.objects.filter(uid=uid, is_active=True, is_superuser=False).first()
    if user is None or not welcome_tokens.check_token(user, token):
        return None
    places = list(Membership.objects.filter(user=user).values_list("role", "is_active"))
    return user if places == [(Role.CUSTOMER, True)] else None
