"""The second factor: enrolling, checking a code, recovery codes, taking it away."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.entry import active_memberships, entry_for
from accounts.enums import AuditLevel
from accounts.keyring import fingerprint
from accounts.models import Authenticator, RecoveryCode, Tenant, User
from accounts.roles import Ability, may

CODES: Final = 10
CODE_LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH: Final = 12
ISSUER: Final = "Copydesk"


class Factor(StrEnum):
    """With what somebody proved to be who they are, beside the password."""

    NONE = "none"
    APP = "totp"
    RECOVERY = "recovery"


def is_required(user: User) -> bool:
    """Whether this person may come in with nothing but a password: staff may not, if so set."""
    return bool(settings.STAFF_TWO_FACTOR == "required" and is_staff(user))


def is_staff(user: User) -> bool:
    """Superusers, and those who may enter the back office of some desk."""
    return user.is_superuser or any(may(m, Ability.VIEW_DESK) for m in active_memberships(user))


def authenticator_of(user: User) -> Authenticator | None:
    found: Authenticator | None = user.authenticators.filter(confirmed=True).first()
    return found


def pending_of(user: User, key: object) -> Authenticator | None:
    """What was begun with this key and is not confirmed; what another browser began is not it."""
    if not isinstance(key, int):
        return None
    found: Authenticator | None = user.authenticators.filter(confirmed=False, pk=key).first()
    return found


def codes_left(user: User) -> int:
    return user.recovery_codes.filter(used_at__isnull=True).count()


def wait_until(user: User) -> datetime | None:
    """When the next code may be tried, if wrong ones were tried just before."""
    app = authenticator_of(user)
    if app is None:
        return None
    allowed, why = app.verify_is_allowed()
    return None if allowed else why["locked_until"]


def check_code(*, user: User, code: str) -> Factor | None:
    """Use up a code of the app or a recovery code; None when it is neither or was used."""
    app = authenticator_of(user)
    if app is None or not app.verify_is_allowed()[0]:
        return None
    code = "".join(code.split()).replace("-", "").upper()
    if len(code) == CODE_LENGTH:
        return _use_recovery_code(user, app, code)
    return Factor.APP if app.verify_token(code) else None


@transaction.atomic
def begin_enrolment(*, user: User) -> Authenticator:
    """A new secret to be shown; what was begun before and not confirmed is forgotten."""
    user.authenticators.filter(confirmed=False).delete()
    app = Authenticator(
        user=user, name=ISSUER, secret=base64.b32encode(secrets.token_bytes(20)).decode()
    )
    app.save()
    return app


@transaction.atomic
def confirm_enrolment(*, user: User, app: Authenticator | None, code: str) -> list[str]:
    """Make the new app the person's only one and hand out recovery codes, this once.

    Ends the person's other sessions: they were opened without it. Raises ValidationError.
    """
    if app is None or app.user_id != user.pk:
        raise ValidationError({"code": _("Nothing was begun here, or it is confirmed already.")})
    if not app.verify_token("".join(code.split())):
        raise ValidationError(
            {"code": _("That is not the code the app shows now. Check the clock of the phone.")}
        )
    replaced = user.authenticators.filter(confirmed=True).delete()[0]
    Authenticator.objects.filter(pk=app.pk).update(confirmed=True, confirmed_at=timezone.now())
    codes = _make_codes(user)
    end_sessions(user)
    _note(user, "two_factor.replaced" if replaced else "two_factor.enrolled", AuditLevel.NOTICE)
    return codes


@transaction.atomic
def renew_codes(*, user: User) -> list[str]:
    """Ten new recovery codes, shown this once; the old ones end. Raises ValidationError."""
    if authenticator_of(user) is None:
        raise ValidationError(_("There is no authenticator yet."))
    codes = _make_codes(user)
    _note(user, "two_factor.codes_renewed", AuditLevel.NOTICE)
    return codes


@transaction.atomic
def remove(*, user: User, actor: User, tenant: Tenant, reason: str) -> None:
    """Take the second factor from a locked-out colleague, who must enrol anew.

    Only for people whose single desk this is: elsewhere it protects others. Ends their sessions.
    Raises ValidationError.
    """
    if user.pk == actor.pk:
        raise ValidationError(_("Your own is replaced on your own page."))
    only_here = not user.is_superuser and all(
        m.tenant_id == tenant.pk for m in user.memberships.filter(is_active=True)
    )
    if not actor.is_superuser and not only_here:
        raise ValidationError(_("Only the operator of this installation may do that for them."))
    user.recovery_codes.all().delete()
    if not user.authenticators.all().delete()[0]:
        raise ValidationError(_("They have no second factor."))
    end_sessions(user)
    audit.record(
        action="two_factor.removed",
        obj=user,
        reason=reason,
        level=AuditLevel.WARNING,
        actor=actor,
        tenant=tenant,
    )


def end_sessions(user: User) -> None:
    """Close every session of this person: the hash that each carries no longer fits."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


def app_address(app: Authenticator) -> str:
    """What the QR code says, in the form that authenticator apps read."""
    label = quote(f"{ISSUER}:{app.user.get_username()}")
    query = urlencode({"secret": app.secret.reveal(), "issuer": ISSUER})
    return f"otpauth://totp/{label}?{query}"


def _use_recovery_code(user: User, app: Authenticator, code: str) -> Factor | None:
    with transaction.atomic():
        mine = user.recovery_codes.filter(digest=_digest(user, code), used_at__isnull=True)
        if mine.update(used_at=timezone.now()):
            _note(
                user,
                "two_factor.recovery_code_used",
                AuditLevel.WARNING,
                after={"codes_left": codes_left(user)},
            )
            return Factor.RECOVERY
    app.note_failure()
    return None


def _make_codes(user: User) -> list[str]:
    user.recovery_codes.all().delete()
    codes = [
        "".join(secrets.choice(CODE_LETTERS) for _place in range(CODE_LENGTH))
        for _number in range(CODES)
    ]
    RecoveryCode.objects.bulk_create(
        [RecoveryCode(user=user, digest=_digest(user, code)) for code in codes]
    )
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def _digest(user: User, code: str) -> str:
    return fingerprint(f"recovery code|{user.uid}|{code}")


def _note(
    user: User, action: str, level: AuditLevel, after: dict[str, object] | None = None
) -> None:
    audit.record(
        action=action,
        obj=user,
        after=after,
        level=level,
        actor=user,
        tenant=entry_for(user).tenant,
    )
