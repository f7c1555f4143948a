"""Desks and the people who work in them. These tables are global: no tenant owns them."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts.enums import Language, Role, TenantStatus
from accounts.fields import uid_field


def validate_timezone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("%(name)s is not a known time zone."), params={"name": name})


class Installation(models.Model):
    """The one row (key 1) that stands for this installation; system switches bump its version."""

    # Not an autoincrement key, which MySQL allows in no check.
    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("name"), max_length=100, default="Copydesk")
    switch_version = models.BigIntegerField(_("switch version"), default=0, editable=False)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installation")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="accounts_installation_single"),
        ]

    def __str__(self) -> str:
        return self.name


class Tenant(models.Model):
    """A desk. Every switch or limit change within it bumps `switch_version`."""

    uid = uid_field()
    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(
        _("slug"), max_length=50, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")]
    )
    timezone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validate_timezone]
    )
    day_starts_at = models.PositiveSmallIntegerField(
        _("day starts at hour"), default=0, validators=[MaxValueValidator(23)]
    )
    status = models.CharField(
        _("status"), max_length=16, choices=TenantStatus, default=TenantStatus.ACTIVE
    )
    switch_version = models.BigIntegerField(_("switch version"), default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("desk")
        verbose_name_plural = _("desks")
        ordering = ("name", "pk")
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="accounts_tenant_slug_unique"),
            models.CheckConstraint(
                condition=models.Q(day_starts_at__lte=23), name="accounts_tenant_day_starts_at"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def is_active(self) -> bool:
        return self.status == TenantStatus.ACTIVE

    def day_start(self, now: datetime) -> datetime:
        """When the desk's present day began: in its zone, at its hour."""
        local = now.astimezone(self.zone)
        start = local.replace(hour=self.day_starts_at, minute=0, second=0, microsecond=0)
        return start if start <= local else start - timedelta(days=1)


class User(AbstractUser):
    """A person who signs in. What they may do is written in their memberships."""

    uid = uid_field()
    # Empty: not chosen yet, so the browser decides.
    language = models.CharField(
        _("language"), max_length=16, choices=Language, default="", blank=True
    )

    # Counts up when every session of this person must end.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)

    class Meta(AbstractUser.Meta):  # type: ignore[name-defined,misc]
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.get_username()

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What every session carries: another password, or another epoch, and it is closed."""
        told = f"{self.password}|{self.session_epoch}"
        salt = "accounts.models.User.session"
        return salted_hmac(salt, told, secret=secret, algorithm="sha256").hexdigest()


class Membership(models.Model):
    """One person's role in one desk; switched off, never deleted."""

    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("user")
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("desk")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tenant"], name="accounts_membership_user_tenant_unique"
            ),
        ]
        indexes = [
            # The members of one desk, by role: who may approve, who is told.
            models.Index(fields=["tenant", "role"], name="accounts_membership_by_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()}, {self.tenant})"
