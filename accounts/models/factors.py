"""The second factor of a person: the app on their phone, and the codes for when it is lost."""

from __future__ import annotations

import base64
import time
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from accounts.fields import EncryptedTextField, uid_field

DIGITS = 6
STEP_SECONDS = 30
TOLERANCE_STEPS = 1


class Authenticator(ThrottlingMixin, Device):  # type: ignore[misc]
    """An app that shows a code every half minute. Its secret is sealed for this row.

    Until `confirmed` it proves nothing: the person has not shown yet that the app works.
    """

    uid = uid_field()
    user: models.ForeignKey[Any, Any] = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="authenticators",
        verbose_name=_("user"),
    )
    secret = EncryptedTextField(_("secret"))
    confirmed: models.BooleanField[Any, Any] = models.BooleanField(_("confirmed"), default=False)
    # A code is of one half minute; only later ones count after it.
    last_step: models.BigIntegerField[Any, Any] = models.BigIntegerField(_("last step"), default=-1)
    created_at: models.DateTimeField[Any, Any] = models.DateTimeField(
        _("created at"), default=timezone.now, editable=False
    )
    confirmed_at: models.DateTimeField[Any, Any] = models.DateTimeField(
        _("confirmed at"), null=True, blank=True
    )
    last_used_at: models.DateTimeField[Any, Any] = models.DateTimeField(
        _("last used"), null=True, blank=True
    )

    class Meta:
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")
        indexes = [
            # Whether this person has one.
            models.Index(fields=["user", "confirmed"], name="accounts_authenticator_of"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.name})"

    def get_throttle_factor(self) -> int:
        """Seconds to wait after the first wrong code, doubled by each further one."""
        return 1

    def verify_token(self, token: Any) -> bool:
        """django-otp's contract: true at most once for a code, whoever asks at the same time."""
        allowed, _why = self.verify_is_allowed()
        if not allowed:
            return False
        step = self._step_of(str(token))
        if step is not None and self._use(step):
            return True
        self.note_failure()
        return False

    def note_failure(self) -> None:
        """Make the next attempt wait. Counted in the database, since several may try at once."""
        type(self).objects.filter(pk=self.pk).update(
            throttling_failure_count=F("throttling_failure_count") + 1,
            throttling_failure_timestamp=timezone.now(),
        )

    def _step_of(self, token: str) -> int | None:
        if len(token) != DIGITS or not (token.isascii() and token.isdigit()):
            return None
        totp = TOTP(base64.b32decode(self.secret.reveal()), STEP_SECONDS, digits=DIGITS)
        totp.time = time.time()
        known = totp.verify(int(token), TOLERANCE_STEPS, self.last_step + 1)
        return int(totp.t()) if known else None

    def _use(self, step: int) -> bool:
        mine = type(self).objects.filter(pk=self.pk, last_step__lt=step)
        return bool(
            mine.update(
                last_step=step,
                last_used_at=timezone.now(),
                throttling_failure_count=0,
                throttling_failure_timestamp=None,
            )
        )


class RecoveryCode(models.Model):
    """One code that stands in once for the app. Only its keyed hash is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="recovery_codes",
        verbose_name=_("user"),
    )
    digest = models.CharField(_("digest"), max_length=64, unique=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")

    def __str__(self) -> str:
        return str(self.user)
