"""The closed sets of words this room stores."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """What a member may do in one desk; `accounts.roles` has the table."""

    OWNER = "owner", _("Owner")
    TRADER = "trader", _("Trader")
    RISK = "risk", _("Risk manager")
    SUPPORT = "support", _("Support")
    AUDITOR = "auditor", _("Auditor")
    CUSTOMER = "customer", _("Customer")
    INTEGRATOR = "integrator", _("Integrator")


class Language(TextChoices):
    """The languages people may choose; each under its own name. The codes are Django's."""

    ENGLISH = "en", "English"
    CHINESE = "zh-hans", "简体中文"


class ApiScope(TextChoices):
    """What an API token may be used for; the role of its member sets the bounds."""

    READ = "read", _("Read")
    SIGNALS_WRITE = "signals:write", _("Create signals")
    TRADE = "trade", _("Trade, bind customers, pause and resume")


class TenantStatus(TextChoices):
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")


class AuditLevel(TextChoices):
    INFO = "info", _("Info")
    NOTICE = "notice", _("Notice")
    WARNING = "warning", _("Warning")
    CRITICAL = "critical", _("Critical")


class ApprovalStatus(TextChoices):
    PENDING = "pending", _("Pending")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    EXPIRED = "expired", _("Expired")


APPROVAL_NEXT: dict[ApprovalStatus, frozenset[ApprovalStatus]] = {
    ApprovalStatus.PENDING: frozenset(
        {ApprovalStatus.APPROVED, ApprovalStatus.REFUSED, ApprovalStatus.EXPIRED}
    ),
    ApprovalStatus.APPROVED: frozenset(),
    ApprovalStatus.REFUSED: frozenset(),
    ApprovalStatus.EXPIRED: frozenset(),
}
