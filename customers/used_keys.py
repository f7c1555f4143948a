"""A key is used once in the whole installation, whoever uses it and for what."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _


class UsedKey(models.Model):
    """The fingerprint of a key that is stored somewhere. Says nothing of whose it is."""

    fingerprint = models.CharField(max_length=64, primary_key=True)

    class Meta:
        verbose_name = _("used key")
        verbose_name_plural = _("used keys")

    def __str__(self) -> str:
        return self.fingerprint[:8]


def key_taken() -> ValidationError:
    """What is said of a key that is used already, here or at another desk."""
    return ValidationError({"api_key": _("This key is already in use")})


def change_key(before: str | None, after: str | None) -> None:
    """Note in the caller's transaction that one key takes another's place.

    Raises ValidationError when the new one is used, also by whoever is faster.
    """
    if before == after:
        return
    UsedKey.objects.filter(pk=before).delete()
    if after is None:
        return
    try:
        with transaction.atomic():
            UsedKey(fingerprint=after).save(force_insert=True)
    except IntegrityError as error:
        raise key_taken() from error
