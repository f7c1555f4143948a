"""Customers and the OKX accounts we trade for them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField, ExactDecimalField
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from customers.enums import AccountStatus, CustomerStatus, KeyStatus, Market, PositionMode
from customers.used_keys import UsedKey

if TYPE_CHECKING:
    from accounts.models import User

__all__ = ["Customer", "ExchangeAccount", "UsedKey"]


class CustomerQuerySet(TenantQuerySet["Customer"]):
    def active(self) -> CustomerQuerySet:
        return self.filter(status=CustomerStatus.ACTIVE)

    def visible_to(self, user: User) -> CustomerQuerySet:
        """Narrow to the customer that this portal user is; staff of the desk see all."""
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(portal_user=user)


class Customer(TenantModel):
    """Someone the desk trades for. Archived, never deleted, once it has history."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    portal_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("portal user"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    notes = models.TextField(_("notes"), blank=True)

    initial_balance = ExactDecimalField(
        _("initial balance"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("USDT. Taken from the first reading of the accounts when left empty."),
    )
    max_leverage = ExactDecimalField(
        _("maximum leverage"), null=True, blank=True, validators=[MinValueValidator(1)]
    )

    status = models.CharField(
        _("status"), max_length=16, choices=CustomerStatus, default=CustomerStatus.ACTIVE
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(CustomerQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="customer_name_per_tenant"),
        )
        indexes = (models.Index(fields=("tenant", "status"), name="customer_by_status"),)

    def __str__(self) -> str:
        return self.name


class ExchangeAccountQuerySet(TenantQuerySet["ExchangeAccount"]):
    def tradable(self) -> ExchangeAccountQuerySet:
        """Accounts the engine may send orders for."""
        return self.filter(
            status=AccountStatus.ACTIVE,
            key_status=KeyStatus.VERIFIED,
            customer__status=CustomerStatus.ACTIVE,
        )

    def streamed(self) -> ExchangeAccountQuerySet:
        """Accounts whose private socket is kept open: every verified one not archived."""
        return self.filter(key_status=KeyStatus.VERIFIED).exclude(status=AccountStatus.ARCHIVED)

    def counted(self) -> ExchangeAccountQuerySet:
        """Accounts whose figures make totals: what a shadow trades is nobody's money."""
        return self.filter(is_shadow=False)

    def visible_to(self, user: User) -> ExchangeAccountQuerySet:
        """Customers see their own, and no shadows: those are for staff to compare with."""
        if may(user, Ability.READ_ROWS):
            return self
        return self.counted().filter(customer__portal_user=user)


class ExchangeAccount(TenantModel):
    """One OKX account of a customer, with the key that may trade on it.

    The three key fields are write-only: they are read through
    `customers.credentials` and nowhere else.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="accounts"
    )
    label = models.CharField(_("label"), max_length=80, default="main")
    market = models.CharField(_("market"), max_length=16, choices=Market)
    api_host = models.CharField(
        _("API host"),
        max_length=120,
        blank=True,
        # Or a stored key could be sent to whoever edits this field.
        validators=[RegexValidator(r"\A(?:[a-z0-9-]+\.)+okx\.com\Z", _("A host of okx.com."))],
        help_text=_("Only when OKX gave this account a host of its own."),
    )

    api_key = EncryptedTextField(_("API key"), blank=True)
    api_secret = EncryptedTextField(_("API secret"), blank=True)
    passphrase = EncryptedTextField(_("passphrase"), blank=True)
    key_last4 = models.CharField(_("key ends in"), max_length=4, blank=True, editable=False)
    key_fingerprint = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - many rows have none
    key_version = models.PositiveIntegerField(default=0, editable=False)
    key_status = models.CharField(
        _("key"), max_length=16, choices=KeyStatus, default=KeyStatus.MISSING, editable=False
    )
    key_reason = models.CharField(_("key check"), max_length=300, blank=True, editable=False)
    key_permissions = models.JSONField(_("permissions"), default=list, editable=False)
    key_warnings = models.JSONField(_("warnings"), default=list, editable=False)
    exchange_uid = models.CharField(_("OKX user id"), max_length=40, blank=True, editable=False)
    account_level = models.CharField(_("account level"), max_length=4, blank=True, editable=False)
    position_mode = models.CharField(
        _("position mode"), max_length=16, choices=PositionMode, blank=True, editable=False
    )
    verified_at = models.DateTimeField(_("verified"), null=True, editable=False)

    # What a simulated account of ours is opened with: an amount as text by currency.
    paper_balances = models.JSONField(default=dict, blank=True, editable=False)
    # Trades on paper beside a live one, to be compared with it; never part of any total.
    is_shadow = models.BooleanField(_("shadow"), default=False, editable=False)
    # Everything traded earlier was wiped at the simulator and explains nothing that is held.
    books_since = models.DateTimeField(null=True, editable=False)

    initial_balance = ExactDecimalField(
        _("initial balance"),
        null=True,
        blank=True,
        help_text=_("USDT. Taken from the exchange at the first check when left empty."),
    )
    max_leverage = ExactDecimalField(
        _("maximum leverage"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    max_order_notional = ExactDecimalField(
        _("limit per order"), null=True, blank=True, help_text=_("USDT")
    )
    max_daily_notional = ExactDecimalField(
        _("limit per day"), null=True, blank=True, help_text=_("USDT")
    )
    max_open_positions = models.PositiveIntegerField(
        _("open positions at most"), null=True, blank=True
    )

    status = models.CharField(
        _("status"), max_length=16, choices=AccountStatus, default=AccountStatus.ACTIVE
    )
    paused_reason = models.CharField(_("paused because"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ExchangeAccountQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("exchange account")
        verbose_name_plural = _("exchange accounts")
        ordering = ("customer__name", "label")
        constraints = (
            models.UniqueConstraint(
                fields=("customer", "label"), name="account_label_per_customer"
            ),
        )
        indexes = (
            models.Index(fields=("tenant", "key_status", "status"), name="account_by_key_status"),
        )

    def __str__(self) -> str:
        return f"{self.customer.name} / {self.label}"

    @property
    def is_verified(self) -> bool:
        return self.key_status == KeyStatus.VERIFIED

    @property
    def is_paper(self) -> bool:
        """Opened at the simulator by the platform, which holds its key and its purse."""
        return self.market == Market.SIMULATOR and bool(self.paper_balances)

    @property
    def paper_key(self) -> str:
        """The key of a paper account. Its name is no secret, so that nobody must decrypt it."""
        return f"paper-{self.uid.hex}"
