"""Tokens by which programs enter the API for one member of a desk."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.fields import uid_field
from accounts.tenancy import TenantModel


class ApiToken(TenantModel):
    """A program's way in. It acts for `user`, with no more than its scopes and the user's role.

    Only a digest is kept: the token itself is shown once, by whoever called `create_token`.
    Revoked, never deleted.
    """

    uid = uid_field()
    name = models.CharField(_("name"), max_length=80)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("acts for"),
    )
    scopes = models.JSONField(_("scopes"), default=list)

    digest = models.CharField(max_length=128, unique=True, editable=False)
    token_prefix = models.CharField(_("begins with"), max_length=16, editable=False)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
        verbose_name=_("revoked by"),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ("-created_at", "-pk")
        indexes = (
            # a request's token, before its desk is known
            models.Index(fields=("token_prefix",), name="accounts_token_by_prefix"),
            # the list of a desk
            models.Index(fields=("tenant", "created_at"), name="accounts_token_of_tenant"),
        )

    def __str__(self) -> str:
        return self.name

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at
