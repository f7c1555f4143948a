"""The words of customers and their accounts."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class CustomerStatus(TextChoices):
    ACTIVE = "active", _("Active")
    INACTIVE = "inactive", _("Inactive")
    ARCHIVED = "archived", _("Archived")


CUSTOMER_NEXT = {
    CustomerStatus.ACTIVE: frozenset({CustomerStatus.INACTIVE, CustomerStatus.ARCHIVED}),
    CustomerStatus.INACTIVE: frozenset({CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED}),
    CustomerStatus.ARCHIVED: frozenset({CustomerStatus.INACTIVE}),
}


class AccountStatus(TextChoices):
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    ARCHIVED = "archived", _("Archived")


ACCOUNT_NEXT = {
    AccountStatus.ACTIVE: frozenset({AccountStatus.PAUSED, AccountStatus.ARCHIVED}),
    AccountStatus.PAUSED: frozenset({AccountStatus.ACTIVE, AccountStatus.ARCHIVED}),
    AccountStatus.ARCHIVED: frozenset({AccountStatus.PAUSED}),
}


class KeyStatus(TextChoices):
    MISSING = "missing", _("No key")
    PENDING = "pending", _("Being checked")
    VERIFIED = "verified", _("Verified")
    REFUSED = "refused", _("Refused")


class Market(TextChoices):
    SIMULATOR = "simulator", _("Simulator")
    DEMO = "demo", _("OKX demo trading")
    LIVE_GLOBAL = "live-global", _("OKX")
    LIVE_EEA = "live-eea", _("OKX EEA")
    LIVE_US = "live-us", _("OKX US")


SIMULATED_MARKETS = frozenset({Market.SIMULATOR, Market.DEMO})


class PositionMode(TextChoices):
    NET = "net", _("Net")
    LONG_SHORT = "long_short", _("Long and short")
